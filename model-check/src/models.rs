//! Every model by name, with what must come out. A pinned number changes only
//! with the protocol, the kernel or the world: whoever changes it says why.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::{NodeId, Resilience, View};

use crate::world::AGREEMENT;
use crate::world::replica::Witness;
use crate::world::setting::{Delivery, Leftovers, Parameters, Reports};

/// A configuration, and what must come out when it is explored.
pub struct Entry {
    /// What it is called on the command line.
    pub name: &'static str,
    /// In `all` always, or only with `--nightly`.
    pub tier: Tier,
    /// n, f and p.
    pub resilience: Resilience,
    /// Who leads each view. Node n - 1 is the faulty one.
    pub schedule: &'static [u8],
    /// How votes travel.
    pub delivery: Delivery,
    /// How view changes travel.
    pub reports: Reports,
    /// The guard that is bent.
    pub mutant: Option<Mutant>,
    /// What must come out.
    pub expect: Expect,
}

/// When a model is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Always.
    Always,
    /// Only in `all --nightly`.
    Nightly,
}

/// What must come out.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// Every state is explored, every property holds, every branch named is taken.
    Holds {
        /// Distinct states.
        distinct: usize,
        /// Steps between them.
        transitions: usize,
        /// States on the longest of the shortest paths to each state.
        depth: usize,
        /// Branches.
        through: &'static [Witness],
    },
    /// A property fails, and a shortest counterexample has so many steps.
    Violates {
        /// Which.
        property: &'static str,
        /// Steps.
        steps: usize,
    },
}

impl Entry {
    /// The world that this entry describes.
    pub fn parameters(&self) -> Parameters {
        Parameters {
            resilience: self.resilience,
            faulty: 1,
            schedule: self.schedule.iter().map(|leader| NodeId(*leader)).collect(),
            delivery: self.delivery,
            reports: self.reports,
            leftovers: Leftovers::Bare,
            mutant: self.mutant,
        }
    }

    /// n, f, p, leaders and delivery in one line.
    pub fn configuration(&self) -> String {
        let resilience = self.resilience;
        let faulty = resilience.n().saturating_sub(1);
        let leader = |leader: &u8| if usize::from(*leader) == faulty { "F".to_owned() } else { leader.to_string() };
        let leaders: String = self.schedule.iter().map(leader).collect();
        let delivery = match self.delivery {
            Delivery::Single => "single votes",
            Delivery::Quorum => "vote quorums",
        };
        let reports = match self.reports {
            Reports::Single => "",
            Reports::WithQuestion => ", reports with question",
        };
        let mutant = self.mutant.map(|mutant| format!(", {mutant:?}")).unwrap_or_default();
        format!(
            "n={} f={} p={} leaders {leaders}, {delivery}{reports}{mutant}",
            resilience.n(),
            resilience.f(),
            resilience.p()
        )
    }
}

/// The model called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    MODELS.iter().find(|entry| entry.name == name)
}

const N4_P1: Resilience = Resilience::outside_the_bounds(4, 1, 1);
const N4_P0: Resilience = Resilience::outside_the_bounds(4, 1, 0);
const N3_P1: Resilience = Resilience::outside_the_bounds(3, 1, 1);

const FAST_0: Witness = Witness::FastDecision(View(0));
const FAST_1: Witness = Witness::FastDecision(View(1));
const SLOW_0: Witness = Witness::SlowDecision(View(0));
const SLOW_1: Witness = Witness::SlowDecision(View(1));

