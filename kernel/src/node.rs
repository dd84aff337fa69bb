//! The composition: inference and agreement, epoch after epoch.
//!
//! A node is in one open epoch, the one after the last that it holds decided
//! with its state. It signs agreement messages in no other (signing window 1);
//! messages of later epochs are rejected as early, and its host may keep them.
//!
//! What is durable before what is said:
//!
//! | before | durable |
//! | --- | --- |
//! | Vote | the proposal voted for, its progress certificate, the payload of its value |
//! | Commit | the commit certificate |
//! | ViewChange | the view |
//! | Propose | the proposal, its progress certificate, the payload |
//! | first signature in e | the decision of e - 1 with its state |
//! | the decision handed out, its slot used again | the decision with its state |
//! | CertAck, Attest, StageOutput | nothing |

mod closed;
mod horizon;
mod receive;
pub mod record;

use serde::{Deserialize, Serialize};

use crate::agreement::{Agreement, MAX_VALUES};
use crate::bounded::Map;
use crate::chain::{Decided, Head};
use crate::cluster::Seat;
use crate::crypto::{Scheme, Verified};
use crate::inference::Inference;
use crate::inference::job::{Candidate, Job};
use crate::machine::{Input, Outbox, Output, Place, Progress, Rejection, Timer, Transmission, send};
use crate::message::agreement::DecisionCertificate;
use crate::message::inference::{Payload, SignedRequest, Tokens};
use crate::message::{Fetch, Message};
use crate::types::{ClientId, Epoch, MAX_CLIENTS, Millis, NodeId, NodeSet, View};
use closed::Closed;
pub use horizon::Horizon;
pub use record::{Record, RecordError, RecordRef};

/// When nothing is under way, a node asks this many times more rarely.
const IDLE_FACTOR: u32 = 8;
/// Failed views raise the next epoch's time-out at most this often.
const MAX_PATIENCE: u8 = 3;

/// Whether a node may sign in agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// It has its vote record, or was provisioned with one.
    Replica,
    /// It lost its record: it follows, serves and attests, but signs nothing
    /// in agreement, since it cannot know what it signed before.
    Learner,
}

/// One member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node<C: Scheme, const N: usize> {
    role: Role,
    head: Head<C>,
    agreement: Agreement<C, N>,
    inference: Inference<C, N>,
    /// Valid values of the open epoch, with what they stand for.
    candidates: Map<C::Digest, Candidate<C>, MAX_VALUES>,
    /// The next request of each client, until it is finished.
    pending: Map<ClientId, SignedRequest<C>, MAX_CLIENTS>,
    /// What the last decided epoch can still be held to.
    closed: Option<Closed<C, N>>,
    /// The payload of a record that was read back, until the first step.
    recovered: Option<Payload<C>>,
    patience: u8,
    /// The epoch and view at the last look at what is unanswered.
    watched: (Epoch, View),
}

impl<C: Scheme, const N: usize> Node<C, N> {
    /// A node that begins, or goes on, from what is durable. Without a record
    /// it is a learner: provisioning writes [`Record::first`].
    ///
    /// # Errors
    /// When the record is not genuine for this cluster.
    pub fn new(seat: &Seat<'_, C, N>, record: Option<Record<C>>) -> Result<Self, RecordError> {
        let record = record.unwrap_or_else(|| Record { role: Role::Learner, ..Record::first() });
        record.check(seat.cluster)?;
        let agreement = Agreement::new(seat, record.head.epoch().next(), record.agreement, 0);
        Ok(Node {
            role: record.role,
            head: record.head,
            agreement,
            inference: Inference::default(),
            candidates: Map::new(),
            pending: Map::new(),
            closed: None,
            recovered: record.payload,
            patience: 0,
            watched: (Epoch::GENESIS, View::ZERO),
        })
    }

    /// Takes one input. `seat` is the same in every step of a node's life.
    ///
    /// # Errors
    /// A [`Rejection`] when the input changes nothing. Evidence may have been
    /// pushed all the same: a late message can prove a fault.
    pub fn step(
        &mut self,
        seat: &Seat<'_, C, N>,
        input: Input<C, N>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        match input {
            Input::Start => self.start(seat, out),
            Input::Receive(envelope) => self.receive(seat, envelope, out)?,
            Input::Submit(request) => self.submit(seat, request, out)?,
            Input::Computed { job, stage, position, signal } => {
                if self.job().map(|job| job.id) != Some(job) {
                    return Err(Rejection::OtherJob);
                }
                self.inference.on_computed(seat, stage, position, signal, out)?;
            }
            Input::Timer(timer) => self.on_timer(seat, timer, out)?,
        }
        self.advance(seat, out);
        Ok(())
    }

