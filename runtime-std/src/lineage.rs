//! The clusters that one cluster became: each ended with the decision that
//! changed its roster, and the next goes on from there.
//!
//! A folder holds the roster of the first, which never changes, and the
//! decision that ended each. Everything else follows from them: who is a member
//! now, what the id of the cluster is, and which roster decided an epoch. So
//! whoever trusts the first id needs to trust nobody about the others.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::types::{Epoch, NodeId};
use butterfly_kernel::wire;

use crate::folder::read;
use crate::protocol::{Change, Cluster, Decided, Newcomer, PublicKey, Roster, encode};

const ROSTER: &str = "roster";
/// More than any roster takes.
const MAX_ROSTER: u64 = 16 * 1024;
/// More than a decision takes.
const MAX_ENDING: u64 = 32 * 1024;

/// The first cluster, and each that it became.
#[derive(Clone, Debug)]
pub struct Lineage {
    first: Arc<Cluster>,
    later: Vec<Arc<Cluster>>,
    /// What ended each cluster but the last.
    endings: Vec<Decided>,
}

impl Lineage {
    /// Of a cluster that is the first and the last.
    pub fn of(first: Arc<Cluster>) -> Lineage {
        Lineage { first, later: Vec::new(), endings: Vec::new() }
    }

    /// Of the first cluster, and what ended it and those after it, in order.
    ///
    /// # Errors
    /// When one is not the decision of its cluster, or changes no roster.
    pub fn new(first: Arc<Cluster>, endings: impl IntoIterator<Item = Decided>) -> Result<Lineage> {
        let mut lineage = Lineage::of(first);
        endings.into_iter().try_for_each(|ending| lineage.advance(ending))?;
        Ok(lineage)
    }

    /// What [`provision`] and [`Lineage::keep`] wrote.
    ///
    /// # Errors
    /// When a file cannot be read, or is not genuine.
    pub fn read(folder: &Path, timing: Timing) -> Result<Lineage> {
        let roster = read(&folder.join(ROSTER), MAX_ROSTER)?;
        let roster: Roster = wire::decode(&roster).context("the roster cannot be understood")?;
        let mut lineage = Lineage::of(Arc::new(Cluster::new(roster, timing)?));
        loop {
            let path = ending_in(folder, lineage.changes());
            if !path.exists() {
                return Ok(lineage);
            }
            let ending = wire::decode(&read(&path, MAX_ENDING)?);
            let ending = ending.with_context(|| format!("{} cannot be understood", path.display()))?;
            lineage.advance(ending).with_context(|| format!("{} is not of this cluster", path.display()))?;
        }
    }

    /// The one that goes on now.
    pub fn cluster(&self) -> &Arc<Cluster> {
        self.later.last().unwrap_or(&self.first)
    }

    /// The one that was founded.
    pub fn first(&self) -> &Arc<Cluster> {
        &self.first
    }

    /// How often the roster changed.
    pub fn changes(&self) -> usize {
        self.endings.len()
    }

    /// What ended each cluster but the last, in order.
    pub fn endings(&self) -> &[Decided] {
        &self.endings
    }

    /// How many changes came before the cluster that decides `epoch`, as far as is known.
    pub fn changes_before(&self, epoch: Epoch) -> usize {
        self.endings.iter().take_while(|ending| ending.header.epoch < epoch).count()
    }

    /// The cluster behind as many changes.
    pub fn after(&self, changes: usize) -> Option<&Arc<Cluster>> {
        changes.checked_sub(1).map_or(Some(&self.first), |later| self.later.get(later))
    }

    /// The cluster that decides `epoch`, as far as is known.
    pub fn deciding(&self, epoch: Epoch) -> &Arc<Cluster> {
        self.after(self.changes_before(epoch)).unwrap_or_else(|| self.cluster())
    }

    /// Goes on behind `ending`.
    ///
    /// # Errors
    /// When the cluster did not decide it, or it changes no roster. Nothing was changed.
    pub fn advance(&mut self, ending: Decided) -> Result<()> {
        ensure!(self.cluster().decided_is_genuine(&ending), "a decision without a certificate");
        let next = Arc::new(self.cluster().next(&ending)?);
        self.later.push(next);
        self.endings.push(ending);
        Ok(())
    }

    /// Makes every ending durable that `folder` does not hold yet.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn keep(&self, folder: &Path) -> Result<()> {
        for (changes, ending) in self.endings.iter().enumerate() {
            let path = ending_in(folder, changes);
            if !path.exists() {
                write_whole(&path, &encode(ending)?)?;
            }
        }
        Ok(())
    }

    /// The place of the holder of `key` in the last cluster, if it is a member there.
    pub fn place(&self, key: &PublicKey) -> Option<NodeId> {
        place_in(self.cluster(), key)
    }

    /// The first cluster of which the holder of `key` was a member, and its place there.
    pub fn origin(&self, key: &PublicKey) -> Option<(&Arc<Cluster>, NodeId)> {
        let mut clusters = std::iter::once(&self.first).chain(&self.later);
        clusters.find_map(|cluster| Some((cluster, place_in(cluster, key)?)))
    }

    /// How the holder of `key` introduced itself when it was admitted last; none
    /// of a founder.
    pub fn admission(&self, key: &PublicKey) -> Option<&Newcomer> {
        self.endings.iter().rev().find_map(|ending| match &ending.state.change {
            Some(Change::Admit { newcomer, .. }) if newcomer.key == *key => Some(newcomer),
            _ => None,
        })
    }

    /// For each member of the last cluster, what its founders brought, by their
    /// places in the first one, or what a newcomer said of itself.
    pub fn gather<T: Clone>(
        &self,
        founders: &[Option<T>],
        newcomer: impl Fn(&Newcomer) -> Option<T>,
    ) -> Vec<Option<T>> {
        let of_member = |key: &PublicKey| match self.admission(key) {
            Some(admitted) => newcomer(admitted),
            None => founders.get(place_in(&self.first, key)?.index()).cloned().flatten(),
        };
        self.cluster().roster().members.iter().map(of_member).collect()
    }
}

/// Writes the roster of a first cluster into a folder that has none.
///
/// # Errors
/// When it cannot be written.
pub fn provision(folder: &Path, cluster: &Cluster) -> Result<()> {
    let path = folder.join(ROSTER);
    fs::write(&path, encode(cluster.roster())?).with_context(|| format!("cannot write {}", path.display()))
}

/// Makes `bytes` the content of `path`, durably: all of it or, after a crash, none.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let new = path.with_added_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// The file of what ended the cluster behind `changes` changes.
fn ending_in(folder: &Path, changes: usize) -> PathBuf {
    folder.join(format!("ending.{changes}"))
}

/// The place of the holder of `key` in `cluster`, if it is a member.
pub fn place_in(cluster: &Cluster, key: &PublicKey) -> Option<NodeId> {
    let place = cluster.roster().members.iter().position(|member| member == key)?;
    u8::try_from(place).ok().map(NodeId)
}
