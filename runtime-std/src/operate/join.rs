//! `join`: a newcomer with a token becomes a member.
//!
//! Everything is done in a folder of its own, which becomes that of a node, by
//! one renaming, when the cluster has decided and all is there. So the same
//! command goes on where an earlier one was interrupted, with the same keys.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::types::NodeId;

use super::CONFIG;
use crate::client::Applicant;
use crate::config::NodeConfig;
use crate::contact::Contact;
use crate::folder::{provision_newcomer, read, record_in};
use crate::invitation::Invitation;
use crate::keys::Keys;
use crate::lineage::{Lineage, write_whole};
use crate::protocol::{Cluster, PublicKey};
use crate::provision::node_folder;

/// In the folder of a node that joined: the name of its token.
const JOINED_WITH: &str = "joined-with";

/// How a newcomer wants to be.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer<'n> {
    /// Where its folder is to be.
    pub dir: &'n Path,
    /// Where the others are to find it.
    pub listen: SocketAddr,
    /// Where it answers operators, if anywhere.
    pub admin: Option<SocketAddr>,
    /// How long it waits for the cluster to decide.
    pub patience: Duration,
}

/// A member that has not run yet.
#[derive(Debug)]
pub struct Joined {
    /// What its folder is called.
    pub node: NodeId,
    /// Its folder.
    pub folder: PathBuf,
    /// The last epoch that was decided without it.
    pub epoch: u64,
    /// Its place in the roster that admits it.
    pub place: NodeId,
    /// The cluster with that roster.
    pub cluster: Arc<Cluster>,
}

/// Becomes a member, with a token.
///
/// # Errors
/// When the token cannot be used, or is not taken; or when it is not decided in
/// time. Then the same command goes on.
pub async fn join(newcomer: Newcomer<'_>, token: &Path) -> Result<Joined> {
    let invitation = Invitation::read(token)?;
    let Newcomer { dir, listen, patience, .. } = newcomer;
    fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    if let Some(node) = joined_with(dir, &invitation)? {
        return describe(node, node_folder(dir, node));
    }
    let folder = begin(dir, &invitation)?;
    let contact = |keys: &Keys| Contact { record: keys.record(invitation.lineage().first()), address: listen };
    let lineage = Applicant::new(&invitation, &folder, contact)?.apply(patience).await?;
    let record = record_in(&folder);
    if record.exists() {
        // Nobody ever ran with it: a node's folder is called otherwise.
        fs::remove_file(&record).with_context(|| format!("cannot remove {}", record.display()))?;
    }
    provision_newcomer(&folder, &lineage)?;
    finish(newcomer, &invitation, &folder)
}

/// The node in `dir` that came with this token, if there is one.
fn joined_with(dir: &Path, invitation: &Invitation) -> Result<Option<NodeId>> {
    for node in 0..=u8::MAX {
        let path = node_folder(dir, NodeId(node)).join(JOINED_WITH);
        if path.exists() && read(&path, 32)? == invitation.name().0 {
            return Ok(Some(NodeId(node)));
        }
    }
    Ok(None)
}

/// The folder in which somebody with this token becomes a node, with its keys.
fn begin(dir: &Path, invitation: &Invitation) -> Result<PathBuf> {
    let name = invitation.name().0;
    let short: String = hex::encode(name).chars().take(8).collect();
    let folder = dir.join(format!("joining-{short}"));
    if !folder.exists() {
        let new = folder.with_added_extension("new");
        if new.exists() {
            // Nobody was told of the keys in it.
            fs::remove_dir_all(&new).with_context(|| format!("cannot remove {}", new.display()))?;
        }
        invitation.provision(&new, &Keys::generate()?)?;
        rename(&new, &folder)?;
    }
    Ok(folder)
}

/// All that a node needs is decided: makes `folder` that of a node.
fn finish(newcomer: Newcomer<'_>, invitation: &Invitation, folder: &Path) -> Result<Joined> {
    let Newcomer { dir, listen, admin, .. } = newcomer;
    let committed = address(&Lineage::read(folder, Timing::default())?, &Keys::read(folder)?.public())?;
    ensure!(
        committed == listen,
        "this newcomer was admitted, and the others look for it at {committed}, as an earlier command said; give the \
         same command with --listen {committed}. Another address to listen at can be said in node.toml"
    );
    NodeConfig::provision_newcomer(&folder.join(CONFIG), listen, invitation.founders(), admin)?;
    write_whole(&folder.join(JOINED_WITH), &invitation.name().0)?;
    File::open(folder)?.sync_all()?;
    let first = u8::try_from(invitation.lineage().cluster().members().len())?;
    let free = (first..=u8::MAX).map(NodeId).find(|node| !node_folder(dir, *node).exists());
    let node = free.with_context(|| format!("{} has as many nodes as can be told apart", dir.display()))?;
    rename(folder, &node_folder(dir, node))?;
    describe(node, node_folder(dir, node))
}

/// Where the others look for the holder of `key`.
fn address(lineage: &Lineage, key: &PublicKey) -> Result<SocketAddr> {
    let contact = lineage.admission(key).and_then(|newcomer| Contact::read(&newcomer.contact));
    Ok(contact.context("the roster does not say where this newcomer listens")?.address)
}

fn describe(node: NodeId, folder: PathBuf) -> Result<Joined> {
    let lineage = Lineage::read(&folder, Timing::default())?;
    let key = Keys::read(&folder)?.public();
    let Some((origin, place)) = lineage.origin(&key) else { bail!("{} is no member's", folder.display()) };
    let epoch = origin.descent().map_or(0, |descent| descent.epoch.0);
    let cluster = Arc::clone(origin);
    Ok(Joined { node, folder, epoch, place, cluster })
}

/// Durably.
fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))?;
    let above = to.parent().context("a folder without one above it")?;
    File::open(above).and_then(|folder| folder.sync_all()).with_context(|| format!("cannot write {}", above.display()))
}
