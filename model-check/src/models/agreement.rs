//! Models of one epoch's agreement.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::Resilience;

use super::{Agreement, Entry, Expect, Subject, Tier};
use crate::records::Options;
use crate::world::AGREEMENT;
use crate::world::setting::{Delivery, Reports};

const N4_P1: Resilience = Resilience::outside_the_bounds(4, 1, 1);
const N4_P0: Resilience = Resilience::outside_the_bounds(4, 1, 0);
const N7: Resilience = Resilience::outside_the_bounds(7, 2, 1);
const N3_P1: Resilience = Resilience::outside_the_bounds(3, 1, 1);

const FAST_0: &str = "fast decision in view 0";
const FAST_1: &str = "fast decision in view 1";
const FAST_2: &str = "fast decision in view 2";
const SLOW_0: &str = "slow decision in view 0";
const SLOW_1: &str = "slow decision in view 1";
const SLOW_2: &str = "slow decision in view 2";
const LOCKED: &str = "commit certificate";
const JOINED: &str = "join by f + 1 reports";
const ENTERED_BY_PROPOSAL: &str = "entry by a justified proposal";
const EXCLUSION_BINDS: &str = "equivocator excluded, a value binds";
const EXCLUSION_FREES: &str = "equivocator excluded, nothing binds";
const BLAMED: &str = "evidence against a faulty node";

const fn agreement(resilience: Resilience, schedule: &'static [u8], mutant: Option<Mutant>) -> Agreement {
    Agreement { resilience, faulty: 1, schedule, symmetry: false, mutant }
}

const fn receivers(agreement: Agreement, delivery: Delivery, reports: Reports) -> Subject {
    Subject::Receivers { agreement, delivery, reports }
}

const fn holds(distinct: usize, transitions: usize, depth: usize, through: &'static [&'static str]) -> Expect {
    Expect::Holds { distinct, transitions, depth, through }
}

/// Record to record, as after a crash in every step.
const fn records(name: &'static str, resilience: Resilience, schedule: &'static [u8], expect: Expect) -> Entry {
    let options = Options { crashes: true, decide: false };
    let agreement = agreement(resilience, schedule, None);
    Entry { name, tier: Tier::Always, subject: Subject::Records { agreement, options }, expect }
}

/// Seven nodes, two of them faulty: those that lead no view are interchangeable.
const fn seven(name: &'static str, schedule: &'static [u8], expect: Expect) -> Entry {
    let options = Options { crashes: true, decide: false };
    let agreement = Agreement { resilience: N7, faulty: 2, schedule, symmetry: true, mutant: None };
    Entry { name, tier: Tier::Always, subject: Subject::Records { agreement, options }, expect }
}

/// A control: a bound that does not hold, or a quorum one below its own.
const fn control(
    name: &'static str,
    resilience: Resilience,
    faulty: usize,
    mutant: Option<Mutant>,
    steps: usize,
) -> Entry {
    let agreement = Agreement { resilience, faulty, schedule: &[3, 3], symmetry: false, mutant };
    let subject = Subject::Records { agreement, options: Options { crashes: false, decide: false } };
    Entry { name, tier: Tier::Always, subject, expect: Expect::Violates { property: AGREEMENT, steps } }
}

