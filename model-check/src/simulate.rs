//! Whole clusters of the real kernel in one thread, in virtual time.
//!
//! A discrete-event host: what happens next is taken from a queue, given to
//! the node that it concerns through [`butterfly_kernel::node::Node::step`],
//! and what the node asks for is put into the queue in turn. Signatures are
//! ideal. One seed is one run, on every machine and in every build.
//!
//! | module | subject |
//! | --- | --- |
//! | `setting` | what a run is made of |
//! | [`profile`] | named kinds of runs |
//! | [`faults`] | the fault catalogue; `schedule` draws those of a seed |
//! | `engine` | the event loop; `host` what a host does for its node |
//! | `member` | one member and what survives when it ends |
//! | `storage`, `disk` | its vote record, on a disk that can fail |
//! | `network` | what becomes of messages |
//! | `clients`, `stages` | the workload |
//! | [`oracles`] | what must hold |
//! | [`crash_points`] | the power fails at every moment of every write |
//! | [`campaign`] | many seeds on several threads |
//! | [`hunt`] | how soon a bug in the kernel is noticed |
//! | [`shrink`] | fewer faults that break the same property |
//! | [`kept`] | seeds that are run for ever |

pub mod campaign;
mod clients;
pub mod crash_points;
mod digest;
mod disk;
mod engine;
pub mod faults;
pub mod hunt;
pub mod kept;
mod member;
mod network;
pub mod oracles;
pub mod profile;
mod queue;
mod random;
mod setting;
pub mod shrink;
mod stages;
mod storage;
mod tally;

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::crypto::ideal::Ideal;
use butterfly_kernel::types::{MAX_VOTERS, Resilience};

use engine::Engine;
pub use engine::{Counts, Outcome};
use profile::Profile;
pub use queue::Micros;
use setting::Setting;
pub use setting::recovery_bound;
pub use tally::Tally;

#[cfg(test)]
mod tests;

type Crypto<const N: usize> = Ideal<N>;

/// Runs what `seed` means under `profile` for `nodes` voters.
pub fn run(seed: u64, nodes: Resilience, profile: &Profile) -> Outcome {
    simulate(Setting::draw(seed, nodes, profile), Besides::Nothing)
}

/// The same with a bug in the kernel.
pub fn run_mutated(seed: u64, nodes: Resilience, profile: &Profile, mutant: Mutant) -> Outcome {
    simulate(Setting { mutant: Some(mutant), ..Setting::draw(seed, nodes, profile) }, Besides::Nothing)
}

/// The same, with a trace: [`Outcome::trace`].
pub fn run_traced(seed: u64, nodes: Resilience, profile: &Profile) -> Outcome {
    let replay = format!("butterfly-check replay {seed} --nodes {} --profile {}", nodes.n(), profile.name);
    simulate(Setting::draw(seed, nodes, profile), Besides::Trace { replay })
}

/// Runs what `seed` means on disks that can fail, and takes the image of every
/// crash point: [`Outcome::images`].
pub fn run_crash_points(seed: u64, nodes: Resilience, profile: &Profile) -> Outcome {
    simulate(Setting { disks: true, ..Setting::draw(seed, nodes, profile) }, Besides::CrashPoints)
}

/// The same with a bug in the kernel.
pub fn run_crash_points_mutated(seed: u64, nodes: Resilience, profile: &Profile, mutant: Mutant) -> Outcome {
    let setting = Setting { disks: true, mutant: Some(mutant), ..Setting::draw(seed, nodes, profile) };
    simulate(setting, Besides::CrashPoints)
}

/// What a run gives besides its outcome.
#[derive(Clone, Debug)]
enum Besides {
    Nothing,
    Trace {
        /// The command that has the run again.
        replay: String,
    },
    CrashPoints,
}

/// With tables for no more members than there are: they are copied all the time.
fn simulate(setting: Setting, besides: Besides) -> Outcome {
    match setting.resilience.n() {
        ..=4 => simulate_in::<4>(setting, besides),
        5..=7 => simulate_in::<7>(setting, besides),
        8..=10 => simulate_in::<10>(setting, besides),
        _ => simulate_in::<MAX_VOTERS>(setting, besides),
    }
}

fn simulate_in<const N: usize>(setting: Setting, besides: Besides) -> Outcome {
    let engine = Engine::<N>::new(setting);
    match besides {
        Besides::Nothing => engine,
        Besides::Trace { replay } => engine.with_trace(replay),
        Besides::CrashPoints => engine.with_crash_points(),
    }
    .run()
}
