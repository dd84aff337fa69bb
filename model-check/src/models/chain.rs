//! Models of the chain of epochs.

use butterfly_kernel::types::Resilience;

use super::{Entry, Expect, Subject, Tier};
use crate::chain::setting::Parameters;
use crate::world::AGREEMENT;

const SKIPS: &str = "an epoch skipped";
const COMES_BACK: &str = "a learner admitted again";
const VOTES_AGAIN: &str = "a vote after a loss";
const CLOSES_UNVOTED: &str = "an epoch closed without a vote of one's own";

/// Four nodes, one of them faulty, one value in each of two epochs, one loss.
pub(crate) const SMALL: Parameters = Parameters {
    resilience: Resilience::outside_the_bounds(4, 1, 1),
    faulty: 1,
    epochs: 2,
    work: 1,
    draws: 1,
    fallible: 1,
    together: 1,
    equivocation: false,
    restarts: true,
    fresh_nonce: true,
    mutant: None,
};

const fn holds(name: &'static str, parameters: Parameters, distinct: usize, transitions: usize, depth: usize) -> Entry {
    let through = &[SKIPS, COMES_BACK, VOTES_AGAIN, CLOSES_UNVOTED];
    let expect = Expect::Holds { distinct, transitions, depth, through };
    Entry { name, tier: Tier::Always, subject: Subject::Chain(parameters), expect }
}

const fn control(name: &'static str, parameters: Parameters, steps: usize) -> Entry {
    let expect = Expect::Violates { property: AGREEMENT, steps };
    Entry { name, tier: Tier::Always, subject: Subject::Chain(parameters), expect }
}

/// Every model.
pub(super) const MODELS: &[Entry] = &[
    holds("chain-three-epochs", Parameters { epochs: 3, ..SMALL }, 5_636, 24_143, 20),
    holds("chain-two-values", Parameters { work: 2, equivocation: true, ..SMALL }, 9_868, 41_581, 14),
    holds("chain-lost-twice", Parameters { draws: 2, ..SMALL }, 1_904, 8_119, 16),
    holds("chain-two-members-lost", Parameters { draws: 2, fallible: 2, together: 2, ..SMALL }, 5_292, 21_767, 16),
    holds(
        "chain-two-values-lost-twice",
        Parameters { work: 2, draws: 2, equivocation: true, ..SMALL },
        22_703,
        102_599,
        16,
    ),
    holds("chain-four-epochs", Parameters { epochs: 4, ..SMALL }, 30_340, 139_319, 26),
    holds(
        "chain-three-epochs-any-two-lost",
        Parameters { epochs: 3, fallible: 3, draws: 2, together: 2, ..SMALL },
        91_180,
        418_179,
        22,
    ),
    holds(
        "chain-any-two-lost",
        Parameters { fallible: 3, draws: 2, together: 2, work: 2, equivocation: true, ..SMALL },
        118_540,
        514_443,
        16,
    ),
    holds(
        "chain-three-epochs-two-values",
        Parameters { epochs: 3, work: 2, equivocation: true, ..SMALL },
        213_892,
        1_016_289,
        20,
    ),
    holds(
        "chain-five",
        Parameters { resilience: Resilience::outside_the_bounds(5, 1, 1), fallible: 2, draws: 2, together: 2, ..SMALL },
        18_976,
        94_346,
        20,
    ),
    holds(
        "chain-five-two-values",
        Parameters { resilience: Resilience::outside_the_bounds(5, 1, 1), work: 2, equivocation: true, ..SMALL },
        46_146,
        228_611,
        18,
    ),
    control("control-chain-nonce-reused", Parameters { work: 2, equivocation: true, fresh_nonce: false, ..SMALL }, 12),
    control("control-chain-two-faulty", Parameters { faulty: 2, draws: 0, work: 2, equivocation: true, ..SMALL }, 2),
];
