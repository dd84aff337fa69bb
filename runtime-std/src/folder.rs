//! A node's folder: who it is, its keys, the roster, its vote record.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::node::Role;
use butterfly_kernel::types::NodeId;
use butterfly_kernel::wire;
use butterfly_session::{KeyRecord, Peer};
use ed25519_dalek::SigningKey;
use thiserror::Error;

use crate::access::{Answer, Told};
use crate::contact::Contact;
use crate::history::{Entry, History};
use crate::keys::{self, Keys, session_cluster, session_identity};
use crate::lineage::{self, Lineage};
use crate::protocol::{Cluster, Decided, Newcomer, PublicKey, Record, Seat, encode, member_name};
use crate::storage::RecordFile;
use crate::transport::Party;
use crate::used_tokens::UsedTokens;

const RECORD: &str = "vote-record";
const HISTORY: &str = "history";

/// A member of a cluster, as its folder describes it.
pub struct Member {
    /// The clusters that it came through, as far as the folder knows.
    pub lineage: Arc<Lineage>,
    /// The last of them.
    pub cluster: Arc<Cluster>,
    /// Which member of that it is.
    pub me: NodeId,
    /// What it signs with.
    pub key: SigningKey,
    /// What it has sessions with.
    pub party: Arc<Party>,
    /// Whose record and history these are.
    owner: [u8; 32],
    folder: PathBuf,
}

/// The member was one, and is one no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this node was removed from the roster in epoch {0}; the cluster goes on without it")]
pub struct Removed(pub u64);

