//! `spec/Agreement.tla`. Names and order are those of the module; read it first.

mod properties;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::records::Act;
use crate::symbolic::Value;
use crate::world::setting::{Ballot, MOST_HONEST};
use butterfly_kernel::types::View;

/// Views of any configuration at most.
pub const MOST_VIEWS: usize = 4;

/// `None`, or one of the valid values: 0, 1 and 2.
pub type Entry = u8;

/// A value in a view, if there is one to report.
pub type Reported = Option<(usize, Entry)>;

/// One honest replica: `view[r]`, `votes[r]`, `commits[r]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    /// The view that it is in.
    pub view: u8,
    /// What it voted for in each view.
    pub votes: [Entry; MOST_VIEWS],
    /// What it sent a commit for in each view.
    pub commits: [Entry; MOST_VIEWS],
}

/// The variables of the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// By honest replica; places behind the last stay empty.
    pub replicas: [Replica; MOST_HONEST],
    /// What the leader of each view proposed, if it is honest.
    pub proposals: [Entry; MOST_VIEWS],
}

/// The constants of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constants {
    /// Replicas.
    pub n: usize,
    /// How many of them may be Byzantine.
    pub f: usize,
    /// How many may be silent while the fast path still decides.
    pub p: usize,
    /// How many of them are Byzantine.
    pub byzantine: usize,
    /// The leader of each view; none where a Byzantine replica leads.
    pub leaders: Vec<Option<usize>>,
    /// Whether commits and commit certificates exist at all.
    pub slow_path: bool,
    /// Select prefers the best supported of several values.
    pub strongest_only: bool,
    /// Select ignores a leader caught proposing two values.
    pub exclude_equivocator: bool,
    /// View changes report the commit certificate.
    pub report_locked: bool,
    /// Reported votes carry the progress certificate.
    pub report_certified: bool,
    /// Of equally supported values Select admits the smallest only, as the
    /// kernel does. The module admits any of them.
    pub smallest_of_equals: bool,
    /// States that differ only in the names of replicas that lead no view, or
    /// of values, are explored once: the module's `Orbit`.
    pub orbits: bool,
}

impl Constants {
    /// What the kernel runs: every guard in its place, and no reduction.
    pub fn with_every_guard((n, f, p): (usize, usize, usize), byzantine: usize, leaders: Vec<Option<usize>>) -> Self {
        Constants {
            n,
            f,
            p,
            byzantine,
            leaders,
            slow_path: p < f,
            strongest_only: true,
            exclude_equivocator: true,
            report_locked: true,
            report_certified: true,
            smallest_of_equals: false,
            orbits: false,
        }
    }

    /// `Resilient`: the numbers satisfy the bound of the protocol.
    pub fn are_within_bound(&self) -> bool {
        let Constants { n, f, p, byzantine, slow_path, .. } = *self;
        byzantine <= f && n > 3 * f && n + 1 >= 3 * f + 2 * p && (slow_path || p >= f)
    }
}

/// A value tagged with the view it comes from; view -1 is `Nothing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct At {
    view: i8,
    value: Entry,
}

const NOTHING: At = At { view: -1, value: 0 };

/// What a replica carries into a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Report {
    vote: At,
    locked: At,
}

/// Everything that [`Specification::justified`] depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Ground {
    view: usize,
    /// By honest replica, if it has entered the view.
    actual: Vec<Option<Report>>,
    /// What a Byzantine replica can report.
    votes: Vec<At>,
    locks: Vec<At>,
    /// The honest leader need not count its own report.
    may_omit_own: bool,
}

/// The module with its constants.
#[derive(Clone)]
pub struct Specification {
    constants: Arc<Constants>,
    justified: Arc<Mutex<HashMap<Ground, [bool; 3]>>>,
}

/// A step: which replica's, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// The replica, or the leader that proposes.
    pub replica: usize,
    /// The action, as the kernel's worlds name it.
    pub act: Act,
}

const VALID: [Entry; 2] = [1, 2];

