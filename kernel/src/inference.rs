//! Inference: assignment, computation, attestation, certificates.
//!
//! 1. *Assign*: a request's run follows from the decided prefix and the
//!    request; so does its placement.
//! 2. *Compute*: an owner of a stage runs it as soon as its input is certain,
//!    and sends what comes out to the members of the stage and of the next.
//!    A position is certain once f + 1 members agree on it.
//! 3. *Escalate*: a reserve steps in when members of its stage disagree, or
//!    when owners have been silent for too long; then it stays in.
//! 4. *Attest*: who computed a stage for a whole part of the run signs what
//!    went in and what came out, and tells all voters.
//! 5. *Certify*: f + 1 equal attestations for each stage, each stage's output
//!    being the next one's input, the first input and the last output being
//!    the tokens themselves: that is an epoch's payload, and any voter can
//!    put it together.
//!
//! Waiting for f + 1 equal signals at each link, instead of going on with the
//! first that arrives, costs the slower of two owners once for each position,
//! and spares the protocol every form of rolling back.
//!
//! A run is [`PARTS`] parts ahead of what is committed at most: while one part
//! is being agreed on, the next is computed. Nothing in here is signed *for an
//! epoch*, so this cannot contradict what agreement decides.

pub(crate) mod certify;
mod desk;
mod receive;
mod recovery;
pub mod run;
mod settle;

use heapless::Vec;

use crate::chain::{Active, State};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Place, Rejection, Transmission, Turn, send};
use crate::message::Message;
use crate::message::inference::{Pull, RunId, Signal, StageOutput, Work};
use crate::types::{Epoch, MAX_STAGES, MAX_TOKENS_PER_EPOCH, NodeId, NodeSet, Position, Stage};
use certify::Gathering;
use desk::Desk;
use recovery::Past;
use run::{Part, Run};

/// Parts of a run that may be under way at once: the one to be committed next,
/// and the one behind it.
pub const PARTS: usize = 2;
/// Most tokens of the parts under way.
const MAX_FRESH: usize = MAX_TOKENS_PER_EPOCH * PARTS;
/// Most outputs that are sent for one [`Pull`].
const PULL_BATCH: u16 = 32;

/// How a node stands to a stage of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing {
    /// It computes the stage: it owns it, or stepped in for an owner.
    pub works: bool,
    /// Its host has the inputs before the run's first position.
    pub has_past: bool,
}

/// A node's part in the computation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inference<C: Scheme, const N: usize> {
    /// The open epoch: it names the timers.
    epoch: Epoch,
    run: Option<Run<C>>,
    /// Tokens that are certain here and not committed.
    fresh: Vec<u8, MAX_FRESH>,
    desks: Vec<Desk<C, N>, MAX_STAGES>,
    /// The parts under way, in order.
    gatherings: Vec<Gathering<C, N>, PARTS>,
    /// Owners that were silent or disagreed when it mattered: their reserves
    /// do not wait for them. Grants nothing and costs nobody their place.
    suspects: NodeSet,
}

impl<C: Scheme, const N: usize> Inference<C, N> {
    /// Without a run.
    pub fn new(epoch: Epoch) -> Self {
        Inference {
            epoch,
            run: None,
            fresh: Vec::new(),
            desks: Vec::new(),
            gatherings: Vec::new(),
            suspects: NodeSet::EMPTY,
        }
    }

    /// What is being computed.
    pub fn run(&self) -> Option<&Run<C>> {
        self.run.as_ref()
    }

    /// The next part of the run, by what it goes on from, once there are
    /// certificates for all of it.
    pub fn certified(&self) -> Option<(RunId<C>, u16)> {
        let (run, gathering) = self.run.as_ref().zip(self.gatherings.first())?;
        gathering.links.as_ref().map(|_| (run.id, gathering.part.committed))
    }

