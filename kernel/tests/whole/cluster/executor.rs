//! Stages that are hashes: enough of a model to be wrong about, and to lack
//! inputs of.

use std::collections::BTreeMap;

use butterfly_kernel::chain::links_digest;
use butterfly_kernel::inference::run::{Run, extend, first_link};
use butterfly_kernel::machine::{Input, Source};
use butterfly_kernel::message::inference::{History, MAX_HISTORY, RunId, Signal, SignedRequest};
use butterfly_kernel::types::{NodeId, Position, Stage};

use super::{CAPACITY, Crypto, TestCluster};

/// The stages of one request that are assigned to one member, with their inputs.
#[derive(Clone, Default)]
pub struct Executor {
    run: Option<Run<Crypto>>,
    desks: BTreeMap<Stage, Desk>,
    /// Every time that more than one input had to be run at once: which stage,
    /// from where, to where.
    pub replays: Vec<Replay>,
}

/// A stage was run over several inputs in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    pub stage: Stage,
    pub from: usize,
    pub to: usize,
}

#[derive(Clone, Default)]
struct Desk {
    inputs: BTreeMap<usize, Signal>,
    /// How many inputs the stage was run on.
    taken: usize,
}

const VOCABULARY: u64 = 96;

fn mix(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}

/// What a stage gives for its whole history of inputs: like a transformer, it
/// depends on all of them.
fn run<'s>(stage: Stage, last: bool, inputs: impl Iterator<Item = &'s Signal>) -> Signal {
    let hash = inputs.fold(u64::from(stage.0), |hash, input| mix(hash, input));
    let bytes = if last { vec![(hash % VOCABULARY) as u8] } else { hash.to_le_bytes().to_vec() };
    bytes.into_iter().collect()
}

/// One machine, no cluster: what `tokens` tokens after `prompt` are.
pub fn reference(stages: u8, prompt: &[u8], tokens: usize) -> Vec<u8> {
    let mut text = prompt.to_vec();
    while text.len() < prompt.len() + tokens {
        text.push(crossings(stages, &text).last().unwrap().last().unwrap()[0]);
    }
    text.split_off(prompt.len())
}

/// What crosses each link when the inputs are `text`: one list for each stage's
/// inputs, and one for the outputs of the last.
fn crossings(stages: u8, text: &[u8]) -> Vec<Vec<Signal>> {
    let mut inputs: Vec<Signal> = text.iter().map(|token| [*token].into_iter().collect()).collect();
    let mut crossings = vec![inputs.clone()];
    for stage in 0..stages {
        let last = stage == stages - 1;
        inputs = (1..=inputs.len()).map(|upto| run(Stage(stage), last, inputs[..upto].iter())).collect();
        crossings.push(inputs.clone());
    }
    crossings
}

/// One machine, no cluster: the digest of all that was computed for a request
/// when it is finished, as a state holds it.
pub fn reference_digest(cluster: &TestCluster, asked: &SignedRequest<Crypto>) -> u64 {
    let (stages, prompt) = (cluster.model().stages, &asked.request.prompt);
    let mut text = prompt.to_vec();
    text.extend(reference(stages, prompt, usize::from(asked.request.tokens)));
    let mut crossings = crossings(stages, &text[..text.len() - 1]);
    // The last stage says nothing about prompt positions but the last of them.
    crossings.last_mut().unwrap().drain(..prompt.len() - 1);
    let name = asked.digest(cluster);
    let link = |(at, signals): (usize, &Vec<Signal>)| {
        let first = first_link(cluster, &name, Stage(at as u8));
        signals.iter().fold(first, |link, signal| extend(cluster, &link, signal))
    };
    links_digest(cluster, &crossings.iter().enumerate().map(link).collect())
}

impl Executor {
    /// Turns to `work`; says what it holds of it.
    pub fn assign(&mut self, cluster: &TestCluster, me: NodeId, work: &Run<Crypto>) -> Vec<Input<Crypto, CAPACITY>> {
        if self.run.as_ref().map(|run| run.id) != Some(work.id) {
            self.desks.clear();
        }
        self.run = Some(work.clone());
        let first = work.first().index();
        let mut holding = Vec::new();
        for stage in work.stages().filter(|stage| work.active.placement.set(*stage).contains(me)) {
            let desk = self.desks.entry(stage).or_default();
            if stage == Stage(0) {
                let known = (0_u16..).map_while(|at| work.token_at(Position(at), &[]));
                desk.inputs.extend(known.map(|token| [token].into_iter().collect()).enumerate());
                continue;
            }
            let held = (0..first).take_while(|at| desk.inputs.contains_key(at)).count();
            let name = work.active.request.digest(cluster);
            let signals = (0..held).map(|at| &desk.inputs[&at]);
            let link = signals.fold(first_link(cluster, &name, stage), |link, signal| extend(cluster, &link, signal));
            holding.push(Input::Holding { run: work.id, stage, upto: Position(held as u16), link });
        }
        holding
    }

    /// The same with inputs that nobody ever gave it, and nothing run.
    pub fn damaged(&self) -> Executor {
        let mut damaged = Executor { replays: Vec::new(), ..self.clone() };
        for desk in damaged.desks.values_mut() {
            desk.taken = 0;
            desk.inputs.values_mut().for_each(|signal| signal[0] ^= 1);
        }
        damaged
    }

    pub fn provide(&mut self, stage: Stage, position: Position, signal: Signal) {
        let desk = self.desks.get_mut(&stage).expect("an assigned stage");
        desk.taken = desk.taken.min(position.index());
        desk.inputs.insert(position.index(), signal);
    }

    pub fn supply(
        &mut self,
        id: RunId<Crypto>,
        (stage, position): (Stage, Position),
        source: Source,
    ) -> Option<History<Crypto>> {
        let work = self.run.as_ref().filter(|run| run.id == id)?;
        let mut signals = heapless::Vec::new();
        for at in (position.index()..).take(MAX_HISTORY) {
            let own =
                self.desks.get(&stage).filter(|_| source.has_inputs()).and_then(|desk| desk.inputs.get(&at)).cloned();
            let made = || {
                let before = stage.0.checked_sub(1).map(Stage).filter(|_| source.has_outputs())?;
                let desk = self.desks.get(&before)?;
                let inputs = (0..=at).map(|at| desk.inputs.get(&at)).collect::<Option<Vec<_>>>()?;
                Some(run(before, before == work.last_stage(), inputs.into_iter()))
            };
            let Some(signal) = own.or_else(made) else { break };
            signals.push(signal).unwrap();
        }
        (!signals.is_empty()).then_some(History { run: id, stage, position, signals })
    }

    pub fn compute(&mut self, stage: Stage, position: Position) -> Signal {
        let last = self.run.as_ref().is_some_and(|run| run.last_stage() == stage);
        let desk = self.desks.get_mut(&stage).expect("an assigned stage");
        let upto = position.index() + 1;
        if upto > desk.taken + 1 {
            self.replays.push(Replay { stage, from: desk.taken, to: upto });
        }
        desk.taken = desk.taken.max(upto);
        let inputs = (0..upto).map(|at| desk.inputs.get(&at).expect("an output whose inputs were provided"));
        run(stage, last, inputs)
    }
}