/// Every model.
pub(super) const MODELS: &[Entry] = &[
    Entry {
        name: "p1-faulty-leads-both",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P1, &[3, 3], None), Delivery::Quorum, Reports::Single),
        expect: holds(
            87_175,
            645_870,
            16,
            &[FAST_0, FAST_1, JOINED, ENTERED_BY_PROPOSAL, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED],
        ),
    },
    Entry {
        name: "p1-faulty-leads-first",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P1, &[3, 0], None), Delivery::Quorum, Reports::Single),
        expect: holds(
            5_754_998,
            51_297_772,
            22,
            &[FAST_0, FAST_1, JOINED, ENTERED_BY_PROPOSAL, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED],
        ),
    },
    Entry {
        name: "p1-faulty-leads-second",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P1, &[0, 3], None), Delivery::Quorum, Reports::Single),
        expect: holds(11_388, 80_251, 15, &[FAST_0, FAST_1, JOINED, ENTERED_BY_PROPOSAL, BLAMED]),
    },
    Entry {
        name: "p1-faulty-follows",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P1, &[0, 1], None), Delivery::Quorum, Reports::Single),
        expect: holds(308_123, 2_640_763, 19, &[FAST_0, FAST_1, JOINED, ENTERED_BY_PROPOSAL, BLAMED]),
    },
    Entry {
        name: "p0-faulty-leads-both",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P0, &[3, 3], None), Delivery::Quorum, Reports::Single),
        expect: holds(2_182_399, 19_661_778, 22, &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED, EXCLUSION_BINDS, BLAMED]),
    },
    Entry {
        name: "p0-faulty-leads-second",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P0, &[0, 3], None), Delivery::Quorum, Reports::Single),
        expect: holds(513_543, 4_752_009, 21, &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED, BLAMED]),
    },
    Entry {
        name: "p0-faulty-leads-first",
        tier: Tier::Nightly,
        subject: receivers(agreement(N4_P0, &[3, 0], None), Delivery::Quorum, Reports::WithQuestion),
        expect: holds(14_245_449, 82_592_603, 22, &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED, EXCLUSION_BINDS, BLAMED]),
    },
    Entry {
        name: "p0-faulty-follows",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P0, &[0, 1], None), Delivery::Quorum, Reports::WithQuestion),
        expect: holds(2_468_557, 14_708_266, 21, &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED, BLAMED]),
    },
    Entry {
        name: "p1-single-votes-faulty-leads",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P1, &[3], None), Delivery::Single, Reports::Single),
        expect: holds(57_544, 321_862, 13, &[FAST_0, BLAMED]),
    },
    Entry {
        name: "p1-single-votes-faulty-follows",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P1, &[0], None), Delivery::Single, Reports::Single),
        expect: holds(3_635, 20_317, 9, &[FAST_0]),
    },
    Entry {
        name: "p0-single-votes-faulty-follows",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P0, &[0], None), Delivery::Single, Reports::Single),
        expect: holds(1_529_763, 13_145_587, 18, &[FAST_0, SLOW_0, LOCKED]),
    },
    Entry {
        name: "mutant-keep-equivocator",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P1, &[3, 3], Some(Mutant::KeepEquivocator)), Delivery::Quorum, Reports::Single),
        expect: Expect::Violates { property: AGREEMENT, steps: 8 },
    },
    Entry {
        name: "mutant-forget-vote",
        tier: Tier::Always,
        subject: receivers(agreement(N4_P1, &[3, 3], Some(Mutant::ForgetVote)), Delivery::Quorum, Reports::Single),
        expect: Expect::Violates { property: AGREEMENT, steps: 8 },
    },
    Entry {
        name: "control-three-nodes",
        tier: Tier::Always,
        subject: receivers(agreement(N3_P1, &[2, 2], None), Delivery::Quorum, Reports::Single),
        expect: Expect::Violates { property: AGREEMENT, steps: 2 },
    },
    records(
        "three-views-p1-FFF",
        N4_P1,
        &[3, 3, 3],
        holds(16_537, 41_250, 16, &[FAST_0, FAST_1, FAST_2, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    records(
        "three-views-p1-FF0",
        N4_P1,
        &[3, 3, 0],
        holds(9_761, 22_432, 16, &[FAST_0, FAST_1, FAST_2, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    records(
        "three-views-p1-F0F",
        N4_P1,
        &[3, 0, 3],
        holds(6_481, 15_542, 16, &[FAST_0, FAST_1, FAST_2, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    records(
        "three-views-p1-0FF",
        N4_P1,
        &[0, 3, 3],
        holds(4_799, 11_882, 16, &[FAST_0, FAST_1, FAST_2, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    records(
        "three-views-p1-F00",
        N4_P1,
        &[3, 0, 0],
        holds(4_217, 9_440, 16, &[FAST_0, FAST_1, FAST_2, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    records(
        "three-views-p1-F01",
        N4_P1,
        &[3, 0, 1],
        holds(4_205, 9_226, 16, &[FAST_0, FAST_1, FAST_2, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    records(
        "three-views-p1-0F0",
        N4_P1,
        &[0, 3, 0],
        holds(2_939, 6_728, 16, &[FAST_0, FAST_1, FAST_2, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    records(
        "three-views-p1-0F1",
        N4_P1,
        &[0, 3, 1],
        holds(2_955, 6_760, 16, &[FAST_0, FAST_1, FAST_2, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    records("three-views-p1-00F", N4_P1, &[0, 0, 3], holds(1_911, 4_540, 16, &[FAST_0, FAST_1, FAST_2, BLAMED])),
    records("three-views-p1-01F", N4_P1, &[0, 1, 3], holds(2_131, 5_028, 16, &[FAST_0, FAST_1, FAST_2, BLAMED])),
    records("three-views-p1-000", N4_P1, &[0, 0, 0], holds(1_243, 2_738, 16, &[FAST_0, FAST_1, FAST_2])),
    records("three-views-p1-001", N4_P1, &[0, 0, 1], holds(1_243, 2_692, 16, &[FAST_0, FAST_1, FAST_2])),
    records("three-views-p1-010", N4_P1, &[0, 1, 0], holds(1_371, 2_954, 16, &[FAST_0, FAST_1, FAST_2])),
    records("three-views-p1-011", N4_P1, &[0, 1, 1], holds(1_411, 3_076, 16, &[FAST_0, FAST_1, FAST_2])),
    records("three-views-p1-012", N4_P1, &[0, 1, 2], holds(1_395, 2_996, 16, &[FAST_0, FAST_1, FAST_2])),
    records(
        "three-views-p0-FFF",
        N4_P0,
        &[3, 3, 3],
        holds(
            387_999,
            1_022_526,
            25,
            &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, EXCLUSION_BINDS, BLAMED],
        ),
    ),
    records(
        "three-views-p0-FF0",
        N4_P0,
        &[3, 3, 0],
        holds(266_645, 671_698, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, EXCLUSION_BINDS, BLAMED]),
    ),
    records(
        "three-views-p0-F0F",
        N4_P0,
        &[3, 0, 3],
        holds(231_593, 604_700, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, EXCLUSION_BINDS, BLAMED]),
    ),
    records(
        "three-views-p0-0FF",
        N4_P0,
        &[0, 3, 3],
        holds(143_309, 377_246, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, EXCLUSION_BINDS, BLAMED]),
    ),
    records(
        "three-views-p0-F00",
        N4_P0,
        &[3, 0, 0],
        holds(164_635, 415_152, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, EXCLUSION_BINDS, BLAMED]),
    ),
    records(
        "three-views-p0-F01",
        N4_P0,
        &[3, 0, 1],
        holds(161_845, 401_154, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, EXCLUSION_BINDS, BLAMED]),
    ),
    records(
        "three-views-p0-0F0",
        N4_P0,
        &[0, 3, 0],
        holds(99_575, 250_918, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, EXCLUSION_BINDS, BLAMED]),
    ),
    records(
        "three-views-p0-0F1",
        N4_P0,
        &[0, 3, 1],
        holds(99_645, 250_582, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, EXCLUSION_BINDS, BLAMED]),
    ),
    records(
        "three-views-p0-00F",
        N4_P0,
        &[0, 0, 3],
        holds(90_233, 235_710, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, BLAMED]),
    ),
    records(
        "three-views-p0-01F",
        N4_P0,
        &[0, 1, 3],
        holds(93_383, 243_088, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED, BLAMED]),
    ),
    records(
        "three-views-p0-000",
        N4_P0,
        &[0, 0, 0],
        holds(64_297, 162_280, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED]),
    ),
    records(
        "three-views-p0-001",
        N4_P0,
        &[0, 0, 1],
        holds(63_187, 156_658, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED]),
    ),
    records(
        "three-views-p0-010",
        N4_P0,
        &[0, 1, 0],
        holds(65_307, 161_618, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED]),
    ),
    records(
        "three-views-p0-011",
        N4_P0,
        &[0, 1, 1],
        holds(66_607, 167_258, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED]),
    ),
    records(
        "three-views-p0-012",
        N4_P0,
        &[0, 1, 2],
        holds(65_427, 161_462, 25, &[FAST_0, FAST_1, FAST_2, SLOW_0, SLOW_1, SLOW_2, LOCKED]),
    ),
    seven(
        "seven-FF",
        &[6, 6],
        holds(71_508, 316_184, 26, &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED]),
    ),
    seven(
        "seven-F0",
        &[6, 0],
        holds(
            143_608,
            612_696,
            26,
            &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED, EXCLUSION_BINDS, EXCLUSION_FREES, BLAMED],
        ),
    ),
    seven("seven-0F", &[0, 6], holds(49_899, 218_640, 26, &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED, BLAMED])),
    seven("seven-00", &[0, 0], holds(28_720, 122_585, 26, &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED])),
    seven("seven-01", &[0, 1], holds(100_804, 427_846, 26, &[FAST_0, FAST_1, SLOW_0, SLOW_1, LOCKED])),
    control("control-two-faulty", N4_P1, 2, None, 2),
    control("control-fast-quorum", N4_P1, 1, Some(Mutant::SmallFastQuorum), 2),
    control("control-slow-quorum", N4_P0, 1, Some(Mutant::SmallSlowQuorum), 4),
    control("control-view-change-quorum", N4_P1, 1, Some(Mutant::SmallViewChangeQuorum), 6),
    control("control-progress-quorum", N4_P1, 1, Some(Mutant::SmallProgressQuorum), 6),
    control("control-equivocation-threshold", N4_P1, 1, Some(Mutant::LargeEquivocationThreshold), 7),
];
