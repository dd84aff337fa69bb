//! Running the stages that are assigned to this node, with what it must
//! remember for that.
//!
//! For each assigned stage the node keeps the stage's own memory (its cache),
//! the inputs of the request, and the outputs that it gave, so that a fellow
//! who missed one can be answered from memory. Caches run behind: they are
//! brought forward only when an output is asked for, over all inputs that wait,
//! in one batch.
//!
//! A node holds the stages that are assigned to it and no others. What it
//! lacks of a request's history, since it restarted or came late, its fellows
//! have, or can make: see [`Output::Supply`](butterfly_kernel::machine::Output::Supply).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use butterfly_kernel::assignment::Placement;
use butterfly_kernel::inference::run::{self, extend, first_link};
use butterfly_kernel::machine::Source;
use butterfly_kernel::message::inference::{History, MAX_HISTORY, RunId, Sampling, Signal, Signals};
use butterfly_kernel::types::{NodeId, Position, Stage};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::protocol::{Cluster, Crypto, Digest};

type Run = run::Run<Crypto>;

/// A model that is cut into stages.
pub trait Model {
    /// What one stage remembers of its inputs.
    type Memory: StageMemory;

    /// A stage that has taken no input yet.
    ///
    /// # Errors
    /// When the placement cuts this model where it cannot be cut.
    fn begin(&self, placement: &Placement, stage: Stage) -> Result<Self::Memory, StageError>;
}

/// A stage and its cache: a pure function of the inputs taken so far.
pub trait StageMemory {
    /// How many inputs were taken.
    fn position(&self) -> usize;

    /// Goes back to `position`, if it is beyond it.
    fn truncate(&mut self, position: usize);

    /// Takes the next input and gives the output there.
    ///
    /// # Errors
    /// When the input is none for this stage; nothing changes then.
    fn advance(&mut self, input: &[u8], sampling: Sampling) -> Result<Signal, StageError>;

    /// What it remembers of its first `position` inputs, as bytes.
    fn save(&self, position: usize) -> Vec<u8>;

    /// Goes on from what [`StageMemory::save`] gave.
    ///
    /// # Errors
    /// When the bytes are no such memory; the stage has taken nothing then.
    fn restore(&mut self, position: usize, saved: &[u8]) -> Result<(), StageError>;
}

/// A stage was given what it cannot take, or an input is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the stage cannot be run on these inputs")]
pub struct StageError;

/// A memory that was kept for a checkpoint, with what it was made of: fellows
/// that restarted may have nobody else to ask for those inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The inputs that it covers, from the first.
    pub inputs: Vec<Signal>,
    /// As [`StageMemory::save`] gave it.
    #[serde(serialize_with = "at_once")]
    pub memory: Vec<u8>,
}

/// Not byte after byte: there may be many.
fn at_once<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Up to where this node has the inputs of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The stage.
    pub stage: Stage,
    /// The first position whose input it does not have.
    pub upto: Position,
    /// The link in front of the stage there.
    pub link: Digest,
}

/// The stages of one node.
#[derive(Debug)]
pub struct Executor<M: Model> {
    model: M,
    me: NodeId,
    run: Option<Run>,
    desks: BTreeMap<Stage, Desk<M::Memory>>,
    /// How often several inputs had to be run at once.
    batches: u64,
}

#[derive(Debug)]
struct Desk<S> {
    /// Of the first of the inputs.
    memory: S,
    inputs: BTreeMap<usize, Signal>,
    outputs: BTreeMap<usize, Signal>,
}

impl<M: Model> Executor<M> {
    /// Without a request.
    pub fn new(model: M, me: NodeId) -> Executor<M> {
        Executor { model, me, run: None, desks: BTreeMap::new(), batches: 0 }
    }

    /// Turns to `run`, and says what it has of the inputs before the run's
    /// first position. `kept` finds what was kept of a stage, of no more inputs
    /// than those.
    ///
    /// # Errors
    /// When the run's placement is none for this model.
    pub fn assign(
        &mut self,
        cluster: &Cluster,
        run: &Run,
        mut kept: impl FnMut(Stage) -> Option<Kept>,
    ) -> Result<Vec<Held>, StageError> {
        if self.run.as_ref().map(|run| run.id) != Some(run.id) {
            self.run = None;
            self.desks.clear();
        }
        let placement = &run.active.placement;
        for stage in run.stages().filter(|stage| placement.set(*stage).contains(self.me)) {
            if !self.desks.contains_key(&stage) {
                let mut desk = Desk::new(self.model.begin(placement, stage)?);
                if let Some(kept) = kept(stage) {
                    desk.take_up(kept);
                }
                self.desks.insert(stage, desk);
            }
        }
        if let Some(desk) = self.desks.get_mut(&Stage(0)) {
            let known = (0_u16..).map_while(|at| run.token_at(Position(at), &[]));
            known.map(one_byte).enumerate().for_each(|(at, token)| desk.put(at, token));
        }
        self.run = Some(run.clone());
        let name = run.active.request.digest(cluster);
        let held = self.desks.iter().filter(|(stage, _)| **stage != Stage(0)).map(|(stage, desk)| {
            let nothing = (Position(0), first_link(cluster, &name, *stage));
            let signals = (0..run.first().index()).map_while(|at| desk.inputs.get(&at));
            let (upto, link) =
                signals.fold(nothing, |(upto, link), signal| (upto.next(), extend(cluster, &link, signal)));
            Held { stage: *stage, upto, link }
        });
        Ok(held.collect())
    }

