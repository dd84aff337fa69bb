//! What a node's part in the computation does with each message, result and
//! timer: check who may say it and when, put it into its slot, and let
//! [`Inference::settle`] draw the consequences.

use super::recovery::Past;
use super::run::{Run, extend};
use super::{Inference, PULL_BATCH, tracks};
use crate::agreement::rules::Mutant;
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Place, Rejection, Transmission, Turn};
use crate::message::inference::{Pull, RunId, Signal, StageOutput};
use crate::types::{NodeId, NodeSet, Position, Stage};

impl<C: Scheme, const N: usize> Inference<C, N> {
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
        let run = self.current(&output.run)?;
        let (stage, position) = (output.stage, output.position);
        let assigned = run.active.placement.set(stage).contains(from);
        let assigned = assigned || seat.cluster.mutated(Mutant::UnassignedReporter);
        if !assigned || from == seat.me || !tracks(seat.me, run, stage) {
            return Err(Rejection::Unauthorised);
        }
        if !well_formed(seat, run, stage, &output.signal) || position >= run.end() {
            return Err(Rejection::Invalid);
        }
        let limit = self.limit();
        let desk = self.desks.get_mut(stage.index()).ok_or(Rejection::Invalid)?;
        if position < desk.next {
            return Err(Rejection::Stale);
        }
        if position > desk.next || position >= limit {
            return Err(Rejection::Early(Place::Position(Turn::of(&output.run), stage, position)));
        }
        if desk.reports.contains(&from) {
            return Err(Rejection::Duplicate);
        }
        let link = extend(seat.cluster, &desk.link, &output.signal);
        desk.report(from, link, output.signal)?;
        self.settle(seat, out);
        Ok(())
    }

    /// The host computed a stage at a position, for itself or for a fellow
    /// that asked.
    ///
    /// # Errors
    /// A [`Rejection`] when it changes nothing.
    pub fn on_computed(
        &mut self,
        seat: &Seat<'_, C, N>,
        id: RunId<C>,
        (stage, position, signal): (Stage, Position, Signal),
        asker: Option<NodeId>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let run = self.run.as_ref().filter(|run| run.id == id).ok_or(Rejection::OtherRun)?;
        if !well_formed(seat, run, stage, &signal) || !run.active.placement.set(stage).contains(seat.me) {
            return Err(Rejection::Invalid);
        }
        if let Some(asker) = asker {
            let output = (stage, position, signal);
            self.send_output(seat, NodeSet::EMPTY.with(asker), output, Transmission::Again, out);
            return Ok(());
        }
        let desk = self.desks.get(stage.index()).ok_or(Rejection::Invalid)?;
        if position != desk.computed || !desk.busy {
            return Err(Rejection::Stale);
        }
        if position == desk.next {
            let output = (stage, position, signal.clone());
            self.send_output(seat, self.audience(seat.me, run, stage), output, Transmission::First, out);
        }
        let ends_part = self.ends_part(position.next());
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            let (own, others) = (desk.own, desk.link);
            let link = extend(seat.cluster, &own, &signal);
            desk.advance_own(link, ends_part);
            if position == desk.next {
                // Nearly always it computed before what others agreed on.
                let link = if own == others { link } else { extend(seat.cluster, &others, &signal) };
                // One slot for each member: there is room.
                let _ = desk.report(seat.me, link, signal);
            }
        }
        self.settle(seat, out);
        Ok(())
    }

    /// Somebody lacks outputs that this node may have computed.
    ///
    /// # Errors
    /// A [`Rejection`] when there is nothing to answer.
    pub fn on_pull(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        pull: &Pull<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let run = self.current(&pull.run)?;
        let (stage, first) = (pull.stage, pull.position);
        let desk = self.desks.get(stage.index()).ok_or(Rejection::Invalid)?;
        if !run.active.placement.set(stage).contains(seat.me) || !tracks(from, run, stage) || from == seat.me {
            return Err(Rejection::Unauthorised);
        }
        if first < run.output_from(stage, run.first()) || first >= run.end() {
            return Err(Rejection::Invalid);
        }
        if desk.past != Past::Complete {
            return Err(Rejection::Stale);
        }
        if first >= desk.computed {
            // A reserve that has what it needs from an owner cannot tell that
            // the owner withholds it from others: who asks does.
            let desk = self.desks.get_mut(stage.index()).filter(|desk| !desk.working).ok_or(Rejection::Stale)?;
            desk.working |= !seat.cluster.mutated(Mutant::NeverStepIn);
            self.settle(seat, out);
            return Ok(());
        }
        // Once in each round, however often the question is repeated, by whomever.
        if desk.served.contains(from) {
            return Err(Rejection::Duplicate);
        }
        let (run, sampling) = (run.id, run.request().sampling);
        let end = desk.computed.min(Position(first.0.saturating_add(PULL_BATCH)));
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.served = desk.served.with(from);
        }
        for position in (first.0..end.0).map(Position) {
            out.push(Output::Compute { run, stage, position, sampling, asker: Some(from) });
        }
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
        let owners = self.run.as_ref().map(|run| run.active.placement.owners(stage)).ok_or(Rejection::Stale)?;
        let open = self.gatherings.first();
        let desk = self.desks.get_mut(stage.index()).ok_or(Rejection::Stale)?;
        let watched = desk.watched.take().ok_or(Rejection::Stale)?;
        if watched.position() == desk.next && !desk.working {
            desk.working |= !seat.cluster.mutated(Mutant::NeverStepIn);
            let attested = |owner: &NodeId| {
                open.is_some_and(|gathering| desk.next >= gathering.part.end && gathering.has_attested(*owner, stage))
            };
            let silent = owners.iter().filter(|owner| !desk.reports.contains(owner) && !attested(owner));
            self.suspects = self.suspects.union(silent.collect());
        }
        self.settle(seat, out);
        Ok(())
    }
}

/// Tokens are one byte within the vocabulary, other signals as long as the model says at most.
fn well_formed<C: Scheme, const N: usize>(seat: &Seat<'_, C, N>, run: &Run<C>, stage: Stage, signal: &Signal) -> bool {
    let model = seat.cluster.model();
    if stage == run.last_stage() {
        matches!(signal.as_slice(), [token] if *token < model.vocabulary)
    } else {
        !signal.is_empty() && signal.len() <= usize::from(model.signal)
    }
}
