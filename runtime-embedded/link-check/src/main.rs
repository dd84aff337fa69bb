//! Proves by linking that the kernel needs no heap.
//!
//! There is no global allocator in here, so the build fails as soon as the
//! kernel or anything below it asks for `alloc`. To make that mean something,
//! the program does what a host does, for clusters of four and of seven: it
//! submits a request to one node, carries what that node says over a frame of
//! bytes to another one, and answers timers and computations.
//!
//! `black_box` stands where a host has hardware: what goes through it is
//! unknown to the optimiser, which therefore has to keep every path behind it.
#![no_std]
#![no_main]

use core::hint::{black_box, spin_loop};
use core::panic::PanicInfo;

use butterfly_kernel::cluster::{Cluster, Model, Roster, Seat, Timing};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::{Ed25519, PublicKey};
use butterfly_kernel::machine::{Input, Output, Timer};
use butterfly_kernel::message::Envelope;
use butterfly_kernel::message::inference::{Request, Sampling, Signal, SignedRequest};
use butterfly_kernel::node::{Node, Record};
use butterfly_kernel::types::{ClientId, Epoch, NodeId, Position, Resilience, Stage, View};
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
    black_box(host(&NODE_OF_4));
    black_box(host(&NODE_OF_7));
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

/// Builds a cluster and drives two of its nodes. None when the kernel refused
/// something on the way.
fn host<const N: usize>(place: &'static StaticCell<Node<Ed25519<N>, N>>) -> Option<usize> {
    let client = key(u8::MAX);
    let cluster = cluster::<N>(&client)?;
    let (here, there) = (key(0), key(1));
    let here = Seat { cluster: &cluster, me: NodeId(0), key: &here };
    let there = Seat { cluster: &cluster, me: NodeId(1), key: &there };
    let mut frame = [0; FRAME];

    // A restart: the record is written, read back and checked.
    let record = wire::encode(&Record::<Ed25519<N>>::first(), &mut frame).ok()?;
    let record = wire::decode::<Record<Ed25519<N>>>(black_box(record)).ok()?;
    let first = place.init(Node::new(&here, Some(record)).ok()?);
    let mut second = Node::new(&there, None).ok()?;
    step(first, &here, Input::Start, &mut frame);
    step(&mut second, &there, Input::Start, &mut frame);

    let request = cluster.verify_submission(request(&cluster, &client)?).ok()?;
    let sent = step(first, &here, Input::Submit(request), &mut frame);
    let sent = receive(&mut second, &there, &mut frame, sent)?;
    receive(first, &here, &mut frame, sent)?;

    let job = first.job()?.id;
    let signal = Signal::from_slice(black_box(&[1, 2, 3])).ok()?;
    let inputs = [
        Input::Computed { job, stage: Stage(0), position: Position(0), signal },
        Input::Timer(Timer::Escalate { epoch: Epoch(1), stage: Stage(0) }),
        Input::Timer(Timer::View { epoch: Epoch(1), view: View::ZERO }),
        Input::Timer(Timer::Retransmit),
    ];
    for input in inputs {
        let sent = step(first, &here, input, &mut frame);
        receive(&mut second, &there, &mut frame, sent)?;
    }
    Some(wire::encode(&first.record(), &mut frame).ok()?.len())
}

/// What a host does with bytes from the network.
fn receive<const N: usize>(
    node: &mut Node<Ed25519<N>, N>,
    seat: &Seat<'_, Ed25519<N>, N>,
    frame: &mut [u8; FRAME],
    length: usize,
) -> Option<usize> {
    let bytes = black_box(&*frame).get(..length)?;
    let envelope = wire::decode::<Envelope<Ed25519<N>, N>>(bytes).ok()?;
    let verified = seat.cluster.verify(envelope).ok()?;
    Some(step(node, seat, Input::Receive(verified), frame))
}

/// What a host does with one input: the last message goes to `frame`, whose
/// used length is returned; everything else is handed to hardware.
fn step<const N: usize>(
    node: &mut Node<Ed25519<N>, N>,
    seat: &Seat<'_, Ed25519<N>, N>,
    input: Input<Ed25519<N>, N>,
    frame: &mut [u8; FRAME],
) -> usize {
    let mut length = 0;
    let mut perform = |output: Output<Ed25519<N>, N>| {
        if let Output::Send { envelope, .. } = &output {
            length = wire::encode(envelope, frame).map_or(0, <[u8]>::len);
        }
        black_box(&output);
    };
    let accepted = node.step(seat, black_box(input), &mut perform);
    let _ = black_box(accepted);
    length
}

fn cluster<const N: usize>(client: &SigningKey) -> Option<Cluster<Ed25519<N>, N>> {
    let members = (0..u8::try_from(N).ok()?).map(|member| public(&key(member))).collect();
    let model =
        Model { manifest: [0; 32], stages: 4, context: 64, vocabulary: 128, signal: 256, tokens_per_epoch: 4 };
    let roster = Roster {
        resilience: Resilience::largest(N).ok()?,
        members,
        clients: Vec::from_iter([public(client)]),
        model,
    };
    Cluster::new(black_box(roster), Timing::default()).ok()
}

fn request<const N: usize>(
    cluster: &Cluster<Ed25519<N>, N>,
    client: &SigningKey,
) -> Option<SignedRequest<Ed25519<N>>> {
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
