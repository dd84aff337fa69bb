//! What a node does with each message that arrives.

use super::Node;
use super::closed::Late;
use crate::agreement::rules::Mutant;
use crate::chain::Decided;
use crate::cluster::Seat;
use crate::crypto::{Scheme, Verified};
use crate::machine::{Outbox, Output, Place, Rejection, Transmission, Turn, send};
use crate::message::inference::Attest;
use crate::message::notice::SignedNotice;
use crate::message::{Envelope, Fetch, Message};
use crate::types::{Epoch, NodeId};

impl<C: Scheme, const N: usize> Node<C, N> {
    pub(super) fn receive(
        &mut self,
        seat: &Seat<'_, C, N>,
        envelope: Verified<Envelope<C, N>>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let envelope = envelope.into_inner();
        if let Some(run) = envelope.message.run() {
            // What is over is late whatever it says, but may contradict what is certified.
            if self.passed(&Turn::of(run)) {
                if let Message::Attest(attest) = &envelope.message {
                    self.compare_attestation(envelope.from, attest, &envelope.signature, out);
                }
                return Err(Rejection::Stale);
            }
        }
        if matches!(envelope.message, Message::Agreement { epoch, .. } if epoch < self.epoch()) {
            return self.hear_late(seat, &envelope, out);
        }
        let Envelope { from, message, signature } = envelope;
        match message {
            Message::Forward(request) => self.on_forward(seat, request, out),
            Message::Fetch(fetch) => self.on_fetch(seat, from, &fetch, out),
            Message::Decided(decided) => self.on_decided(seat, decided, out),
            Message::Notice(notice) => self.on_notice(seat, SignedNotice { member: from, notice, signature }),
            Message::Change(signed) => self.on_change(seat, signed),
            Message::StageOutput(output) => self.inference.on_stage_output(seat, from, output, out),
            Message::Pull(pull) => self.inference.on_pull(seat, from, &pull, out),
            Message::Recall(recall) => self.inference.on_recall(seat, from, &recall, out),
            Message::History(history) => self.inference.on_history(seat, from, history, out),
            Message::Attest(attest) => {
                self.compare_attestation(from, &attest, &signature, out);
                self.inference.on_attest(seat, from, attest, signature, out)
            }
            Message::Payload(payload) => self.admit(seat, payload, out),
            Message::Agreement { epoch, message } => {
                self.in_epoch(epoch)?;
                if !self.signs(seat) {
                    return Err(Rejection::Unauthorised);
                }
                self.agreement.receive(seat, from, message, signature, out)
            }
        }
    }

    fn in_epoch(&self, epoch: Epoch) -> Result<(), Rejection> {
        match epoch.cmp(&self.epoch()) {
            core::cmp::Ordering::Less => Err(Rejection::Stale),
            core::cmp::Ordering::Equal => Ok(()),
            core::cmp::Ordering::Greater => Err(Rejection::Early(Place::Epoch(epoch))),
        }
    }

    /// Somebody is behind, or lacks a payload.
    fn on_fetch(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        fetch: &Fetch<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        if from == seat.me {
            return Err(Rejection::Invalid);
        }
        if let (Some(decided), true) = (self.head.decided(), fetch.epoch <= self.head.epoch()) {
            if !self.watch.may_tell(from) {
                return Err(Rejection::Duplicate);
            }
            self.answer(seat, from, Message::Decided(decided.clone()), out);
            return Ok(());
        }
        let wanted = fetch.value.and_then(|value| self.candidates.get(&value));
        let heard = self.watch.hear(from);
        match wanted {
            Some(candidate) if fetch.epoch == self.epoch() => {
                self.answer(seat, from, Message::Payload(candidate.payload.clone()), out);
                Ok(())
            }
            // It shows that its sender is there, and waits as well.
            _ if heard => Ok(()),
            _ => Err(Rejection::Stale),
        }
    }

    /// Catches up: the certificate and the state were checked, so any number
    /// of epochs can be skipped.
    fn on_decided(
        &mut self,
        seat: &Seat<'_, C, N>,
        decided: Decided<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let epoch = decided.header.epoch;
        if epoch < self.epoch() && !seat.cluster.mutated(Mutant::StaleDecision) {
            return Err(Rejection::Stale);
        }
        if epoch > self.epoch() && seat.cluster.mutated(Mutant::NeverSkip) {
            return Err(Rejection::Early(Place::Epoch(epoch)));
        }
        self.follow(seat, decided, None, out);
        Ok(())
    }

    /// A late attestation may contradict what the last epoch certified.
    fn compare_attestation(
        &self,
        from: NodeId,
        attest: &Attest<C>,
        signature: &C::Signature,
        out: &mut impl Outbox<C, N>,
    ) {
        if let Some(evidence) = self.behind.closed().and_then(|closed| closed.compare(from, attest, signature)) {
            out.push(Output::Evidence(evidence));
        }
    }

    /// A late proposal or vote may contradict one that is held of the view
    /// that decided the last epoch, or one that others hold.
    fn hear_late(
        &mut self,
        seat: &Seat<'_, C, N>,
        envelope: &Envelope<C, N>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let Message::Agreement { epoch, message } = &envelope.message else { return Err(Rejection::Stale) };
        let closed = self.behind.closed_mut().filter(|closed| closed.epoch == *epoch).ok_or(Rejection::Stale)?;
        match closed.hear(seat, envelope.from, message, &envelope.signature) {
            Late::Known => Err(Rejection::Stale),
            Late::Dissents => {
                send(seat.others().without(envelope.from), envelope.clone(), Transmission::First, out);
                Ok(())
            }
            Late::Contradicts(evidence) => {
                out.push(Output::Evidence(evidence));
                Err(Rejection::Stale)
            }
        }
    }
}
