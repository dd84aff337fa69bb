use butterfly_kernel::chain::Head;
use butterfly_kernel::cluster::{Assignment, Timing};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::machine::Source;
use butterfly_kernel::message::inference::Request;
use butterfly_kernel::types::{ClientId, Resilience};
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::protocol::{Roster, SignedRequest};

/// Stages whose outputs are digests of all that went in: a wrong history shows.
#[derive(Clone, Copy, Debug)]
struct Hashes;

#[derive(Debug)]
struct Chain {
    stage: Stage,
    taken: Vec<Vec<u8>>,
}

const STAGES: u8 = 2;

impl Model for Hashes {
    type Memory = Chain;

    fn begin(&self, _: &Placement, stage: Stage) -> Result<Chain, StageError> {
        Ok(Chain { stage, taken: Vec::new() })
    }
}

impl StageMemory for Chain {
    fn position(&self) -> usize {
        self.taken.len()
    }

    fn truncate(&mut self, position: usize) {
        self.taken.truncate(position);
    }

    fn save(&self, position: usize) -> Vec<u8> {
        self.taken.iter().take(position).flat_map(|input| [&[input.len() as u8][..], input].concat()).collect()
    }

    fn restore(&mut self, position: usize, mut saved: &[u8]) -> Result<(), StageError> {
        self.taken.clear();
        while let Some((length, rest)) = saved.split_first() {
            let (input, rest) = rest.split_at(usize::from(*length));
            self.taken.push(input.to_vec());
            saved = rest;
        }
        if self.taken.len() == position { Ok(()) } else { Err(StageError) }
    }

    fn advance(&mut self, input: &[u8], _: Sampling) -> Result<Signal, StageError> {
        self.taken.push(input.to_vec());
        let digest = self.taken.iter().fold(Sha256::new(), |hash, input| hash.chain_update(input)).finalize();
        let length = if self.stage.next().0 == STAGES { 1 } else { 32 };
        Ok(digest.iter().map(|byte| byte % 96).take(length).collect())
    }
}

/// A request of one client, and what is committed of it.
struct World {
    cluster: Cluster,
    request: SignedRequest,
}

impl World {
    fn new(prompt: &[u8]) -> World {
        let keys: Vec<SigningKey> = (1..=5).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect();
        let mut public = keys.iter().map(|key| PublicKey(key.verifying_key().to_bytes()));
        let roster = Roster {
            resilience: Resilience::largest(4).unwrap(),
            members: public.by_ref().take(4).collect(),
            clients: public.collect(),
            operators: [].into_iter().collect(),
            model: butterfly_kernel::cluster::Model {
                manifest: [0; 32],
                stages: STAGES,
                context: 64,
                vocabulary: 96,
                signal: 32,
                tokens_per_epoch: 2,
                checkpoint_interval: 4,
            },
            assignment: Assignment::in_turn(4, STAGES).unwrap(),
        };
        let cluster = Cluster::new(roster, Timing::default()).unwrap();
        let prompt = prompt.iter().copied().collect();
        let request = Request { client: ClientId(0), sequence: 1, prompt, tokens: 6, sampling: Sampling::Greedy };
        let signature = Crypto::sign(&keys[4], &request.statement(&cluster));
        World { cluster, request: SignedRequest { request, signature } }
    }

    /// The run before anything is committed.
    fn run(&self) -> Run {
        Run::new(&self.cluster, &Head::Genesis, &self.request).unwrap()
    }

    /// The run after `tokens` were committed, the second stage having consumed `between`.
    fn after(&self, tokens: &[u8], between: &[Signal]) -> Run {
        let mut run = self.run();
        run.active.output.extend_from_slice(tokens).unwrap();
        let cross = |link: Digest, signal: &Signal| extend(&self.cluster, &link, signal);
        run.active.links[1] = between.iter().fold(run.active.links[1], cross);
        run
    }

    /// Somebody who runs both stages: two of four do.
    fn node(&self) -> NodeId {
        let placement = self.run().active.placement;
        (0..4).map(NodeId).find(|node| (0..STAGES).all(|stage| placement.set(Stage(stage)).contains(*node))).unwrap()
    }

