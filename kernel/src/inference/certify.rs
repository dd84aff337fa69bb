//! Attestations become stage certificates, and those the work of one epoch.

use heapless::Vec;

use super::Inference;
use super::run::{Part, Run};
use crate::agreement::rules::Mutant;
use crate::assignment::MAX_OWNERS;
use crate::bounded::Map;
use crate::cluster::Seat;
use crate::crypto::{Scheme, Signatures};
use crate::machine::{Outbox, Output, Place, Rejection, Turn};
use crate::message::inference::{Attest, Claim, Links, Tokens, Work};
use crate::proof::{Evidence, Fault};
use crate::types::{MAX_STAGES, NodeId, NodeSet, Stage};

/// What is attested of one part of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Gathering<C: Scheme, const N: usize> {
    pub(super) part: Part,
    stages: Vec<Attested<C, N>, MAX_STAGES>,
    /// The tokens of the part, by the link behind the last stage to which they lead.
    texts: Map<C::Digest, Tokens, MAX_OWNERS>,
    /// The links after the part, once certificates for every stage fit together.
    pub(super) links: Option<Links<C>>,
}

/// The first attestation of each member of a stage. Members that are not faulty
/// attest to the same, so there is room for one claim more than members may be faulty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Attested<C: Scheme, const N: usize> {
    /// The links in front of and behind the stage, and who attested to them.
    claims: Map<Around<C>, NodeSet, MAX_OWNERS>,
    signatures: Map<NodeId, C::Signature, N>,
}

/// The link in front of a stage and the one behind it.
type Around<C> = (<C as Scheme>::Digest, <C as Scheme>::Digest);

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

impl<C: Scheme, const N: usize> Attested<C, N> {
    fn new() -> Self {
        Attested { claims: Map::new(), signatures: Map::new() }
    }

    /// What `member` attested to.
    fn claim_of(&self, member: NodeId) -> Option<&Around<C>> {
        self.claims.iter().find(|(_, members)| members.contains(member)).map(|(around, _)| around)
    }

    /// # Errors
    /// [`Rejection::Full`] when more members attest otherwise than may be faulty.
    fn place(&mut self, from: NodeId, around: Around<C>, signature: C::Signature) -> Result<(), Rejection> {
        let members = self.claims.entry(around, || NodeSet::EMPTY).map_err(|_| Rejection::Full)?;
        *members = members.with(from);
        self.signatures.insert(from, signature).map_err(|_| Rejection::Full)
    }

    /// What `quorum` members attested to, with the link `behind` the stage if one
    /// is wanted.
    fn agreed(&self, quorum: usize, behind: Option<C::Digest>) -> Option<&Around<C>> {
        let wanted = self.claims.iter().filter(|((_, output), _)| behind.is_none_or(|behind| *output == behind));
        let agreed = wanted.filter(|(_, members)| members.len() >= quorum);
        agreed.min_by_key(|(_, members)| members.iter().next()).map(|(around, _)| around)
    }

    /// The signatures of `quorum` of those who attested to `around`.
    fn certificate(&self, around: &Around<C>, quorum: usize) -> C::WeakCertificate {
        let members = self.claims.get(around).copied().unwrap_or(NodeSet::EMPTY);
        let signed = self.signatures.iter().filter(|(from, _)| members.contains(**from)).take(quorum);
        C::WeakCertificate::collect(signed.map(|(from, signature)| (*from, signature)))
    }
}

impl<C: Scheme, const N: usize> Gathering<C, N> {
    pub(super) fn new(part: Part, stages: usize) -> Self {
        let stages = (0..stages.min(MAX_STAGES)).map(|_| Attested::new()).collect();
        Gathering { part, stages, texts: Map::new(), links: None }
    }

    pub(super) fn has_attested(&self, member: NodeId, stage: Stage) -> bool {
        self.stages.get(stage.index()).is_some_and(|held| held.signatures.contains(&member))
    }

    /// Keeps the first attestation of `from`.
    pub(super) fn place(&mut self, from: NodeId, attest: Attest<C>, signature: C::Signature) -> Result<(), Rejection> {
        let Attest { claim: Claim { stage, input, output, .. }, tokens } = attest;
        let held = self.stages.get_mut(stage.index()).ok_or(Rejection::Invalid)?;
        if held.signatures.contains(&from) {
            return Err(Rejection::Duplicate);
        }
        held.place(from, (input, output), signature)?;
        if !tokens.is_empty() {
            // The link behind the last stage follows from them; it has as many as claims at most.
            let _ = self.texts.insert(output, tokens);
        }
        Ok(())
    }

    /// What `member` attested of `stage`.
    pub(super) fn attestation_of(&self, run: &Run<C>, member: NodeId, stage: Stage) -> Option<Attest<C>> {
        let (input, output) = *self.stages.get(stage.index())?.claim_of(member)?;
        let claim = Claim { run: run.id, committed: self.part.committed, stage, input, output };
        let tokens = if stage == run.last_stage() { self.texts.get(&output)?.clone() } else { Tokens::new() };
        Some(Attest { claim, tokens })
    }

    /// The links after the part, if the attestations certify every stage, when
    /// `fresh` are the tokens between what is committed and this part.
    fn fit_together(&self, seat: &Seat<'_, C, N>, run: &Run<C>, quorum: usize, fresh: &[u8]) -> Option<Links<C>> {
        let mut backwards = Links::<C>::new();
        let mut wanted = None;
        for stage in run.stages().rev() {
            let (input, output) = *self.stages.get(stage.index())?.agreed(quorum, wanted)?;
            backwards.push(output).ok()?;
            wanted = Some(input);
        }
        let tokens = self.texts.get(backwards.first()?)?;
        let first = wanted?;
        let all: Vec<u8, { super::MAX_FRESH }> = fresh.iter().chain(tokens).copied().take(super::MAX_FRESH).collect();
        if run.input_link(seat.cluster, &all, self.part.end) != Some(first) {
            return None;
        }
        backwards.push(first).ok()?;
        backwards.reverse();
        Some(backwards)
    }

    /// What was certified of `stage`.
    fn certified(&self, run: &Run<C>, stage: Stage) -> Option<Claim<C>> {
        Claim::along(self.links.as_ref()?, run.id, self.part.committed, stage)
    }

    /// The tokens of the part, once it is certified.
    pub(super) fn tokens(&self, run: &Run<C>) -> Option<&Tokens> {
        self.texts.get(&self.certified(run, run.last_stage())?.output)
    }

    fn certificate(&self, run: &Run<C>, stage: Stage, quorum: usize) -> Option<C::WeakCertificate> {
        let Claim { input, output, .. } = self.certified(run, stage)?;
        Some(self.stages.get(stage.index())?.certificate(&(input, output), quorum))
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
            for (from, _) in self.stages.get(stage.index()).into_iter().flat_map(|held| held.signatures.iter()) {
                if let Some(evidence) = self.contradiction(run, stage, *from, quorum) {
                    out.push(Output::Evidence(evidence));
                }
            }
        }
    }

    /// What `from` attested has the certified inputs and another output.
    fn contradiction(&self, run: &Run<C>, stage: Stage, from: NodeId, quorum: usize) -> Option<Evidence<C>> {
        let proven = self.certified(run, stage)?;
        let held = self.stages.get(stage.index())?;
        let (input, output) = *held.claim_of(from)?;
        let claim = Claim { input, output, ..proven };
        let signature = held.signatures.get(&from)?.clone();
        contradiction(proven, || self.certificate(run, stage, quorum), from, claim, signature)
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