impl Specification {
    /// The module with these constants.
    pub fn new(constants: Constants) -> Specification {
        Specification { constants: Arc::new(constants), justified: Arc::default() }
    }

    /// The constants.
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    fn honest(&self) -> usize {
        self.constants.n - self.constants.byzantine
    }

    fn views(&self) -> usize {
        self.constants.leaders.len()
    }

    fn fast_quorum(&self) -> usize {
        self.constants.n - self.constants.p
    }

    fn slow_quorum(&self) -> usize {
        (self.constants.n + self.constants.f + 2) / 2
    }

    fn view_change_quorum(&self) -> usize {
        self.constants.n - self.constants.f
    }

    fn equivocation_threshold(&self) -> usize {
        self.constants.f + self.constants.p
    }

    fn replicas<'s>(&self, state: &'s State) -> &'s [Replica] {
        &state.replicas[..self.honest()]
    }

    fn votes_for(&self, state: &State, view: usize, value: Entry) -> usize {
        let honest = self.replicas(state).iter().filter(|replica| replica.votes[view] == value).count();
        honest + self.constants.byzantine
    }

    fn commits_for(&self, state: &State, view: usize, value: Entry) -> usize {
        let honest = self.replicas(state).iter().filter(|replica| replica.commits[view] == value).count();
        honest + self.constants.byzantine
    }

    /// The values for which a commit certificate of `view` can be put together.
    fn certified(&self, state: &State, view: usize) -> Vec<Entry> {
        let enough = |value: &Entry| self.votes_for(state, view, *value) >= self.slow_quorum();
        VALID.into_iter().filter(|value| self.constants.slow_path && enough(value)).collect()
    }

    fn is_decided_in(&self, state: &State, view: usize, value: Entry) -> bool {
        self.votes_for(state, view, value) >= self.fast_quorum()
            || self.constants.slow_path && self.commits_for(state, view, value) >= self.slow_quorum()
    }

    /// The decided values.
    pub fn decided(&self, state: &State) -> Vec<Entry> {
        let decided = |value: &Entry| (0..self.views()).any(|view| self.is_decided_in(state, view, *value));
        VALID.into_iter().filter(decided).collect()
    }

    fn latest(history: &[Entry; MOST_VIEWS], before: usize) -> At {
        let last = (0..before).rev().find(|view| history[*view] != 0);
        last.map_or(NOTHING, |view| At { view: small(view), value: history[view] })
    }

    fn report(&self, replica: &Replica, view: usize) -> Report {
        let locked = if self.constants.report_locked { Self::latest(&replica.commits, view) } else { NOTHING };
        Report { vote: Self::latest(&replica.votes, view), locked }
    }

    /// `reports` by replica: the honest ones, and behind them the Byzantine.
    fn select_despite_equivocation(
        &self,
        reports: &[(Option<usize>, Report)],
        view: i8,
        voted: &[Entry],
    ) -> Vec<Entry> {
        let leader = self.constants.leaders[usize::try_from(view).expect("a view")];
        // All Byzantine leaders are one replica, the first of them.
        let excluded =
            |who: &Option<usize>| self.constants.exclude_equivocator && *who == leader.or(Some(self.honest()));
        let counted = || reports.iter().filter(|(who, _)| !excluded(who));
        if counted().count() < self.view_change_quorum() {
            return Vec::new();
        }
        let support = |value: Entry| counted().filter(|(_, report)| report.vote == At { view, value }).count();
        let strong: Vec<Entry> =
            voted.iter().copied().filter(|value| support(*value) >= self.equivocation_threshold()).collect();
        if strong.is_empty() {
            return VALID.to_vec();
        }
        if !self.constants.strongest_only {
            return strong;
        }
        let most = strong.iter().map(|value| support(*value)).max().unwrap_or(0);
        let mut strongest: Vec<Entry> = strong.into_iter().filter(|value| support(*value) == most).collect();
        if self.constants.smallest_of_equals {
            strongest.truncate(1);
        }
        strongest
    }

    fn select(&self, reports: &[(Option<usize>, Report)]) -> Vec<Entry> {
        let highest = reports.iter().flat_map(|(_, report)| [report.vote.view, report.locked.view]).max();
        let highest = highest.unwrap_or(NOTHING.view);
        if highest == NOTHING.view {
            return VALID.to_vec();
        }
        let distinct = |pick: fn(&Report) -> At| {
            let at = reports.iter().map(|(_, report)| pick(report)).filter(|at| at.view == highest);
            let mut values: Vec<Entry> = at.map(|at| at.value).collect();
            values.sort_unstable();
            values.dedup();
            values
        };
        let locked = distinct(|report| report.locked);
        let voted = distinct(|report| report.vote);
        if !locked.is_empty() {
            locked
        } else if voted.len() == 1 {
            voted
        } else {
            self.select_despite_equivocation(reports, highest, &voted)
        }
    }

    /// The values that replicas may vote for in `view`.
    fn proposed(&self, state: &State, view: usize) -> Vec<Entry> {
        match self.constants.leaders[view] {
            Some(_) => VALID.into_iter().filter(|value| state.proposals[view] == *value).collect(),
            None if view == 0 => VALID.to_vec(),
            None => self.justified(state, view),
        }
    }

    fn citable(&self, state: &State, view: usize) -> Vec<Entry> {
        if self.constants.leaders[view].is_none() && !self.constants.report_certified {
            VALID.to_vec()
        } else {
            self.proposed(state, view)
        }
    }

    /// The values that some set of reports, which somebody could present, admits.
    fn justified(&self, state: &State, view: usize) -> Vec<Entry> {
        let entered = |replica: &Replica| usize::from(replica.view) >= view;
        let actual: Vec<Option<Report>> =
            self.replicas(state).iter().map(|replica| entered(replica).then(|| self.report(replica, view))).collect();
        if actual.iter().flatten().count() + self.constants.byzantine < self.view_change_quorum() {
            return Vec::new();
        }
        let at = |view: usize, values: Vec<Entry>| values.into_iter().map(move |value| At { view: small(view), value });
        let votes: Vec<At> = [NOTHING]
            .into_iter()
            .chain((0..view).flat_map(|earlier| at(earlier, self.citable(state, earlier))))
            .collect();
        let locks: Vec<At> = [NOTHING]
            .into_iter()
            .chain((0..view).flat_map(|earlier| at(earlier, self.certified(state, earlier))))
            .collect();
        let own = self.constants.leaders[view].map(|leader| self.report(&state.replicas[leader], view));
        let may_omit_own = own.is_some_and(|own| own.locked != NOTHING && own.locked.value != own.vote.value);
        let ground = Ground { view, actual, votes, locks, may_omit_own };
        if let Some(known) = self.justified.lock().unwrap_or_else(PoisonError::into_inner).get(&ground) {
            return VALID.into_iter().filter(|value| known[usize::from(*value)]).collect();
        }
        let admitted = self.admitted(&ground);
        self.justified.lock().unwrap_or_else(PoisonError::into_inner).insert(ground, admitted);
        VALID.into_iter().filter(|value| admitted[usize::from(*value)]).collect()
    }

    fn admitted(&self, ground: &Ground) -> [bool; 3] {
        let Ground { view, actual, votes, locks, may_omit_own } = ground;
        let mut sets: Vec<Vec<(Option<usize>, Report)>> = vec![Vec::new()];
        for (replica, report) in actual.iter().enumerate() {
            if let Some(report) = report {
                let mut with = sets.clone();
                with.iter_mut().for_each(|set| set.push((Some(replica), *report)));
                sets.extend(with);
            }
        }
        for byzantine in 0..self.constants.byzantine {
            let who = Some(self.honest() + byzantine);
            let mut with = Vec::new();
            for set in &sets {
                for vote in votes {
                    for locked in locks {
                        let mut set = set.clone();
                        set.push((who, Report { vote: *vote, locked: *locked }));
                        with.push(set);
                    }
                }
            }
            sets.extend(with);
        }
        let mut admitted = [false; 3];
        let leader = self.constants.leaders[*view];
        let has_leader = |set: &[(Option<usize>, Report)]| {
            leader.is_none() || *may_omit_own || set.iter().any(|(who, _)| *who == leader)
        };
        for set in sets.iter().filter(|set| set.len() >= self.view_change_quorum() && has_leader(set)) {
            for value in self.select(set) {
                admitted[usize::from(value)] = true;
            }
            if admitted[1] && admitted[2] {
                break;
            }
        }
        admitted
    }

    /// Whether `Select` admits `value` on these reports: of which replica, and
    /// in which view it voted for what and is locked on what.
    pub fn admits(&self, reports: &[(usize, [Reported; 2])], value: Entry) -> bool {
        let at = |reported: Reported| reported.map_or(NOTHING, |(view, value)| At { view: small(view), value });
        let reports: Vec<(Option<usize>, Report)> = reports
            .iter()
            .map(|(replica, [vote, locked])| (Some(*replica), Report { vote: at(*vote), locked: at(*locked) }))
            .collect();
        self.select(&reports).contains(&value)
    }

    /// Every step that the module allows from `state`.
    pub fn next(&self, state: &State) -> Vec<(Action, State)> {
        let mut next = Vec::new();
        for replica in 0..self.honest() {
            let here = state.replicas[replica];
            let view = usize::from(here.view);
            let mut push = |act, change: &dyn Fn(&mut State)| {
                let mut after = *state;
                change(&mut after);
                next.push((Action { replica, act }, after));
            };
            // Propose(v)
            if self.constants.leaders[view] == Some(replica) && state.proposals[view] == 0 {
                let values = if view == 0 { VALID.to_vec() } else { self.justified(state, view) };
                for value in values {
                    push(Act::Propose(ballot(view, value)), &|after| {
                        after.proposals[view] = value;
                        after.replicas[replica].votes[view] = value;
                    });
                }
            }
            // Vote(r)
            if here.votes[view] == 0 {
                for value in self.proposed(state, view) {
                    push(Act::Vote(ballot(view, value)), &|after| after.replicas[replica].votes[view] = value);
                }
            }
            // Commit(r)
            if here.commits[view] == 0 {
                for value in self.certified(state, view) {
                    push(Act::Commit(ballot(view, value)), &|after| after.replicas[replica].commits[view] = value);
                }
            }
            // EnterView(r)
            if view + 1 < self.views() {
                let entered = View(u32::try_from(view + 1).expect("few views"));
                push(Act::EnterView(entered), &|after| after.replicas[replica].view += 1);
            }
        }
        next
    }

    /// The one of the states of an orbit that stands for all of them.
    pub fn representative(&self, state: &State) -> State {
        if !self.constants.orbits {
            return *state;
        }
        let swapped = |value: Entry| [0, 2, 1][usize::from(value)];
        let mut other = *state;
        for replica in &mut other.replicas {
            replica.votes = replica.votes.map(swapped);
            replica.commits = replica.commits.map(swapped);
        }
        other.proposals = other.proposals.map(swapped);
        self.with_replicas_sorted(state).min(self.with_replicas_sorted(&other))
    }

    /// `state` with the replicas that lead no view in order.
    pub fn with_replicas_sorted(&self, state: &State) -> State {
        let alike: Vec<usize> =
            (0..self.honest()).filter(|replica| !self.constants.leaders.contains(&Some(*replica))).collect();
        let mut replicas: Vec<Replica> = alike.iter().map(|replica| state.replicas[*replica]).collect();
        replicas.sort_unstable();
        let mut sorted = *state;
        for (place, replica) in alike.into_iter().zip(replicas) {
            sorted.replicas[place] = replica;
        }
        sorted
    }
}

/// The kernel's worlds count values from 0, the module's `None` stands before them here.
pub fn entry(value: Value) -> Entry {
    value.0 + 1
}

fn ballot(view: usize, entry: Entry) -> Ballot {
    Ballot { view: View(u32::try_from(view).expect("few views")), value: Value(entry - 1) }
}

fn small(view: usize) -> i8 {
    i8::try_from(view).expect("few views")
}
