//! One epoch of inference: assignment, computation, attestation, certificates.
//!
//! 1. *Assign*: the job of the epoch follows from the decided prefix and the
//!    request; so does its placement.
//! 2. *Compute*: an owner of a stage runs it as soon as its input is certain,
//!    and sends what comes out to the members of the stage and of the next.
//!    A position is certain once f + 1 members agree on it.
//! 3. *Escalate*: a reserve steps in when members of its stage disagree, or
//!    when owners have been silent for too long; then it stays in.
//! 4. *Attest*: who computed a stage for the whole epoch signs what went in
//!    and what came out, and tells all voters.
//! 5. *Certify*: f + 1 equal attestations for each stage, each stage's output
//!    being the next one's input, the first input and the last output being
//!    the tokens themselves: that is the epoch's payload, and any node can
//!    put it together.
//!
//! Waiting for f + 1 equal signals at each link, instead of going on with the
//! first that arrives, costs the slower of two owners once for each position,
//! and spares the protocol every form of rolling back.

pub(crate) mod certify;
mod desk;
pub mod job;
pub mod placement;
mod receive;
mod settle;

use heapless::Vec;

use crate::bounded::Map;
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Place, Progress, Rejection, Transmission, send};
use crate::message::Message;
use crate::message::inference::{Payload, Pull, Signal, StageOutput, Tokens};
use crate::types::{MAX_STAGES, NodeId, NodeSet, Position, Stage};
use certify::Attestations;
use desk::Desk;
use job::Job;

/// A node's part in the computation of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inference<C: Scheme, const N: usize> {
    job: Option<Job<C>>,
    /// The epoch's tokens that are certain so far.
    tokens: Tokens,
    desks: Vec<Desk<C, N>, MAX_STAGES>,
    attestations: Vec<Attestations<C, N>, MAX_STAGES>,
    payload: Option<Payload<C>>,
    /// Owners that were silent or disagreed when it mattered: their reserves
    /// do not wait for them. Grants nothing and costs nobody their place.
    suspects: NodeSet,
}

impl<C: Scheme, const N: usize> Default for Inference<C, N> {
    fn default() -> Self {
        Inference {
            job: None,
            tokens: Tokens::new(),
            desks: Vec::new(),
            attestations: Vec::new(),
            payload: None,
            suspects: NodeSet::EMPTY,
        }
    }
}

impl<C: Scheme, const N: usize> Inference<C, N> {
    /// What is being computed.
    pub fn job(&self) -> Option<&Job<C>> {
        self.job.as_ref()
    }

    /// The payload that this node put together, once it could.
    pub fn payload(&self) -> Option<&Payload<C>> {
        self.payload.as_ref()
    }

    /// Forgets the job; what is known about members stays.
    pub fn clear(&mut self) {
        *self = Inference { suspects: self.suspects, ..Inference::default() };
    }

    /// Turns to `job`, in place of what was done before.
    pub fn begin(&mut self, seat: &Seat<'_, C, N>, job: Job<C>, out: &mut impl Outbox<C, N>) {
        self.clear();
        for stage in job.stages() {
            let Some(link) = job.active.links.get(stage.next().index()) else { continue };
            let working = self.works_at_once(seat.me, &job, stage);
            // As many desks as there are stages, and those are bounded.
            let _ = self.desks.push(Desk::new(stage, job.first_output(stage), *link, working));
            let _ = self.attestations.push(Map::new());
        }
        out.push(Output::Assign { job: job.id });
        self.job = Some(job);
        self.settle(seat, out);
    }

    /// A reserve begins at once when enough owners are suspected.
    fn works_at_once(&self, me: NodeId, job: &Job<C>, stage: Stage) -> bool {
        let owners = job.placement.owners(stage);
        let suspected = owners.iter().filter(|owner| self.suspects.contains(*owner)).count();
        job.placement.rank(stage, me).is_some_and(|rank| rank < owners.len().saturating_add(suspected))
    }

    /// Asks for what is missing and says again what this node found.
    pub fn retransmit(&self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let Some(job) = &self.job else { return };
        for desk in &self.desks {
            let stage = desk.stage;
            if desk.next < job.end && tracks(seat.me, job, stage) {
                if let Some(signal) = desk.reports.get(&seat.me) {
                    self.send_output(seat, stage, desk.next, signal.clone(), Transmission::Again, out);
                }
                if self.input_is_certain(seat.me, job, stage, desk.next) {
                    let pull = Pull { epoch: job.epoch, job: job.id, stage, position: desk.next };
                    let to = job.placement.set(stage).without(seat.me);
                    send(to, seat.envelope(Message::Pull(pull)), Transmission::First, out);
                }
            }
            if let Some(attest) = self.own_attestation(seat.me, stage) {
                send(seat.others(), seat.envelope(Message::Attest(attest)), Transmission::Again, out);
            }
        }
    }

    /// Whether `position` of `stage` has been reached.
    pub fn reached(&self, stage: Stage, position: Position) -> bool {
        self.desks.get(stage.index()).is_some_and(|desk| desk.next >= position)
    }

    fn current(&self, epoch: crate::types::Epoch, id: C::Digest) -> Result<&Job<C>, Rejection> {
        let early = Rejection::Early(Place { epoch, progress: Progress::Job });
        let job = self.job.as_ref().ok_or(early)?;
        if job.id == id { Ok(job) } else { Err(Rejection::OtherJob) }
    }

    /// Whether the input of `stage` at `position` is certain, as far as this
    /// node follows the stage before it.
    fn input_is_certain(&self, me: NodeId, job: &Job<C>, stage: Stage, position: Position) -> bool {
        match stage.0.checked_sub(1).map(Stage) {
            None => !tracks(me, job, job.last_stage()) || job.token_at(position, &self.tokens).is_some(),
            Some(before) => !tracks(me, job, before) || self.reached(before, Position(position.0.saturating_add(1))),
        }
    }

    fn send_output(
        &self,
        seat: &Seat<'_, C, N>,
        stage: Stage,
        position: Position,
        signal: Signal,
        transmission: Transmission,
        out: &mut impl Outbox<C, N>,
    ) {
        let Some(job) = &self.job else { return };
        let to = job.placement.set(stage).union(job.placement.set(consumer(job, stage))).without(seat.me);
        let output = StageOutput { epoch: job.epoch, job: job.id, stage, position, signal };
        send(to, seat.envelope(Message::StageOutput(output)), transmission, out);
    }
}

/// The stage that consumes what `stage` gives.
fn consumer<C: Scheme>(job: &Job<C>, stage: Stage) -> Stage {
    if stage == job.last_stage() { Stage(0) } else { stage.next() }
}

/// Whether `me` follows the outputs of `stage`: as a member, or as a consumer.
fn tracks<C: Scheme>(me: NodeId, job: &Job<C>, stage: Stage) -> bool {
    job.placement.set(stage).contains(me) || job.placement.set(consumer(job, stage)).contains(me)
}