    /// Keeps the input of `stage` at `position`, in place of another one there.
    pub fn provide(&mut self, stage: Stage, position: Position, signal: Signal) {
        if let Some(desk) = self.desks.get_mut(&stage) {
            desk.put(position.index(), signal);
        }
    }

    /// What this node has of the inputs of `stage` from `position` on, as many
    /// as a message carries: inputs of the stage itself, or outputs of the one
    /// before it, as `source` allows.
    pub fn supply(
        &mut self,
        run: RunId<Crypto>,
        (stage, position): (Stage, Position),
        source: Source,
    ) -> Option<History<Crypto>> {
        let sampling = self.run.as_ref().filter(|own| own.id == run)?.request().sampling;
        let mut signals = Signals::new();
        for at in (position.0..).map(Position).take(MAX_HISTORY) {
            let own = self.desks.get(&stage).filter(|_| source.has_inputs());
            let input = own.and_then(|desk| desk.inputs.get(&at.index())).cloned();
            let before = stage.0.checked_sub(1).map(Stage).filter(|_| source.has_outputs());
            let output = || before.and_then(|before| self.compute(before, at, sampling).ok());
            let Some(signal) = input.or_else(output) else { break };
            // As many as there is room for.
            signals.push(signal).ok()?;
        }
        (!signals.is_empty()).then_some(History { run, stage, position, signals })
    }

    /// What comes out of `stage` at `position`, from memory if it was there before.
    ///
    /// # Errors
    /// When an input is missing.
    pub fn compute(&mut self, stage: Stage, position: Position, sampling: Sampling) -> Result<Signal, StageError> {
        let desk = self.desks.get_mut(&stage).ok_or(StageError)?;
        let position = position.index();
        if let Some(output) = desk.outputs.get(&position) {
            return Ok(output.clone());
        }
        // The output itself may have been forgotten.
        desk.memory.truncate(position);
        let waited = position.saturating_sub(desk.memory.position());
        while desk.memory.position() <= position {
            let at = desk.memory.position();
            let input = desk.inputs.get(&at).ok_or(StageError)?;
            desk.outputs.insert(at, desk.memory.advance(input, sampling)?);
        }
        self.batches += u64::from(waited > 0);
        desk.outputs.get(&position).cloned().ok_or(StageError)
    }

    /// The memories of this node's stages at a checkpoint of its run. Stages that
    /// did not get there are left out; all of them, if more was committed since.
    pub fn keep(&self, position: Position) -> impl Iterator<Item = (Stage, Kept)> + '_ {
        let is_here = self.run.as_ref().is_some_and(|run| run.first() == position);
        let there = move |desk: &Desk<M::Memory>| is_here && desk.memory.position() >= position.index();
        self.desks.iter().filter(move |(_, desk)| there(desk)).map(move |(stage, desk)| {
            let inputs = desk.inputs.values().take(position.index()).cloned().collect();
            (*stage, Kept { inputs, memory: desk.memory.save(position.index()) })
        })
    }

    /// The run went on: what is committed of it now.
    pub fn follow(&mut self, run: &Run) {
        if self.run.as_ref().map(|own| own.id) == Some(run.id) {
            self.run = Some(run.clone());
        }
    }

    /// How often several inputs had to be run at once.
    pub fn batches(&self) -> u64 {
        self.batches
    }
}

impl<S: StageMemory> Desk<S> {
    fn new(memory: S) -> Desk<S> {
        Desk { memory, inputs: BTreeMap::new(), outputs: BTreeMap::new() }
    }

    fn take_up(&mut self, kept: Kept) {
        if self.memory.restore(kept.inputs.len(), &kept.memory).is_ok() {
            self.inputs = kept.inputs.into_iter().enumerate().collect();
        }
    }

    /// Keeps the input at a position. In place of another one, what followed
    /// from that is known no more.
    fn put(&mut self, at: usize, signal: Signal) {
        if self.inputs.get(&at) != Some(&signal) {
            self.memory.truncate(at);
            self.outputs.split_off(&at);
            self.inputs.insert(at, signal);
        }
    }
}

fn one_byte(token: u8) -> Signal {
    core::iter::once(token).collect()
}
