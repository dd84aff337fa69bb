//! Attestations become stage certificates, and those the work of one epoch.

use heapless::Vec;

use super::Inference;
use super::run::{Part, Run};
use crate::agreement::rules::Mutant;
use crate::bounded::Map;
use crate::cluster::Seat;
use crate::crypto::{Scheme, Signatures};
use crate::machine::{Outbox, Output, Place, Rejection, Turn};
use crate::message::inference::{Attest, Claim, Links, Tokens, Work};
use crate::proof::{Evidence, Fault};
use crate::types::{MAX_STAGES, NodeId, Stage};

/// What is attested of one part of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Gathering<C: Scheme, const N: usize> {
    pub(super) part: Part,
    /// The first attestation of each member, for each stage.
    stages: Vec<Map<NodeId, Attestation<C>, N>, MAX_STAGES>,
    /// All of it with its certificates, once they fit together.
    pub(super) work: Option<Work<C>>,
}

/// An attestation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Attestation<C: Scheme> {
    input: C::Digest,
    output: C::Digest,
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
        let run = self.current(&claim.run)?;
        let assigned = run.active.placement.set(claim.stage).contains(from);
        if !(assigned || seat.cluster.mutated(Mutant::UnassignedAttester)) || from == seat.me {
            return Err(Rejection::Unauthorised);
        }
        if claim.committed < run.committed() {
            return Err(Rejection::Stale);
        }
        let early = Rejection::Early(Place::Part(Turn::of(&claim.run), claim.committed));
        let before = self.fresh_before(claim.committed).ok_or(early)?;
        let place = self.gatherings.iter().position(|gathering| gathering.part.committed == claim.committed);
        let at = place.ok_or(early)?;
        let part = self.gatherings.get(at).map(|gathering| gathering.part).ok_or(early)?;
        let consistent = if claim.stage == run.last_stage() {
            let mut fresh = before;
            let vocabulary = seat.cluster.model().vocabulary;
            attest.tokens.len() == usize::from(part.tokens)
                && attest.tokens.iter().all(|token| *token < vocabulary)
                && fresh.extend_from_slice(&attest.tokens).is_ok()
                && run.output_link(seat.cluster, &fresh) == Some(claim.output)
        } else {
            attest.tokens.is_empty()
        };
        if !consistent {
            return Err(Rejection::Invalid);
        }
        let gathering = self.gatherings.get_mut(at).ok_or(early)?;
        gathering.place(from, attest, signature)?;
        match gathering.work.is_some() {
            false => self.settle(seat, out),
            true => {
                if let Some(evidence) = self.gatherings.get(at).and_then(|held| held.contradiction(claim.stage, from)) {
                    out.push(Output::Evidence(evidence));
                }
            }
        }
        Ok(())
    }

    /// Certificates for every stage fit together from tokens to tokens.
    pub(super) fn try_certify(&mut self, seat: &Seat<'_, C, N>, run: &Run<C>, out: &mut impl Outbox<C, N>) {
        let quorum = seat.cluster.attestation_quorum();
        let mut fresh: Vec<u8, { super::MAX_FRESH }> = Vec::new();
        for gathering in &mut self.gatherings {
            if gathering.work.is_none() {
                gathering.work = gathering.assemble(seat, run, quorum, &fresh);
                if gathering.work.is_none() {
                    return;
                }
                gathering.accuse(run, out);
            }
            let tokens = gathering.work.iter().flat_map(|work| work.tokens.iter().copied());
            fresh.extend(tokens.take(crate::types::MAX_TOKENS_PER_EPOCH));
        }
    }
}

impl<C: Scheme, const N: usize> Gathering<C, N> {
    pub(super) fn new(part: Part, stages: usize) -> Self {
        Gathering { part, stages: (0..stages.min(MAX_STAGES)).map(|_| Map::new()).collect(), work: None }
    }

    pub(super) fn has_attested(&self, member: NodeId, stage: Stage) -> bool {
        self.stages.get(stage.index()).is_some_and(|held| held.contains(&member))
    }

    /// Keeps the first attestation of `from`.
    pub(super) fn place(&mut self, from: NodeId, attest: Attest<C>, signature: C::Signature) -> Result<(), Rejection> {
        let held = self.stages.get_mut(attest.claim.stage.index()).ok_or(Rejection::Invalid)?;
        if held.contains(&from) {
            return Err(Rejection::Duplicate);
        }
        let Attest { claim, tokens } = attest;
        let attestation = Attestation { input: claim.input, output: claim.output, tokens, signature };
        held.insert(from, attestation).map_err(|_| Rejection::Full)
    }

