//! `top`: where every node of a cluster is, as each says of itself, again and
//! again. It asks where `node.toml` says that operators are answered.
//!
//! | file | subject |
//! | --- | --- |
//! | `ask` | questions to the nodes |
//! | `report` | what comes of their answers |
//! | `picture` | a report on a terminal |
//! | `screen` | the terminal itself, and its keys |

mod ask;
mod picture;
mod report;
mod screen;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use crate::config::Overrides;
use crate::operate::{node_config, nodes_in};
pub use ask::ask_all;
pub use picture::{LEAST_HEIGHT, LEAST_WIDTH, Palette, draw};
pub use report::{Latency, NodeReport, Proven, Report};
pub use screen::watch;

/// A node, and where it answers operators, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its number.
    pub id: u8,
    /// Where to ask.
    pub admin: Option<SocketAddr>,
}

/// The nodes that have a folder in `dir`.
///
/// # Errors
/// When there is none, or one cannot be used.
pub fn targets(dir: &Path) -> Result<Vec<Target>> {
    let target = |node: butterfly_kernel::types::NodeId| {
        Ok(Target { id: node.0, admin: node_config(dir, node, Overrides::default())?.admin.value })
    };
    nodes_in(dir)?.into_iter().map(target).collect()
}
