//! Inputs of a stage that the host lacks, since it restarted or came late:
//! they are asked of one member at a time, and believed when all of them
//! together have the digest that was committed. So is what the host says that
//! it has: it may have kept what a fellow told it and nobody ever confirmed.

use super::Inference;
use super::run::{Run, extend, first_link};
use crate::agreement::rules::Mutant;
use crate::cluster::{Cluster, Seat};
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Rejection, Source, Transmission, send};
use crate::message::Message;
use crate::message::inference::{History, Recall, RunId, Signals};
use crate::types::{NodeId, NodeSet, Position, Stage};

/// The inputs of one stage before the run's first position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Past<C: Scheme> {
    /// The host did not say yet what it has.
    Unknown,
    /// The host lacks some.
    Recovered(Recovery<C>),
    /// The host has all of them.
    Complete,
}

/// How far the inputs of one stage were recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Recovery<C: Scheme> {
    /// Where the host's own inputs end, and the link there.
    from: (Position, C::Digest),
    /// Up to where somebody told, and the link that this would make.
    told: (Position, C::Digest),
    /// Where the inputs are to end, and the link that was committed there.
    goal: (Position, C::Digest),
    /// Who is asked: a place among those who may have them.
    asked: u8,
    /// Up to where it was told when the last round of asking was over. Whoever
    /// told more since is asked on, however long it takes.
    seen: Position,
}

impl<C: Scheme, const N: usize> Inference<C, N> {
    /// The host has the inputs of `stage` up to a position, where the link in
    /// front of it is as given.
    ///
    /// # Errors
    /// A [`Rejection`] when that was not asked for.
    pub fn on_holding(
        &mut self,
        seat: &Seat<'_, C, N>,
        id: RunId<C>,
        stage: Stage,
        from: (Position, C::Digest),
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let run = self.run.as_ref().filter(|run| run.id == id).ok_or(Rejection::OtherRun)?;
        if !run.active.placement.set(stage).contains(seat.me) {
            return Err(Rejection::Invalid);
        }
        let goal = (run.first(), run.active.links.get(stage.index()).copied().ok_or(Rejection::Invalid)?);
        let beginning = beginning(seat.cluster, run, stage);
        let desk = self.desks.get_mut(stage.index()).ok_or(Rejection::Invalid)?;
        if desk.past != Past::Unknown {
            return Err(Rejection::Stale);
        }
        if from == goal {
            desk.past = Past::Complete;
            self.settle(seat, out);
        } else {
            let from = if from.0 < goal.0 { from } else { beginning };
            desk.past = Past::Recovered(Recovery { from, told: from, goal, asked: 0, seen: from.0 });
            self.recall(seat, stage, Transmission::First, out);
        }
        Ok(())
    }

    /// Somebody lacks inputs that this node's host may have.
    ///
    /// # Errors
    /// A [`Rejection`] when there is nothing to answer, or nothing that is sure.
    pub fn on_recall(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        recall: &Recall<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let current = self.current(&recall.run)?;
        if from == seat.me || !holders(current, recall.stage).any(|node| node == seat.me) {
            return Err(Rejection::Unauthorised);
        }
        if recall.position >= current.first() {
            return Err(Rejection::Invalid);
        }
        let Recall { run, stage, position } = *recall;
        let source = self.source(seat.me, current, stage).ok_or(Rejection::Stale)?;
        out.push(Output::Supply { to: from, run, stage, position, source });
        Ok(())
    }

    /// Where this node's host has the inputs of `stage` for sure. What it was
    /// told and nobody confirmed it must not pass on: members that recover at
    /// the same time would tell each other what a faulty one told the first.
    fn source(&self, me: NodeId, run: &Run<C>, stage: Stage) -> Option<Source> {
        let confirmed = |stage: Stage| {
            run.active.placement.set(stage).contains(me)
                && self.desks.get(stage.index()).is_some_and(|desk| desk.past == Past::Complete)
        };
        match (confirmed(stage), stage.0.checked_sub(1).map(Stage).is_some_and(confirmed)) {
            (true, true) => Some(Source::Both),
            (true, false) => Some(Source::Inputs),
            (false, true) => Some(Source::Outputs),
            (false, false) => None,
        }
    }

    /// The host found what [`Output::Supply`] asked for.
    ///
    /// # Errors
    /// [`Rejection::OtherRun`] when it is no longer of use, [`Rejection::Invalid`] when it is empty.
    pub fn on_supplied(
        &mut self,
        seat: &Seat<'_, C, N>,
        to: NodeId,
        history: History<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        if self.run.as_ref().map(|run| run.id) != Some(history.run) {
            return Err(Rejection::OtherRun);
        }
        if history.signals.is_empty() || to == seat.me {
            return Err(Rejection::Invalid);
        }
        send(NodeSet::EMPTY.with(to), seat.envelope(Message::History(history)), Transmission::First, out);
        Ok(())
    }

