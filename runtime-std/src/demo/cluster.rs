//! Provisioning: keys, a roster, a folder for each node, a client.

use std::path::{Path, PathBuf};

use anyhow::Result;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::message::inference::Request;
use butterfly_kernel::types::{ClientId, NodeId};

use super::plan::Plan;
use crate::folder;
use crate::keys::Keys;
use crate::model::{SAMPLING, Transformer};
use crate::protocol::{Cluster, Crypto, Roster, SignedRequest, timing};

/// A cluster that exists on disk only, and its one client's key.
pub(super) struct Provisioned {
    pub(super) cluster: Cluster,
    root: PathBuf,
    client: Keys,
}

impl Provisioned {
    /// Makes the folders of all nodes inside `root`.
    pub(super) fn new(plan: &Plan, root: &Path) -> Result<Provisioned> {
        let n = plan.resilience.n();
        let keys = (0..n).map(|_| Keys::generate()).collect::<Result<Vec<_>>>()?;
        let client = Keys::generate()?;
        let model = Transformer::for_nodes(n)?;
        let roster = Roster {
            resilience: plan.resilience,
            members: keys.iter().map(Keys::public).collect(),
            clients: std::iter::once(client.public()).collect(),
            model: model.terms(plan.tokens_per_epoch)?,
            assignment: model.assignment(n)?,
        };
        let cluster = Cluster::new(roster, timing(plan.view_timeout))?;
        let provisioned = Provisioned { cluster, root: root.into(), client };
        let records: Vec<_> = keys.iter().map(|keys| keys.record(&provisioned.cluster)).collect();
        for (node, keys) in provisioned.cluster.members().iter().zip(&keys) {
            folder::provision(&provisioned.folder(node), &provisioned.cluster, node, keys, &records)?;
        }
        Ok(provisioned)
    }

    /// The folder of `node`.
    pub(super) fn folder(&self, node: NodeId) -> PathBuf {
        self.root.join(format!("node-{}", node.0))
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
        let statement = self.cluster.statement(butterfly_kernel::crypto::Tag::Request, &request);
        Ok(SignedRequest { signature: Crypto::sign(self.client.identity(), &statement), request })
    }
}
