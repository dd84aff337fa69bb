//! Provisioning: keys, a roster, a folder for each node, a client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::inference::Request;
use butterfly_kernel::types::{ClientId, NodeId};

use super::plan::Plan;
use crate::keys::Keys;
use crate::model::SAMPLING;
use crate::protocol::{Cluster, Crypto, SignedRequest, timing};
use crate::provision::{Founded, node_folder};
use crate::trace::now;

/// A cluster that exists on disk only, and its one client's key.
pub(super) struct Provisioned {
    pub(super) cluster: Cluster,
    /// When it was made, after the Unix epoch, if its nodes write down what they do.
    pub(super) traced_since: Option<Duration>,
    root: PathBuf,
    client: Keys,
}

impl Provisioned {
    /// Makes the folders of all nodes inside `root`.
    pub(super) fn new(plan: &Plan, root: &Path) -> Result<Provisioned> {
        let founded = Founded::new(plan.resilience, 1, 0, plan.tokens_per_epoch, timing(plan.view_timeout))?;
        founded.provision_members(|node| node_folder(root, node))?;
        let Founded { cluster, clients, .. } = founded;
        let client = clients.into_iter().next().context("a cluster without a client")?;
        let traced_since = plan.trace.as_ref().map(|_| now());
        Ok(Provisioned { cluster, traced_since, root: root.into(), client })
    }

    /// The folder of `node`.
    pub(super) fn folder(&self, node: NodeId) -> PathBuf {
        node_folder(&self.root, node)
    }

    /// The client's request, signed.
    pub(super) fn request(&self, plan: &Plan) -> Result<SignedRequest> {
        let request = Request {
            client: ClientId(0),
            sequence: 1,
            prompt: plan.prompt.iter().copied().collect(),
            tokens: plan.tokens,
            sampling: SAMPLING,
        };
        let statement = request.statement(&self.cluster);
        Ok(SignedRequest { signature: Crypto::sign(self.client.identity(), &statement), request })
    }
}
