//! The consequences of what is held: each rule looks at the desks and acts once.

use super::Inference;
use super::desk::Watch;
use super::recovery::Past;
use super::run::{Part, Run};
use crate::agreement::rules::Mutant;
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Timer, Transmission, send};
use crate::message::Message;
use crate::message::inference::{Attest, Claim, Tokens};
use crate::types::{Millis, NodeSet, Stage};

impl<C: Scheme, const N: usize> Inference<C, N> {
    /// Draws every consequence of what is held.
    pub(super) fn settle(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let Some(run) = self.run.take() else { return };
        while run.stages().any(|stage| self.try_certain(seat, &run, stage, out)) {}
        for stage in run.stages() {
            self.try_escalate(seat, &run, stage);
            self.try_compute(seat, &run, stage, out);
            self.try_watch(seat, &run, stage, out);
            for (at, part) in self.parts().into_iter().enumerate() {
                self.try_attest(seat, &run, stage, (at, part), out);
            }
        }
        self.try_certify(seat, &run, out);
        self.run = Some(run);
    }

    /// f + 1 members agree on the next position of `stage`.
    fn try_certain(&mut self, seat: &Seat<'_, C, N>, run: &Run<C>, stage: Stage, out: &mut impl Outbox<C, N>) -> bool {
        let quorum = seat.cluster.signal_quorum();
        let Some(desk) = self.desks.get(stage.index()) else {
            return false;
        };
        let position = desk.next;
        // Nothing is reported beyond the parts under way.
        let Some(certain) = desk.certain(quorum) else {
            return false;
        };
        let ends_part = self.ends_part(position.next());
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.advance(certain.link, ends_part);
        }
        let trusted = certain.reporters.iter().fold(self.suspects, NodeSet::without);
        self.suspects = trusted.union(certain.dissenters);
        let last = stage == run.last_stage();
        if let (true, Some(token)) = (last, certain.signal.first()) {
            // The parts under way have no more positions than tokens fit.
            let _ = self.fresh.push(*token);
        }
        // A token is the first stage's next input.
        let (consumer, place) = if last { (Stage(0), position.next()) } else { (stage.next(), position) };
        if place < run.end() && run.active.placement.set(consumer).contains(seat.me) {
            out.push(Output::Provide { run: run.id, stage: consumer, position: place, signal: certain.signal });
        }
        true
    }

    /// Members of the stage disagree: its reserves compute as well.
    fn try_escalate(&mut self, seat: &Seat<'_, C, N>, run: &Run<C>, stage: Stage) {
        if let Some(desk) = self.desks.get_mut(stage.index())
            && desk.is_disputed()
            && run.active.placement.set(stage).contains(seat.me)
        {
            desk.working |= !seat.cluster.mutated(Mutant::NeverStepIn);
        }
    }

    fn try_compute(&mut self, seat: &Seat<'_, C, N>, run: &Run<C>, stage: Stage, out: &mut impl Outbox<C, N>) {
        let Some(desk) = self.desks.get(stage.index()) else { return };
        // In step with the others, or behind them: who attests must have computed all of it.
        let ready = desk.working
            && !desk.busy
            && (desk.past == Past::Complete || seat.cluster.mutated(Mutant::PastUnneeded))
            && desk.computed < self.limit()
            && desk.computed <= desk.next
            && run.active.placement.set(stage).contains(seat.me)
            && self.input_is_certain(seat.me, run, stage, desk.computed);
        if !ready {
            return;
        }
        let position = desk.computed;
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.busy = true;
        }
        let sampling = run.request().sampling;
        out.push(Output::Compute { run: run.id, stage, position, sampling, asker: None });
    }

    /// A reserve gives the owners time, one timer for each stage.
    fn try_watch(&mut self, seat: &Seat<'_, C, N>, run: &Run<C>, stage: Stage, out: &mut impl Outbox<C, N>) {
        let Some(desk) = self.desks.get(stage.index()) else { return };
        if desk.working || !run.active.placement.set(stage).contains(seat.me) {
            return;
        }
        let part_is_over = self.gatherings.first().is_some_and(|gathering| desk.next >= gathering.part.end);
        let (watch, stages) = if self.input_is_certain(seat.me, run, stage, desk.next) {
            (Watch::Output(desk.next), 1)
        } else if part_is_over {
            // Owners may also fall silent between their last signal and their
            // attestation, or attest to this node only. But the stages behind
            // this one have their time first.
            let behind = run.stages().rev().take_while(|other| *other > stage).count();
            (Watch::Commit(desk.next), u32::try_from(behind).unwrap_or(0).saturating_add(1))
        } else {
            return;
        };
        let set = match (desk.watched, watch) {
            // The stage has its input by now: its owners may not take longer than for any other.
            (Some(Watch::Commit(_)), Watch::Output(_)) | (None, _) => true,
            (Some(_), _) => false,
        };
        if !set {
            return;
        }
        let after = Millis(seat.cluster.timing.escalate.0.saturating_mul(stages));
        let epoch = self.epoch;
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.watched = Some(watch);
            out.push(Output::SetTimer { timer: Timer::Escalate { epoch, stage }, after });
        }
    }

    /// The `at`th part under way is computed here, and certain.
    fn try_attest(
        &mut self,
        seat: &Seat<'_, C, N>,
        run: &Run<C>,
        stage: Stage,
        (at, part): (usize, Part),
        out: &mut impl Outbox<C, N>,
    ) {
        let Some(desk) = self.desks.get(stage.index()) else { return };
        // A node attests only what it computed itself. With another result than
        // f + 1 members it abstains: its own may be at fault.
        let mutated = |mutant| seat.cluster.mutated(mutant);
        let agreed = if mutated(Mutant::AttestAlone) { &desk.own_ends } else { &desk.ends };
        let own = |link: &C::Digest| desk.own_ends.get(at) == Some(link) || mutated(Mutant::AttestUncomputed);
        let Some(output) = agreed.get(at).copied().filter(|link| own(link) && !mutated(Mutant::NeverAttest)) else {
            return;
        };
        let attested = self.gatherings.get(at).is_none_or(|gathering| gathering.has_attested(seat.me, stage));
        if attested || !run.active.placement.set(stage).contains(seat.me) {
            return;
        }
        let input = match stage.0.checked_sub(1) {
            None => run.input_link(seat.cluster, &self.fresh, part.end),
            Some(before) => self.desks.get(usize::from(before)).and_then(|desk| desk.ends.get(at)).copied(),
        };
        let Some(input) = input else { return };
        let before = usize::from(part.committed.saturating_sub(run.committed()));
        let tokens: Tokens = if stage == run.last_stage() {
            self.fresh.iter().skip(before).take(usize::from(part.tokens)).copied().collect()
        } else {
            Tokens::new()
        };
        let claim = Claim { run: run.id, committed: part.committed, stage, input, output };
        let attest = Attest { claim, tokens };
        let envelope = seat.envelope(Message::Attest(attest.clone()));
        let signature = envelope.signature.clone();
        send(seat.others(), envelope, Transmission::First, out);
        if let Some(gathering) = self.gatherings.get_mut(at) {
            // One slot for each member: there is room.
            let _ = gathering.place(seat.me, attest, signature);
        }
    }
}
