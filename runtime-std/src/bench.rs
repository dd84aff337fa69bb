//! What agreement costs on this machine, beside what it costs at least.
//!
//! Two clusters take turns, each with as many processes on loopback and the
//! same sessions. The [`floor`] does what every implementation must, in a
//! straight line. The other is Butterfly as it is shipped, with epochs that
//! compute nothing. First one epoch at a time, for the time from a leader's
//! proposal to its commit; then as fast as they follow each other.

mod cost;
pub(crate) mod floor;
mod processes;
mod report;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use butterfly_kernel::crypto::{Scheme, ed25519};
use butterfly_kernel::types::{NodeId, Resilience};
use serde::{Deserialize, Serialize};

use crate::config::VIEW_TIMEOUT;
use crate::keys::Keys;
use crate::protocol::{Crypto, timing};
use crate::provision::Founded;
pub(crate) use cost::Cost;
use floor::Layer;
use processes::{Pace, Processes};
pub use report::Report;

/// Epochs of every measurement that do not count.
pub(crate) const WARM_UP: u64 = 50;
/// Between a decision and the next proposal, when one epoch is measured at a time.
const PAUSE: Duration = Duration::from_millis(3);
/// Signatures that are made and checked to see what one costs.
const SIGNATURES: u32 = 2_000;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of the cluster.
    pub resilience: Resilience,
    /// Epochs of each measurement.
    pub epochs: u64,
    /// How often the two clusters take turns.
    pub rounds: usize,
}

/// What one process counted over some epochs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    pub(crate) epochs: u64,
    pub(crate) took_us: u64,
    /// From proposal to commit, in each epoch that it led.
    pub(crate) agreement_us: Vec<u64>,
    /// Statements that it signed.
    pub(crate) said: u64,
    /// Messages that it sent; to three peers it is three.
    pub(crate) sent: u64,
    /// Of those, before they are sealed.
    pub(crate) bytes: u64,
    /// Messages whose signature it checked.
    pub(crate) checked: u64,
    pub(crate) flushes: u64,
    /// What was flushed.
    pub(crate) record_bytes: u64,
    pub(crate) cost: Cost,
}

/// What both clusters took in one round, by process.
struct Round {
    floor: Vec<Vec<Measured>>,
    butterfly: Vec<Measured>,
}

/// Measures in `dir`, on whose disk the records are.
///
/// # Errors
/// When the processes cannot be started, or one fails.
pub fn run(plan: &Plan, dir: &Path) -> Result<Report> {
    let folder = tempfile::tempdir_in(dir).with_context(|| format!("cannot make a folder in {}", dir.display()))?;
    let founded = Founded::new(plan.resilience, 1, 0, 4, timing(VIEW_TIMEOUT))?;
    founded.provision_members(|node| crate::provision::node_folder(folder.path(), node))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let processes = Processes { root: folder.path(), members: founded.cluster.members(), epochs: plan.epochs };
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            rounds.push(round(&processes, Pace::One(PAUSE)).await?);
        }
        let throughput = round(&processes, Pace::AllAtOnce).await?;
        let signature = signature_times()?;
        Report::new(plan, &rounds, &throughput, signature)
    })
}

async fn round(processes: &Processes<'_>, pace: Pace) -> Result<Round> {
    let butterfly = processes.nodes(pace).await?;
    let flushes: u64 = butterfly.iter().map(|measured| measured.flushes).sum();
    ensure!(flushes > 0, "no record was flushed");
    let record_bytes = butterfly.iter().map(|measured| measured.record_bytes).sum::<u64>() / flushes;
    let floor = processes.floor(pace, record_bytes).await?;
    Ok(Round { floor, butterfly })
}

/// Microseconds of processor time that making and checking a signature takes.
#[derive(Clone, Copy, Debug, Serialize)]
struct SignatureTimes {
    made_us: f64,
    checked_us: f64,
}

fn signature_times() -> Result<SignatureTimes> {
    let keys = Keys::generate()?;
    let ready = Crypto::prepare(&keys.public());
    let statement = ed25519::Digest([7; 32]);
    let signature = Crypto::sign(keys.identity(), &statement);
    let each = |work: &dyn Fn()| {
        let begin = cost::processor_time();
        (0..SIGNATURES).for_each(|_| work());
        (cost::processor_time() - begin).as_secs_f64() * 1e6 / f64::from(SIGNATURES)
    };
    let made_us = each(&|| {
        std::hint::black_box(Crypto::sign(keys.identity(), &statement));
    });
    let checked_us = each(&|| {
        std::hint::black_box(Crypto::verify(&ready, &statement, &signature));
    });
    Ok(SignatureTimes { made_us, checked_us })
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Of one layer, every process.
fn of_layer(floor: &[Vec<Measured>], layer: Layer) -> impl Iterator<Item = &Measured> {
    let place = Layer::ALL.iter().position(|other| *other == layer);
    floor.iter().filter_map(move |layers| layers.get(place?))
}

/// Who gives notices, when one epoch is measured at a time: it leads some of
/// them itself, which are as the others to whoever follows.
const AUTHOR: NodeId = NodeId(0);
