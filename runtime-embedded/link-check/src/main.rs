//! Proves by linking that the kernel needs no heap.
//!
//! There is no global allocator in here, so the build fails as soon as the
//! kernel or anything below it asks for `alloc`. To make that mean something,
//! the program does what a host does, for clusters of four and of seven: it
//! starts a node from its record, submits a request, answers computations and
//! timers, and carries messages to and fro in frames of bytes.
//!
//! `black_box` stands where a host has hardware: what goes through it is
//! unknown to the optimiser, which therefore has to keep every path behind it.
#![no_std]
#![no_main]

use core::hint::{black_box, spin_loop};
use core::panic::PanicInfo;

use butterfly_kernel::cluster::{Assignment, Cluster, Model, Roster, Seat, Timing};
use butterfly_kernel::crypto::ed25519::{Ed25519, PublicKey};
use butterfly_kernel::crypto::{Scheme, Verified};
use butterfly_kernel::machine::{Input, Outbox, Output, Timer};
use butterfly_kernel::message::Envelope;
use butterfly_kernel::message::inference::{Request, RunId, Sampling, Signal, SignedRequest};
use butterfly_kernel::node::{Node, Record, Role};
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Nonce, Position, Resilience, Stage, View};
use butterfly_kernel::wire;
use cortex_m_rt::entry;
use ed25519_dalek::SigningKey;
use heapless::Vec;
use static_cell::StaticCell;

/// Room for the largest message or record that the program exchanges.
const FRAME: usize = 4096;

// In statics, so that the size of a node's state shows in the symbol table.
static NODE_OF_4: StaticCell<Node<Ed25519<4>, 4>> = StaticCell::new();
static NODE_OF_7: StaticCell<Node<Ed25519<7>, 7>> = StaticCell::new();

#[entry]
fn main() -> ! {
    black_box(run(&NODE_OF_4));
    black_box(run(&NODE_OF_7));
    loop {
        spin_loop();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // Firmware would print it; without a use of it, all panics look alike in
    // the symbol table.
    black_box(info);
    loop {
        spin_loop();
    }
}

/// Builds a cluster and drives one of its nodes. None when the kernel refused
/// to begin.
#[inline(never)]
fn run<const N: usize>(place: &'static StaticCell<Node<Ed25519<N>, N>>) -> Option<usize> {
    let (client, key, peer) = (key(u8::MAX), key(0), key(1));
    let cluster = cluster::<N>(&client)?;
    let seat = Seat { cluster: &cluster, me: NodeId(0), key: &key };
    let peer = Seat { cluster: &cluster, me: NodeId(1), key: &peer };
    let node = place.init(restart(&seat)?);

    let request = cluster.verify_submission(request(&cluster, &client)?).ok()?;
    let hardware = Hardware { peer, frame: [0; FRAME], length: 0, computed: None };
    let mut host = Host { node, seat, hardware };
    host.exchange(Input::Start { nonce: Nonce(black_box([7; 16])) });
    host.exchange(Input::Submit(request));
    host.exchange(Input::Timer(Timer::Escalate { epoch: Epoch(1), stage: Stage(0) }));
    host.exchange(Input::Timer(Timer::View { epoch: Epoch(1), view: View::ZERO }));
    host.exchange(Input::Timer(Timer::Retransmit));
    Some(wire::encode(&host.node.record(), &mut host.hardware.frame).ok()?.len())
}

/// The record is written, read back and checked.
fn restart<const N: usize>(seat: &Seat<'_, Ed25519<N>, N>) -> Option<Node<Ed25519<N>, N>> {
    let mut flash = [0; FRAME];
    let record = wire::encode(&Record::<Ed25519<N>>::first(Role::Replica), &mut flash).ok()?;
    let record = wire::decode::<Record<Ed25519<N>>>(black_box(record)).ok()?;
    Node::new(seat, Some(record)).ok()
}

/// A node and the hardware around it.
struct Host<'a, const N: usize> {
    node: &'a mut Node<Ed25519<N>, N>,
    seat: Seat<'a, Ed25519<N>, N>,
    hardware: Hardware<'a, N>,
}