    fn assign(&self, executor: &mut Executor<Hashes>, run: &Run) -> Vec<Held> {
        executor.assign(&self.cluster, run, |_| None).unwrap()
    }
}

/// Runs both stages over the positions up to `end`; returns the tokens, and
/// what crossed between the stages.
fn pipe(executor: &mut Executor<Hashes>, run: &Run, end: u16) -> (Vec<u8>, Vec<Signal>) {
    let (mut tokens, mut between) = (Vec::new(), Vec::new());
    for position in (run.first().0..end).map(Position) {
        let signal = executor.compute(Stage(0), position, Sampling::Greedy).unwrap();
        executor.provide(Stage(1), position, signal.clone());
        between.push(signal);
        if position >= run.output_from(Stage(1), position) {
            let token = executor.compute(Stage(1), position, Sampling::Greedy).unwrap();
            tokens.extend(&token);
            executor.provide(Stage(0), position.next(), token);
        }
    }
    (tokens, between)
}

/// Somebody who ran both stages up to a checkpoint at position 4, the run as it
/// goes on there, and what crossed between the stages.
fn at_a_checkpoint(world: &World) -> (Executor<Hashes>, Run, Vec<Signal>) {
    let mut executor = Executor::new(Hashes, world.node());
    let run = world.run();
    world.assign(&mut executor, &run);
    let (first, between) = pipe(&mut executor, &run, 4);
    let later = world.after(&first, &between);
    executor.follow(&later);
    (executor, later, between)
}

#[test]
fn a_node_that_restarted_goes_on_as_if_it_had_not_once_it_has_its_past() {
    let world = World::new(&[5, 6, 7]);
    let mut steady = Executor::new(Hashes, world.node());
    let run = world.run();
    let held = world.assign(&mut steady, &run);
    assert_eq!(held, [Held { stage: Stage(1), upto: Position(0), link: run.active.links[1] }]);
    let (first, between) = pipe(&mut steady, &run, 4);
    let later = world.after(&first, &between);
    assert_eq!((first.len(), later.first()), (2, Position(4)));
    let second = pipe(&mut steady, &later, 6);

    let mut restarted = Executor::new(Hashes, world.node());
    let nothing = world.assign(&mut restarted, &later);
    assert_eq!(nothing, held, "it has nothing, and says so");
    assert_eq!(restarted.compute(Stage(1), Position(4), Sampling::Greedy), Err(StageError));
    for (at, position) in (0..4).map(Position).enumerate() {
        let history = steady.supply(later.id, (Stage(1), position), Source::Both).unwrap();
        assert_eq!(history.signals[0], between[at]);
        restarted.provide(Stage(1), position, history.signals[0].clone());
    }
    let whole = world.assign(&mut restarted, &later);
    assert_eq!(whole, [Held { stage: Stage(1), upto: Position(4), link: later.active.links[1] }]);
    assert_eq!(pipe(&mut restarted, &later, 6), second);
    assert_eq!(restarted.batches(), 2, "one batch for each stage");
}

#[test]
fn a_checkpoint_takes_the_place_of_the_past() {
    let world = World::new(&[5, 6, 7]);
    let (mut steady, later, _) = at_a_checkpoint(&world);
    let kept: BTreeMap<Stage, Kept> = steady.keep(Position(4)).collect();
    assert_eq!(kept.len(), 2);
    assert_eq!(steady.keep(Position(3)).count(), 0, "more was committed since");

    let mut restarted = Executor::new(Hashes, world.node());
    let held = restarted.assign(&world.cluster, &later, |stage| kept.get(&stage).cloned()).unwrap();
    assert_eq!(held, [Held { stage: Stage(1), upto: Position(4), link: later.active.links[1] }]);
    assert_eq!(pipe(&mut restarted, &later, 6), pipe(&mut steady, &later, 6));
    assert_eq!(restarted.batches(), 0);
}

