//! Attestations become stage certificates, and those a payload.

use heapless::Vec;

use super::Inference;
use super::job::Job;
use crate::bounded::Map;
use crate::cluster::Seat;
use crate::crypto::{Scheme, Signatures};
use crate::machine::{Outbox, Output, Rejection};
use crate::message::inference::{Attest, Claim, Links, Payload, Tokens};
use crate::proof::{Evidence, Fault};
use crate::types::{MAX_STAGES, NodeId, Stage};

/// The first attestation of each member of a stage.
pub(super) type Attestations<C, const N: usize> = Map<NodeId, Attestation<C>, N>;

/// An attestation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Attestation<C: Scheme> {
    claim: Claim<C>,
    tokens: Tokens,
    signature: C::Signature,
}

impl<C: Scheme, const N: usize> Inference<C, N> {
    /// An attestation of a member of a stage.
    ///
    /// # Errors
    /// A [`Rejection`] when it changes nothing.
    pub fn on_attest(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        attest: Attest<C>,
        signature: C::Signature,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let claim = attest.claim;
        let job = self.current(attest.claim.epoch, claim.job)?;
        if !job.placement.set(claim.stage).contains(from) || from == seat.me {
            return Err(Rejection::Unauthorised);
        }
        let last = claim.stage == job.last_stage();
        let vocabulary = seat.cluster.model().vocabulary;
        let consistent = if last {
            attest.tokens.len() == usize::from(job.tokens)
                && attest.tokens.iter().all(|token| *token < vocabulary)
                && job.output_link(seat.cluster, &attest.tokens) == Some(claim.output)
        } else {
            attest.tokens.is_empty()
        };
        if !consistent {
            return Err(Rejection::Invalid);
        }
        self.place(from, attest, signature)?;
        match &self.payload {
            None => self.settle(seat, out),
            Some(payload) => {
                if let Some(evidence) = self.contradiction(payload, claim.stage, from) {
                    out.push(Output::Evidence(evidence));
                }
            }
        }
        Ok(())
    }

    pub(super) fn place(&mut self, from: NodeId, attest: Attest<C>, signature: C::Signature) -> Result<(), Rejection> {
        let attestations = self.attestations.get_mut(attest.claim.stage.index()).ok_or(Rejection::Invalid)?;
        if attestations.contains(&from) {
            return Err(Rejection::Duplicate);
        }
        let attestation = Attestation { claim: attest.claim, tokens: attest.tokens, signature };
        attestations.insert(from, attestation).map_err(|_| Rejection::Full)
    }

    pub(super) fn own_attestation(&self, me: NodeId, stage: Stage) -> Option<Attest<C>> {
        let attestation = self.attestations.get(stage.index())?.get(&me)?;
        Some(Attest { claim: attestation.claim, tokens: attestation.tokens.clone() })
    }

    /// Certificates for every stage fit together from tokens to tokens.
    pub(super) fn try_certify(&mut self, seat: &Seat<'_, C, N>, job: &Job<C>, out: &mut impl Outbox<C, N>) {
        if self.payload.is_some() {
            return;
        }
        let Some(payload) = self.assemble(seat, job) else { return };
        for stage in job.stages() {
            let attesters = self.attestations.get(stage.index()).into_iter().flat_map(Map::iter);
            for (from, _) in attesters {
                if let Some(evidence) = self.contradiction(&payload, stage, *from) {
                    out.push(Output::Evidence(evidence));
                }
            }
        }
        self.payload = Some(payload);
    }

    fn assemble(&self, seat: &Seat<'_, C, N>, job: &Job<C>) -> Option<Payload<C>> {
        let quorum = seat.cluster.resilience().attestation_quorum();
        let mut backwards: Vec<(C::Digest, C::Signatures), MAX_STAGES> = Vec::new();
        let mut tokens = Tokens::new();
        let mut wanted = None;
        for stage in job.stages().rev() {
            let attestations = self.attestations.get(stage.index())?;
            let agreed = agreed(attestations, quorum, wanted)?;
            if stage == job.last_stage() {
                tokens = agreed.tokens.clone();
            }
            let same = attestations.iter().filter(|(_, other)| other.claim == agreed.claim);
            let signed = same.take(quorum).map(|(from, attestation)| (*from, &attestation.signature));
            backwards.push((agreed.claim.output, C::Signatures::collect(signed))).ok()?;
            wanted = Some(agreed.claim.input);
        }
        let first = wanted?;
        if job.input_link(seat.cluster, &tokens) != Some(first) {
            return None;
        }
        let mut links = Links::<C>::new();
        links.push(first).ok()?;
        let mut certificates = Vec::new();
        for (output, certificate) in backwards.into_iter().rev() {
            links.push(output).ok()?;
            certificates.push(certificate).ok()?;
        }
        Some(Payload {
            epoch: job.epoch,
            job: job.id,
            request: job.active.request.clone(),
            tokens,
            links,
            certificates,
        })
    }

    /// What `from` attested has the certified inputs and another output.
    fn contradiction(&self, payload: &Payload<C>, stage: Stage, from: NodeId) -> Option<Evidence<C>> {
        let attestation = self.attestations.get(stage.index())?.get(&from)?;
        contradiction(payload, from, attestation.claim, attestation.signature.clone())
    }
}

/// Evidence that `from`, who signed `claim`, contradicts what `payload` certifies.
pub(crate) fn contradiction<C: Scheme>(
    payload: &Payload<C>,
    from: NodeId,
    claim: Claim<C>,
    signature: C::Signature,
) -> Option<Evidence<C>> {
    let proven = payload.claim(claim.stage)?;
    if proven.job != claim.job || proven.input != claim.input || proven.output == claim.output {
        return None;
    }
    let certificate = payload.certificates.get(claim.stage.index())?.clone();
    let fault = Fault::Attestation { claim, signature, certified: proven.output, certificate };
    Some(Evidence { accused: from, fault })
}

/// An attestation that `quorum` members agree on, with the output wanted if one is.
fn agreed<C: Scheme, const N: usize>(
    attestations: &Attestations<C, N>,
    quorum: usize,
    output: Option<C::Digest>,
) -> Option<&Attestation<C>> {
    let count = |claim: &Claim<C>| attestations.iter().filter(|(_, other)| other.claim == *claim).count();
    attestations
        .iter()
        .map(|(_, attestation)| attestation)
        .filter(|attestation| output.is_none_or(|output| attestation.claim.output == output))
        .find(|attestation| count(&attestation.claim) >= quorum)
}
