//! Somebody outside a cluster, as its folder describes it: its keys, whom it
//! may ask and where, and how the roster changed since.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::types::NodeId;
use butterfly_session::{KeyRecord, Peer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{ANSWER_TIME, ask_ending};
use crate::config::ClientConfig;
use crate::contact;
use crate::folder::{peers_of, provision_party};
use crate::keys::{self, Keys};
use crate::lineage::Lineage;
use crate::protocol::{Cluster, Decided};
use crate::transport::{Connection, Party};

const CONFIG: &str = "client.toml";

/// What it has, and the cluster as far as it knows.
pub struct Caller {
    folder: PathBuf,
    keys: Keys,
    /// The keys of the members of the first cluster, and where they listen.
    founders: Vec<Peer>,
    addresses: Vec<SocketAddr>,
    known: Mutex<Arc<Known>>,
}

/// The cluster, and the way to each of its members.
pub(super) struct Known {
    party: Arc<Party>,
    /// Where the members listen, by their places in the roster.
    nodes: Vec<Option<SocketAddr>>,
}

/// Makes the folder of somebody who may ask the members of `cluster`, which
/// listen at `nodes`.
///
/// # Errors
/// When the folder is there already or cannot be written.
pub fn provision(
    folder: &Path,
    cluster: &Cluster,
    keys: &Keys,
    records: &[KeyRecord],
    nodes: &[SocketAddr],
) -> Result<()> {
    provision_party(folder, cluster, keys, records)?;
    ClientConfig { nodes: nodes.to_vec() }.write(&folder.join(CONFIG))
}

impl Caller {
    /// Reads what [`provision`] made.
    ///
    /// # Errors
    /// When a file cannot be read or is not genuine.
    pub fn open(folder: &Path) -> Result<Caller> {
        let lineage = Lineage::read(folder, Timing::default())?;
        let keys = Keys::read(folder)?;
        let founders = keys::read_records(folder, lineage.first())?;
        let config = folder.join(CONFIG);
        let ClientConfig { nodes: addresses } = ClientConfig::read(&config)?;
        ensure!(
            addresses.len() == founders.len(),
            "{} names {} nodes; the first roster has {}, so give one address for each, in its order",
            config.display(),
            addresses.len(),
            founders.len()
        );
        let known = Arc::new(Known::new(lineage, &keys, &founders, &addresses)?);
        Ok(Caller { folder: folder.into(), keys, founders, addresses, known: Mutex::new(known) })
    }

    /// Its keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The key records and the addresses of the members of the first cluster.
    pub fn founders(&self) -> (&[Peer], &[SocketAddr]) {
        (&self.founders, &self.addresses)
    }

    /// The clusters, as far as it knows.
    pub fn lineage(&self) -> Arc<Lineage> {
        Arc::clone(self.known().lineage())
    }

    pub(super) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes on behind `ending`, and keeps it.
    ///
    /// # Errors
    /// When the cluster did not decide it, or it cannot be written.
    pub(super) fn advance(&self, ending: Decided) -> Result<Arc<Known>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lineage = Lineage::clone(known.lineage());
        lineage.advance(ending)?;
        lineage.keep(&self.folder)?;
        *known = Arc::new(Known::new(lineage, &self.keys, &self.founders, &self.addresses)?);
        Ok(Arc::clone(&known))
    }

    /// Asks the members whether the roster changed, and follows what they show,
    /// until f + 1 voters, one of which is honest, know of no other change, or
    /// all have been asked.
    ///
    /// # Errors
    /// When an ending cannot be kept.
    pub(super) async fn catch_up(&self) -> Result<Arc<Known>> {
        loop {
            let known = self.known();
            // A roster without operators never changes.
            if known.cluster().roster().operators.is_empty() {
                return Ok(known);
            }
            let Some(ending) = known.ending().await else { return Ok(known) };
            self.advance(ending)?;
        }
    }
}

impl Known {
    fn new(lineage: Lineage, keys: &Keys, founders: &[Peer], addresses: &[SocketAddr]) -> Result<Known> {
        let addresses: Vec<Option<SocketAddr>> = addresses.iter().copied().map(Some).collect();
        let nodes = contact::addresses(&lineage, &addresses);
        let members = peers_of(&lineage, founders);
        Ok(Known { party: Arc::new(Party::new(Arc::new(lineage), keys, members)?), nodes })
    }

    pub(super) fn lineage(&self) -> &Arc<Lineage> {
        self.party.lineage()
    }

    /// The cluster as its roster is now.
    pub(super) fn cluster(&self) -> &Arc<Cluster> {
        self.party.cluster()
    }

    /// Where `node` should listen.
    pub(super) fn address(&self, node: NodeId) -> Option<SocketAddr> {
        self.nodes.get(node.index()).copied().flatten()
    }

    pub(super) async fn connect(&self, node: NodeId) -> io::Result<Connection> {
        let unknown = || io::Error::from(io::ErrorKind::NotFound);
        let address = self.address(node).ok_or_else(unknown)?;
        let peer = self.party.member(node).ok_or_else(unknown)?;
        let dial = async { Connection::dial(TcpStream::connect(address).await?, &self.party, peer).await };
        timeout(ANSWER_TIME, dial).await?
    }

    /// How the cluster ended, as the first member says that can prove it.
    async fn ending(self: &Arc<Self>) -> Option<Decided> {
        let mut tasks = JoinSet::new();
        for node in self.cluster().members().iter() {
            let known = Arc::clone(self);
            tasks.spawn(async move {
                let heard = timeout(ANSWER_TIME, known.ask_ending(node)).await;
                heard.map_err(Into::into).flatten().map(|ending| (node, ending))
            });
        }
        let enough = self.cluster().resilience().f() + 1;
        let mut know_of_none = 0;
        while let Some(heard) = tasks.join_next().await {
            match heard {
                Ok(Ok((_, Some(ending)))) => return Some(ending),
                Ok(Ok((node, None))) if self.cluster().votes(node) => know_of_none += 1,
                _ => {}
            }
            if know_of_none == enough {
                return None;
            }
        }
        None
    }

    async fn ask_ending(&self, node: NodeId) -> Result<Option<Decided>> {
        let mut connection = self.connect(node).await?;
        let ending = ask_ending(&mut connection, self.lineage()).await?;
        // Whoever does not wait for the end is not missed.
        let _ended = connection.end().await;
        let genuine = |ending: &Decided| ending.state.change.is_some() && self.cluster().decided_is_genuine(ending);
        ensure!(ending.as_ref().is_none_or(genuine), "an ending without a certificate");
        Ok(ending)
    }
}
