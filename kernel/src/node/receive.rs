//! What a node does with each message that arrives.

use super::{Node, Role};
use crate::agreement::SignedValue;
use crate::chain::Decided;
use crate::cluster::Seat;
use crate::crypto::{Scheme, Verified};
use crate::inference::certify::contradiction;
use crate::machine::{Outbox, Output, Place, Progress, Rejection, Transmission};
use crate::message::agreement::{AgreementMessage, Ballot, Proposal};
use crate::message::inference::Attest;
use crate::message::{Envelope, Fetch, Message};
use crate::proof::{Evidence, Fault, SignedBallot};
use crate::types::{Epoch, NodeId};

impl<C: Scheme, const N: usize> Node<C, N> {
    pub(super) fn receive(
        &mut self,
        seat: &Seat<'_, C, N>,
        envelope: Verified<Envelope<C, N>>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let Envelope { from, message, signature } = envelope.into_inner();
        match message {
            Message::Forward(request) => {
                self.await_turn(seat, request)?;
                self.choose_job(seat, out);
                Ok(())
            }
            Message::Fetch(fetch) => self.on_fetch(seat, from, &fetch, out),
            Message::Decided(decided) => self.on_decided(seat, decided, out),
            Message::StageOutput(output) => {
                self.in_epoch(output.epoch)?;
                self.inference.on_stage_output(seat, from, output, out)
            }
            Message::Pull(pull) => {
                self.in_epoch(pull.epoch)?;
                self.inference.on_pull(seat, &pull, out)
            }
            Message::Attest(attest) => {
                self.compare_attestation(from, &attest, &signature, out);
                self.in_epoch(attest.epoch)?;
                self.inference.on_attest(seat, from, attest, signature, out)
            }
            Message::Payload(payload) => {
                self.in_epoch(payload.epoch)?;
                self.admit(seat, payload, out)
            }
            Message::Agreement { epoch, message } => {
                if self.compare_ballot(seat, from, epoch, &message, &signature, out) == Late::Kept {
                    return Ok(());
                }
                self.in_epoch(epoch)?;
                if self.role == Role::Learner {
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
            core::cmp::Ordering::Greater => Err(Rejection::Early(Place { epoch, progress: Progress::Open })),
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
            self.answer(seat, from, Message::Decided(decided.clone()), out);
            return Ok(());
        }
        let wanted = fetch.value.and_then(|value| self.candidates.get(&value));
        match wanted {
            Some(candidate) if fetch.epoch == self.epoch() => {
                self.answer(seat, from, Message::Payload(candidate.payload.clone()), out);
                Ok(())
            }
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
        if decided.header.epoch < self.epoch() {
            return Err(Rejection::Stale);
        }
        self.follow(seat, decided, None, heapless::Vec::new(), out);
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
        let closed = self.closed.as_ref().filter(|closed| closed.epoch == attest.epoch);
        let payload = closed.and_then(|closed| closed.payload.as_ref());
        let evidence = payload.and_then(|payload| contradiction(payload, from, attest.claim, signature.clone()));
        if let Some(evidence) = evidence {
            out.push(Output::Evidence(evidence));
        }
    }

    /// A late proposal or vote of the view that decided the last epoch: it may
    /// contradict one that is held, or one that others hold. The first of each
    /// author is kept.
    fn compare_ballot(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        epoch: Epoch,
        message: &AgreementMessage<C, N>,
        signature: &C::Signature,
        out: &mut impl Outbox<C, N>,
    ) -> Late {
        let Some(closed) = self.closed.as_mut().filter(|closed| closed.epoch == epoch) else { return Late::Known };
        let late = |ballot| SignedBallot { ballot, signature: signature.clone() };
        let (ballot, held) = match message {
            AgreementMessage::Propose { ballot, progress } if seat.cluster.leader(epoch, ballot.view) == from => {
                let held = closed.proposal.as_ref().filter(|held| held.ballot.view == ballot.view);
                let held = held.map(|held| SignedBallot { ballot: held.ballot, signature: held.signature.clone() });
                if closed.proposal.is_none() && ballot.view == closed.ballot.view {
                    let (signature, progress) = (signature.clone(), progress.clone());
                    closed.proposal = Some(Proposal { ballot: *ballot, signature, progress });
                }
                (*ballot, held)
            }
            AgreementMessage::Vote(ballot) => {
                let held = closed.votes.get(&from).filter(|_| ballot.view == closed.ballot.view);
                let held = held.map(|held| SignedBallot {
                    ballot: Ballot { view: ballot.view, value: held.value },
                    signature: held.signature.clone(),
                });
                if held.is_none() && ballot.view == closed.ballot.view {
                    // One slot for each member: there is room.
                    let _ =
                        closed.votes.insert(from, SignedValue { value: ballot.value, signature: signature.clone() });
                }
                (*ballot, held)
            }
            _ => return Late::Known,
        };
        match held {
            Some(held) if held.ballot != ballot => {
                let fault = match message {
                    AgreementMessage::Vote(_) => Fault::Votes { epoch, first: held, second: late(ballot) },
                    _ => Fault::Proposals { epoch, first: held, second: late(ballot) },
                };
                out.push(Output::Evidence(Evidence { accused: from, fault }));
                Late::Known
            }
            None if ballot.view == closed.ballot.view => {
                let to = seat.others().without(from);
                if ballot != closed.ballot && !to.is_empty() {
                    // Others may hold its counterpart: they decided another value in this view.
                    let message = Message::Agreement { epoch, message: message.clone() };
                    let envelope = Envelope { from, message, signature: signature.clone() };
                    out.push(Output::Send { to, envelope, transmission: Transmission::First });
                }
                Late::Kept
            }
            _ => Late::Known,
        }
    }
}

/// What became of a statement about an epoch that is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    /// It is the first of its author, and kept to be compared.
    Kept,
    /// It changed nothing.
    Known,
}
