//! Running the stages that are assigned to this device, in memory that is
//! there before it is known what for.
//!
//! As on a server, a stage's cache runs behind: it is brought forward only when
//! an output is asked for. Inputs and outputs of the request under way are kept
//! for fellows that missed one. Checkpoints are not: a device that restarts
//! recovers the inputs of its stages from its fellows.

use butterfly_kernel::inference::run::{extend, first_link};
use butterfly_kernel::machine::Source;
use butterfly_kernel::message::inference::{self, MAX_HISTORY, Sampling, Signals};
use butterfly_kernel::types::{NodeId, Position, Stage};
use butterfly_workload::{Partition, Signal, Temperature, Token, Weights};
use heapless::Vec;

use crate::protocol::{Cluster, Digest, History, Run, RunId};
use crate::tasks;

/// Layers that one stage of a device may have.
const LAYERS: usize = 1;

/// One signal, in the protocol's encoding; empty where there is none.
type Kept = Vec<u8, { Signal::MAX_BYTES }>;

/// The memory of one stage, for requests of at most `POSITIONS` positions.
#[derive(Debug)]
struct Desk<const POSITIONS: usize> {
    stage: Option<Stage>,
    memory: Option<butterfly_workload::Stage<'static, LAYERS>>,
    inputs: [Kept; POSITIONS],
    outputs: [Kept; POSITIONS],
}

impl<const POSITIONS: usize> Desk<POSITIONS> {
    /// Of no stage.
    const fn new() -> Self {
        Desk {
            stage: None,
            memory: None,
            inputs: [const { Kept::new() }; POSITIONS],
            outputs: [const { Kept::new() }; POSITIONS],
        }
    }
}

/// The memory of a request, for a static: a desk for each stage that may be
/// assigned, and the signals that are still to be put on one.
#[derive(Debug)]
pub struct Desks<const STAGES: usize, const POSITIONS: usize> {
    desks: [Desk<POSITIONS>; STAGES],
    waiting: tasks::Signals,
}

impl<const STAGES: usize, const POSITIONS: usize> Desks<STAGES, POSITIONS> {
    /// Of no request.
    pub const fn new() -> Self {
        Desks { desks: [const { Desk::new() }; STAGES], waiting: tasks::Signals::new() }
    }
}

impl<const STAGES: usize, const POSITIONS: usize> Default for Desks<STAGES, POSITIONS> {
    fn default() -> Self {
        Desks::new()
    }
}

/// The stages of this device.
pub(crate) struct Stages<'m, const N: usize, const POSITIONS: usize> {
    me: NodeId,
    run: Option<RunId<N>>,
    desks: &'m mut [Desk<POSITIONS>],
    /// Signals of tasks that were not done yet.
    pub(crate) waiting: &'m mut tasks::Signals,
}

/// A stage was given what it cannot take, or an input is missing, or there is
/// no room for the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StageError;

/// Up to where this device has the inputs of a stage.
pub(crate) struct Held {
    pub(crate) stage: Stage,
    /// The first position whose input it does not have.
    pub(crate) upto: Position,
    /// The link in front of the stage there.
    pub(crate) link: Digest,
}

impl<'m, const N: usize, const POSITIONS: usize> Stages<'m, N, POSITIONS> {
    pub(crate) fn new<const STAGES: usize>(me: NodeId, memory: &'m mut Desks<STAGES, POSITIONS>) -> Self {
        let Desks { desks, waiting } = memory;
        Stages { me, run: None, desks, waiting }
    }

    /// Turns to `run`, and says what there is of the inputs before its first
    /// position, for each stage but the first.
    pub(crate) fn assign(
        &mut self,
        cluster: &Cluster<N>,
        run: &Run<N>,
        mut held: impl FnMut(Held),
    ) -> Result<(), StageError> {
        if self.run != Some(run.id) {
            self.run = Some(run.id);
            self.desks.iter_mut().for_each(|desk| desk.stage = None);
        }
        let placement = &run.active.placement;
        let partition = Partition::behind(placement.stages().map(|stage| placement.layers(stage).end));
        let partition = partition.map_err(|_| StageError)?;
        let me = self.me;
        for stage in run.stages().filter(|stage| placement.set(*stage).contains(me)) {
            if self.desk(stage).is_none() {
                let free = self.desks.iter_mut().find(|desk| desk.stage.is_none()).ok_or(StageError)?;
                free.begin(partition, stage)?;
            }
        }
        if let Some(first) = self.desk(Stage(0)) {
            for at in 0..POSITIONS {
                let token = u16::try_from(at).ok().and_then(|at| run.token_at(Position(at), &[]));
                let Some(token) = token else { break };
                first.put_input(at, &[token]);
            }
        }
        let name = run.active.request.digest(cluster);
        for desk in self.desks.iter().filter(|desk| desk.stage != Some(Stage(0))) {
            let Some(stage) = desk.stage else { continue };
            let (mut upto, mut link) = (Position(0), first_link(cluster, &name, stage));
            while let Some(input) =
                desk.inputs.get(upto.index()).filter(|input| !input.is_empty() && upto < run.first())
            {
                (upto, link) = (upto.next(), extend(cluster, &link, input));
            }
            held(Held { stage, upto, link });
        }
        Ok(())
    }

