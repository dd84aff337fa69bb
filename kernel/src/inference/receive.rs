//! What a node's part in the computation does with each message, result and
//! timer: check who may say it and when, put it into its slot, and let
//! [`Inference::settle`] draw the consequences.

use super::job::{Job, extend};
use super::{Inference, tracks};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Place, Progress, Rejection, Transmission};
use crate::message::inference::{Pull, Signal, StageOutput};
use crate::types::{NodeId, Position, Stage};

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
        if !job.placement.set(pull.stage).contains(seat.me) {
            return Err(Rejection::Unauthorised);
        }
        if pull.position < job.first_output(pull.stage) || pull.position >= job.end {
            return Err(Rejection::Invalid);
        }
        if pull.position >= desk.computed {
            // A reserve that has what it needs from an owner cannot tell that
            // the owner withholds it from others: who asks does.
            let desk = self.desks.get_mut(pull.stage.index()).filter(|desk| !desk.working).ok_or(Rejection::Stale)?;
            desk.working = true;
            self.settle(seat, out);
            return Ok(());
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
        if watched == desk.next && !desk.working {
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
