//! The constants of the module, and what follows from them alone.

use std::collections::BTreeSet;

use super::{Signal, Value};

/// The constants of the module. Members are numbered, the honest ones from 0
/// and the Byzantine behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constants {
    /// Members.
    pub n: usize,
    /// How many of them may be Byzantine.
    pub f: usize,
    /// How many may be silent while the fast path still decides.
    pub p: usize,
    /// How many of them are Byzantine.
    pub byzantine: usize,
    /// By stage: the members that compute it at once.
    pub owners: Vec<BTreeSet<usize>>,
    /// By stage: the members that step in for them.
    pub reserves: Vec<BTreeSet<usize>>,
    /// How many signals there are.
    pub signals: usize,
    /// The signal in front of stage 1 that continues what is committed.
    pub committed: Signal,
    /// Signals of the part before, which is committed already.
    pub old: BTreeSet<Signal>,
    /// By stage and signal: what the stage makes of it.
    pub gives: Vec<Vec<Signal>>,
    /// By view: the member that leads it.
    pub leaders: Vec<usize>,
    /// Honest members that may lose what is not durable.
    pub restarting: BTreeSet<usize>,
    /// Rules that are switched off.
    pub without: BTreeSet<Rule>,
}

/// Rules that a run may switch off, to see that the properties notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A certificate takes f + 1 attestations, not f.
    CertificateQuorum,
    /// A member does not pass on what it heard instead.
    ComputesItself,
    /// A signal is used when f + 1 agree, not when one says so.
    WaitsForAgreement,
    /// Reserves step in.
    Escalation,
    /// Each certificate's input is the output of the one before.
    Chained,
    /// The first input is the committed tokens.
    Continues,
    /// A vote is for a value whose payload is held.
    HoldsPayload,
    /// And that payload is durable before the vote is sent.
    PayloadRecorded,
    /// A view may be left.
    ViewChange,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 9] = [
        Rule::CertificateQuorum,
        Rule::ComputesItself,
        Rule::WaitsForAgreement,
        Rule::Escalation,
        Rule::Chained,
        Rule::Continues,
        Rule::HoldsPayload,
        Rule::PayloadRecorded,
        Rule::ViewChange,
    ];
}

impl Constants {
    /// The honest members.
    pub fn honest(&self) -> usize {
        self.n - self.byzantine
    }

    /// The last stage; the first is 1.
    pub fn last(&self) -> usize {
        self.owners.len()
    }

    /// Whether `member` owns `stage` or is a reserve of it.
    pub fn is_assigned(&self, member: usize, stage: usize) -> bool {
        self.owners[stage - 1].contains(&member) || self.reserves[stage - 1].contains(&member)
    }

    /// The honest members that are assigned to `stage`.
    pub(super) fn assigned(&self, stage: usize) -> impl Iterator<Item = usize> {
        (0..self.honest()).filter(move |member| self.is_assigned(*member, stage))
    }

    /// How many Byzantine members are assigned to `stage`.
    pub(super) fn liars(&self, stage: usize) -> usize {
        (self.honest()..self.n).filter(|member| self.is_assigned(*member, stage)).count()
    }

    /// `Keeps(rule)`
    pub fn keep(&self, rule: Rule) -> bool {
        !self.without.contains(&rule)
    }

    /// `Model(s)` of every link: the one right value.
    pub fn model(&self) -> Value {
        let mut value = vec![self.committed];
        for gives in &self.gives {
            value.push(gives[value[value.len() - 1]]);
        }
        value
    }

    /// `Values`: whatever can cross the links.
    pub(super) fn values(&self) -> BTreeSet<Value> {
        let mut values = vec![Value::new()];
        for _ in 0..=self.last() {
            let longer = |shorter: &Value| {
                let shorter = shorter.clone();
                (0..self.signals).map(move |signal| shorter.iter().copied().chain([signal]).collect())
            };
            values = values.iter().flat_map(longer).collect();
        }
        values.into_iter().collect()
    }

    /// `Resilient`: the numbers satisfy the bound of the protocol.
    pub fn are_resilient(&self) -> bool {
        let Constants { n, f, p, byzantine, .. } = *self;
        let enough = |stage: usize| {
            let assigned = self.owners[stage - 1].union(&self.reserves[stage - 1]).count();
            self.owners[stage - 1].len() > f && assigned > 2 * f && self.liars(stage) <= f
        };
        n > 3 * f && n + 1 >= 3 * f + 2 * p && p >= f && byzantine <= f && (1..=self.last()).all(enough)
    }

    /// `WellFormed`, whether or not the bound is satisfied.
    pub fn are_well_formed(&self) -> bool {
        let is_member = |member: &usize| *member < self.n;
        let is_signal = |signal: &Signal| *signal < self.signals;
        let places = self.owners.iter().zip(&self.reserves);
        self.byzantine <= self.n
            && self.reserves.len() == self.last()
            && self.gives.len() == self.last()
            && self.restarting.iter().all(|member| *member < self.honest())
            && is_signal(&self.committed)
            && !self.old.contains(&self.committed)
            && self.owners.iter().chain(&self.reserves).flatten().all(is_member)
            && places.into_iter().all(|(owners, reserves)| owners.is_disjoint(reserves))
            && self.gives.iter().all(|gives| gives.len() == self.signals && gives.iter().all(is_signal))
            && self.leaders.iter().all(is_member)
    }
}
