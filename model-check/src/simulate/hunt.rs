//! How soon a bug in the kernel is noticed: seeds of a profile, one after the
//! other, until a property does not hold.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::Resilience;

use super::oracles::Violation;
use super::profile::Profile;
use super::{run, run_mutated};

/// What noticed a bug.
#[derive(Clone, Debug)]
pub struct Found {
    /// Seeds up to and with the one that noticed it.
    pub seeds: u64,
    /// Voters of the cluster that noticed it.
    pub nodes: usize,
    /// What did not hold.
    pub violation: Violation,
}

/// Runs seeds with `mutant` until one of them notices it, `most` at most, each
/// with every one of `sizes`. What the kernel as it is would do as well is not it.
pub fn hunt(mutant: Mutant, sizes: &[Resilience], profile: &Profile, most: u64) -> Option<Found> {
    (0..most).find_map(|seed| {
        sizes.iter().find_map(|nodes| {
            let outcome = run_mutated(seed, *nodes, profile, mutant);
            let healthy = || run(seed, *nodes, profile).violation.is_none();
            outcome.violation.filter(|_| healthy()).map(|violation| Found {
                seeds: seed + 1,
                nodes: nodes.n(),
                violation,
            })
        })
    })
}
