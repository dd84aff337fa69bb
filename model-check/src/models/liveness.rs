//! Models of what must happen in the end. An honest node leads the last view.

use butterfly_kernel::types::Resilience;

use super::{Agreement, Tier};
use crate::liveness::{Goal, Liveness, Promise};

/// A configuration, and what must come out of it.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// When it is run.
    pub tier: Tier,
    /// Who takes part.
    pub agreement: Agreement,
    /// Distinct states.
    pub states: usize,
    /// What must come out.
    pub expect: Expect,
}

/// What must come out.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// Every goal is reached, and these promises are needed for it.
    Happens(&'static [Promise]),
    /// This goal is missed: a control.
    Misses(Goal),
}

impl Model {
    /// n, f, p and leaders in one line.
    pub fn configuration(&self) -> String {
        format!("{}, record to record, crashes, decisions", self.agreement.configuration())
    }

    /// Differences of `found` from what must come out.
    pub fn surprises(&self, found: &Liveness) -> Vec<String> {
        let mut surprises = Vec::new();
        if found.states != self.states {
            surprises.push(format!("distinct states: {}, pinned at {}", found.states, self.states));
        }
        match (self.expect, &found.stall) {
            (Expect::Happens(_), Some(stall)) => surprises.push(format!("{:?} is missed", stall.goal)),
            (Expect::Happens(needed), None) if found.needed != needed => {
                surprises.push(format!("needed: {:?}, pinned at {needed:?}", found.needed));
            }
            (Expect::Misses(goal), None) => surprises.push(format!("{goal:?} should be missed and is not")),
            (Expect::Misses(goal), Some(stall)) if stall.goal != goal => {
                surprises.push(format!("{:?} is missed, not {goal:?}", stall.goal));
            }
            _ => {}
        }
        surprises
    }
}

const fn live(name: &'static str, p: u8, schedule: &'static [u8], states: usize) -> Model {
    let resilience = Resilience::outside_the_bounds(4, 1, p);
    let agreement = Agreement { resilience, faulty: 1, schedule, symmetry: false, mutant: None };
    let needed: &[Promise] = match (p, schedule.len()) {
        (0, 1) => &[Promise::Propose, Promise::Vote, Promise::Commit, Promise::Decide, Promise::CatchUp],
        (0, _) => &Promise::ALL,
        (_, 1) => &[Promise::Propose, Promise::Vote, Promise::Decide, Promise::CatchUp],
        (_, _) => &[Promise::Propose, Promise::Vote, Promise::EnterView, Promise::Decide, Promise::CatchUp],
    };
    Model { name, tier: Tier::Always, agreement, states, expect: Expect::Happens(needed) }
}

const fn nightly(model: Model) -> Model {
    Model { tier: Tier::Nightly, ..model }
}

/// A control: it must get stuck.
const fn stuck(name: &'static str, resilience: Resilience, schedule: &'static [u8], states: usize) -> Model {
    let agreement = Agreement { resilience, faulty: 1, schedule, symmetry: false, mutant: None };
    Model { name, tier: Tier::Always, agreement, states, expect: Expect::Misses(Goal::NoTrap) }
}

/// Every model.
pub const MODELS: &[Model] = &[
    live("live-p1-0", 1, &[0], 51),
    live("live-p1-F0", 1, &[3, 0], 3_452),
    live("live-p1-01", 1, &[0, 1], 1_468),
    live("live-p1-FF0", 1, &[3, 3, 0], 77_491),
    live("live-p1-0F1", 1, &[0, 3, 1], 25_403),
    live("live-p1-F01", 1, &[3, 0, 1], 39_911),
    live("live-p0-F0", 0, &[3, 0], 56_374),
    live("live-p0-01", 0, &[0, 1], 24_838),
    nightly(live("live-p0-0F1", 0, &[0, 3, 1], 1_104_903)),
    nightly(live("live-p0-FF0", 0, &[3, 3, 0], 2_886_279)),
    // The faulty leader of the last view is silent: nobody can leave it.
    stuck("stuck-p1-0F", Resilience::outside_the_bounds(4, 1, 1), &[0, 3], 2_288),
    // Three nodes, one of them silent, and quorums of all three.
    stuck("stuck-three-nodes", Resilience::outside_the_bounds(3, 1, 0), &[0, 1], 522),
];
