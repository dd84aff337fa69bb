//! Provisioning: keys, a roster, a folder for each node, a client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::message::inference::Request;
use butterfly_kernel::types::{ClientId, NodeId};
use ed25519_dalek::SigningKey;

use super::plan::Plan;
use crate::folder;
use crate::model::{SAMPLING, Transformer};
use crate::protocol::{Cluster, Crypto, Roster, SignedRequest, timing};
use crate::trace::now;

/// A cluster that exists on disk only, and its one client's key.
pub(super) struct Provisioned {
    pub(super) cluster: Cluster,
    /// When it was made, after the Unix epoch, if its nodes write down what they do.
    pub(super) traced_since: Option<Duration>,
    root: PathBuf,
    client: SigningKey,
}

impl Provisioned {
    /// Makes the folders of all nodes inside `root`.
    pub(super) fn new(plan: &Plan, root: &Path) -> Result<Provisioned> {
        let n = plan.resilience.n();
        let keys = (0..n).map(|_| new_key()).collect::<Result<Vec<_>>>()?;
        let client = new_key()?;
        let public = |key: &SigningKey| PublicKey(key.verifying_key().to_bytes());
        let model = Transformer::for_nodes(n)?;
        let roster = Roster {
            resilience: plan.resilience,
            members: keys.iter().map(public).collect(),
            clients: std::iter::once(public(&client)).collect(),
            model: model.terms(plan.tokens_per_epoch)?,
            assignment: model.assignment(n)?,
        };
        let cluster = Cluster::new(roster, timing(plan.view_timeout))?;
        let traced_since = plan.trace.as_ref().map(|_| now());
        let provisioned = Provisioned { cluster, traced_since, root: root.into(), client };
        for (node, key) in provisioned.cluster.members().iter().zip(&keys) {
            folder::provision(&provisioned.folder(node), &provisioned.cluster, node, key)?;
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
        Ok(SignedRequest { signature: Crypto::sign(&self.client, &statement), request })
    }
}

fn new_key() -> Result<SigningKey> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the system gives no random numbers for keys")?;
    Ok(SigningKey::from_bytes(&secret))
}