    /// That part with its certificates.
    pub fn work(&self, seat: &Seat<'_, C, N>) -> Option<Work<C>> {
        let (run, gathering) = self.run.as_ref().zip(self.gatherings.first())?;
        gathering.work(run, seat.cluster.attestation_quorum())
    }

    /// How this node stands to `stage`; none without a run, or without such a stage.
    pub fn standing(&self, stage: Stage) -> Option<Standing> {
        let desk = self.desks.get(stage.index())?;
        Some(Standing { works: desk.working, has_past: desk.past == Past::Complete })
    }

    /// Members that were silent or disagreed when it mattered.
    pub fn suspects(&self) -> NodeSet {
        self.suspects
    }

    /// Whether this node did all that it has to do for the next part.
    pub fn has_computed(&self, me: NodeId) -> bool {
        let Some((run, part)) = self.run.as_ref().zip(self.gatherings.first().map(|gathering| gathering.part)) else {
            return false;
        };
        let done = |desk: &Desk<C, N>| !tracks(me, run, desk.stage) || desk.next >= part.end;
        self.desks.iter().all(done)
    }

    /// Turns to `run`, in place of what was done before.
    pub fn begin(&mut self, seat: &Seat<'_, C, N>, run: Run<C>, out: &mut impl Outbox<C, N>) {
        self.clear();
        for stage in run.stages() {
            let Some(link) = run.active.links.get(stage.next().index()) else { continue };
            let working = self.works_at_once(seat.me, &run, stage);
            // The first stage's inputs are tokens.
            let known = stage == Stage(0) || run.first() == Position(0);
            let past = if known { Past::Complete } else { Past::Unknown };
            // As many desks as there are stages, and those are bounded.
            let _ = self.desks.push(Desk::new(stage, run.output_from(stage, run.first()), *link, working, past));
        }
        self.open_parts(&run);
        out.push(Output::Assign { run: run.id });
        self.run = Some(run);
        self.settle(seat, out);
    }

    /// `state` is decided: the run goes on from it, if it adds a part to the run
    /// or none. Else the run is forgotten, to be begun again from there.
    pub fn follow(&mut self, seat: &Seat<'_, C, N>, state: &State<C>, out: &mut impl Outbox<C, N>) {
        self.epoch = state.epoch.next();
        let Some(mut run) = self.run.take() else { return };
        let Some(active) = state.active.as_ref().filter(|active| self.goes_on_with(&run, active)) else {
            self.clear();
            return;
        };
        if active.output.len() > run.active.output.len() {
            run.active = active.clone();
            if !self.close_part(seat.me, &run) {
                out.push(Output::Assign { run: run.id });
            }
        }
        self.run = Some(run);
        self.settle(seat, out);
    }

    /// The first part under way was committed, and `run` goes on behind it.
    /// What this node holds of the next part stays. Says whether it followed
    /// all inputs of its own stages up to there.
    fn close_part(&mut self, me: NodeId, run: &Run<C>) -> bool {
        let closed = self.gatherings.remove(0).part;
        let known = usize::from(closed.tokens).min(self.fresh.len());
        self.fresh = self.fresh.iter().skip(known).copied().collect();
        let mut complete = true;
        for stage in run.stages() {
            let Some(link) = run.active.links.get(stage.next().index()) else { continue };
            let Some(desk) = self.desks.get_mut(stage.index()) else { continue };
            let followed = desk.close_part(run.first(), *link);
            let consumer = run.consumer(stage);
            if followed || !run.active.placement.set(consumer).contains(me) {
                continue;
            }
            complete = false;
            // Tokens are in the run itself.
            if let Some(desk) = self.desks.get_mut(consumer.index()).filter(|_| consumer != Stage(0)) {
                desk.past = Past::Unknown;
            }
        }
        self.open_parts(run);
        complete
    }

    /// Forgets the run; what is known about members stays.
    pub fn clear(&mut self) {
        *self = Inference { suspects: self.suspects, ..Inference::new(self.epoch) };
    }