/// A network with one peer, which says whatever it hears under its own name,
/// and an accelerator that finds the same for everything.
struct Hardware<'a, const N: usize> {
    peer: Seat<'a, Ed25519<N>, N>,
    frame: [u8; FRAME],
    /// How much of the frame is the peer's last message.
    length: usize,
    computed: Option<(RunId<Ed25519<N>>, Stage, Position)>,
}

impl<const N: usize> Outbox<Ed25519<N>, N> for Hardware<'_, N> {
    fn push(&mut self, output: Output<Ed25519<N>, N>) {
        match output {
            Output::Send { envelope: heard, .. } => {
                let statement = heard.message.statement(self.peer.cluster);
                let signature = Ed25519::<N>::sign(self.peer.key, &statement);
                let said = Envelope { from: self.peer.me, signature, ..heard };
                self.length = wire::encode(&said, &mut self.frame).map_or(0, <[u8]>::len);
            }
            Output::Compute { run, stage, position, .. } => self.computed = Some((run, stage, position)),
            other => drop(black_box(other)),
        }
    }
}

impl<const N: usize> Host<'_, N> {
    /// Gives `input` to the node, then what its peer answers, then what its
    /// accelerator found.
    fn exchange(&mut self, input: Input<Ed25519<N>, N>) {
        self.step(input);
        if let Some(envelope) = self.receive() {
            self.step(Input::Receive(envelope));
        }
        if let Some((run, stage, position)) = self.hardware.computed.take() {
            let signal = Signal::from_slice(black_box(&[1, 2, 3])).unwrap_or_default();
            self.step(Input::Computed { run, stage, position, signal, asker: None });
        }
    }

    /// The one place that steps the node: a step is large, and would be there
    /// once for each caller.
    #[inline(never)]
    fn step(&mut self, input: Input<Ed25519<N>, N>) {
        let accepted = self.node.step(&self.seat, black_box(input), &mut self.hardware);
        let _ = black_box(accepted);
    }

    #[inline(never)]
    fn receive(&mut self) -> Option<Verified<Envelope<Ed25519<N>, N>>> {
        let length = core::mem::take(&mut self.hardware.length);
        let bytes = black_box(&self.hardware.frame).get(..length)?;
        let envelope = wire::decode::<Envelope<Ed25519<N>, N>>(bytes).ok()?;
        self.seat.cluster.verify(envelope).ok()
    }
}

fn cluster<const N: usize>(client: &SigningKey) -> Option<Cluster<Ed25519<N>, N>> {
    let members = (0..u8::try_from(N).ok()?).map(|member| public(&key(member))).collect();
    let model = Model {
        manifest: [0; 32],
        stages: 4,
        context: 64,
        vocabulary: 128,
        signal: 256,
        tokens_per_epoch: 4,
        checkpoint_interval: 10,
    };
    let assignment = Assignment::in_turn(N, 4).ok()?;
    let clients = Vec::from_iter([public(client)]);
    let roster = Roster { resilience: Resilience::largest(N).ok()?, members, clients, operators: [].into_iter().collect(), model, assignment };
    Cluster::new(black_box(roster), Timing::default()).ok()
}

fn request<const N: usize>(cluster: &Cluster<Ed25519<N>, N>, client: &SigningKey) -> Option<SignedRequest<Ed25519<N>>> {
    let prompt = Vec::from_slice(b"to be linked").ok()?;
    let request = Request { client: ClientId(0), sequence: 1, prompt, tokens: 4, sampling: Sampling::Greedy };
    // The digest does not cover the signature, so any will do to compute it.
    let unsigned = SignedRequest { signature: Ed25519::<N>::sign(client, &cluster.id()), request };
    let signature = Ed25519::<N>::sign(client, &unsigned.digest(cluster));
    Some(SignedRequest { signature, ..unsigned })
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(black_box(&[seed; 32]))
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}
