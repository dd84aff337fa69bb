//! A cluster on disk, and its processes: `init` and `start`; who comes later:
//! `token` and `join`.
//!
//! ```text
//! DIR/node-0/   roster, key-records, key, exchange-key, vote-record, node.toml
//! DIR/node-1/   ...
//! DIR/client-0/ roster, key-records, key, exchange-key, client.toml
//! DIR/operator/ the same
//! ```
//!
//! Each folder is complete in itself: it can be moved to another machine, when
//! the addresses in the TOML files say where.

mod init;
mod join;
mod supervise;
mod token;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use butterfly_kernel::types::{ClientId, NodeId};

use crate::client::Caller;
use crate::config::{NodeConfig, Overrides};
use crate::folder::{Member, Removed};
use crate::host::{NodeOptions, Voice};
use crate::lineage::place_in;
use crate::log::Log;
use crate::protocol::timing;
use crate::provision::node_folder;
pub use init::{Initialised, Ports, init};
pub use join::{Joined, Newcomer, join};
pub use supervise::supervise;
pub use token::{Wanted, write_token};

const CONFIG: &str = "node.toml";

/// The folder of `client` inside that of its cluster.
pub fn client_folder(dir: &Path, client: ClientId) -> PathBuf {
    dir.join(format!("client-{}", client.0))
}

/// The folder of the operator inside that of the cluster: its keys change the
/// roster, so they belong on a machine of their own.
pub fn operator_folder(dir: &Path) -> PathBuf {
    dir.join("operator")
}

/// The operator whose folder is inside that of the cluster.
///
/// # Errors
/// When its folder cannot be used.
pub fn open_operator(dir: &Path) -> Result<Caller> {
    Caller::open(&operator_folder(dir)).context("the operator's folder cannot be used; `butterfly init` makes it")
}

/// Whether the folder of `node` is that of somebody who is no member any more.
///
/// # Errors
/// When the folder cannot be used.
pub(crate) fn removed(dir: &Path, node: NodeId) -> Result<Option<Removed>> {
    match Member::open(&node_folder(dir, node), timing(crate::config::VIEW_TIMEOUT)) {
        Ok(_) => Ok(None),
        Err(error) => error.downcast::<Removed>().map(Some),
    }
}

/// What holds for `node` of the cluster in `dir`. What it is called in the
/// roster may be something else by now.
///
/// # Errors
/// When its folder or file cannot be used.
pub fn node_config(dir: &Path, node: NodeId, overrides: Overrides) -> Result<NodeConfig> {
    let folder = node_folder(dir, node);
    ensure!(
        folder.is_dir(),
        "there is no node {} in {}; `butterfly init --dir {}` makes a cluster",
        node.0,
        dir.display(),
        dir.display()
    );
    // The waiting times are not known yet, and not needed here.
    let member = Member::open(&folder, timing(crate::config::VIEW_TIMEOUT))?;
    let founder = place_in(member.lineage.first(), &member.public());
    if let Some(founder) = founder {
        ensure!(founder == node, "{} holds the keys of node {}", folder.display(), founder.0);
    }
    let founders = member.lineage.first().members().len();
    NodeConfig::load(&folder.join(CONFIG), founder, founders, |name| std::env::var(name).ok(), overrides)
}

/// How to run `node` of the cluster in `dir`.
///
/// # Errors
/// As [`node_config`].
pub fn node_options(dir: &Path, node: NodeId, overrides: Overrides, voice: Voice) -> Result<NodeOptions> {
    let config = node_config(dir, node, overrides)?;
    Ok(NodeOptions {
        folder: node_folder(dir, node),
        listen: config.listen.value,
        admin: config.admin.value,
        peers: config.peers.value.into_iter().map(Some).collect(),
        view_timeout: config.view_timeout_ms.value,
        fault: None,
        voice,
        log: Log { format: config.log_format.value, level: config.log_level.value },
        traces: config.traces.value,
        measure: None,
        trace_since: None,
    })
}

/// The nodes that have a folder in `dir`, in order.
///
/// # Errors
/// When there is none.
pub fn nodes_in(dir: &Path) -> Result<Vec<NodeId>> {
    let entries = fs::read_dir(dir)
        .with_context(|| format!("cannot read {0}; `butterfly init --dir {0}` makes a cluster", dir.display()))?;
    let number = |name: &str| name.strip_prefix("node-")?.parse().ok().map(NodeId);
    let mut nodes = Vec::new();
    for entry in entries {
        nodes.extend(entry?.file_name().to_str().and_then(number));
    }
    nodes.sort_unstable();
    ensure!(!nodes.is_empty(), "there is no node in {0}; `butterfly init --dir {0}` makes a cluster", dir.display());
    Ok(nodes)
}
