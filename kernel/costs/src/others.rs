//! Numbers of the design that are no transition of a node: a placement, and
//! the storing of a checkpoint.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use butterfly_kernel::assignment::{Facts, Layers, Links, Profile, Strategy, place};
use butterfly_kernel::crypto::ed25519::Digest;
use butterfly_kernel::types::{Position, Stage};
use butterfly_runtime_std::checkpoints::Checkpoints;
use butterfly_runtime_std::executor::Kept;
use serde::Serialize;

const ROUNDS: usize = 101;

/// One number, beside the design's.
#[derive(Debug, Serialize)]
pub(crate) struct Number {
    name: &'static str,
    /// The design's bound, in microseconds.
    below_us: f64,
    /// The median of several rounds, in microseconds.
    median_us: f64,
}

pub(crate) fn numbers() -> Result<Vec<Number>> {
    Ok(vec![
        Number { name: "placing 50 layers on 10 members, hybrid, 8 stages", below_us: 580.0, median_us: placement()? },
        Number {
            name: "storing a checkpoint of 256 KiB with its SHA-256",
            below_us: 2_380.0,
            median_us: checkpoint()?,
        },
    ])
}

/// Uneven layers and members in three zones.
fn placement() -> Result<f64> {
    let mut layers = Layers::even(50, 4_096)?;
    layers.work = (0..50).map(|layer| 1_000 + 37 * (layer * layer % 23)).collect();
    let speed = |member: u32| 250 + 125 * (member * member % 7);
    let zone = |member: u32| u8::try_from(member % 3).unwrap_or(0);
    let members: Vec<Profile> =
        (0..10).map(|member| Profile { zone: zone(member), ..Profile::with_speed(speed(member)) }).collect();
    let links = Links { within: 8_192, between: 409_600 };
    let facts = Facts {
        owners: 1,
        assigned: 1,
        stages: 8,
        layers: &layers,
        members: &members,
        links,
        strategy: Strategy::Hybrid,
    };
    median(|round| {
        let draw = |turn: u64| (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(turn as u32 % 64);
        place(&facts, draw).map(drop).context("ten members suffice")
    })
}

/// Written where this machine keeps temporary files.
fn checkpoint() -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let store = Checkpoints::new(folder.path());
    let memory = (0..256 * 1024_u32).map(|at| at.to_le_bytes()[0]).collect();
    let inputs = (0..=255).map(|at| std::iter::repeat_n(at, 289).collect()).collect();
    let kept = Kept { inputs, memory };
    median(|round| Ok(store.keep(&Digest([1; 32]), Stage(1), Position(u16::try_from(round)?), &kept)?))
}

/// The median time of `act`, in microseconds.
fn median(mut act: impl FnMut(usize) -> Result<()>) -> Result<f64> {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let begin = Instant::now();
        act(round)?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(ROUNDS / 2).map_or(0.0, |time: &Duration| time.as_secs_f64() * 1e6))
}
