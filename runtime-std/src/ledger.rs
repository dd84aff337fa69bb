//! What the client knows: every epoch that some node showed it, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use butterfly_kernel::chain::{Header, Increment};
use butterfly_kernel::message::agreement::{DecisionCertificate, Path};
use butterfly_kernel::message::inference::Tokens;
use butterfly_kernel::proof::Added;
use butterfly_kernel::types::{Epoch, NodeId, NodeSet, View};
use butterfly_kernel::wire;

use crate::access::Told;
use crate::protocol::{Cluster, CommitProof, Crypto, Decided, Digest, Evidence, SignedRequest, Step};

/// What a client knows of the chain, and of the answer to one request in it.
pub(crate) struct Ledger<'c> {
    cluster: &'c Cluster,
    request: SignedRequest,
    epochs: BTreeMap<Epoch, Entry>,
    /// The first epoch that adds to the answer, as far as is known, and the
    /// value before it.
    first: Epoch,
    previous: Digest,
    /// Tokens of the answer that were committed before that.
    before: usize,
    /// Those of the epochs from the first on without a gap.
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
    /// It committed a member's notice, and added nothing.
    interrupted: bool,
    /// The request was under way in it.
    is_ours: bool,
    certificate: DecisionCertificate<Crypto>,
    tokens: Option<Tokens>,
    latency: Option<Duration>,
}

/// How one epoch was decided.
pub(crate) struct Decision {
    pub(crate) epoch: Epoch,
    pub(crate) view: View,
    pub(crate) path: Path,
    /// None if only a node that caught up told of it.
    pub(crate) latency: Option<Duration>,
}

impl<'c> Ledger<'c> {
    /// For a request of a cluster in which `base` was the last decision when
    /// the request was handed in; none of this cluster: it had decided nothing.
    pub(crate) fn after(cluster: &'c Cluster, request: SignedRequest, base: Option<&Decided>) -> Self {
        let begin = (cluster.descent().map_or(Epoch::GENESIS, |descent| descent.epoch), cluster.id());
        let base = base.filter(|decided| decided.header.epoch > begin.0);
        let (epoch, previous) = base.map_or(begin, |decided| (decided.header.epoch, decided.certificate.ballot.value));
        let active = base.and_then(|decided| decided.state.active.as_ref());
        let text = active.filter(|active| active.request.request == request.request);
        let text = text.map_or(Vec::new(), |active| active.output.to_vec());
        Ledger {
            cluster,
            request,
            epochs: BTreeMap::new(),
            first: epoch.next(),
            previous,
            before: text.len(),
            steps: Vec::new(),
            text,
            heads: BTreeMap::new(),
            evidence: BTreeMap::new(),
        }
    }

    /// Whether a decision may be one of a cluster behind this one, whose roster
    /// is not known yet.
    pub(crate) fn is_ahead(&self, decided: &Decided) -> bool {
        decided.header.epoch >= self.next()
            && !self.cluster.roster().operators.is_empty()
            && !self.cluster.decided_is_genuine(decided)
    }

    /// Takes in what `node` says was decided, and returns the tokens that are
    /// new to the text.
    ///
    /// # Errors
    /// When the certificate is not genuine, or contradicts another one: then
    /// more than f members are faulty.
    pub(crate) fn add(&mut self, node: NodeId, told: Told) -> Result<Vec<u8>> {
        let Told { decided, tokens, latency_us } = told;
        ensure!(self.cluster.decided_is_genuine(&decided), "node {} reports a decision without a certificate", node.0);
        let epoch = decided.header.epoch;
        let tokens = Some(tokens).filter(|tokens| !tokens.is_empty());
        let head = self.heads.entry(node).or_insert(epoch);
        *head = epoch.max(*head);
        let latency = latency_us.map(Duration::from_micros);
        let is_ours = self.is_ours(&decided);
        let entry = self.epochs.entry(epoch).or_insert_with(|| Entry {
            header: decided.header,
            interrupted: decided.state.interrupted,
            is_ours,
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

    /// Whether the request was under way in an epoch, or ended with it.
    fn is_ours(&self, decided: &Decided) -> bool {
        let request = &self.request.request;
        let state = &decided.state;
        state.active.as_ref().is_some_and(|active| active.request.request == *request)
            || state.next_sequence(request.client) > request.sequence
    }

    /// Epochs before the answer begins are no part of its proof.
    fn skip_others(&mut self) {
        while self.text.is_empty()
            && self.steps.is_empty()
            && let Some(entry) = self.epochs.get(&self.first).filter(|entry| !entry.is_ours)
        {
            self.previous = entry.certificate.ballot.value;
            self.first = self.first.next();
        }
    }

    /// Goes on from the last epoch of the text as far as tokens are known.
    fn extend(&mut self) -> Vec<u8> {
        self.skip_others();
        let before = self.text.len();
        while let Some(step) = self.next_step() {
            self.text.extend(step.added.tokens());
            self.steps.push(step);
        }
        self.text[before..].to_vec()
    }

    fn next_step(&mut self) -> Option<Step> {
        if self.is_complete() {
            return None;
        }
        let epoch = self.next();
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
    pub(crate) fn blame(&mut self, evidence: &[u8]) -> Option<(NodeId, &'static str)> {
        let evidence: Evidence = wire::decode(evidence).ok()?;
        evidence.verify(self.cluster).ok()?;
        let key = (evidence.accused, evidence.fault.name());
        self.evidence.insert(key, evidence).is_none().then_some(key)
    }

    /// The tokens committed so far.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether that is all that was asked for.
    pub(crate) fn is_complete(&self) -> bool {
        self.text.len() >= usize::from(self.request.request.tokens)
    }

    /// The first epoch that is missing.
    pub(crate) fn next(&self) -> Epoch {
        Epoch(self.first.0 + self.steps.len() as u64)
    }

    /// The last epoch of the text; before there is one, that before its first.
    pub(crate) fn committed(&self) -> Epoch {
        Epoch(self.next().0 - 1)
    }

    /// The last epoch that anybody reported.
    pub(crate) fn decided(&self) -> Epoch {
        self.epochs.keys().next_back().copied().unwrap_or(Epoch::GENESIS)
    }

    /// Who has reported `epoch` or a later one.
    pub(crate) fn reached(&self, epoch: Epoch) -> NodeSet {
        self.heads.iter().filter(|(_, head)| **head >= epoch).map(|(node, _)| *node).collect()
    }

    /// How each epoch was decided.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = Decision> {
        self.epochs.iter().map(|(epoch, entry)| Decision {
            epoch: *epoch,
            view: entry.certificate.ballot.view,
            path: entry.certificate.path,
            latency: entry.latency,
        })
    }

    /// Who is proven faulty, and of what.
    pub(crate) fn blamed(&self) -> impl Iterator<Item = (NodeId, &'static str, &Evidence)> {
        self.evidence.iter().map(|((node, fault), evidence)| (*node, *fault, evidence))
    }

    /// The proof of the text so far, without what was committed before the base.
    pub(crate) fn proof(&self) -> Option<CommitProof> {
        self.steps.last()?;
        let last = self.epochs.get(&self.committed())?;
        Some(CommitProof {
            request: self.request.clone(),
            committed: u16::try_from(self.before).ok()?,
            first: self.first,
            previous: self.previous,
            steps: self.steps.iter().cloned().collect(),
            certificate: last.certificate.clone(),
        })
    }
}