/// Every model.
pub const MODELS: &[Entry] = &[
    Entry {
        name: "p1-faulty-leads-both",
        tier: Tier::Always,
        resilience: N4_P1,
        schedule: &[3, 3],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds {
            distinct: 87_175,
            transitions: 645_870,
            depth: 16,
            through: &[
                FAST_0,
                FAST_1,
                Witness::Joined,
                Witness::EnteredByProposal,
                Witness::ExclusionBinds,
                Witness::ExclusionFrees,
                Witness::Blamed,
            ],
        },
    },
    Entry {
        name: "p1-faulty-leads-first",
        tier: Tier::Always,
        resilience: N4_P1,
        schedule: &[3, 0],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds {
            distinct: 5_754_998,
            transitions: 51_297_772,
            depth: 22,
            through: &[
                FAST_0,
                FAST_1,
                Witness::Joined,
                Witness::EnteredByProposal,
                Witness::ExclusionBinds,
                Witness::ExclusionFrees,
                Witness::Blamed,
            ],
        },
    },
    Entry {
        name: "p1-faulty-leads-second",
        tier: Tier::Always,
        resilience: N4_P1,
        schedule: &[0, 3],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds {
            distinct: 11_388,
            transitions: 80_251,
            depth: 15,
            through: &[FAST_0, FAST_1, Witness::Joined, Witness::EnteredByProposal, Witness::Blamed],
        },
    },
    Entry {
        name: "p1-faulty-follows",
        tier: Tier::Always,
        resilience: N4_P1,
        schedule: &[0, 1],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds {
            distinct: 308_123,
            transitions: 2_640_763,
            depth: 19,
            through: &[FAST_0, FAST_1, Witness::Joined, Witness::EnteredByProposal, Witness::Blamed],
        },
    },
    Entry {
        name: "p0-faulty-leads-both",
        tier: Tier::Always,
        resilience: N4_P0,
        schedule: &[3, 3],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds {
            distinct: 2_182_399,
            transitions: 19_661_778,
            depth: 22,
            through: &[FAST_0, FAST_1, SLOW_0, SLOW_1, Witness::Locked, Witness::ExclusionBinds, Witness::Blamed],
        },
    },
    Entry {
        name: "p0-faulty-leads-second",
        tier: Tier::Always,
        resilience: N4_P0,
        schedule: &[0, 3],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds {
            distinct: 513_543,
            transitions: 4_752_009,
            depth: 21,
            through: &[FAST_0, FAST_1, SLOW_0, SLOW_1, Witness::Locked, Witness::Blamed],
        },
    },
    Entry {
        name: "p0-faulty-leads-first",
        tier: Tier::Nightly,
        resilience: N4_P0,
        schedule: &[3, 0],
        delivery: Delivery::Quorum,
        reports: Reports::WithQuestion,
        mutant: None,
        expect: Expect::Holds {
            distinct: 14_245_449,
            transitions: 82_592_603,
            depth: 22,
            through: &[FAST_0, FAST_1, SLOW_0, SLOW_1, Witness::Locked, Witness::ExclusionBinds, Witness::Blamed],
        },
    },
    Entry {
        name: "p0-faulty-follows",
        tier: Tier::Always,
        resilience: N4_P0,
        schedule: &[0, 1],
        delivery: Delivery::Quorum,
        reports: Reports::WithQuestion,
        mutant: None,
        expect: Expect::Holds {
            distinct: 2_468_557,
            transitions: 14_708_266,
            depth: 21,
            through: &[FAST_0, FAST_1, SLOW_0, SLOW_1, Witness::Locked, Witness::Blamed],
        },
    },
    Entry {
        name: "p1-single-votes-faulty-leads",
        tier: Tier::Always,
        resilience: N4_P1,
        schedule: &[3],
        delivery: Delivery::Single,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds {
            distinct: 57_544,
            transitions: 321_862,
            depth: 13,
            through: &[FAST_0, Witness::Blamed],
        },
    },
    Entry {
        name: "p1-single-votes-faulty-follows",
        tier: Tier::Always,
        resilience: N4_P1,
        schedule: &[0],
        delivery: Delivery::Single,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds { distinct: 3_635, transitions: 20_317, depth: 9, through: &[FAST_0] },
    },
    Entry {
        name: "p0-single-votes-faulty-follows",
        tier: Tier::Always,
        resilience: N4_P0,
        schedule: &[0],
        delivery: Delivery::Single,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds {
            distinct: 1_529_763,
            transitions: 13_145_587,
            depth: 18,
            through: &[FAST_0, SLOW_0, Witness::Locked],
        },
    },
    Entry {
        name: "mutant-keep-equivocator",
        tier: Tier::Always,
        resilience: N4_P1,
        schedule: &[3, 3],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: Some(Mutant::KeepEquivocator),
        expect: Expect::Violates { property: AGREEMENT, steps: 8 },
    },
    Entry {
        name: "mutant-forget-vote",
        tier: Tier::Always,
        resilience: N4_P1,
        schedule: &[3, 3],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: Some(Mutant::ForgetVote),
        expect: Expect::Violates { property: AGREEMENT, steps: 8 },
    },
    Entry {
        name: "control-three-nodes",
        tier: Tier::Always,
        resilience: N3_P1,
        schedule: &[2, 2],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Violates { property: AGREEMENT, steps: 2 },
    },
];
