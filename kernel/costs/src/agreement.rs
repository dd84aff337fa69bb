//! CPU time of agreement against the floor of its signatures, measured in
//! turns on one thread.
//!
//! *Agreement*: n replicas in one process decide epoch after epoch, nobody
//! fails. Everything that a host does for a message is in it, except sockets
//! and disks: encode, decode and compare, ask the horizon, check signatures,
//! step, queue what is said.
//!
//! *Floor*: what the same decisions need at least. Each replica signs a vote,
//! the leader its proposal; n - 1 replicas check the proposal, and every
//! replica checks the votes of a fast quorum but its own. One by one, with the
//! strict rule and keys that are ready.

use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use butterfly_kernel::agreement::horizon::Horizon;
use butterfly_kernel::agreement::{Agreement, Durable};
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::crypto::Tag;
use butterfly_kernel::machine::{Outbox, Output};
use butterfly_kernel::message::{Envelope, Message};
use butterfly_kernel::types::{Epoch, NodeId, NodeSet};
use butterfly_kernel::wire;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::Serialize;

use crate::clock::cpu_time;
use crate::committee::{Committee, Server};

const N: usize = 16;
/// Agreement and floor take turns this often in a round, each time elsewhere
/// on the stack, so that both meet the same weather.
const TURNS: usize = 16;

/// What was measured for one size of the cluster.
#[derive(Debug, Serialize)]
pub(crate) struct Measurement {
    n: usize,
    f: usize,
    p: usize,
    /// Signatures that agreement checks in a decision, at all replicas together.
    checked: u64,
    /// Signatures that it makes.
    made: u64,
    /// Signatures that the floor checks and makes.
    floor_checked: u64,
    floor_made: u64,
    /// Microseconds of CPU time in a decision, at one replica; the median of the rounds.
    agreement_us: f64,
    floor_us: f64,
    /// Agreement over floor in each round, in rising order.
    ratios: Vec<f64>,
    ratio_min: f64,
    ratio_median: f64,
}

/// Measures clusters of `n` in `rounds` rounds of about `decisions` decisions each.
pub(crate) fn measure(n: u8, rounds: usize, decisions: u64) -> Result<Measurement> {
    let committee = Committee::new(n);
    let mut replicas = Replicas::new(&committee);
    let mut floor = Floor::new(n, committee.cluster.resilience().fast_quorum());
    let turn = decisions.div_ceil(TURNS as u64);
    // Once for caches, branch predictors and the allocator.
    replicas.decide(turn);
    floor.decide(turn);
    let (checked, made) = (replicas.checked, replicas.made);
    let mut results = Vec::new();
    for _ in 0..rounds {
        let (mut agreement_time, mut floor_time) = (Duration::ZERO, Duration::ZERO);
        for depth in 0..TURNS {
            agreement_time += cpu_time(depth, || replicas.decide(turn));
            floor_time += cpu_time(depth, || floor.decide(turn));
        }
        results.push((agreement_time, floor_time));
    }
    ensure!(replicas.decided == replicas.epoch * u64::from(n), "not every replica decided every epoch");
    let per_replica = |time: Duration| time.as_secs_f64() * 1e6 / (turn * TURNS as u64) as f64 / f64::from(n);
    let ratios = sorted(results.iter().map(|(agreement, floor)| agreement.as_secs_f64() / floor.as_secs_f64()));
    let resilience = committee.cluster.resilience();
    Ok(Measurement {
        n: resilience.n(),
        f: resilience.f(),
        p: resilience.p(),
        checked: checked / turn,
        made: made / turn,
        floor_checked: floor.checked(),
        floor_made: u64::from(n) + 1,
        agreement_us: median(&sorted(results.iter().map(|(agreement, _)| per_replica(*agreement)))),
        floor_us: median(&sorted(results.iter().map(|(_, floor)| per_replica(*floor)))),
        ratio_min: ratios[0],
        ratio_median: median(&ratios),
        ratios,
    })
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// The middle one of an odd number of sorted numbers.
fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

/// All replicas of a cluster, and what is under way between them, first in first out.
struct Replicas<'c> {
    committee: &'c Committee<Server, N>,
    replicas: Vec<Replica>,
    frames: VecDeque<(NodeId, Rc<[u8]>)>,
    buffer: Vec<u8>,
    epoch: u64,
    checked: u64,
    made: u64,
    decided: u64,
}

struct Replica {
    agreement: Agreement<Server, N>,
    horizon: Horizon<Server, N>,
}

impl<'c> Replicas<'c> {
    fn new(committee: &'c Committee<Server, N>) -> Self {
        let fresh = |member| {
            let agreement = Agreement::new(&committee.seat(member), Epoch::GENESIS, Durable::fresh(), 0);
            let horizon = agreement.horizon();
            Replica { agreement, horizon }
        };
        Replicas {
            committee,
            replicas: (0..committee.size()).map(fresh).collect(),
            frames: VecDeque::new(),
            buffer: vec![0; 1 << 16],
            epoch: 0,
            checked: 0,
            made: 0,
            decided: 0,
        }
    }

