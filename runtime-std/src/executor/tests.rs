use butterfly_kernel::chain::Head;
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::message::inference::{Links, Request};
use butterfly_kernel::types::{ClientId, Epoch, Resilience};
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::protocol::{Cluster, Roster};

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

    fn stages(&self) -> u8 {
        STAGES
    }

    fn begin(&self, stage: Stage) -> Result<Chain, StageError> {
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

    fn advance(&mut self, input: &[u8], _: Sampling) -> Result<Signal, StageError> {
        self.taken.push(input.to_vec());
        let digest = self.taken.iter().fold(Sha256::new(), |hash, input| hash.chain_update(input)).finalize();
        let length = if self.stage.next().0 == STAGES { 1 } else { 32 };
        Ok(digest.iter().map(|byte| byte % 96).take(length).collect())
    }
}

/// A request of one client, and the jobs of its epochs.
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
            model: butterfly_kernel::cluster::Model {
                manifest: [0; 32],
                stages: STAGES,
                context: 64,
                vocabulary: 96,
                signal: 32,
                tokens_per_epoch: 2,
            },
        };
        let cluster = Cluster::new(roster, Timing::default()).unwrap();
        let prompt = prompt.iter().copied().collect();
        let request = Request { client: ClientId(0), sequence: 1, prompt, tokens: 6, sampling: Sampling::Greedy };
        let signature = Crypto::sign(&keys[4], &cluster.statement(Tag::Request, &request));
        World { cluster, request: SignedRequest { request, signature } }
    }

    /// The job of the first epoch, or of the one after `committed` tokens.
    fn job(&self, committed: &[u8]) -> Job {
        let mut job = Job::new(&self.cluster, &Head::Genesis, &self.request).unwrap();
        if !committed.is_empty() {
            let state = Head::<Crypto>::Genesis.state();
            let tokens = committed.iter().copied().collect();
            let state = state.advance(&self.cluster, Epoch(1), &job.active, &tokens, &Links::<Crypto>::new());
            let prompt = u16::try_from(self.request.request.prompt.len()).unwrap();
            let done = u16::try_from(committed.len()).unwrap();
            job.active = state.active.unwrap();
            job.first = Position(prompt + done - 1);
            job.end = Position(prompt + done + 1);
        }
        job
    }

    /// Somebody who runs both stages: two of four do.
    fn node(&self) -> NodeId {
        let placement = self.job(&[]).placement;
        (0..4).map(NodeId).find(|node| (0..STAGES).all(|stage| placement.set(Stage(stage)).contains(*node))).unwrap()
    }
}

/// Runs both stages over `job` and returns its tokens.
fn run(executor: &mut Executor<Hashes>, job: &Job) -> Vec<u8> {
    executor.assign(job).unwrap();
    let mut tokens = Vec::new();
    for position in (job.first.0..job.end.0).map(Position) {
        let between = executor.compute(Stage(0), position, Sampling::Greedy).unwrap();
        executor.provide(Stage(1), position, between);
        if position >= job.first_output(Stage(1)) {
            let token = executor.compute(Stage(1), position, Sampling::Greedy).unwrap();
            tokens.extend(&token);
            executor.provide(Stage(0), Position(position.0 + 1), token);
        }
    }
    tokens
}

#[test]
fn a_node_that_restarted_goes_on_as_if_it_had_not() {
    let world = World::new(&[5, 6, 7]);
    let mut steady = Executor::new(Hashes, world.node());
    let first = run(&mut steady, &world.job(&[]));
    assert_eq!(first.len(), 2);
    let second = run(&mut steady, &world.job(&first));
    let mut restarted = Executor::new(Hashes, world.node());
    assert_eq!(run(&mut restarted, &world.job(&first)), second);
}

#[test]
fn what_was_computed_is_answered_from_memory() {
    let world = World::new(&[5, 6, 7]);
    let mut executor = Executor::new(Hashes, world.node());
    executor.assign(&world.job(&[])).unwrap();
    let outputs = |executor: &mut Executor<Hashes>| {
        (0..3).map(|at| executor.compute(Stage(0), Position(at), Sampling::Greedy).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(outputs(&mut executor), outputs(&mut executor));
}

#[test]
fn an_epoch_that_is_run_again_forgets_its_first_try() {
    let world = World::new(&[5, 6, 7]);
    let mut executor = Executor::new(Hashes, world.node());
    let tokens = run(&mut executor, &world.job(&[]));
    assert_eq!(run(&mut executor, &world.job(&[])), tokens);
}

#[test]
fn another_request_begins_with_empty_caches() {
    let (one, other) = (World::new(&[5, 6, 7]), World::new(&[8, 9]));
    let node = other.node();
    let mut fresh = Executor::new(Hashes, node);
    let expected = run(&mut fresh, &other.job(&[]));
    let mut used = Executor::new(Hashes, node);
    used.assign(&one.job(&[])).unwrap();
    assert_eq!(run(&mut used, &other.job(&[])), expected);
}

#[test]
fn an_input_that_is_missing_is_no_output() {
    let world = World::new(&[5, 6, 7]);
    let mut executor = Executor::new(Hashes, world.node());
    executor.assign(&world.job(&[])).unwrap();
    assert_eq!(executor.compute(Stage(1), Position(0), Sampling::Greedy), Err(StageError));
    assert_eq!(executor.compute(Stage(0), Position(3), Sampling::Greedy), Err(StageError), "not yet known");
    assert_eq!(executor.compute(Stage(7), Position(0), Sampling::Greedy), Err(StageError));
}
