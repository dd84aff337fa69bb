//! How soon a bug in the kernel is noticed: seeds of a profile, one after the
//! other, until a property does not hold.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::Resilience;

use super::oracles::Violation;
use super::profile::Profile;
use super::run_mutated;

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
/// with every one of `sizes`.
pub fn hunt(mutant: Mutant, sizes: &[Resilience], profile: &Profile, most: u64) -> Option<Found> {
    (0..most).find_map(|seed| {
        sizes.iter().find_map(|nodes| {
            let outcome = run_mutated(seed, *nodes, profile, mutant);
            outcome.violation.map(|violation| Found { seeds: seed + 1, nodes: nodes.n(), violation })
        })
    })
}