    fn decide(&mut self, epochs: u64) {
        for _ in 0..epochs {
            self.epoch += 1;
            self.decide_epoch(Epoch(self.epoch));
        }
    }

    fn decide_epoch(&mut self, epoch: Epoch) {
        let value = self.committee.cluster.statement(Tag::Value, &epoch);
        for member in 0..self.replicas.len() {
            self.replicas[member].agreement = Agreement::new(&self.committee.seat(member), epoch, Durable::fresh(), 0);
            self.step(member, |agreement, seat, out| agreement.learn(seat, value, out).is_ok());
        }
        while let Some((to, frame)) = self.frames.pop_front() {
            self.receive(to, &frame);
        }
        let decided = |replica: &&Replica| replica.agreement.decision().is_some_and(|held| held.ballot.value == value);
        self.decided += self.replicas.iter().filter(decided).count() as u64;
    }

    fn receive(&mut self, to: NodeId, frame: &[u8]) {
        let cluster = &self.committee.cluster;
        let envelope: Envelope<Server, N> = wire::decode(frame).expect("canonical");
        let Message::Agreement { message, .. } = &envelope.message else { return };
        if self.replicas[to.index()].horizon.wants(cluster, envelope.from, message).is_err() {
            return;
        }
        self.checked += 1;
        let envelope = cluster.verify(envelope).expect("genuine").into_inner();
        let Message::Agreement { message, .. } = envelope.message else { return };
        self.step(to.index(), |agreement, seat, out| {
            agreement.receive(seat, envelope.from, message, envelope.signature, out).is_ok()
        });
    }

    /// One step, then a new horizon, then what the replica said.
    fn step(
        &mut self,
        member: usize,
        step: impl FnOnce(&mut Agreement<Server, N>, &Seat<'_, Server, N>, &mut Said) -> bool,
    ) {
        let mut said = Said::default();
        let replica = &mut self.replicas[member];
        let accepted = step(&mut replica.agreement, &self.committee.seat(member), &mut said);
        assert!(accepted, "what the horizon wants is not rejected here");
        replica.horizon = replica.agreement.horizon();
        self.made += said.0.len() as u64;
        for (to, envelope) in said.0 {
            self.send(to, &envelope);
        }
    }

    fn send(&mut self, to: NodeSet, envelope: &Envelope<Server, N>) {
        let frame: Rc<[u8]> = wire::encode(envelope, &mut self.buffer).expect("fits").into();
        self.frames.extend(to.iter().map(|to| (to, Rc::clone(&frame))));
    }
}

/// What a replica asked to be sent. Nothing is persisted, and no timer runs out.
#[derive(Default)]
struct Said(Vec<(NodeSet, Envelope<Server, N>)>);

impl Outbox<Server, N> for Said {
    fn push(&mut self, output: Output<Server, N>) {
        if let Output::Send { to, envelope, .. } = output {
            self.0.push((to, envelope));
        }
    }
}

/// The same signatures and nothing else.
struct Floor {
    keys: Vec<(SigningKey, VerifyingKey)>,
    quorum: usize,
    decision: u64,
}

impl Floor {
    fn new(n: u8, quorum: usize) -> Floor {
        let key = |node| SigningKey::from_bytes(&[node; 32]);
        let keys = (0..n).map(|node| (key(node), key(node).verifying_key())).collect();
        Floor { keys, quorum, decision: 0 }
    }

    fn checked(&self) -> u64 {
        (self.keys.len() - 1 + self.keys.len() * (self.quorum - 1)) as u64
    }

    fn decide(&mut self, decisions: u64) {
        for _ in 0..decisions {
            self.decision += 1;
            self.decide_one();
        }
    }

    fn decide_one(&self) {
        let mut statement = [0; 32];
        statement[..8].copy_from_slice(&self.decision.to_le_bytes());
        let (leader, ready) = &self.keys[0];
        let proposal = leader.sign(&statement);
        for _ in 1..self.keys.len() {
            check(ready, &statement, &proposal);
        }
        statement[31] = 1;
        let votes: Vec<Signature> = self.keys.iter().map(|(key, _)| key.sign(&statement)).collect();
        for replica in 0..self.keys.len() {
            let others = self.keys.iter().zip(&votes).enumerate().filter(|(voter, _)| *voter != replica);
            for (_, ((_, ready), vote)) in others.take(self.quorum - 1) {
                check(ready, &statement, vote);
            }
        }
    }
}

fn check(key: &VerifyingKey, statement: &[u8], signature: &Signature) {
    assert!(key.verify_strict(black_box(statement), black_box(signature)).is_ok());
}
