//! The stages that a simulated cluster runs: hashes over all that went in, so
//! that one wrong or missing input shows in everything behind it.

use std::collections::BTreeMap;

use butterfly_kernel::cluster::Cluster;
use butterfly_kernel::inference::run::{Run, extend, first_link};
use butterfly_kernel::machine::Input;
use butterfly_kernel::message::inference::{History, MAX_HISTORY, RunId, Signal};
use butterfly_kernel::types::{NodeId, Position, Stage};

use super::Crypto;
use super::random::scramble;

/// Tokens are below this number.
pub(crate) const VOCABULARY: u8 = 96;
/// Bytes of a signal between stages.
pub(crate) const SIGNAL: u16 = 8;

/// What a stage remembers of its inputs, as a transformer its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory(u64);

impl Memory {
    fn of(stage: Stage) -> Memory {
        Memory(scramble(u64::from(stage.0) + 1))
    }

    fn after(self, input: &[u8]) -> Memory {
        let word = |bytes: &[u8]| bytes.iter().fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
        Memory(input.chunks(8).fold(self.0, |memory, bytes| scramble(memory ^ word(bytes)).wrapping_add(memory << 1)))
    }

    /// What comes out there: a token behind the last stage.
    fn output(self, last: bool) -> Signal {
        if last { std::iter::once(self.token()).collect() } else { self.0.to_le_bytes().into_iter().collect() }
    }

    fn token(self) -> u8 {
        u8::try_from(self.0 % u64::from(VOCABULARY)).expect("below the vocabulary")
    }
}

/// One machine that runs all stages, without a cluster: what an answer must be.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    memories: Vec<Memory>,
}

impl Reference {
    pub(crate) fn new(stages: u8) -> Reference {
        Reference { memories: (0..stages).map(|stage| Memory::of(Stage(stage))).collect() }
    }

    /// The `count` tokens that follow `prompt`.
    pub(crate) fn answer(mut self, prompt: &[u8], count: usize) -> Vec<u8> {
        let mut text = prompt.to_vec();
        let mut taken = 0;
        while text.len() < prompt.len() + count {
            for token in text.get(taken..).unwrap_or_default().to_vec() {
                self.consume(token);
            }
            taken = text.len();
            text.push(self.memories.last().map_or(0, |memory| memory.token()));
        }
        text.split_off(prompt.len())
    }

    fn consume(&mut self, token: u8) {
        let last = self.memories.len() - 1;
        let mut signal: Signal = std::iter::once(token).collect();
        for (stage, memory) in self.memories.iter_mut().enumerate() {
            *memory = memory.after(&signal);
            signal = memory.output(stage == last);
        }
    }
}

/// The stages of one request that are assigned to one member, with their inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Executor<const N: usize> {
    run: Option<RunId<Crypto<N>>>,
    last: Option<Stage>,
    desks: BTreeMap<Stage, Desk>,
}

/// One stage.
#[derive(Clone, Debug, Default)]
struct Desk {
    inputs: BTreeMap<usize, Signal>,
    /// What the stage remembers after each of its first inputs.
    memories: Vec<Memory>,
}

/// The node asked for an output whose inputs it never gave: a fault of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unprovided;

impl Desk {
    fn put(&mut self, at: usize, signal: Signal) {
        if self.inputs.get(&at) != Some(&signal) {
            self.memories.truncate(at);
            self.inputs.insert(at, signal);
        }
    }

    /// What the stage remembers after its input at `at`.
    fn memory(&mut self, stage: Stage, at: usize) -> Option<Memory> {
        while self.memories.len() <= at {
            let before = self.memories.last().copied().unwrap_or(Memory::of(stage));
            let input = self.inputs.get(&self.memories.len())?;
            self.memories.push(before.after(input));
        }
        self.memories.get(at).copied()
    }
}

impl<const N: usize> Executor<N> {
    /// Turns to `work`; says what it holds of it.
    pub(crate) fn assign(
        &mut self,
        cluster: &Cluster<Crypto<N>, N>,
        me: NodeId,
        work: &Run<Crypto<N>>,
    ) -> Vec<Input<Crypto<N>, N>> {
        if self.run != Some(work.id) {
            self.desks.clear();
        }
        (self.run, self.last) = (Some(work.id), Some(work.last_stage()));
        let first = work.first().index();
        let mut holding = Vec::new();
        for stage in work.stages().filter(|stage| work.active.placement.set(*stage).contains(me)) {
            let desk = self.desks.entry(stage).or_default();
            if stage == Stage(0) {
                let known = (0_u16..).map_while(|at| work.token_at(Position(at), &[]));
                known.enumerate().for_each(|(at, token)| desk.put(at, std::iter::once(token).collect()));
            } else if first > 0 {
                let held = (0..first).take_while(|at| desk.inputs.contains_key(at)).count();
                let name = work.active.request.digest(cluster);
                let signals = (0..held).filter_map(|at| desk.inputs.get(&at));
                let link =
                    signals.fold(first_link(cluster, &name, stage), |link, signal| extend(cluster, &link, signal));
                let upto = Position(u16::try_from(held).expect("within the context"));
                holding.push(Input::Holding { run: work.id, stage, upto, link });
            }
        }
        holding
    }

    /// Keeps an input of a stage that is assigned to this member.
    pub(crate) fn provide(&mut self, stage: Stage, position: Position, signal: Signal) {
        self.desks.entry(stage).or_default().put(position.index(), signal);
    }

    /// Inputs of `stage` from `position` on, as far as they are known here.
    pub(crate) fn supply(
        &mut self,
        run: RunId<Crypto<N>>,
        stage: Stage,
        position: Position,
    ) -> Option<History<Crypto<N>>> {
        if self.run != Some(run) {
            return None;
        }
        let before = stage.0.checked_sub(1).map(Stage);
        let mut history = History { run, stage, position, signals: std::iter::empty::<Signal>().collect() };
        for at in (position.index()..).take(MAX_HISTORY) {
            let own = self.desks.get(&stage).and_then(|desk| desk.inputs.get(&at)).cloned();
            let made = || Some(self.desks.get_mut(&before?)?.memory(before?, at)?.output(before == self.last));
            let Some(signal) = own.or_else(made) else { break };
            history.signals.push(signal).expect("as many as one message carries");
        }
        (!history.signals.is_empty()).then_some(history)
    }

    /// What comes out of `stage` at `position`; none if another run was turned to since.
    pub(crate) fn compute(
        &mut self,
        run: RunId<Crypto<N>>,
        stage: Stage,
        position: Position,
    ) -> Result<Option<Signal>, Unprovided> {
        if self.run != Some(run) {
            return Ok(None);
        }
        let last = self.last == Some(stage);
        let desk = self.desks.get_mut(&stage).ok_or(Unprovided)?;
        let memory = desk.memory(stage, position.index()).ok_or(Unprovided)?;
        Ok(Some(memory.output(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_continues_a_shorter_one() {
        let reference = Reference::new(3);
        let long = reference.clone().answer(&[1, 2], 9);
        assert_eq!(reference.clone().answer(&[1, 2], 5), long[..5]);
        let continued: Vec<u8> = [1, 2].into_iter().chain(long[..4].iter().copied()).collect();
        assert_eq!(reference.answer(&continued, 5), long[4..]);
    }

    #[test]
    fn each_input_matters() {
        let answers: Vec<_> = [[1, 2], [2, 1], [1, 3]].map(|prompt| Reference::new(2).answer(&prompt, 8)).into();
        assert!(answers[0] != answers[1] && answers[0] != answers[2] && answers[1] != answers[2]);
    }
}
