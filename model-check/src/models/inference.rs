//! Models of one part of a run.

use butterfly_kernel::types::Resilience;

use super::{Entry, Expect, Subject, Tier};
use crate::inference::setting::{Liar, Parameters};

const STEPS_IN: &str = "a reserve stepped in";
const PUTS_TOGETHER: &str = "a payload put together";
const JOINS: &str = "a view left with others";
const LEADS: &str = "a proposal in a later view";
const CARRIES: &str = "a vote in a second view";
const RECOVERS: &str = "earlier inputs recovered";

/// Four nodes, one stage, and a liar that owns it and leads first.
pub(crate) const SMALL: Parameters = Parameters {
    resilience: Resilience::outside_the_bounds(4, 1, 1),
    stages: 1,
    liar: Liar::OwnsAll,
    schedule: &[3, 0],
    restarts: false,
    mutant: None,
};

const fn holds(
    name: &'static str,
    parameters: Parameters,
    distinct: usize,
    transitions: usize,
    depth: usize,
    through: &'static [&'static str],
) -> Entry {
    let expect = Expect::Holds { distinct, transitions, depth, through };
    Entry { name, tier: Tier::Always, subject: Subject::Inference(parameters), expect }
}

const fn nightly(entry: Entry) -> Entry {
    Entry { tier: Tier::Nightly, ..entry }
}

/// What every run in which there are two views goes through.
const TWO_VIEWS: &[&str] = &[STEPS_IN, PUTS_TOGETHER, JOINS, LEADS, CARRIES];
/// What every run in which earlier inputs are lost goes through.
const RECOVERY: &[&str] = &[STEPS_IN, PUTS_TOGETHER, RECOVERS];

/// Every model.
pub(super) const MODELS: &[Entry] = &[
    holds("inference-one-stage", SMALL, 3_264, 50_072, 19, TWO_VIEWS),
    holds("inference-one-stage-restarts", Parameters { restarts: true, ..SMALL }, 6_960, 116_084, 19, TWO_VIEWS),
    holds("inference-liar-owns-all", Parameters { stages: 2, ..SMALL }, 14_714, 432_396, 21, TWO_VIEWS),
    holds(
        "inference-liar-owns-first",
        Parameters { stages: 2, liar: Liar::OwnsFirst, ..SMALL },
        19_162,
        562_724,
        23,
        TWO_VIEWS,
    ),
    holds(
        "inference-liar-owns-last",
        Parameters { stages: 2, liar: Liar::OwnsLast, ..SMALL },
        14_172,
        404_788,
        21,
        TWO_VIEWS,
    ),
    holds(
        "inference-liar-leads-second",
        Parameters { stages: 2, liar: Liar::OwnsLast, schedule: &[0, 3], ..SMALL },
        12_586,
        363_841,
        20,
        &[STEPS_IN, PUTS_TOGETHER, JOINS, CARRIES],
    ),
    holds(
        "inference-liar-leads-nothing",
        Parameters { stages: 2, liar: Liar::OwnsFirst, schedule: &[0, 1], ..SMALL },
        10_447,
        301_524,
        22,
        TWO_VIEWS,
    ),
    holds(
        "inference-restarts",
        Parameters { stages: 2, liar: Liar::OwnsFirst, schedule: &[3], restarts: true, ..SMALL },
        20_264,
        183_436,
        22,
        RECOVERY,
    ),
    holds(
        "inference-liar-owns-last-restarts",
        Parameters { stages: 2, liar: Liar::OwnsLast, schedule: &[3], restarts: true, ..SMALL },
        5_180,
        44_406,
        17,
        RECOVERY,
    ),
    holds(
        "inference-liar-owns-all-restarts",
        Parameters { stages: 2, schedule: &[3], restarts: true, ..SMALL },
        5_832,
        50_760,
        19,
        RECOVERY,
    ),
    nightly(holds(
        "inference-two-views-restarts",
        Parameters { stages: 2, liar: Liar::OwnsFirst, restarts: true, ..SMALL },
        435_840,
        13_542_472,
        28,
        RECOVERY,
    )),
];