    /// Inputs from the member that was asked for them.
    ///
    /// # Errors
    /// A [`Rejection`] when they were not asked for.
    pub fn on_history(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        history: History<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let run = self.current(&history.run)?;
        let desk = self.desks.get(history.stage.index()).ok_or(Rejection::Invalid)?;
        let Past::Recovered(mut recovery) = desk.past else { return Err(Rejection::Stale) };
        if whom(run, history.stage, seat.me, recovery.asked) != Some(from) {
            return Err(Rejection::Unauthorised);
        }
        let History { run: id, stage, position, signals } = history;
        if position != recovery.told.0 || signals.is_empty() {
            return Err(Rejection::Stale);
        }
        let mut believed = Signals::new();
        for signal in signals {
            if recovery.told.0 < recovery.goal.0 {
                let link = extend(seat.cluster, &recovery.told.1, &signal);
                recovery.told = (recovery.told.0.next(), link);
                // No more than came.
                let _ = believed.push(signal);
            }
        }
        out.push(Output::Restore { run: id, stage, position, signals: believed });
        let complete = recovery.told.0 == recovery.goal.0;
        let mutated = |mutant| seat.cluster.mutated(mutant);
        if complete && recovery.told.1 != recovery.goal.1 && !mutated(Mutant::HistoryUnchecked) {
            // Either this member is wrong, or what the host had before was.
            // Nothing tells which of the signals were: all of them, of the next.
            recovery.from = beginning(seat.cluster, run, stage);
            recovery.told = recovery.from;
            recovery = recovery.with_the_next();
        }
        let done = complete && (recovery.told == recovery.goal || mutated(Mutant::HistoryUnchecked));
        if let Some(desk) = self.desks.get_mut(stage.index()) {
            desk.past = if done { Past::Complete } else { Past::Recovered(recovery) };
        }
        if done {
            self.settle(seat, out);
        } else {
            self.recall(seat, stage, Transmission::First, out);
        }
        Ok(())
    }

    /// A round is over: asks again, and somebody else if the one who was asked
    /// told nothing.
    pub(super) fn recall_again(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        for stage in (0..u8::MAX).map(Stage).take(self.desks.len()) {
            if let Some(Past::Recovered(recovery)) = self.desks.get_mut(stage.index()).map(|desk| &mut desk.past) {
                if recovery.told.0 == recovery.seen && !seat.cluster.mutated(Mutant::AskOneOnly) {
                    *recovery = recovery.with_the_next();
                }
                recovery.seen = recovery.told.0;
            }
            self.recall(seat, stage, Transmission::Again, out);
        }
    }

    /// Whether inputs of any stage are being recovered.
    pub fn recovers(&self) -> bool {
        self.desks.iter().any(|desk| matches!(desk.past, Past::Recovered(_)))
    }

    fn recall(&self, seat: &Seat<'_, C, N>, stage: Stage, transmission: Transmission, out: &mut impl Outbox<C, N>) {
        let past = self.desks.get(stage.index()).map(|desk| desk.past);
        let (Some(run), Some(Past::Recovered(recovery))) = (&self.run, past) else { return };
        if let Some(to) = whom(run, stage, seat.me, recovery.asked) {
            let recall = Recall { run: run.id, stage, position: recovery.told.0 };
            send(NodeSet::EMPTY.with(to), seat.envelope(Message::Recall(recall)), transmission, out);
        }
    }
}

impl<C: Scheme> Recovery<C> {
    /// Goes on with somebody else.
    fn with_the_next(self) -> Self {
        Recovery { asked: self.asked.wrapping_add(1), seen: self.told.0, ..self }
    }
}

/// Where the inputs of `stage` begin, and the link there.
fn beginning<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, run: &Run<C>, stage: Stage) -> (Position, C::Digest) {
    (Position(0), first_link(cluster, &run.active.request.digest(cluster), stage))
}

/// Who may have the inputs of `stage`: its members, and those of the stage
/// before it, whose outputs they are.
fn holders<C: Scheme>(run: &Run<C>, stage: Stage) -> impl Iterator<Item = NodeId> + '_ {
    let before = stage.0.checked_sub(1).map(Stage);
    let placement = &run.active.placement;
    placement.assigned(stage).chain(before.into_iter().flat_map(|before| placement.assigned(before)))
}

/// The one to ask at the `turn`th attempt.
fn whom<C: Scheme>(run: &Run<C>, stage: Stage, me: NodeId, turn: u8) -> Option<NodeId> {
    let others = || holders(run, stage).filter(|node| *node != me);
    let turn = usize::from(turn).checked_rem(others().count())?;
    others().nth(turn)
}