    /// Whether `active` is `run` with nothing more, or with the part that comes next.
    fn goes_on_with(&self, run: &Run<C>, active: &Active<C>) -> bool {
        if active.request.request != run.active.request.request || active.placement != run.active.placement {
            return false;
        }
        let Some(added) = active.output.len().checked_sub(run.active.output.len()) else { return false };
        let next = self.gatherings.first().map(|gathering| usize::from(gathering.part.tokens));
        let mut tokens = active.output.iter().skip(run.active.output.len()).zip(&self.fresh);
        added == 0 || Some(added) == next && tokens.all(|(committed, certain)| committed == certain)
    }

    /// As many parts as may be under way.
    fn open_parts(&mut self, run: &Run<C>) {
        let mut committed = self.gatherings.last().map_or(run.committed(), |gathering| gathering.part.after());
        while let Some(part) = run.part(committed).filter(|_| !self.gatherings.is_full()) {
            // There was room.
            let _ = self.gatherings.push(Gathering::new(part, run.stages().count()));
            committed = part.after();
        }
    }

    /// A reserve begins at once when enough owners are suspected.
    fn works_at_once(&self, me: NodeId, run: &Run<C>, stage: Stage) -> bool {
        let owners = run.active.placement.owners(stage);
        let suspected = owners.iter().filter(|owner| self.suspects.contains(*owner)).count();
        run.active.placement.rank(stage, me).is_some_and(|rank| rank < owners.len().saturating_add(suspected))
    }

    /// A round of retransmission begins.
    pub fn begin_round(&mut self, me: NodeId) {
        let pending: Vec<bool, MAX_STAGES> = self.desks.iter().map(|desk| self.is_pending(me, desk)).collect();
        for (desk, pending) in self.desks.iter_mut().zip(pending) {
            desk.served = NodeSet::EMPTY;
            desk.lasting = pending;
        }
    }

    /// Whether the stage has what it needs to give its next output.
    fn is_pending(&self, me: NodeId, desk: &Desk<C, N>) -> bool {
        let certain = |run: &Run<C>| self.input_is_certain(me, run, desk.stage, desk.next);
        desk.next < self.limit() && self.run.as_ref().is_some_and(certain)
    }

    /// Asks for what is missing and says again what this node found.
    pub fn retransmit(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        self.recall_again(seat, out);
        let Some(run) = &self.run else { return };
        for desk in &self.desks {
            let stage = desk.stage;
            if tracks(seat.me, run, stage) {
                if desk.reports.contains(&seat.me) {
                    self.report_again(seat, run, desk, out);
                }
                // Who is asked for what owners are at work on would step in for them.
                if desk.lasting && self.is_pending(seat.me, desk) {
                    let pull = Pull { run: run.id, stage, position: desk.next };
                    let to = run.active.placement.set(stage).without(seat.me);
                    send(to, seat.envelope(Message::Pull(pull)), Transmission::First, out);
                }
            }
            for gathering in &self.gatherings {
                if let Some(attest) = gathering.attestation_of(run, seat.me, stage) {
                    send(seat.others(), seat.envelope(Message::Attest(attest)), Transmission::Again, out);
                }
            }
        }
    }

    /// Says again what this node computed for the next position of a stage. In
    /// a dispute it may be kept by the host only, as what fellows ask for.
    fn report_again(&self, seat: &Seat<'_, C, N>, run: &Run<C>, desk: &Desk<C, N>, out: &mut impl Outbox<C, N>) {
        let (stage, position, to) = (desk.stage, desk.next, self.audience(seat.me, run, desk.stage));
        match desk.signal_of(seat.me) {
            Some(signal) => {
                self.send_output(seat, to, (stage, position, signal.clone()), Transmission::Again, out);
            }
            None => {
                let (run, sampling) = (run.id, run.request().sampling);
                for asker in to.iter() {
                    out.push(Output::Compute { run, stage, position, sampling, asker: Some(asker) });
                }
            }
        }
    }

