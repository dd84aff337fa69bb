//! `init`: a cluster's folder.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::types::{ClientId, Resilience};

use super::{CONFIG, client_folder, operator_folder};
use crate::client;
use crate::config::NodeConfig;
use crate::provision::{Founded, node_folder};

/// The first of each kind; node i has the one that is i further.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Where it listens.
    pub members: u16,
    /// Where it answers operators.
    pub admin: u16,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Initialised {
    /// The cluster's id.
    pub cluster: String,
    /// Where each member will listen.
    pub addresses: Vec<SocketAddr>,
    /// Where each will answer operators.
    pub admin: Vec<SocketAddr>,
    /// The folder of each client.
    pub clients: Vec<PathBuf>,
}

/// Makes `dir` with a folder for each node, each client and the operator; the
/// nodes listen, and answer operators, on loopback.
///
/// # Errors
/// When `dir` is there already or cannot be written.
pub fn init(
    dir: &Path,
    resilience: Resilience,
    clients: u8,
    tokens_per_epoch: u8,
    ports: Ports,
) -> Result<Initialised> {
    fs::create_dir(dir).with_context(|| {
        format!("cannot make the folder {}; choose one that is not there yet, in one that is", dir.display())
    })?;
    let founded = Founded::new(resilience, usize::from(clients), 1, tokens_per_epoch, Timing::default())?;
    founded.provision_members(|node| node_folder(dir, node))?;
    let cluster = &founded.cluster;
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let addresses_from = |port: u16| -> Vec<SocketAddr> { (port..).take(resilience.n()).map(address).collect() };
    let (addresses, admin) = (addresses_from(ports.members), addresses_from(ports.admin));
    for (node, admin) in cluster.members().iter().zip(&admin) {
        NodeConfig::provision(&node_folder(dir, node).join(CONFIG), node, &addresses, *admin)?;
    }
    let mut clients = Vec::new();
    for (number, keys) in (0..).map(ClientId).zip(&founded.clients) {
        let folder = client_folder(dir, number);
        client::provision(&folder, cluster, keys, &founded.records, &addresses)?;
        clients.push(folder);
    }
    for keys in &founded.operators {
        client::provision(&operator_folder(dir), cluster, keys, &founded.records, &addresses)?;
    }
    Ok(Initialised { cluster: cluster.id().to_string(), addresses, admin, clients })
}
