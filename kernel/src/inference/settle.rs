//! The consequences of what is held: each rule looks at the desks and acts once.

use super::Inference;
use super::job::{Job, extend};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Timer, Transmission, send};
use crate::message::Message;
use crate::message::inference::{Attest, Claim, Tokens};
use crate::types::{NodeSet, Position, Stage};

impl<C: Scheme, const N: usize> Inference<C, N> {
    /// Draws every consequence of what is held.
    pub(super) fn settle(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let Some(job) = self.job.take() else { return };
        while job.stages().any(|stage| self.try_certain(seat, &job, stage, out)) {}
        for stage in job.stages() {
            self.try_escalate(seat, &job, stage);
            self.try_compute(seat, &job, stage, out);
            self.try_watch(seat, &job, stage, out);
            self.try_attest(seat, &job, stage, out);
        }
        self.try_certify(seat, &job, out);
        self.job = Some(job);
    }

    /// f + 1 members agree on the next position of `stage`.
    fn try_certain(&mut self, seat: &Seat<'_, C, N>, job: &Job<C>, stage: Stage, out: &mut impl Outbox<C, N>) -> bool {
        let quorum = seat.cluster.resilience().attestation_quorum();
        let Some(desk) = self.desks.get_mut(stage.index()) else {
            return false;
        };
        if desk.next >= job.end {
            return false;
        }
        let Some(certain) = desk.certain(quorum) else {
            return false;
        };
        let position = desk.next;
        let next = Position(position.0.saturating_add(1));
        desk.advance(extend(seat.cluster, &desk.link, &certain.signal));
        let trusted = certain.reporters.iter().fold(self.suspects, NodeSet::without);
        self.suspects = trusted.union(certain.dissenters);
        let last = stage == job.last_stage();
        if let (true, Some(token)) = (last, certain.signal.first()) {
            // The job never has more positions than tokens fit.
            let _ = self.tokens.push(*token);
        }
        // A token is the first stage's next input; the last one waits for the next epoch.
        let (consumer, place) = if last { (Stage(0), next) } else { (stage.next(), position) };
        if place < job.end && job.placement.set(consumer).contains(seat.me) {
            out.push(Output::Provide { job: job.id, stage: consumer, position: place, signal: certain.signal });
        }
        true
    }

    /// Members of the stage disagree: its reserves compute as well.
    fn try_escalate(&mut self, seat: &Seat<'_, C, N>, job: &Job<C>, stage: Stage) {
        if let Some(desk) = self.desks.get_mut(stage.index())
            && desk.is_disputed()
            && job.placement.set(stage).contains(seat.me)
        {
            desk.working = true;
        }
    }

    fn try_compute(&mut self, seat: &Seat<'_, C, N>, job: &Job<C>, stage: Stage, out: &mut impl Outbox<C, N>) {
        let Some(desk) = self.desks.get(stage.index()) else { return };
        // In step with the others, or behind them: who attests must have computed all of it.
        let ready = desk.working
            && !desk.busy
            && desk.computed < job.end
            && desk.computed <= desk.next
            && job.placement.set(stage).contains(seat.me)
            && self.input_is_certain(seat.me, job, stage, desk.computed);
        if !ready {
            return;
        }
        let position = desk.computed;
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.busy = true;
        }
        out.push(Output::Compute { job: job.id, stage, position, sampling: job.request().sampling });
    }

    /// A reserve gives the owners time, one timer for each stage.
    fn try_watch(&mut self, seat: &Seat<'_, C, N>, job: &Job<C>, stage: Stage, out: &mut impl Outbox<C, N>) {
        let Some(desk) = self.desks.get(stage.index()) else { return };
        let idle = !desk.working
            && desk.watched.is_none()
            && job.placement.set(stage).contains(seat.me)
            // Owners may also fall silent between their last signal and their
            // attestation, or attest to this node only.
            && (desk.next >= job.end || self.input_is_certain(seat.me, job, stage, desk.next));
        if !idle {
            return;
        }
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.watched = Some(desk.next);
            let timer = Timer::Escalate { epoch: job.epoch, stage };
            out.push(Output::SetTimer { timer, after: seat.cluster.timing.escalate });
        }
    }

    fn try_attest(&mut self, seat: &Seat<'_, C, N>, job: &Job<C>, stage: Stage, out: &mut impl Outbox<C, N>) {
        let Some(desk) = self.desks.get(stage.index()) else { return };
        // A node attests only what it computed itself. With another result than
        // f + 1 members it abstains: its own may be at fault.
        let done = !desk.attested && desk.next >= job.end && desk.own == desk.link;
        if !done || !job.placement.set(stage).contains(seat.me) {
            return;
        }
        let input = match stage.0.checked_sub(1) {
            None => job.input_link(seat.cluster, &self.tokens),
            Some(before) => {
                self.desks.get(usize::from(before)).filter(|desk| desk.next >= job.end).map(|desk| desk.link)
            }
        };
        let Some(input) = input else { return };
        let output = desk.link;
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.attested = true;
        }
        let tokens = if stage == job.last_stage() { self.tokens.clone() } else { Tokens::new() };
        let claim = Claim { epoch: job.epoch, job: job.id, stage, input, output };
        let attest = Attest { claim, tokens };
        let envelope = seat.envelope(Message::Attest(attest.clone()));
        let signature = envelope.signature.clone();
        send(seat.others(), envelope, Transmission::First, out);
        // One slot for each member: there is room.
        let _ = self.place(seat.me, attest, signature);
    }
}
