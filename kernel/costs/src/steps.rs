//! What a host does with one input, in functions that an instruction counter
//! can tell apart from everything around them, and timed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::{Ed25519, PublicKey};
use butterfly_kernel::machine::{Input, Output};
use butterfly_kernel::message::Envelope;
use butterfly_kernel::node::{Horizon, Node};
use butterfly_kernel::wire;
use ed25519_dalek::SigningKey;
use serde::Serialize;

use crate::committee::Committee;
use crate::transition::{Sample, samples};
use crate::unsigned::{Spared, Unsigned, count};

/// A transition is timed this often; the median counts.
const TIMES: usize = 201;
/// More outputs than any step has.
const ROOM: usize = 64;

/// What is measured of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// The step alone. Nothing is signed.
    Step,
    /// From the bytes that arrived to the outputs: decode, horizon, the digest
    /// that was signed, step. Nothing is signed and nothing checked.
    Arrival,
    /// All of it, with signatures.
    Signed,
}

/// One measurement and what it is of.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Measured {
    n: usize,
    transition: &'static str,
    about: &'static str,
    part: Part,
    /// From arrival to outputs.
    signatures: Spared,
    /// The median, where it was timed.
    nanoseconds: Option<u64>,
}

/// Makes each transition once, for a counter that watches `measured_*`, and
/// says in which order.
pub(crate) fn once(members: u8) -> Result<Vec<Measured>> {
    measure(members, &mut |make| {
        make();
        None
    })
}

/// Makes each transition many times.
pub(crate) fn timed(members: u8) -> Result<Vec<Measured>> {
    measure(members, &mut |make| {
        let mut times: Vec<Duration> = (0..TIMES).map(|_| make()).collect();
        times.sort();
        u64::try_from(times[TIMES / 2].as_nanos()).ok()
    })
}

type Measure<'m> = &'m mut dyn FnMut(&mut dyn FnMut() -> Duration) -> Option<u64>;

fn measure(members: u8, measure: Measure<'_>) -> Result<Vec<Measured>> {
    match members {
        4 => Ok(of_size::<4>(measure)),
        7 => Ok(of_size::<7>(measure)),
        16 => Ok(of_size::<16>(measure)),
        _ => bail!("transitions are measured with 4, 7 and 16 members"),
    }
}

/// A cluster of as many members as there is room for.
fn of_size<const N: usize>(measure: Measure<'_>) -> Vec<Measured> {
    let mut measured = Vec::new();
    let n = u8::try_from(N).expect("at most sixteen members");
    let (unsigned, signed) = (Committee::<Unsigned<N>, N>::new(n), Committee::<Ed25519<N>, N>::new(n));
    for (bare, full) in samples(&unsigned).iter().zip(&samples(&signed)) {
        assert_eq!(bare.kind, full.kind, "signatures lead to another course of events");
        let mut signatures = Spared::default();
        let mut counted = |work: &dyn Fn() -> Duration| {
            let (time, spared) = count(work);
            signatures = spared;
            time
        };
        let mut parts = vec![(Part::Step, measure(&mut || counted(&|| step(&unsigned, bare))))];
        if bare.arrival.is_some() {
            parts.push((Part::Arrival, measure(&mut || counted(&|| arrive(&unsigned, bare)))));
        }
        parts.push((Part::Signed, measure(&mut || arrive(&signed, full))));
        measured.extend(parts.into_iter().map(|(part, nanoseconds)| Measured {
            n: N,
            transition: bare.kind.name(),
            about: bare.kind.about(),
            part,
            signatures,
            nanoseconds,
        }));
    }
    measured
}

/// The time of a step.
fn step<C, const N: usize>(committee: &Committee<C, N>, sample: &Sample<C, N>) -> Duration
where
    C: Scheme<PublicKey = PublicKey, SecretKey = SigningKey>,
{
    let (mut node, input) = (sample.node.clone(), sample.input.clone());
    let mut outputs = Vec::with_capacity(ROOM);
    let seat = committee.seat(sample.member);
    let begin = Instant::now();
    measured_step(&mut node, &seat, input, &mut outputs);
    begin.elapsed()
}

/// The time from the arrival of a message, or of a step if it is about none.
fn arrive<C, const N: usize>(committee: &Committee<C, N>, sample: &Sample<C, N>) -> Duration
where
    C: Scheme<PublicKey = PublicKey, SecretKey = SigningKey>,
{
    let Some((frame, horizon)) = &sample.arrival else { return step(committee, sample) };
    let mut node = sample.node.clone();
    let mut outputs = Vec::with_capacity(ROOM);
    let seat = committee.seat(sample.member);
    let begin = Instant::now();
    measured_arrival(&mut node, &seat, horizon, frame, &mut outputs);
    begin.elapsed()
}

#[inline(never)]
fn measured_step<C: Scheme, const N: usize>(
    node: &mut Node<C, N>,
    seat: &Seat<'_, C, N>,
    input: Input<C, N>,
    outputs: &mut Vec<Output<C, N>>,
) {
    // A late vote is rejected, and that is what is measured then.
    let outcome = node.step(seat, input, &mut |output| outputs.push(output));
    // Without this the function would jump into the step, and never be left.
    let _ = black_box(outcome);
}

#[inline(never)]
fn measured_arrival<C: Scheme, const N: usize>(
    node: &mut Node<C, N>,
    seat: &Seat<'_, C, N>,
    horizon: &Horizon<C, N>,
    frame: &[u8],
    outputs: &mut Vec<Output<C, N>>,
) {
    let envelope: Envelope<C, N> = wire::decode(frame).expect("canonical");
    if horizon.wants(seat.cluster, &envelope).is_err() {
        return;
    }
    let message = seat.cluster.verify(envelope).expect("genuine");
    let outcome = node.step(seat, Input::Receive(message), &mut |output| outputs.push(output));
    let _ = black_box(outcome);
}