    /// What must be durable, as it is now.
    pub fn record(&self) -> RecordRef<'_, C> {
        let agreement = self.agreement.durable();
        let voted = agreement.voted.as_ref().and_then(|proposal| self.candidates.get(&proposal.ballot.value));
        let payload = voted.map(|candidate| &candidate.payload).or(self.recovered.as_ref());
        RecordRef { role: self.role, head: &self.head, agreement, payload }
    }

    /// The end of the chain here.
    pub fn head(&self) -> &Head<C> {
        &self.head
    }

    /// The open epoch.
    pub fn epoch(&self) -> Epoch {
        self.agreement.epoch()
    }

    /// The agreement of the open epoch.
    pub fn agreement(&self) -> &Agreement<C, N> {
        &self.agreement
    }

    /// Whether it may sign in agreement.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What is computed in the open epoch, if anything.
    pub fn job(&self) -> Option<&Job<C>> {
        self.inference.job()
    }

    /// Whether `place` is reached: an input rejected as early for it may be offered again.
    pub fn reached(&self, place: &Place) -> bool {
        match self.epoch().cmp(&place.epoch) {
            core::cmp::Ordering::Less => false,
            core::cmp::Ordering::Greater => true,
            core::cmp::Ordering::Equal => match place.progress {
                Progress::Open => true,
                Progress::Job => self.job().is_some(),
                Progress::View(view) => self.agreement.view() >= view,
                Progress::Position(stage, position) => self.inference.reached(stage, position),
            },
        }
    }

    fn start(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        self.choose_job(seat, out);
        if let Some(payload) = self.recovered.clone()
            && self.admit(seat, payload, out).is_ok()
        {
            self.recovered = None;
        }
        if self.role == Role::Replica {
            self.agreement.resume(seat, out);
        }
        self.ask(seat, None, out);
        self.repeat(seat, out);
        out.push(Output::SetTimer { timer: Timer::Retransmit, after: seat.cluster.timing.retransmit });
    }

    fn submit(
        &mut self,
        seat: &Seat<'_, C, N>,
        request: Verified<SignedRequest<C>>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let request = request.into_inner();
        self.await_turn(seat, request.clone())?;
        send(seat.others(), seat.envelope(Message::Forward(request)), Transmission::First, out);
        self.choose_job(seat, out);
        Ok(())
    }

    /// Keeps a request until it is finished. Of two that a client signed for
    /// the same turn every node keeps the smaller, so that they converge.
    fn await_turn(&mut self, seat: &Seat<'_, C, N>, request: SignedRequest<C>) -> Result<(), Rejection> {
        let state = self.head.state();
        if state.active.as_ref().is_some_and(|active| active.request.request == request.request) {
            return Err(Rejection::Duplicate);
        }
        state.expects(seat.cluster, &request.request).map_err(|refused| match refused {
            crate::chain::Refused::Sequence => Rejection::Stale,
            _ => Rejection::Invalid,
        })?;
        match self.pending.get(&request.request.client) {
            Some(held) if held.request <= request.request => Err(Rejection::Duplicate),
            _ => self.pending.insert(request.request.client, request).map_err(|_| Rejection::Full),
        }
    }

    fn on_timer(&mut self, seat: &Seat<'_, C, N>, timer: Timer, out: &mut impl Outbox<C, N>) -> Result<(), Rejection> {
        match timer {
            Timer::View { epoch, view } if epoch == self.epoch() && self.role == Role::Replica => {
                self.agreement.time_out(seat, view, out)
            }
            Timer::Escalate { epoch, stage } if epoch == self.epoch() => self.inference.on_escalate(seat, stage, out),
            Timer::Retransmit => {
                self.on_retransmit(seat, out);
                Ok(())
            }
            Timer::View { .. } | Timer::Escalate { .. } => Err(Rejection::Stale),
        }
    }

    /// Still in the epoch and view of the last time: say again what may have
    /// been lost, and ask for what may have been missed. Only what a faulty
    /// member cannot bring about alone counts as progress: if any message did,
    /// one of them in time would keep a node from ever asking.
    fn on_retransmit(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let every = seat.cluster.timing.retransmit.0;
        let idle = self.job().is_none() && self.pending.is_empty();
        let here = (self.epoch(), self.agreement.view());
        if self.watched == here {
            self.ask(seat, None, out);
            self.repeat(seat, out);
        }
        self.watched = here;
        let after = Millis(if idle { every.saturating_mul(IDLE_FACTOR) } else { every });
        out.push(Output::SetTimer { timer: Timer::Retransmit, after });
    }

    fn repeat(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        for (_, request) in self.pending.iter() {
            send(seat.others(), seat.envelope(Message::Forward(request.clone())), Transmission::Again, out);
        }
        self.inference.retransmit(seat, out);
        if self.role == Role::Replica {
            self.agreement.retransmit(seat, out);
        }
        let mut asked: Option<C::Digest> = None;
        for value in self.agreement.missing() {
            if asked != Some(value) {
                self.ask(seat, Some(value), out);
            }
            asked = Some(value);
        }
    }

    fn ask(&self, seat: &Seat<'_, C, N>, value: Option<C::Digest>, out: &mut impl Outbox<C, N>) {
        let fetch = Fetch { epoch: self.epoch(), value };
        send(seat.others(), seat.envelope(Message::Fetch(fetch)), Transmission::First, out);
    }

    /// Turns to the request whose turn it is: the one under way, else the
    /// next client's after the one served last.
    fn choose_job(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let state = self.head.state();
        let request = match &state.active {
            Some(active) => Some(&active.request),
            None => {
                let ready =
                    || self.pending.iter().filter(|(_, request)| state.expects(seat.cluster, &request.request).is_ok());
                let after = ready().find(|(client, _)| state.served.is_none_or(|served| **client > served));
                after.or_else(|| ready().next()).map(|(_, request)| request)
            }
        };
        let Some(request) = request else { return };
        if self.job().is_some_and(|job| job.active.request.request == request.request) {
            return;
        }
        if let Ok(job) = Job::new(seat.cluster, &self.head, request) {
            self.inference.begin(seat, job, out);
        }
    }

    /// Draws the consequences that cross from one machine to the other, until
    /// there are none.
    fn advance(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        loop {
            if let Some(payload) = self.inference.payload()
                && self.candidates.iter().all(|(_, candidate)| candidate.payload.job != payload.job)
            {
                // Refused only when the epoch holds as many values as it can.
                let _ = self.admit(seat, payload.clone(), out);
            }
            let Some(decision) = self.agreement.decision().cloned() else { return };
            let Some(candidate) = self.candidates.remove(&decision.ballot.value) else { return };
            self.close(seat, decision, candidate, out);
        }
    }

    /// Takes a payload in, if it is a valid result of the open epoch.
    fn admit(
        &mut self,
        seat: &Seat<'_, C, N>,
        payload: Payload<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let job = Job::new(seat.cluster, &self.head, &payload.request).map_err(|_| Rejection::Invalid)?;
        let (value, candidate) = job.validate(seat.cluster, &self.head, payload)?;
        if self.candidates.contains(&value) {
            return Err(Rejection::Duplicate);
        }
        self.candidates.insert(value, candidate).map_err(|_| Rejection::Full)?;
        if self.role == Role::Replica {
            self.agreement.learn(seat, value, out)?;
        }
        Ok(())
    }

    /// The open epoch is decided: its decision becomes the head of the chain.
    fn close(
        &mut self,
        seat: &Seat<'_, C, N>,
        certificate: DecisionCertificate<C>,
        candidate: Candidate<C>,
        out: &mut impl Outbox<C, N>,
    ) {
        let Candidate { payload, header, state } = candidate;
        let tokens = payload.tokens.clone();
        self.patience = if certificate.ballot.view == View::ZERO {
            self.patience.saturating_sub(1)
        } else {
            self.patience.saturating_add(1).min(MAX_PATIENCE)
        };
        self.follow(seat, Decided { header, certificate, state }, Some(payload), tokens, out);
    }

    /// Opens the epoch after `decided`.
    fn follow(
        &mut self,
        seat: &Seat<'_, C, N>,
        decided: Decided<C>,
        payload: Option<Payload<C>>,
        tokens: Tokens,
        out: &mut impl Outbox<C, N>,
    ) {
        let epoch = decided.header.epoch;
        let DecisionCertificate { path, ballot, .. } = decided.certificate;
        self.closed = None;
        if epoch == self.epoch() {
            self.agreement.denounce(seat, ballot, out);
            let (proposal, votes) = self.agreement.testimony(ballot.view);
            self.closed = Some(Closed { epoch, ballot, proposal, votes, payload });
        }
        self.head = Head::Decided(decided);
        let state = self.head.state();
        self.agreement.begin(self.head.epoch().next(), self.patience);
        self.inference.clear();
        self.candidates.clear();
        self.recovered = None;
        self.pending
            .retain(|client, request| state.finished.get(client).is_none_or(|last| *last < request.request.sequence));
        out.push(Output::Persist);
        out.push(Output::Commit { epoch, path, view: ballot.view, tokens });
        self.choose_job(seat, out);
    }

    fn answer(&self, seat: &Seat<'_, C, N>, to: NodeId, message: Message<C, N>, out: &mut impl Outbox<C, N>) {
        send(NodeSet::EMPTY.with(to), seat.envelope(message), Transmission::First, out);
    }
}
