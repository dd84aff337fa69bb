//! Commit proofs: that a cluster committed these tokens for this request.
//!
//! A proof is the request, the epochs that answered it in order, and the
//! certificate of the last one. Each epoch's value covers the value before
//! it, so one certificate proves all of them.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::chain::{Header, Increment};
use crate::cluster::Cluster;
use crate::crypto::Scheme;
use crate::message::agreement::DecisionCertificate;
use crate::message::inference::{SignedRequest, Tokens};
use crate::types::{Epoch, MAX_CONTEXT};

/// One epoch of a proof: what it added, and what else its value covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Step<C: Scheme> {
    /// What was added.
    pub added: Added<C>,
    /// Digest of the state after the epoch.
    pub state: C::Digest,
}

/// What an epoch added to the request of a proof.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Added<C: Scheme> {
    /// These tokens, at least one.
    Tokens(Tokens),
    /// Nothing: the epoch admitted a member. The increment of its header.
    Nothing(C::Digest),
}

/// That a cluster committed the tokens of `steps` for `request`, with at most
/// `L` epochs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct CommitProof<C: Scheme, const L: usize> {
    /// What was asked, signed by the client.
    pub request: SignedRequest<C>,
    /// Tokens committed before the first step.
    pub committed: u16,
    /// The epoch of the first step.
    pub first: Epoch,
    /// The value of the epoch before it.
    pub previous: C::Digest,
    /// The epochs, in order, without a gap; at least one.
    pub steps: Vec<Step<C>, L>,
    /// That the last of them was decided.
    pub certificate: DecisionCertificate<C>,
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProofError {
    /// There is no step, or there are more tokens than were asked for.
    Shape,
    /// The request is not signed by a client of this cluster.
    Request,
    /// The certificate is not about these tokens.
    Value,
    /// The certificate is not a quorum of this cluster.
    Certificate,
}

impl core::fmt::Display for ProofError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            ProofError::Shape => "the proof has no step, or more tokens than were asked for",
            ProofError::Request => "the request is not signed by a client of this cluster",
            ProofError::Value => "the certificate is about something else",
            ProofError::Certificate => "the certificate is not a quorum of this cluster",
        })
    }
}

impl core::error::Error for ProofError {}

impl<C: Scheme> Added<C> {
    /// The tokens, if any.
    pub fn tokens(&self) -> &[u8] {
        match self {
            Added::Tokens(tokens) => tokens,
            Added::Nothing(_) => &[],
        }
    }
}

impl<C: Scheme, const L: usize> CommitProof<C, L> {
    /// The epoch of the last step.
    pub fn last(&self) -> Epoch {
        let further = u64::try_from(self.steps.len().saturating_sub(1)).unwrap_or(u64::MAX);
        Epoch(self.first.0.saturating_add(further))
    }

    /// All tokens, in order.
    pub fn tokens(&self) -> impl Iterator<Item = u8> + '_ {
        self.steps.iter().flat_map(|step| step.added.tokens().iter().copied())
    }

    /// Whether `cluster` committed these tokens for this request.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify<const N: usize>(&self, cluster: &Cluster<C, N>) -> Result<(), ProofError> {
        let asked = usize::from(self.request.request.tokens);
        let total = self.tokens().count().saturating_add(usize::from(self.committed));
        if self.steps.is_empty() || total > asked || total > MAX_CONTEXT || self.first == Epoch::GENESIS {
            return Err(ProofError::Shape);
        }
        cluster.verify_request(&self.request).map_err(|_| ProofError::Request)?;
        let request = self.request.digest(cluster);
        let (mut value, mut epoch, mut committed) = (self.previous, self.first, self.committed);
        for step in &self.steps {
            let added = u16::try_from(step.added.tokens().len()).map_err(|_| ProofError::Shape)?;
            let increment = match &step.added {
                Added::Tokens(tokens) if tokens.is_empty() => return Err(ProofError::Shape),
                Added::Tokens(tokens) => Increment::<C> { request, committed, tokens: tokens.clone() }.digest(cluster),
                Added::Nothing(increment) => *increment,
            };
            let header = Header { epoch, previous: value, increment, state: step.state };
            value = header.value(cluster);
            epoch = epoch.next();
            committed = committed.saturating_add(added);
        }
        if self.certificate.ballot.value != value {
            return Err(ProofError::Value);
        }
        if !cluster.decision_is_genuine(self.last(), &self.certificate) {
            return Err(ProofError::Certificate);
        }
        Ok(())
    }
}