    /// What `member` attested of `stage`.
    pub(super) fn attestation_of(&self, run: &Run<C>, member: NodeId, stage: Stage) -> Option<Attest<C>> {
        let held = self.stages.get(stage.index())?.get(&member)?;
        let claim =
            Claim { run: run.id, committed: self.part.committed, stage, input: held.input, output: held.output };
        Some(Attest { claim, tokens: held.tokens.clone() })
    }

    /// The work that the attestations certify, when `fresh` are the tokens
    /// between what is committed and this part.
    fn assemble(&self, seat: &Seat<'_, C, N>, run: &Run<C>, quorum: usize, fresh: &[u8]) -> Option<Work<C>> {
        let mut backwards: Vec<(C::Digest, C::Signatures), MAX_STAGES> = Vec::new();
        let mut tokens = Tokens::new();
        let mut wanted = None;
        for stage in run.stages().rev() {
            let held = self.stages.get(stage.index())?;
            let agreed = agreed(held, quorum, wanted)?;
            if stage == run.last_stage() {
                tokens = agreed.tokens.clone();
            }
            let same = held.iter().filter(|(_, other)| other.says(agreed));
            let signed = same.take(quorum).map(|(from, attestation)| (*from, &attestation.signature));
            backwards.push((agreed.output, C::Signatures::collect(signed))).ok()?;
            wanted = Some(agreed.input);
        }
        let first = wanted?;
        let all: Vec<u8, { super::MAX_FRESH }> = fresh.iter().chain(&tokens).copied().take(super::MAX_FRESH).collect();
        if run.input_link(seat.cluster, &all, self.part.end) != Some(first) {
            return None;
        }
        let mut links = Links::<C>::new();
        links.push(first).ok()?;
        let mut certificates = Vec::new();
        for (output, certificate) in backwards.into_iter().rev() {
            links.push(output).ok()?;
            certificates.push(certificate).ok()?;
        }
        let committed = self.part.committed;
        Some(Work { run: run.id, committed, request: run.active.request.clone(), tokens, links, certificates })
    }

    /// Evidence against everybody who attested otherwise.
    fn accuse(&self, run: &Run<C>, out: &mut impl Outbox<C, N>) {
        for stage in run.stages() {
            for (from, _) in self.stages.get(stage.index()).into_iter().flat_map(Map::iter) {
                if let Some(evidence) = self.contradiction(stage, *from) {
                    out.push(Output::Evidence(evidence));
                }
            }
        }
    }

    /// What `from` attested has the certified inputs and another output.
    fn contradiction(&self, stage: Stage, from: NodeId) -> Option<Evidence<C>> {
        let work = self.work.as_ref()?;
        let held = self.stages.get(stage.index())?.get(&from)?;
        let claim = Claim { input: held.input, output: held.output, ..work.claim(stage)? };
        contradiction(work, from, claim, held.signature.clone())
    }
}

impl<C: Scheme> Attestation<C> {
    fn says(&self, other: &Self) -> bool {
        (self.input, self.output) == (other.input, other.output)
    }
}

/// Evidence that `from`, who signed `claim`, contradicts what `work` certifies.
pub(crate) fn contradiction<C: Scheme>(
    work: &Work<C>,
    from: NodeId,
    claim: Claim<C>,
    signature: C::Signature,
) -> Option<Evidence<C>> {
    let proven = work.claim(claim.stage)?;
    let same_question = proven == Claim { output: proven.output, ..claim };
    if !same_question || proven.output == claim.output {
        return None;
    }
    let certificate = work.certificates.get(claim.stage.index())?.clone();
    let fault = Fault::Attestation { claim, signature, certified: proven.output, certificate };
    Some(Evidence { accused: from, fault })
}

/// An attestation that `quorum` members agree on, with the output wanted if one is.
fn agreed<C: Scheme, const N: usize>(
    held: &Map<NodeId, Attestation<C>, N>,
    quorum: usize,
    output: Option<C::Digest>,
) -> Option<&Attestation<C>> {
    let count = |one: &Attestation<C>| held.iter().filter(|(_, other)| other.says(one)).count();
    held.iter()
        .map(|(_, attestation)| attestation)
        .filter(|attestation| output.is_none_or(|output| attestation.output == output))
        .find(|attestation| count(attestation) >= quorum)
}
