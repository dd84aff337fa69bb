//! A client of a cluster: asks how its nodes stand, hands requests in, and
//! follows the answer. It believes no node: see [`crate::ledger`].

mod folder;
mod standing;
mod submit;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use butterfly_kernel::types::{ClientId, NodeId};
use butterfly_kernel::wire;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::access::{Answer, Ask};
use crate::keys::Keys;
use crate::protocol::{Cluster, encode};
use crate::transport::{Connection, Party};
pub use folder::provision;
pub use standing::{ClusterState, MemberReport, MemberState, StandingReport};
pub use submit::{Submitted, Wish};

/// A node that does not answer within this time is taken to be away.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Somebody whom a cluster's roster admits as a client.
pub struct Client {
    party: Arc<Party>,
    keys: Keys,
    me: ClientId,
    /// Where the members listen, by their place in the roster.
    nodes: Vec<SocketAddr>,
    folder: folder::Folder,
}

impl Client {
    /// The cluster.
    pub fn cluster(&self) -> &Arc<Cluster> {
        self.party.cluster()
    }

    async fn connect(&self, node: NodeId) -> io::Result<Connection> {
        let unknown = || io::Error::from(io::ErrorKind::NotFound);
        let address = self.nodes.get(node.index()).ok_or_else(unknown)?;
        let peer = self.party.member(node).ok_or_else(unknown)?;
        let dial = async { Connection::dial(TcpStream::connect(address).await?, &self.party, peer).await };
        timeout(ANSWER_TIME, dial).await?
    }
}

async fn ask(connection: &mut Connection, ask: &Ask) -> Result<()> {
    connection.send(&encode(ask)?).await?;
    Ok(connection.flush().await?)
}

async fn hear(connection: &mut Connection) -> Result<Answer> {
    match connection.receive().await? {
        Some(message) => Ok(wire::decode(message)?),
        None => bail!("the node ended the session"),
    }
}
