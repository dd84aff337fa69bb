//! The stages that a simulated cluster runs: hashes over all that went in, so
//! that one wrong or missing input shows in everything behind it.

use butterfly_kernel::cluster::Cluster;
use butterfly_kernel::inference::run::{Run, extend, first_link};
use butterfly_kernel::machine::{Input, Source};
use butterfly_kernel::message::inference::{History, MAX_HISTORY, RunId, Signal};
use butterfly_kernel::types::{NodeId, Position, Stage};

use super::Crypto;
use super::random::scramble;

/// Tokens are below this number.
pub(crate) const VOCABULARY: u8 = 96;
/// Bytes of a signal between stages.
pub(crate) const SIGNAL: u16 = 8;

/// A signal as it is kept here: a token, or what goes from one stage to the
/// next. The kernel's has room for much longer ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brief {
    bytes: [u8; SIGNAL as usize],
    length: u8,
}

impl Brief {
    /// None if it is longer than any stage here makes.
    pub(crate) fn of(signal: &[u8]) -> Option<Brief> {
        let mut bytes = [0; SIGNAL as usize];
        bytes.get_mut(..signal.len())?.copy_from_slice(signal);
        Some(Brief { bytes, length: u8::try_from(signal.len()).ok()? })
    }

    fn token(token: u8) -> Brief {
        Brief { bytes: [token, 0, 0, 0, 0, 0, 0, 0], length: 1 }
    }

    /// Another signal that could be one.
    pub(crate) fn wrong(mut self) -> Brief {
        self.bytes[0] = if self.length == 1 { (self.bytes[0] + 1) % VOCABULARY } else { self.bytes[0] ^ 1 };
        self
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    pub(crate) fn signal(&self) -> Signal {
        self.bytes().iter().copied().collect()
    }
}

/// What a stage remembers of its inputs, as a transformer its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory(u64);

impl Memory {
    fn of(stage: Stage) -> Memory {
        Memory(scramble(u64::from(stage.0) + 1))
    }

    fn after(self, input: &Brief) -> Memory {
        let word = u64::from_le_bytes(input.bytes) ^ u64::from(input.length) << 60;
        Memory(scramble(self.0 ^ word).wrapping_add(self.0 << 1))
    }

    /// What comes out there: a token behind the last stage.
    fn output(self, last: bool) -> Brief {
        if last { Brief::token(self.token()) } else { Brief { bytes: self.0.to_le_bytes(), length: 8 } }
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
        let mut signal = Brief::token(token);
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
    /// By stage.
    desks: Vec<Desk>,
}

/// One stage.
#[derive(Clone, Debug, Default)]
struct Desk {
    inputs: Vec<Option<Brief>>,
    /// What the stage remembers after each of its first inputs.
    memories: Vec<Memory>,
}

/// How a member computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hands {
    /// One position after the other, each when its output is asked for.
    Single,
    /// All positions that are at hand at once, which takes no longer than one:
    /// as where reading the weights is what takes time.
    Batches,
}

/// The node asked for an output whose inputs it never gave: a fault of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unprovided;

impl Desk {
    fn put(&mut self, at: usize, signal: Brief) {
        if self.inputs.len() <= at {
            self.inputs.resize(at + 1, None);
        }
        if self.inputs[at] != Some(signal) {
            self.memories.truncate(at);
            self.inputs[at] = Some(signal);
        }
    }

    fn input(&self, at: usize) -> Option<&Brief> {
        self.inputs.get(at)?.as_ref()
    }

    /// What the stage remembers after its input at `at`.
    fn memory(&mut self, stage: Stage, at: usize) -> Option<Memory> {
        while self.memories.len() <= at {
            let before = self.memories.last().copied().unwrap_or(Memory::of(stage));
            let input = self.input(self.memories.len())?;
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
            let desk = self.desk(stage);
            if stage == Stage(0) {
                let known = work.request().prompt.iter().chain(&work.active.output);
                known.enumerate().for_each(|(at, token)| desk.put(at, Brief::token(*token)));
            } else if first > 0 {
                let held = (0..first).take_while(|at| desk.input(*at).is_some()).count();
                let name = work.active.request.digest(cluster);
                let signals = (0..held).filter_map(|at| desk.input(at));
                let link = signals
                    .fold(first_link(cluster, &name, stage), |link, signal| extend(cluster, &link, signal.bytes()));
                let upto = Position(u16::try_from(held).expect("within the context"));
                holding.push(Input::Holding { run: work.id, stage, upto, link });
            }
        }
        holding
    }

    /// Keeps an input of a stage that is assigned to this member.
    pub(crate) fn provide(&mut self, stage: Stage, position: Position, signal: Brief) {
        self.desk(stage).put(position.index(), signal);
    }

    fn desk(&mut self, stage: Stage) -> &mut Desk {
        if self.desks.len() <= stage.index() {
            self.desks.resize_with(stage.index() + 1, Desk::default);
        }
        &mut self.desks[stage.index()]
    }

    /// Inputs of `stage` from `position` on, as far as they are known here and
    /// `source` allows.
    pub(crate) fn supply(
        &mut self,
        run: RunId<Crypto<N>>,
        (stage, position): (Stage, Position),
        source: Source,
    ) -> Option<History<Crypto<N>>> {
        if self.run != Some(run) {
            return None;
        }
        let before = stage.0.checked_sub(1).map(Stage).filter(|_| source.has_outputs());
        let mut history = History { run, stage, position, signals: std::iter::empty::<Signal>().collect() };
        for at in (position.index()..).take(MAX_HISTORY) {
            let own =
                self.desks.get(stage.index()).filter(|_| source.has_inputs()).and_then(|desk| desk.input(at)).copied();
            let made = || Some(self.desks.get_mut(before?.index())?.memory(before?, at)?.output(before == self.last));
            let Some(signal) = own.or_else(made) else { break };
            history.signals.push(signal.signal()).expect("as many as one message carries");
        }
        (!history.signals.is_empty()).then_some(history)
    }

    /// What comes out of `stage` at `position`, and through how many positions the
    /// stage went for that; none if another run was turned to since. In batches
    /// it goes on through all inputs that are at hand.
    pub(crate) fn compute(
        &mut self,
        run: RunId<Crypto<N>>,
        (stage, position): (Stage, Position),
        hands: Hands,
    ) -> Result<Option<(Brief, usize)>, Unprovided> {
        if self.run != Some(run) {
            return Ok(None);
        }
        let last = self.last == Some(stage);
        let desk = self.desks.get_mut(stage.index()).ok_or(Unprovided)?;
        let held = desk.memories.len();
        let memory = desk.memory(stage, position.index()).ok_or(Unprovided)?;
        if hands == Hands::Batches {
            while desk.memory(stage, desk.memories.len()).is_some() {}
        }
        Ok(Some((memory.output(last), desk.memories.len() - held)))
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
