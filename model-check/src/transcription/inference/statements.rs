//! What members said about a stage, and what agreement does with values.

use std::collections::BTreeSet;

use super::{Computation, Constants, Rule, Signal, Specification, State, Value, reported};

impl Specification {
    pub(super) fn attestation_quorum(&self) -> usize {
        if self.constants.keep(Rule::CertificateQuorum) { self.constants.f + 1 } else { self.constants.f }
    }

    pub(super) fn signal_quorum(&self) -> usize {
        if self.constants.keep(Rule::WaitsForAgreement) { self.constants.f + 1 } else { 1 }
    }

    pub(super) fn fast_quorum(&self) -> usize {
        self.constants.n - self.constants.p
    }

    /// `Certain(s, quorum)`: the signals behind `link` on which a quorum agrees.
    pub(super) fn certain(&self, state: &State, link: usize, quorum: usize) -> BTreeSet<Signal> {
        if link == 0 {
            return BTreeSet::from([self.constants.committed]);
        }
        let reports = |signal: Signal| {
            let outputs = self.constants.assigned(link).filter_map(|member| state.computed[member][link - 1]);
            outputs.filter(|computation| computation.output == signal).count()
        };
        let liars = self.constants.liars(link);
        (0..self.constants.signals).filter(|signal| reports(*signal) + liars >= quorum).collect()
    }

    /// `Attestations(i, s)`: what honest `member` attested of `stage`.
    pub(super) fn attestations(&self, state: &State, member: usize, stage: usize) -> BTreeSet<Computation> {
        let Constants { old, gives, .. } = &*self.constants;
        let before = old.iter().map(|input| Computation { input: *input, output: gives[stage - 1][*input] });
        let own = state.computed[member][stage - 1].filter(|_| state.attested[member][stage - 1]);
        before.chain(own).collect()
    }

    /// `Certificates(s)`: the claims for which a stage certificate can be put together.
    pub(super) fn certificates(&self, state: &State, stage: usize) -> BTreeSet<Computation> {
        let liars = self.constants.liars(stage);
        let said: Vec<BTreeSet<Computation>> =
            self.constants.assigned(stage).map(|member| self.attestations(state, member, stage)).collect();
        let mut claims: BTreeSet<Computation> = if liars >= self.attestation_quorum() {
            // Liars alone are enough.
            let signals = 0..self.constants.signals;
            let claims = |input| signals.clone().map(move |output| Computation { input, output });
            signals.clone().flat_map(claims).collect()
        } else {
            said.iter().flatten().copied().collect()
        };
        let signers = |claim: &Computation| said.iter().filter(|said| said.contains(claim)).count() + liars;
        claims.retain(|claim| signers(claim) >= self.attestation_quorum());
        claims
    }

    /// `Certified`: the values for which somebody can put a valid payload together.
    pub fn certified(&self, state: &State) -> BTreeSet<Value> {
        let certificates: Vec<BTreeSet<Computation>> =
            (1..=self.constants.last()).map(|stage| self.certificates(state, stage)).collect();
        let is_behind = |certificates: &BTreeSet<Computation>, input: Signal, output: Signal| {
            if self.constants.keep(Rule::Chained) {
                certificates.contains(&Computation { input, output })
            } else {
                certificates.iter().any(|claim| claim.output == output)
            }
        };
        let mut certified = self.constants.values();
        certified.retain(|value| {
            let mut links = value.iter().zip(value.iter().skip(1)).zip(&certificates);
            (value[0] == self.constants.committed || !self.constants.keep(Rule::Continues))
                && links.all(|((input, output), certificates)| is_behind(certificates, *input, *output))
        });
        certified
    }

    /// `Admitted(i, v)`: what `member` finds that the leader of `view` may propose.
    pub(super) fn admitted(&self, state: &State, member: usize, view: usize) -> BTreeSet<Value> {
        let candidates = &state.candidates[member];
        if view == 0 {
            return candidates.clone();
        }
        let Constants { n, f, byzantine, .. } = *self.constants;
        // The reports whose vote, if there is one, is for a payload that is held.
        let usable = (0..self.constants.honest())
            .filter(|other| state.view[*other] >= view)
            .map(|other| reported(state, other, view))
            .filter(|vote| vote.is_none_or(|value| candidates.contains(value)));
        let mut sets: Vec<Vec<Option<&Value>>> = vec![Vec::new()];
        for report in usable {
            let with = sets.iter().map(|set| set.iter().copied().chain([report]).collect());
            sets.extend(with.collect::<Vec<_>>());
        }
        let mut admitted = BTreeSet::new();
        for quorum in sets.iter().filter(|set| set.len() + byzantine >= n - f) {
            let mut carried = quorum.iter().flatten().copied().peekable();
            if carried.peek().is_none() {
                admitted.extend(candidates.iter().cloned());
            } else {
                admitted.extend(carried.cloned());
            }
        }
        admitted
    }

    /// `Acknowledged(v, x)`: those who say that `value` may be proposed in `view`
    /// make a progress certificate.
    pub(super) fn is_acknowledged(&self, state: &State, view: usize, value: &Value) -> bool {
        let acknowledges = |member: &usize| {
            state.view[*member] >= view
                && state.candidates[*member].contains(value)
                && self.admitted(state, *member, view).contains(value)
        };
        (0..self.constants.honest()).filter(acknowledges).count() + self.constants.byzantine > self.constants.f
    }

    /// `Proposed(v)`: what may be voted for in `view`.
    pub(super) fn proposed(&self, state: &State, view: usize) -> BTreeSet<Value> {
        if self.constants.leaders[view] < self.constants.honest() {
            state.proposals[view].iter().cloned().collect()
        } else if view == 0 {
            self.constants.values()
        } else {
            let held = state.candidates.iter().flatten();
            held.filter(|value| self.is_acknowledged(state, view, value)).cloned().collect()
        }
    }

    /// How many honest members voted for `value` in `view`.
    pub(super) fn honest_votes_for(&self, state: &State, view: usize, value: &Value) -> usize {
        state.votes.iter().filter(|votes| votes[view].as_ref() == Some(value)).count()
    }

    /// `VotesFor(v, x)`
    pub(super) fn votes_for(&self, state: &State, view: usize, value: &Value) -> usize {
        self.honest_votes_for(state, view, value) + self.constants.byzantine
    }

    /// `Decided`: Byzantine votes alone are too few.
    pub fn decided(&self, state: &State) -> BTreeSet<Value> {
        let is_decided = |value: &&Value| {
            let mut views = 0..self.constants.leaders.len();
            views.any(|view| self.votes_for(state, view, value) >= self.fast_quorum())
        };
        state.votes.iter().flatten().flatten().filter(is_decided).cloned().collect()
    }
}
