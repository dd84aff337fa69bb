//! How soon a bug in the kernel is noticed: seeds of a profile, one after the
//! other, until a property does not hold.

use butterfly_kernel::agreement::rules::Mutant;

use super::Scenario;
use super::oracles::Violation;

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
/// in every one of `scenarios`. What the kernel as it is would do as well is not it.
pub fn hunt(mutant: Mutant, scenarios: &[Scenario], most: u64) -> Option<Found> {
    (0..most).find_map(|seed| {
        scenarios.iter().find_map(|scenario| {
            let outcome = scenario.mutated(mutant).run(seed);
            let healthy = || scenario.run(seed).violation.is_none();
            outcome.violation.filter(|_| healthy()).map(|violation| Found {
                seeds: seed + 1,
                nodes: scenario.nodes.n(),
                violation,
            })
        })
    })
}