    /// Whether a report for `position` of `stage` would be looked at.
    pub fn awaits(&self, stage: Stage, position: Position) -> bool {
        self.reached(stage, position) && position < self.limit()
    }

    /// Whether everything before `position` of `stage` is certain.
    fn reached(&self, stage: Stage, position: Position) -> bool {
        self.desks.get(stage.index()).is_some_and(|desk| desk.next >= position)
    }

    /// Whether the tokens before `committed` are certain here, and what comes
    /// behind them may be attested.
    pub fn follows(&self, committed: u16) -> bool {
        self.fresh_before(committed).is_some()
    }

    /// The tokens between what is committed and the part that begins at `committed`.
    fn fresh_before(&self, committed: u16) -> Option<Vec<u8, MAX_FRESH>> {
        let run = self.run.as_ref()?;
        let wanted = usize::from(committed.checked_sub(run.committed())?);
        self.gatherings.iter().find(|gathering| gathering.part.committed == committed)?;
        if self.fresh.len() >= wanted {
            return Some(self.fresh.iter().take(wanted).copied().collect());
        }
        let certified = self.gatherings.iter().map_while(|gathering| gathering.tokens(run));
        let tokens: Vec<u8, MAX_FRESH> = certified.flatten().copied().take(wanted).collect();
        (tokens.len() == wanted).then_some(tokens)
    }

    /// The run, if it is the one that `id` names.
    fn current(&self, id: &RunId<C>) -> Result<&Run<C>, Rejection> {
        let turn = Turn::of(id);
        let run = self.run.as_ref().ok_or(Rejection::Early(Place::Run(turn)))?;
        if run.id == *id {
            Ok(run)
        } else if Turn::of(&run.id) == turn {
            Err(Rejection::OtherRun)
        } else {
            Err(Rejection::Early(Place::Run(turn)))
        }
    }

    /// The first position that is too far ahead.
    fn limit(&self) -> Position {
        self.gatherings.last().map_or(Position(0), |gathering| gathering.part.end)
    }

    /// Whether a part ends in front of `position`.
    fn ends_part(&self, position: Position) -> bool {
        self.gatherings.iter().any(|gathering| gathering.part.end == position)
    }

    fn parts(&self) -> Vec<Part, PARTS> {
        self.gatherings.iter().map(|gathering| gathering.part).collect()
    }

    /// Whether the input of `stage` at `position` is certain, as far as this
    /// node follows the stage before it.
    fn input_is_certain(&self, me: NodeId, run: &Run<C>, stage: Stage, position: Position) -> bool {
        match stage.0.checked_sub(1).map(Stage) {
            None => !tracks(me, run, run.last_stage()) || run.token_at(position, &self.fresh).is_some(),
            Some(before) => !tracks(me, run, before) || self.reached(before, position.next()),
        }
    }

    /// Who needs what `stage` gives.
    fn audience(&self, me: NodeId, run: &Run<C>, stage: Stage) -> NodeSet {
        let placement = &run.active.placement;
        placement.set(stage).union(placement.set(run.consumer(stage))).without(me)
    }

    fn send_output(
        &self,
        seat: &Seat<'_, C, N>,
        to: NodeSet,
        (stage, position, signal): (Stage, Position, Signal),
        transmission: Transmission,
        out: &mut impl Outbox<C, N>,
    ) {
        let Some(run) = &self.run else { return };
        let output = StageOutput { run: run.id, stage, position, signal };
        send(to, seat.envelope(Message::StageOutput(output)), transmission, out);
    }
}

/// Whether `me` follows the outputs of `stage`: as a member, or as a consumer.
fn tracks<C: Scheme>(me: NodeId, run: &Run<C>, stage: Stage) -> bool {
    let placement = &run.active.placement;
    placement.set(stage).contains(me) || placement.set(run.consumer(stage)).contains(me)
}

#[cfg(test)]
mod tests;
