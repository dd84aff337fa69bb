//! The constants of the module.

use std::collections::BTreeSet;

/// The constants of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constants {
    /// Founders.
    pub n: usize,
    /// How many of them may be Byzantine.
    pub f: usize,
    /// How many may be silent while the fast path still decides.
    pub p: usize,
    /// How many follow the protocol: the first ones.
    pub honest: usize,
    /// How many need not: those behind them.
    pub byzantine: usize,
    /// The members of the first roster.
    pub founders: BTreeSet<usize>,
    /// Who may be admitted later.
    pub joining: BTreeSet<usize>,
    /// Who may be removed.
    pub leaving: BTreeSet<usize>,
    /// How often the roster changes at most.
    pub changes: usize,
    /// How many epochs are explored.
    pub epochs: usize,
    /// How many different things an epoch may add to a request: `Work(0)` and on.
    pub work: usize,
    /// How many numbers are drawn in all.
    pub draws: usize,
    /// The members that may lose their record.
    pub fallible: BTreeSet<usize>,
    /// How many learners there may be at a time.
    pub together: usize,
    /// Members may be shown different values in one epoch.
    pub equivocation: bool,
    /// What a member says about itself, or an operator orders, goes before work.
    pub notices_first: bool,
    /// The rules.
    pub rules: Rules,
    /// States that differ only in the names of members that keep their record,
    /// or of work, are explored once: `Orbit`.
    pub orbits: bool,
}

/// Rules that a run may switch off, to see that the properties notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A learner signs nothing.
    pub learners_wait: bool,
    /// The number is drawn anew after each loss, and each start.
    pub fresh_nonce: bool,
    /// A notice names how often its member was admitted.
    pub count_incarnations: bool,
    /// Nothing is signed on top of what is not decided.
    pub wait_for_decision: bool,
    /// A vote is written before it is sent.
    pub record_vote: bool,
    /// A decision is written before its slot is used again.
    pub record_head: bool,
    /// The payload of a vote is written with it.
    pub record_payload: bool,
    /// A learner that enters a cluster is a learner there.
    pub keep_role: bool,
    /// Who is not in a roster does not count for it.
    pub members_count: bool,
}

impl Rules {
    /// All of them.
    pub const PROTOCOL: Rules = Rules {
        learners_wait: true,
        fresh_nonce: true,
        count_incarnations: true,
        wait_for_decision: true,
        record_vote: true,
        record_head: true,
        record_payload: true,
        keep_role: true,
        members_count: true,
    };
}

impl Constants {
    /// Whether `member` need not follow the protocol.
    pub fn is_byzantine(&self, member: usize) -> bool {
        member >= self.honest
    }

    /// `IsRoster(S)`: whether `members` can be a cluster.
    pub fn is_roster(&self, members: &BTreeSet<usize>) -> bool {
        let n = members.len();
        n > 3 * self.f
            && n + 1 >= 3 * self.f + 2 * self.p
            && members.iter().filter(|member| self.is_byzantine(**member)).count() <= self.f
    }

    /// `WellFormed`.
    pub fn are_well_formed(&self) -> bool {
        let everybody = self.honest + self.byzantine;
        self.founders.len() == self.n
            && self.fallible.iter().all(|member| *member < self.honest)
            && self.founders.union(&self.joining).all(|member| *member < everybody)
            && self.founders.is_disjoint(&self.joining)
            && self.is_roster(&self.founders)
    }
}
