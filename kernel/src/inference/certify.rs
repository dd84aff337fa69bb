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
    /// The links after the part, once certificates for every stage fit together.
    pub(super) links: Option<Links<C>>,
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
        if gathering.links.is_none() {
            self.settle(seat, out);
            return Ok(());
        }
        let quorum = seat.cluster.attestation_quorum();
        let contradiction = self
            .run
            .as_ref()
            .zip(self.gatherings.get(at))
            .and_then(|(run, gathering)| gathering.contradiction(run, claim.stage, from, quorum));
        if let Some(evidence) = contradiction {
            out.push(Output::Evidence(evidence));
        }
        Ok(())
    }

    /// Certificates for every stage fit together from tokens to tokens.
    pub(super) fn try_certify(&mut self, seat: &Seat<'_, C, N>, run: &Run<C>, out: &mut impl Outbox<C, N>) {
        let quorum = seat.cluster.attestation_quorum();
        let mut fresh: Vec<u8, { super::MAX_FRESH }> = Vec::new();
        for gathering in &mut self.gatherings {
            if gathering.links.is_none() {
                gathering.links = gathering.fit_together(seat, run, quorum, &fresh);
                if gathering.links.is_none() {
                    return;
                }
                gathering.accuse(run, quorum, out);
            }
            fresh.extend(gathering.tokens(run).into_iter().flatten().copied());
        }
    }
}

impl<C: Scheme, const N: usize> Gathering<C, N> {
    pub(super) fn new(part: Part, stages: usize) -> Self {
        Gathering { part, stages: (0..stages.min(MAX_STAGES)).map(|_| Map::new()).collect(), links: None }
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

    /// The links after the part, if the attestations certify every stage, when
    /// `fresh` are the tokens between what is committed and this part.
    fn fit_together(&self, seat: &Seat<'_, C, N>, run: &Run<C>, quorum: usize, fresh: &[u8]) -> Option<Links<C>> {
        let mut backwards = Links::<C>::new();
        let mut tokens = None;
        let mut wanted = None;
        for stage in run.stages().rev() {
            let agreed = agreed(self.stages.get(stage.index())?, quorum, wanted)?;
            tokens = tokens.or(Some(&agreed.tokens));
            backwards.push(agreed.output).ok()?;
            wanted = Some(agreed.input);
        }
        let first = wanted?;
        let all: Vec<u8, { super::MAX_FRESH }> = fresh.iter().chain(tokens?).copied().take(super::MAX_FRESH).collect();
        if run.input_link(seat.cluster, &all, self.part.end) != Some(first) {
            return None;
        }
        backwards.push(first).ok()?;
        backwards.reverse();
        Some(backwards)
    }

    /// What was certified of `stage`.
    fn certified(&self, run: &Run<C>, stage: Stage) -> Option<Claim<C>> {
        let links = self.links.as_ref()?;
        let (input, output) = (*links.get(stage.index())?, *links.get(stage.next().index())?);
        Some(Claim { run: run.id, committed: self.part.committed, stage, input, output })
    }

    /// Those who attested what was certified of `stage`.
    fn attesters(&self, run: &Run<C>, stage: Stage) -> Option<impl Iterator<Item = (&NodeId, &Attestation<C>)>> {
        let Claim { input, output, .. } = self.certified(run, stage)?;
        let held = self.stages.get(stage.index())?;
        Some(held.iter().filter(move |(_, attestation)| (attestation.input, attestation.output) == (input, output)))
    }

    /// The tokens of the part, once it is certified.
    pub(super) fn tokens(&self, run: &Run<C>) -> Option<&Tokens> {
        self.attesters(run, run.last_stage())?.next().map(|(_, attestation)| &attestation.tokens)
    }

    fn certificate(&self, run: &Run<C>, stage: Stage, quorum: usize) -> Option<C::WeakCertificate> {
        let signed = self.attesters(run, stage)?.take(quorum);
        Some(C::WeakCertificate::collect(signed.map(|(from, attestation)| (*from, &attestation.signature))))
    }

    /// The part with its certificates, once they fit together.
    pub(super) fn work(&self, run: &Run<C>, quorum: usize) -> Option<Work<C>> {
        Some(Work {
            run: run.id,
            committed: self.part.committed,
            request: run.active.request.clone(),
            tokens: self.tokens(run)?.clone(),
            links: self.links.clone()?,
            certificates: run.stages().map_while(|stage| self.certificate(run, stage, quorum)).collect(),
        })
    }

    /// Evidence against everybody who attested otherwise.
    fn accuse(&self, run: &Run<C>, quorum: usize, out: &mut impl Outbox<C, N>) {
        for stage in run.stages() {
            for (from, _) in self.stages.get(stage.index()).into_iter().flat_map(Map::iter) {
                if let Some(evidence) = self.contradiction(run, stage, *from, quorum) {
                    out.push(Output::Evidence(evidence));
                }
            }
        }
    }

    /// What `from` attested has the certified inputs and another output.
    fn contradiction(&self, run: &Run<C>, stage: Stage, from: NodeId, quorum: usize) -> Option<Evidence<C>> {
        let proven = self.certified(run, stage)?;
        let held = self.stages.get(stage.index())?.get(&from)?;
        let claim = Claim { input: held.input, output: held.output, ..proven };
        contradiction(proven, || self.certificate(run, stage, quorum), from, claim, held.signature.clone())
    }
}

impl<C: Scheme> Attestation<C> {
    fn says(&self, other: &Self) -> bool {
        (self.input, self.output) == (other.input, other.output)
    }
}

/// Evidence that `from`, who signed `claim`, contradicts `proven`, of which
/// `certificate` is the certificate.
pub(crate) fn contradiction<C: Scheme>(
    proven: Claim<C>,
    certificate: impl FnOnce() -> Option<C::WeakCertificate>,
    from: NodeId,
    claim: Claim<C>,
    signature: C::Signature,
) -> Option<Evidence<C>> {
    let same_question = proven == Claim { output: proven.output, ..claim };
    if !same_question || proven.output == claim.output {
        return None;
    }
    let fault = Fault::Attestation { claim, signature, certified: proven.output, certificate: certificate()? };
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
