//! Running the stages that are assigned to this node, with what it must
//! remember for that.
//!
//! For each assigned stage the node keeps the stage's own memory (its cache),
//! the inputs of the request, and the outputs that it gave, so that a fellow
//! who missed one can be answered from memory. Caches run behind: they are
//! brought forward, input by input, only when an output is asked for.
//!
//! In this version every node has all weights. A node that lacks inputs of
//! earlier epochs (it restarted, or caught up) therefore computes them anew
//! from the request's tokens; asking the members of the earlier stage for
//! their history comes with stages that not every node can hold.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use butterfly_kernel::message::inference::{Sampling, Signal, Tokens};
use butterfly_kernel::types::{NodeId, Position, Stage};
use thiserror::Error;

use crate::protocol::{Crypto, SignedRequest};

type Job = butterfly_kernel::inference::job::Job<Crypto>;

/// A model that is cut into stages.
pub trait Model {
    /// What one stage remembers of its inputs.
    type Memory: StageMemory;

    /// How many stages there are.
    fn stages(&self) -> u8;

    /// A stage that has taken no input yet.
    ///
    /// # Errors
    /// When there is no such stage.
    fn begin(&self, stage: Stage) -> Result<Self::Memory, StageError>;
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
}

/// A stage was given what it cannot take, or an input is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the stage cannot be run on these inputs")]
pub struct StageError;

/// The stages of one node.
#[derive(Debug)]
pub struct Executor<M: Model> {
    model: M,
    me: NodeId,
    request: Option<SignedRequest>,
    desks: BTreeMap<Stage, Desk<M::Memory>>,
}

#[derive(Debug)]
struct Desk<S> {
    memory: S,
    /// By position, without a gap.
    inputs: Vec<Signal>,
    /// By position, as far as the memory got.
    outputs: Vec<Signal>,
}

impl<M: Model> Executor<M> {
    /// Without a request.
    pub fn new(model: M, me: NodeId) -> Executor<M> {
        Executor { model, me, request: None, desks: BTreeMap::new() }
    }

    /// Turns to `job`: afterwards every input before its first position is there.
    ///
    /// # Errors
    /// When the job's tokens are none of this model.
    pub fn assign(&mut self, job: &Job) -> Result<(), StageError> {
        if self.request.as_ref() != Some(&job.active.request) {
            self.desks.clear();
            self.request = None;
            for stage in job.stages().filter(|stage| job.placement.set(*stage).contains(self.me)) {
                self.desks
                    .insert(stage, Desk { memory: self.model.begin(stage)?, inputs: Vec::new(), outputs: Vec::new() });
            }
            self.request = Some(job.active.request.clone());
        }
        let first = usize::from(job.first.0);
        for desk in self.desks.values_mut() {
            desk.rewind(first);
        }
        if self.desks.values().any(|desk| desk.inputs.len() < first) {
            self.recompute_inputs(job)?;
        }
        if let Some(desk) = self.desks.get_mut(&Stage(0)) {
            // The prompt, and what is committed: the rest is provided as it comes.
            let known = (first..).map_while(|at| job.token_at(Position(u16::try_from(at).ok()?), &Tokens::new()));
            desk.inputs.extend(known.map(one_byte));
        }
        Ok(())
    }

    /// Keeps the input of `stage` at `position`. One that does not follow the
    /// last is not for this executor to use: it was given before.
    pub fn provide(&mut self, stage: Stage, position: Position, signal: Signal) {
        if let Some(desk) = self.desks.get_mut(&stage)
            && desk.inputs.len() == usize::from(position.0)
        {
            desk.inputs.push(signal);
        }
    }

    /// What comes out of `stage` at `position`, from memory if it was there before.
    ///
    /// # Errors
    /// When an input is missing.
    pub fn compute(&mut self, stage: Stage, position: Position, sampling: Sampling) -> Result<Signal, StageError> {
        let desk = self.desks.get_mut(&stage).ok_or(StageError)?;
        let position = usize::from(position.0);
        while desk.outputs.len() <= position {
            let input = desk.inputs.get(desk.memory.position()).ok_or(StageError)?;
            desk.outputs.push(desk.memory.advance(input, sampling)?);
        }
        desk.outputs.get(position).cloned().ok_or(StageError)
    }

    /// Runs the whole model over the tokens before the job's first position.
    fn recompute_inputs(&mut self, job: &Job) -> Result<(), StageError> {
        for desk in self.desks.values_mut() {
            desk.inputs.clear();
        }
        let stages: Vec<Stage> = (0..self.model.stages()).map(Stage).collect();
        let mut memories = stages.iter().map(|stage| self.model.begin(*stage)).collect::<Result<Vec<_>, _>>()?;
        for position in 0..job.first.0 {
            let token = job.token_at(Position(position), &Tokens::new()).ok_or(StageError)?;
            let mut signal = one_byte(token);
            for (stage, memory) in stages.iter().zip(&mut memories) {
                if let Some(desk) = self.desks.get_mut(stage) {
                    desk.inputs.push(signal.clone());
                }
                signal = memory.advance(&signal, job.request().sampling)?;
            }
        }
        Ok(())
    }
}

impl<S: StageMemory> Desk<S> {
    /// Forgets everything from `position` on.
    fn rewind(&mut self, position: usize) {
        self.inputs.truncate(position);
        self.outputs.truncate(position);
        self.memory.truncate(position);
    }
}

fn one_byte(token: u8) -> Signal {
    core::iter::once(token).collect()
}