#[test]
fn what_is_before_a_checkpoint_can_be_supplied_after_a_restart() {
    let world = World::new(&[5, 6, 7]);
    let (steady, later, between) = at_a_checkpoint(&world);
    let kept: BTreeMap<Stage, Kept> = steady.keep(Position(4)).collect();

    for source in [Source::Inputs, Source::Outputs] {
        let mut restarted = Executor::new(Hashes, world.node());
        restarted.assign(&world.cluster, &later, |stage| kept.get(&stage).cloned()).unwrap();
        let supplied = restarted.supply(later.id, (Stage(1), Position(0)), source).unwrap();
        assert_eq!(supplied.signals[..4], between, "{source:?}");
    }
}

#[test]
fn a_checkpoint_of_wrong_inputs_shows_and_is_mended_by_the_right_ones() {
    let world = World::new(&[5, 6, 7]);
    let (mut misled, later, between) = at_a_checkpoint(&world);
    misled.provide(Stage(1), Position(1), one_byte(77));
    misled.compute(Stage(1), Position(3), Sampling::Greedy).unwrap();
    let wrong: BTreeMap<Stage, Kept> = misled.keep(Position(4)).collect();

    let mut restarted = Executor::new(Hashes, world.node());
    let held = restarted.assign(&world.cluster, &later, |stage| wrong.get(&stage).cloned()).unwrap();
    assert_eq!(held.iter().map(|held| held.upto).collect::<Vec<_>>(), [Position(4)]);
    assert_ne!(held[0].link, later.active.links[1], "what it has is not what was committed");
    let right = (0..).map(Position).zip(&between);
    right.for_each(|(at, signal)| restarted.provide(Stage(1), at, signal.clone()));
    misled.provide(Stage(1), Position(1), between[1].clone());
    assert_eq!(pipe(&mut restarted, &later, 6), pipe(&mut misled, &later, 6));
}

#[test]
fn a_wrong_input_is_forgotten_with_all_that_followed_from_it() {
    let world = World::new(&[5, 6, 7]);
    let mut executor = Executor::new(Hashes, world.node());
    let run = world.run();
    world.assign(&mut executor, &run);
    let right = pipe(&mut executor, &run, 4);
    executor.provide(Stage(1), Position(1), one_byte(77));
    let told =
        |executor: &mut Executor<Hashes>, source| executor.supply(run.id, (Stage(1), Position(0)), source).unwrap();
    assert_ne!(told(&mut executor, Source::Inputs).signals[1], right.1[1]);
    assert_eq!(told(&mut executor, Source::Outputs).signals[1], right.1[1], "what it made itself it can vouch for");
    assert_ne!(executor.compute(Stage(1), Position(3), Sampling::Greedy).unwrap()[0], right.0[1]);
    executor.provide(Stage(1), Position(1), right.1[1].clone());
    assert_eq!(executor.compute(Stage(1), Position(3), Sampling::Greedy).unwrap()[0], right.0[1]);
}

#[test]
fn what_was_computed_is_answered_from_memory() {
    let world = World::new(&[5, 6, 7]);
    let mut executor = Executor::new(Hashes, world.node());
    world.assign(&mut executor, &world.run());
    let outputs = |executor: &mut Executor<Hashes>| {
        (0..3).map(|at| executor.compute(Stage(0), Position(at), Sampling::Greedy).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(outputs(&mut executor), outputs(&mut executor));
}

#[test]
fn another_request_begins_with_empty_caches() {
    let (one, other) = (World::new(&[5, 6, 7]), World::new(&[8, 9]));
    let node = other.node();
    let mut fresh = Executor::new(Hashes, node);
    other.assign(&mut fresh, &other.run());
    let expected = pipe(&mut fresh, &other.run(), 3);
    let mut used = Executor::new(Hashes, node);
    one.assign(&mut used, &one.run());
    other.assign(&mut used, &other.run());
    assert_eq!(pipe(&mut used, &other.run(), 3), expected);
}

#[test]
fn an_input_that_is_missing_is_no_output() {
    let world = World::new(&[5, 6, 7]);
    let mut executor = Executor::new(Hashes, world.node());
    world.assign(&mut executor, &world.run());
    assert_eq!(executor.compute(Stage(1), Position(0), Sampling::Greedy), Err(StageError));
    assert_eq!(executor.compute(Stage(0), Position(3), Sampling::Greedy), Err(StageError), "not yet known");
    assert_eq!(executor.compute(Stage(7), Position(0), Sampling::Greedy), Err(StageError));
}
