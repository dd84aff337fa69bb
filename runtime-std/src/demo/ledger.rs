//! What the client knows: every epoch that some node showed it, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use butterfly_kernel::chain::{Header, Increment};
use butterfly_kernel::message::agreement::DecisionCertificate;
use butterfly_kernel::message::inference::Tokens;
use butterfly_kernel::proof::Added;
use butterfly_kernel::types::{Epoch, NodeId, NodeSet, View};
use butterfly_kernel::wire;

use super::report::{EpochReport, milliseconds};
use crate::control::Commit;
use crate::protocol::{Cluster, CommitProof, Crypto, Decided, Evidence, SignedRequest, Step, path_name};

/// The client's view of the chain.
pub(super) struct Ledger<'c> {
    cluster: &'c Cluster,
    request: SignedRequest,
    epochs: BTreeMap<Epoch, Entry>,
    /// Those of the epochs from 1 on without a gap.
    steps: Vec<Step>,
    text: Vec<u8>,
    /// The last epoch that each node reported.
    heads: BTreeMap<NodeId, Epoch>,
    evidence: BTreeMap<(NodeId, &'static str), Evidence>,
}

/// One epoch, as the first node reported it; its tokens as the first reported
/// them that did not have to catch up.
struct Entry {
    header: Header<Crypto>,
    /// It admitted a member, and added nothing.
    interrupted: bool,
    certificate: DecisionCertificate<Crypto>,
    tokens: Option<Tokens>,
    latency: Option<Duration>,
}

impl<'c> Ledger<'c> {
    pub(super) fn new(cluster: &'c Cluster, request: SignedRequest) -> Self {
        Ledger {
            cluster,
            request,
            epochs: BTreeMap::new(),
            steps: Vec::new(),
            text: Vec::new(),
            heads: BTreeMap::new(),
            evidence: BTreeMap::new(),
        }
    }

    /// Takes in what `node` says was decided, and returns the tokens that are
    /// new to the text.
    ///
    /// # Errors
    /// When the certificate is not genuine, or contradicts another one: then
    /// more than f members are faulty.
    pub(super) fn add(&mut self, node: NodeId, commit: &Commit) -> Result<Vec<u8>> {
        let decided: Decided = wire::decode(&commit.decided).context("a node reports what is no decision")?;
        ensure!(self.cluster.decided_is_genuine(&decided), "node {} reports a decision without a certificate", node.0);
        let epoch = decided.header.epoch;
        let tokens = Tokens::from_slice(&commit.tokens).ok().filter(|tokens| !tokens.is_empty());
        let head = self.heads.entry(node).or_insert(epoch);
        *head = epoch.max(*head);
        let latency = commit.latency_us.map(Duration::from_micros);
        let entry = self.epochs.entry(epoch).or_insert_with(|| Entry {
            header: decided.header,
            interrupted: decided.state.interrupted,
            certificate: decided.certificate,
            tokens: None,
            latency,
        });
        if entry.header != decided.header {
            bail!("two certificates for different values of epoch {}: more than f members are faulty", epoch.0);
        }
        entry.tokens = entry.tokens.take().or(tokens);
        Ok(self.extend())
    }

    /// Goes on from the last epoch of the text as far as tokens are known.
    fn extend(&mut self) -> Vec<u8> {
        let before = self.text.len();
        while let Some(step) = self.next_step() {
            self.text.extend(step.added.tokens());
            self.steps.push(step);
        }
        self.text[before..].to_vec()
    }

    fn next_step(&mut self) -> Option<Step> {
        let epoch = Epoch(self.steps.len() as u64 + 1);
        let entry = self.epochs.get_mut(&epoch)?;
        let state = entry.header.state;
        if entry.interrupted {
            return Some(Step { added: Added::Nothing(entry.header.increment), state });
        }
        let increment = Increment::<Crypto> {
            request: self.request.digest(self.cluster),
            committed: u16::try_from(self.text.len()).ok()?,
            // A liar's tokens are dropped; another node will show the real ones.
            tokens: entry.tokens.take()?,
        };
        if increment.digest(self.cluster) != entry.header.increment {
            return None;
        }
        entry.tokens = Some(increment.tokens.clone());
        Some(Step { added: Added::Tokens(increment.tokens), state })
    }

    /// Takes in evidence, if it holds. Returns whom it blames for what, once.
    pub(super) fn blame(&mut self, evidence: &[u8]) -> Option<(NodeId, &'static str)> {
        let evidence: Evidence = wire::decode(evidence).ok()?;
        evidence.verify(self.cluster).ok()?;
        let key = (evidence.accused, evidence.fault.name());
        self.evidence.insert(key, evidence).is_none().then_some(key)
    }

    /// The tokens committed so far.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The last epoch of the text.
    pub(super) fn committed(&self) -> Epoch {
        Epoch(self.steps.len() as u64)
    }

    /// The last epoch that anybody reported.
    pub(super) fn decided(&self) -> Epoch {
        self.epochs.keys().next_back().copied().unwrap_or(Epoch::GENESIS)
    }

    /// Who has reported `epoch` or a later one.
    pub(super) fn reached(&self, epoch: Epoch) -> NodeSet {
        self.heads.iter().filter(|(_, head)| **head >= epoch).map(|(node, _)| *node).collect()
    }

    /// How each epoch was decided.
    pub(super) fn epochs(&self) -> Vec<EpochReport> {
        let report = |(epoch, entry): (&Epoch, &Entry)| EpochReport {
            epoch: epoch.0,
            leader: self.cluster.leader(*epoch, View::ZERO).0,
            view: entry.certificate.ballot.view.0,
            path: path_name(entry.certificate.path),
            latency_ms: entry.latency.map(milliseconds),
        };
        self.epochs.iter().map(report).collect()
    }

    /// Who is proven faulty, and of what.
    pub(super) fn blamed(&self) -> impl Iterator<Item = (NodeId, &'static str, &Evidence)> {
        self.evidence.iter().map(|((node, fault), evidence)| (*node, *fault, evidence))
    }

    /// The proof of the whole text so far.
    pub(super) fn proof(&self) -> Option<CommitProof> {
        let last = self.epochs.get(&self.committed())?;
        Some(CommitProof {
            request: self.request.clone(),
            committed: 0,
            first: Epoch::GENESIS.next(),
            previous: self.cluster.id(),
            steps: self.steps.iter().cloned().collect(),
            certificate: last.certificate.clone(),
        })
    }
}
