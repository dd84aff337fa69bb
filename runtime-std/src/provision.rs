//! A new cluster: keys, key records and a roster that names them all.

use std::path::{Path, PathBuf};

use anyhow::Result;
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::types::{NodeId, Resilience, ResilienceError};
use butterfly_session::KeyRecord;

use crate::folder;
use crate::keys::Keys;
use crate::model::Transformer;
use crate::protocol::{Cluster, Roster};

/// A cluster that exists on paper only, and every secret in it. They are
/// handed out once, each to its owner.
pub struct Founded {
    /// What everybody agrees on.
    pub cluster: Cluster,
    /// The keys of its clients.
    pub clients: Vec<Keys>,
    /// The keys of its operators.
    pub operators: Vec<Keys>,
    /// For everybody: which exchange key is whose.
    pub records: Vec<KeyRecord>,
    members: Vec<Keys>,
}

impl Founded {
    /// Draws keys for as many members as `resilience` says, for `clients`, and for
    /// `operators`. Without one the roster never changes.
    ///
    /// # Errors
    /// When the system gives no random numbers, or the members cannot run the model.
    pub fn new(
        resilience: Resilience,
        clients: usize,
        operators: usize,
        tokens_per_epoch: u8,
        timing: Timing,
    ) -> Result<Founded> {
        let n = resilience.n();
        let keys = |count: usize| (0..count).map(|_| Keys::generate()).collect::<Result<Vec<_>>>();
        let (members, clients, operators) = (keys(n)?, keys(clients)?, keys(operators)?);
        let model = Transformer::for_nodes(n)?;
        let roster = Roster {
            resilience,
            members: members.iter().map(Keys::public).collect(),
            clients: clients.iter().map(Keys::public).collect(),
            operators: operators.iter().map(Keys::public).collect(),
            model: model.terms(tokens_per_epoch)?,
            assignment: model.assignment(n)?,
        };
        let cluster = Cluster::new(roster, timing)?;
        let records = members.iter().map(|keys| keys.record(&cluster)).collect();
        Ok(Founded { cluster, clients, operators, records, members })
    }

    /// Makes the folder of each member, where `folder` says.
    ///
    /// # Errors
    /// When one is there already or cannot be written.
    pub fn provision_members(&self, folder: impl Fn(NodeId) -> PathBuf) -> Result<()> {
        for (node, keys) in self.cluster.members().iter().zip(&self.members) {
            folder::provision(&folder(node), &self.cluster, node, keys, &self.records)?;
        }
        Ok(())
    }
}

/// n, f and p from what somebody asks for: what is left open is as much as the
/// nodes allow.
///
/// # Errors
/// When the nodes do not allow what was asked for.
pub fn resilience(
    nodes: usize,
    faults_tolerated: Option<usize>,
    fast_path_faults: Option<usize>,
) -> Result<Resilience, ResilienceError> {
    match (faults_tolerated, fast_path_faults) {
        (None, None) => Resilience::largest(nodes),
        (Some(f), None) => Resilience::with_faults(nodes, f),
        (None, Some(p)) => Resilience::new(nodes, Resilience::largest(nodes)?.f(), p),
        (Some(f), Some(p)) => Resilience::new(nodes, f, p),
    }
}

/// The folder of `node` inside that of its cluster.
pub fn node_folder(root: &Path, node: NodeId) -> PathBuf {
    root.join(format!("node-{}", node.0))
}
