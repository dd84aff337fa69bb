//! Whole clusters of the real kernel in one thread, in virtual time.
//!
//! A discrete-event host: what happens next is taken from a queue, given to
//! the node that it concerns through [`butterfly_kernel::node::Node::step`],
//! and what the node asks for is put into the queue in turn. Signatures are
//! ideal. One seed is one run, on every machine and in every build.
//!
//! | module | subject |
//! | --- | --- |
//! | [`scenario`] | what is run, but for the seed |
//! | `setting` | what a run is made of |
//! | [`profile`] | named kinds of runs |
//! | [`faults`] | the fault catalogue; `schedule` draws those of a seed |
//! | `engine` | the event loop; `host` what a host does for its node |
//! | `member` | one member and what survives when it ends |
//! | `storage`, `disk` | its vote record, on a disk that can fail |
//! | `network` | what becomes of messages |
//! | [`workload`], `clients`, `stages` | what is asked for, by whom, and what computes it |
//! | [`oracles`] | what must hold |
//! | [`crash_points`] | the power fails at every moment of every write |
//! | [`campaign`] | many seeds on several threads |
//! | [`figures`] | what coordination costs, and the loss of a member |
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
pub mod figures;
pub mod hunt;
pub mod kept;
mod member;
mod network;
pub mod oracles;
pub mod profile;
mod queue;
mod random;
pub mod scenario;
mod setting;
pub mod shrink;
mod stages;
mod storage;
mod tally;
pub mod workload;

use butterfly_kernel::crypto::ideal::Ideal;
use butterfly_kernel::types::MAX_VOTERS;

use engine::Engine;
pub use engine::{Counts, Outcome};
pub use queue::Micros;
pub use scenario::Scenario;
use setting::Setting;
pub use setting::recovery_bound;
pub use tally::Tally;

#[cfg(test)]
mod tests;

type Crypto<const N: usize> = Ideal<N>;

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