/// Makes the folder of a member that has never run: its roster, its keys with
/// mode 0600, the key records of all members, and the one first vote record
/// that it will ever be given.
///
/// # Errors
/// When the folder is there already or cannot be written.
pub fn provision(folder: &Path, cluster: &Cluster, me: NodeId, keys: &Keys, records: &[KeyRecord]) -> Result<()> {
    provision_party(folder, cluster, keys, records)?;
    UsedTokens::provision(folder, &keys.public())?;
    let record = encode(&Record::first(if cluster.votes(me) { Role::Replica } else { Role::Worker }))?;
    RecordFile::provision(&record_in(folder), member_name(cluster, me), &record)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Makes the folder of somebody who knows a cluster: its roster, the key
/// records of its members, and keys of one's own.
///
/// # Errors
/// When the folder is there already or cannot be written.
pub fn provision_party(folder: &Path, first: &Cluster, keys: &Keys, records: &[KeyRecord]) -> Result<()> {
    fs::create_dir(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    lineage::provision(folder, first)?;
    keys::write_records(folder, records)?;
    keys.write(folder)
}

/// The folder's keys were admitted by a change of `lineage`: makes the folder
/// that of a member, with the one first vote record that it will ever be given.
/// It signed nothing yet, so it begins in the last cluster as a replica.
///
/// # Errors
/// When they were not, when it has a vote record, or when it cannot be written.
pub fn provision_newcomer(folder: &Path, lineage: &Lineage) -> Result<NodeId> {
    ensure!(!record_in(folder).exists(), "{} has a vote record already", folder.display());
    let keys = Keys::read(folder)?;
    let unknown = "the roster does not have the key in this folder";
    let me = lineage.place(&keys.public()).context(unknown)?;
    let (origin, place) = lineage.origin(&keys.public()).context(unknown)?;
    let ending = lineage.endings().last().context("nothing changed the roster")?;
    lineage.keep(folder)?;
    UsedTokens::provision(folder, &keys.public())?;
    let seat = Seat { cluster: lineage.cluster(), me, key: keys.identity() };
    let record = Record::entering(&seat, Role::Replica, ending)?;
    RecordFile::provision(&record_in(folder), member_name(origin, place), &encode(&record)?)?;
    File::open(folder)?.sync_all()?;
    Ok(me)
}

/// Where the vote record of the member with this folder is.
pub fn record_in(folder: &Path) -> PathBuf {
    folder.join(RECORD)
}

impl Member {
    /// Reads the folder of a member.
    ///
    /// # Errors
    /// [`Removed`]; or when a file cannot be read, the key is no member's, or the
    /// exchange key is another than the others know.
    pub fn open(folder: &Path, timing: Timing) -> Result<Member> {
        let (party, keys) = open_party(folder, timing)?;
        let lineage = Arc::clone(party.lineage());
        let (origin, place) =
            lineage.origin(&keys.public()).context("the key in this folder is not that of a member of its roster")?;
        let owner = member_name(origin, place);
        let Some(me) = lineage.place(&keys.public()) else {
            let ending = lineage
                .endings()
                .iter()
                .rev()
                .find(|ending| lineage::place_in(lineage.deciding(ending.header.epoch), &keys.public()).is_some());
            bail!(Removed(ending.map_or(0, |ending| ending.header.epoch.0)));
        };
        ensure!(
            party.member(me).is_some_and(|peer| peer.exchange() == keys.exchange().public()),
            "the exchange key in this folder is not the one that its key record names; nobody would answer to it. \
             Bring both back from a copy"
        );
        Ok(Member {
            cluster: Arc::clone(lineage.cluster()),
            lineage,
            me,
            key: keys.identity().clone(),
            party: Arc::new(party),
            owner,
            folder: folder.into(),
        })
    }

    /// Its place in its cluster.
    pub fn seat(&self) -> Seat<'_> {
        Seat { cluster: &self.cluster, me: self.me, key: &self.key }
    }

    /// What the roster names it by.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.key.verifying_key().to_bytes())
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the vote record. Without a readable one the member has amnesia.
    ///
    /// # Errors
    /// When the file cannot be used, or holds something that is whole but not a record.
    pub fn open_record(&self) -> Result<(RecordFile, Option<Record>)> {
        let (file, bytes) = RecordFile::open(&record_in(&self.folder), self.owner)?;
        let record =
            bytes.map(|bytes| wire::decode(&bytes)).transpose().context("the vote record cannot be understood")?;
        Ok((file, record))
    }

    /// The record with which this member goes on in its cluster, when `found`
    /// was on its disk: one of the cluster before if it did not come further
    /// than to keep how that ended.
    ///
    /// # Errors
    /// None in practice: the ending leads to the cluster.
    pub fn enter(&self, found: Option<Record>) -> Result<Option<Record>> {
        let Some(ending) = self.lineage.endings().last() else { return Ok(found) };
        let is_here = |record: &Record| match record.head.decided() {
            Some(decided) => decided.header.epoch > ending.header.epoch,
            None => record.head.epoch() == ending.header.epoch,
        };
        let role = match &found {
            Some(record) if is_here(record) => return Ok(found),
            // It signed nothing in its cluster, and nothing behind the ending.
            Some(record) if record.head.decided() == Some(ending) => record.role,
            // An older one is not the last that it had.
            Some(_) | None => Role::Learner,
        };
        Ok(Some(Record::entering(&self.seat(), role, ending)?))
    }

    /// Reads which tokens newcomers came with.
    ///
    /// # Errors
    /// As [`UsedTokens::open`].
    pub(crate) fn open_used_tokens(&self) -> Result<UsedTokens> {
        UsedTokens::open(&self.folder, self.public())
    }

    /// Opens the history, and adds what the journal of the vote record still holds.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub(crate) fn open_history(&self, record: &RecordFile) -> Result<History> {
        let entries: Vec<Entry> =
            record.journalled()?.into_iter().filter_map(|answer| self.read_entry(answer)).collect();
        History::open(&self.folder.join(HISTORY), self.owner, &entries)
    }

    fn read_entry(&self, answer: Vec<u8>) -> Option<Entry> {
        let Ok(Answer::Told(Told { decided, .. })) = wire::decode(&answer) else { return None };
        let epoch = decided.header.epoch;
        self.lineage.deciding(epoch).decided_is_genuine(&decided).then_some((epoch, answer.into()))
    }

    /// The cluster that goes on behind `ending`, which its cluster decided. It is
    /// in its folder from now on.
    ///
    /// # Errors
    /// When the ending is none, or cannot be written.
    pub(crate) fn advance(&self, ending: Decided) -> Result<Lineage> {
        let mut lineage = Lineage::clone(&self.lineage);
        lineage.advance(ending)?;
        lineage.keep(&self.folder)?;
        Ok(lineage)
    }
}

/// Reads what [`provision_party`] made, and what ended its clusters since.
///
/// # Errors
/// When a file cannot be read or is not genuine.
pub fn open_party(folder: &Path, timing: Timing) -> Result<(Party, Keys)> {
    let lineage = Lineage::read(folder, timing)?;
    let keys = Keys::read(folder)?;
    let founders = keys::read_records(folder, lineage.first())?;
    let members = peers_of(&lineage, &founders);
    Ok((Party::new(Arc::new(lineage), &keys, members)?, keys))
}

/// The keys of each member of the last cluster, when those of the first are
/// `founders`. Whoever brought none that are genuine is dialled by nobody.
pub(crate) fn peers_of(lineage: &Lineage, founders: &[Peer]) -> Vec<Option<Peer>> {
    let founders: Vec<Option<Peer>> = founders.iter().copied().map(Some).collect();
    let peer = |newcomer: &Newcomer| {
        let peer = Contact::read(&newcomer.contact)?.record.verify(session_cluster(lineage.first())).ok()?;
        (peer.identity() == session_identity(&newcomer.key)).then_some(peer)
    };
    lineage.gather(&founders, peer)
}

/// The content of a file that may have at most `limit` bytes.
///
/// # Errors
/// When it has more, or cannot be read.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(bytes.len() as u64 <= limit, "{} has more than {limit} bytes", path.display());
    Ok(bytes)
}