    /// Keeps the input of `stage` at `position`, in place of another one there.
    pub(crate) fn provide(&mut self, run: RunId<N>, stage: Stage, position: Position, signal: &[u8]) {
        if self.run == Some(run)
            && let Some(desk) = self.desk(stage)
        {
            desk.put_input(position.index(), signal);
        }
    }

    /// What this device has of the inputs of `stage` from `position` on, as
    /// many as a message carries.
    pub(crate) fn supply(
        &mut self,
        run: &Run<N>,
        (stage, position): (Stage, Position),
        source: Source,
    ) -> Option<History<N>> {
        let sampling = run.request().sampling;
        let mut signals = Signals::new();
        for at in (position.0..).map(Position).take(MAX_HISTORY) {
            let own = self.desk(stage).filter(|_| source.has_inputs());
            let input = own.and_then(|desk| desk.inputs.get(at.index())).filter(|input| !input.is_empty());
            let input = input.and_then(|input| inference::Signal::from_slice(input).ok());
            let before = stage.0.checked_sub(1).map(Stage).filter(|_| source.has_outputs());
            let signal = input.or_else(|| before.and_then(|before| self.compute(run.id, before, at, sampling).ok()));
            let Some(signal) = signal else { break };
            signals.push(signal).ok()?;
        }
        (!signals.is_empty()).then_some(History { run: run.id, stage, position, signals })
    }

    /// What comes out of `stage` at `position`, from memory if it was there before.
    pub(crate) fn compute(
        &mut self,
        run: RunId<N>,
        stage: Stage,
        position: Position,
        sampling: Sampling,
    ) -> Result<inference::Signal, StageError> {
        if self.run != Some(run) {
            return Err(StageError);
        }
        let desk = self.desk(stage).ok_or(StageError)?;
        let output = desk.compute(position.index(), sampling)?;
        inference::Signal::from_slice(output).map_err(|_| StageError)
    }

    fn desk(&mut self, stage: Stage) -> Option<&mut Desk<POSITIONS>> {
        self.desks.iter_mut().find(|desk| desk.stage == Some(stage))
    }
}

impl<const POSITIONS: usize> Desk<POSITIONS> {
    #[inline(never)]
    fn begin(&mut self, partition: Partition, stage: Stage) -> Result<(), StageError> {
        self.inputs.iter_mut().chain(&mut self.outputs).for_each(Vec::clear);
        let begun = butterfly_workload::Stage::new(Weights::embedded(), partition, stage.index());
        self.memory = Some(begun.map_err(|_| StageError)?);
        self.stage = Some(stage);
        Ok(())
    }

    /// What was known of the position and behind it is known no more, if it was
    /// something else.
    fn put_input(&mut self, at: usize, signal: &[u8]) {
        let Some(place) = self.inputs.get_mut(at) else { return };
        if place.as_slice() == signal {
            return;
        }
        place.clear();
        // A signal of this model is no longer than that.
        let _ = place.extend_from_slice(signal);
        if let Some(memory) = &mut self.memory {
            memory.truncate(at);
        }
        self.outputs.iter_mut().skip(at).for_each(Vec::clear);
    }

    fn compute(&mut self, position: usize, sampling: Sampling) -> Result<&[u8], StageError> {
        let Desk { memory, inputs, outputs, .. } = self;
        let memory = memory.as_mut().ok_or(StageError)?;
        while memory.position() <= position {
            let at = memory.position();
            let input = inputs.get(at).filter(|input| !input.is_empty()).ok_or(StageError)?;
            let output = memory.advance(&read(input)?, &in_model_terms(sampling)).map_err(|_| StageError)?;
            write(&output, outputs.get_mut(at).ok_or(StageError)?);
        }
        outputs.get(position).filter(|output| !output.is_empty()).map(Vec::as_slice).ok_or(StageError)
    }
}

/// To the protocol a token is one byte, its id; the model's own encoding has a
/// mark in front of it. Any other signal is the model's encoding.
fn read(signal: &[u8]) -> Result<Signal, StageError> {
    match signal {
        [token] => Token::try_from(*token).map(Signal::Token).map_err(|_| StageError),
        _ => Signal::read(signal).map_err(|_| StageError),
    }
}

fn write(signal: &Signal, place: &mut Kept) {
    place.clear();
    // The place is as long as the longest signal.
    let _ = match signal {
        Signal::Token(token) => place.push(token.id()).map_err(drop),
        Signal::Activation(_) => place.extend_from_slice(signal.write(&mut [0; Signal::MAX_BYTES])).map_err(drop),
    };
}

fn in_model_terms(sampling: Sampling) -> butterfly_workload::Sampling {
    match sampling {
        Sampling::Greedy => butterfly_workload::Sampling::Greedy,
        Sampling::Seeded { seed, temperature } => match Temperature::from_256ths(temperature) {
            Some(temperature) => butterfly_workload::Sampling::Seeded { seed, temperature },
            // No temperature at all leaves the most likely token only.
            None => butterfly_workload::Sampling::Greedy,
        },
    }
}
