//! Models of the chain of epochs.

use butterfly_kernel::types::Resilience;

use super::{Entry, Expect, Subject, Tier};
use crate::chain::setting::Parameters;
use crate::world::AGREEMENT;

const SKIPS: &str = "an epoch skipped";
const COMES_BACK: &str = "a learner admitted again";
const VOTES_AGAIN: &str = "a vote after a loss";
const CLOSES_UNVOTED: &str = "an epoch closed without a vote of one's own";
const ENTERS: &str = "a cluster entered behind a change";
const ENTERS_LEARNING: &str = "a cluster entered by a learner";
const JOINS: &str = "a vote of one who joined";

/// Four nodes, one of them faulty, one value in each of two epochs, one loss.
pub(crate) const SMALL: Parameters = Parameters {
    resilience: Resilience::outside_the_bounds(4, 1, 1),
    faulty: 1,
    joining: 0,
    leaving: 0,
    changes: 0,
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

/// A fifth node may be admitted.
pub(crate) const ADMIT: Parameters = Parameters { joining: 1, changes: 1, ..SMALL };

/// One of five may be removed.
const REMOVE: Parameters =
    Parameters { resilience: Resilience::outside_the_bounds(5, 1, 1), leaving: 1, changes: 1, ..SMALL };

const fn changes(
    name: &'static str,
    parameters: Parameters,
    (distinct, transitions, depth): (usize, usize, usize),
    through: &'static [&'static str],
) -> Entry {
    let expect = Expect::Holds { distinct, transitions, depth, through };
    Entry { name, tier: Tier::Always, subject: Subject::Chain(parameters), expect }
}

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
    changes(
        "chain-admit",
        ADMIT,
        (11_420, 48_996, 23),
        &[SKIPS, COMES_BACK, CLOSES_UNVOTED, ENTERS, ENTERS_LEARNING, JOINS],
    ),
    changes(
        "chain-admit-two-values",
        Parameters { work: 2, equivocation: true, draws: 0, fallible: 0, ..ADMIT },
        (33_324, 146_824, 20),
        &[CLOSES_UNVOTED, ENTERS, JOINS],
    ),
    changes(
        "chain-admit-anybody-lost",
        Parameters { fallible: 4, ..ADMIT },
        (32_077, 140_543, 23),
        &[ENTERS_LEARNING, JOINS],
    ),
    changes("chain-remove", REMOVE, (16_786, 80_023, 22), &[SKIPS, COMES_BACK, ENTERS, ENTERS_LEARNING]),
    changes(
        "chain-remove-two-values",
        Parameters { work: 2, equivocation: true, draws: 0, fallible: 0, ..REMOVE },
        (67_908, 328_750, 21),
        &[CLOSES_UNVOTED, ENTERS],
    ),
    changes(
        "chain-replace",
        Parameters { leaving: 1, changes: 2, epochs: 3, draws: 0, fallible: 0, ..ADMIT },
        (56_731, 256_131, 32),
        &[ENTERS, JOINS],
    ),
    control("control-chain-nonce-reused", Parameters { work: 2, equivocation: true, fresh_nonce: false, ..SMALL }, 12),
    control("control-chain-two-faulty", Parameters { faulty: 2, draws: 0, work: 2, equivocation: true, ..SMALL }, 2),
];
