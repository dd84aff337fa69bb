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

use heapless::Vec;

use crate::bounded::Map;
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Place, Progress, Rejection, Timer, Transmission};
use crate::message::inference::{Attest, Payload, Pull, Signal, StageOutput, Tokens};
use crate::message::{Envelope, Message};
use crate::types::{MAX_STAGES, NodeId, NodeSet, Position, Stage};
use certify::Attestations;
use desk::Desk;
use job::{Job, extend};

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

    /// A signal from a member of a stage.
    ///
    /// # Errors
    /// A [`Rejection`] when it changes nothing.
    pub fn on_stage_output(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        output: StageOutput<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let job = self.current(output.epoch, output.job)?;
        let (stage, position) = (output.stage, output.position);
        let well_formed = well_formed(seat, job, stage, &output.signal);
        if !job.placement.set(stage).contains(from) || from == seat.me || !tracks(seat.me, job, stage) {
            return Err(Rejection::Unauthorised);
        }
        if !well_formed || position >= job.end {
            return Err(Rejection::Invalid);
        }
        let epoch = output.epoch;
        let desk = self.desks.get_mut(stage.index()).ok_or(Rejection::Invalid)?;
        if position < desk.next {
            return Err(Rejection::Stale);
        }
        if position > desk.next {
            return Err(Rejection::Early(Place { epoch, progress: Progress::Position(stage, position) }));
        }
        if desk.reports.contains(&from) {
            return Err(Rejection::Duplicate);
        }
        desk.reports.insert(from, output.signal).map_err(|_| Rejection::Full)?;
        self.settle(seat, out);
        Ok(())
    }

    /// The host computed a stage at a position.
    ///
    /// # Errors
    /// A [`Rejection`] when it changes nothing.
    pub fn on_computed(
        &mut self,
        seat: &Seat<'_, C, N>,
        stage: Stage,
        position: Position,
        signal: Signal,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let job = self.job.as_ref().ok_or(Rejection::OtherJob)?;
        if !well_formed(seat, job, stage, &signal) || !job.placement.set(stage).contains(seat.me) {
            return Err(Rejection::Invalid);
        }
        let desk = self.desks.get(stage.index()).ok_or(Rejection::Invalid)?;
        if position >= job.end || position < job.first_output(stage) {
            return Err(Rejection::Invalid);
        }
        if position < desk.computed {
            // Somebody pulled it.
            self.send_output(seat, stage, position, signal, Transmission::Again, out);
            return Ok(());
        }
        if position > desk.computed || !desk.busy {
            return Err(Rejection::Invalid);
        }
        if position == desk.next {
            self.send_output(seat, stage, position, signal.clone(), Transmission::First, out);
        }
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.busy = false;
            desk.computed = Position(position.0.saturating_add(1));
            desk.own = extend(seat.cluster, &desk.own, &signal);
            if position == desk.next {
                // One slot for each member: there is room.
                let _ = desk.reports.insert(seat.me, signal);
            }
        }
        self.settle(seat, out);
        Ok(())
    }

    /// Somebody lacks an output that this node may have computed.
    ///
    /// # Errors
    /// A [`Rejection`] when there is nothing to answer.
    pub fn on_pull(
        &mut self,
        seat: &Seat<'_, C, N>,
        pull: &Pull<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let job = self.current(pull.epoch, pull.job)?;
        let desk = self.desks.get(pull.stage.index()).ok_or(Rejection::Invalid)?;
        if !job.placement.set(pull.stage).contains(seat.me) || !desk.working {
            return Err(Rejection::Unauthorised);
        }
        if pull.position < job.first_output(pull.stage) || pull.position >= job.end {
            return Err(Rejection::Invalid);
        }
        if pull.position >= desk.computed {
            return Err(Rejection::Stale);
        }
        out.push(Output::Compute {
            job: job.id,
            stage: pull.stage,
            position: pull.position,
            sampling: job.request().sampling,
        });
        Ok(())
    }

    /// The owners of `stage` have had their time.
    ///
    /// # Errors
    /// [`Rejection::Stale`] when this node no longer waits for them.
    pub fn on_escalate(
        &mut self,
        seat: &Seat<'_, C, N>,
        stage: Stage,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let owners = self.job.as_ref().map(|job| job.placement.owners(stage)).ok_or(Rejection::Stale)?;
        let desk = self.desks.get_mut(stage.index()).ok_or(Rejection::Stale)?;
        let watched = desk.watched.take().ok_or(Rejection::Stale)?;
        if watched == desk.next && !desk.working && self.payload.is_none() {
            desk.working = true;
            let finished = self.job.as_ref().is_some_and(|job| desk.next >= job.end);
            let attestations = self.attestations.get(stage.index());
            let heard = |owner: &NodeId| {
                desk.reports.contains(owner) || (finished && attestations.is_some_and(|held| held.contains(owner)))
            };
            let silent = owners.iter().filter(|owner| !heard(owner));
            self.suspects = self.suspects.union(silent.collect());
        }
        self.settle(seat, out);
        Ok(())
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
                    send(seat, to, Message::Pull(pull), Transmission::First, out);
                }
            }
            if let Some(attest) = self.own_attestation(seat.me, stage) {
                send(seat, seat.others(), Message::Attest(attest), Transmission::Again, out);
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

    /// Draws every consequence of what is held.
    fn settle(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
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
            && self.payload.is_none()
            && job.placement.set(stage).contains(seat.me)
            // Owners may also fall silent between their last signal and their attestation.
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
        let claim = crate::message::inference::Claim { job: job.id, stage, input, output };
        let attest = Attest { epoch: job.epoch, claim, tokens };
        let signature = C::sign(seat.key, &claim.statement(seat.cluster));
        let envelope =
            Envelope { from: seat.me, message: Message::Attest(attest.clone()), signature: signature.clone() };
        if !seat.others().is_empty() {
            out.push(Output::Send { to: seat.others(), envelope, transmission: Transmission::First });
        }
        // One slot for each member: there is room.
        let _ = self.place(seat.me, attest, signature);
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
        send(seat, to, Message::StageOutput(output), transmission, out);
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

/// Tokens are one byte within the vocabulary, other signals as long as the model says at most.
fn well_formed<C: Scheme, const N: usize>(seat: &Seat<'_, C, N>, job: &Job<C>, stage: Stage, signal: &Signal) -> bool {
    let model = seat.cluster.model();
    if stage == job.last_stage() {
        matches!(signal.as_slice(), [token] if *token < model.vocabulary)
    } else {
        !signal.is_empty() && signal.len() <= usize::from(model.signal)
    }
}

fn send<C: Scheme, const N: usize>(
    seat: &Seat<'_, C, N>,
    to: NodeSet,
    message: Message<C, N>,
    transmission: Transmission,
    out: &mut impl Outbox<C, N>,
) {
    if to.is_empty() {
        return;
    }
    let signature = C::sign(seat.key, &message.statement(seat.cluster));
    out.push(Output::Send { to, envelope: Envelope { from: seat.me, message, signature }, transmission });
}
