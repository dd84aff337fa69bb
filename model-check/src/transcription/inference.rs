//! `spec/Inference.tla`. Names and order are those of the module; read it first.
//!
//! Byzantine members help wherever they can: the parameter `help` of the module
//! is all of them here, since fairness is for TLC.

mod constants;
mod properties;
mod statements;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use constants::{Constants, Rule};

/// What can cross a link, from 0.
pub type Signal = usize;

/// What crossed each link, from link 0: what a payload commits to.
pub type Value = Vec<Signal>;

/// What a member made of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Computation {
    /// What stood in front of the stage.
    pub input: Signal,
    /// What the member says came out.
    pub output: Signal,
}

/// The variables of the module. Members are the honest ones, from 0; stages are
/// counted from 1, and stage s stands at place s - 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// By member and stage: it computes the stage, since it owns it or stepped in.
    pub working: Vec<Vec<bool>>,
    /// By member and stage: what it computed.
    pub computed: Vec<Vec<Option<Computation>>>,
    /// By member and stage: it signed what it computed and told all voters.
    pub attested: Vec<Vec<bool>>,
    /// By member and stage: it has the earlier inputs.
    pub past: Vec<Vec<bool>>,
    /// By member: the values whose payload it holds and found valid.
    pub candidates: Vec<BTreeSet<Value>>,
    /// By member: the view that it is in.
    pub view: Vec<usize>,
    /// By member and view: what it voted for.
    pub votes: Vec<Vec<Option<Value>>>,
    /// By view: what its leader proposed, if it is honest.
    pub proposals: Vec<Option<Value>>,
    /// Nobody restarts any more.
    pub stabilised: bool,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// A reserve steps in.
    Escalate {
        /// Who.
        member: usize,
        /// In which stage.
        stage: usize,
    },
    /// A member computes a stage.
    Compute {
        /// Who.
        member: usize,
        /// Which stage.
        stage: usize,
        /// What of what.
        computation: Computation,
    },
    /// It signs what it computed.
    Attest {
        /// Who.
        member: usize,
        /// Of which stage.
        stage: usize,
    },
    /// It has the earlier inputs of a stage again.
    Recover {
        /// Who.
        member: usize,
        /// Of which stage.
        stage: usize,
    },
    /// It puts a payload together.
    Certify {
        /// Who.
        member: usize,
        /// The payload's value.
        value: Value,
    },
    /// It is given a payload.
    Fetch {
        /// Who.
        member: usize,
        /// By whom.
        from: usize,
        /// The payload's value.
        value: Value,
    },
    /// The leader of a view proposes.
    Propose {
        /// Who leads.
        member: usize,
        /// In which view.
        view: usize,
        /// What.
        value: Value,
    },
    /// A member votes in the view that it is in.
    Vote {
        /// Who.
        member: usize,
        /// For what.
        value: Value,
    },
    /// It enters the next view.
    EnterView {
        /// Who.
        member: usize,
    },
    /// It loses everything that is not durable.
    Restart {
        /// Who.
        member: usize,
    },
    /// From now on nobody restarts.
    Stabilise,
}

impl Action {
    /// Whose step it is.
    pub fn member(&self) -> Option<usize> {
        match self {
            Action::Escalate { member, .. }
            | Action::Compute { member, .. }
            | Action::Attest { member, .. }
            | Action::Recover { member, .. }
            | Action::Certify { member, .. }
            | Action::Fetch { member, .. }
            | Action::Propose { member, .. }
            | Action::Vote { member, .. }
            | Action::EnterView { member }
            | Action::Restart { member } => Some(*member),
            Action::Stabilise => None,
        }
    }
}

/// The module with its constants.
#[derive(Clone)]
pub struct Specification {
    constants: Arc<Constants>,
}

impl Specification {
    /// The module with these constants.
    pub fn new(constants: Constants) -> Specification {
        Specification { constants: Arc::new(constants) }
    }

    /// The constants.
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// `Init`
    pub fn init(&self) -> State {
        let Constants { owners, leaders, restarting, .. } = &*self.constants;
        let honest = self.constants.honest();
        let (stages, views) = (owners.len(), leaders.len());
        State {
            working: (0..honest).map(|member| self.owned(member)).collect(),
            computed: vec![vec![None; stages]; honest],
            attested: vec![vec![false; stages]; honest],
            past: vec![vec![true; stages]; honest],
            candidates: vec![BTreeSet::new(); honest],
            view: vec![0; honest],
            votes: vec![vec![None; views]; honest],
            proposals: vec![None; views],
            stabilised: restarting.is_empty(),
        }
    }

    fn owned(&self, member: usize) -> Vec<bool> {
        self.constants.owners.iter().map(|owners| owners.contains(&member)).collect()
    }

    /// `Next`: every step that the module allows from `state`, also those that
    /// change nothing.
    pub fn next(&self, state: &State) -> Vec<(Action, State)> {
        let mut next = Vec::new();
        let certified = self.certified(state);
        for member in 0..self.constants.honest() {
            for stage in 1..=self.constants.last() {
                self.escalate(state, member, stage, &mut next);
                self.compute(state, member, stage, &mut next);
                self.attest(state, member, stage, &mut next);
                self.recover(state, member, stage, &mut next);
            }
            // Certify(i)
            for value in certified.difference(&state.candidates[member]) {
                next.push((Action::Certify { member, value: value.clone() }, holding(state, member, value)));
            }
            // Fetch(i, j)
            for from in 0..self.constants.honest() {
                for value in state.candidates[from].difference(&state.candidates[member]) {
                    next.push((Action::Fetch { member, from, value: value.clone() }, holding(state, member, value)));
                }
            }
            self.propose(state, member, &mut next);
            self.vote(state, member, &mut next);
            self.enter_view(state, member, &mut next);
            self.restart(state, member, &mut next);
        }
        // Stabilise
        if !state.stabilised {
            next.push((Action::Stabilise, State { stabilised: true, ..state.clone() }));
        }
        next
    }

    fn escalate(&self, state: &State, member: usize, stage: usize, next: &mut Vec<(Action, State)>) {
        let is_reserve = self.constants.reserves[stage - 1].contains(&member);
        if self.constants.keep(Rule::Escalation) && is_reserve && !state.working[member][stage - 1] {
            let mut after = state.clone();
            after.working[member][stage - 1] = true;
            next.push((Action::Escalate { member, stage }, after));
        }
    }

    fn compute(&self, state: &State, member: usize, stage: usize, next: &mut Vec<(Action, State)>) {
        let may = self.constants.is_assigned(member, stage)
            && state.working[member][stage - 1]
            && state.past[member][stage - 1]
            && state.computed[member][stage - 1].is_none();
        if !may {
            return;
        }
        for input in self.certain(state, stage - 1, self.signal_quorum()) {
            let outputs = if self.constants.keep(Rule::ComputesItself) {
                BTreeSet::from([self.constants.gives[stage - 1][input]])
            } else {
                self.certain(state, stage, 1)
            };
            for output in outputs {
                let computation = Computation { input, output };
                let mut after = state.clone();
                after.computed[member][stage - 1] = Some(computation);
                next.push((Action::Compute { member, stage, computation }, after));
            }
        }
    }

    fn attest(&self, state: &State, member: usize, stage: usize, next: &mut Vec<(Action, State)>) {
        let agreed =
            |computation: Computation| self.certain(state, stage, self.constants.f + 1).contains(&computation.output);
        let may = self.constants.is_assigned(member, stage)
            && !state.attested[member][stage - 1]
            && state.computed[member][stage - 1].is_some_and(agreed);
        if may {
            let mut after = state.clone();
            after.attested[member][stage - 1] = true;
            next.push((Action::Attest { member, stage }, after));
        }
    }

    fn recover(&self, state: &State, member: usize, stage: usize, next: &mut Vec<(Action, State)>) {
        let has = |other: usize, stage: usize| self.constants.is_assigned(other, stage) && state.past[other][stage - 1];
        let mut fellows = 0..self.constants.honest();
        let mut before = 0..self.constants.honest();
        let may = !state.past[member][stage - 1]
            && (fellows.any(|other| other != member && has(other, stage))
                || stage > 1 && before.any(|other| has(other, stage - 1)));
        if may {
            let mut after = state.clone();
            after.past[member][stage - 1] = true;
            next.push((Action::Recover { member, stage }, after));
        }
    }

    /// `Propose(v)`, of the view that `member` is in.
    fn propose(&self, state: &State, member: usize, next: &mut Vec<(Action, State)>) {
        let view = state.view[member];
        if self.constants.leaders[view] != member || state.proposals[view].is_some() {
            return;
        }
        for value in self.admitted(state, member, view) {
            if view == 0 || self.is_acknowledged(state, view, &value) {
                let mut after = state.clone();
                after.proposals[view] = Some(value.clone());
                after.votes[member][view] = Some(value.clone());
                next.push((Action::Propose { member, view, value }, after));
            }
        }
    }

    fn vote(&self, state: &State, member: usize, next: &mut Vec<(Action, State)>) {
        let view = state.view[member];
        if state.votes[member][view].is_some() {
            return;
        }
        for value in self.proposed(state, view) {
            if state.candidates[member].contains(&value) || !self.constants.keep(Rule::HoldsPayload) {
                let mut after = state.clone();
                after.votes[member][view] = Some(value.clone());
                next.push((Action::Vote { member, value }, after));
            }
        }
    }

    fn enter_view(&self, state: &State, member: usize, next: &mut Vec<(Action, State)>) {
        let Constants { n, f, byzantine, .. } = *self.constants;
        let view = state.view[member];
        let in_view = |least: usize| state.view.iter().filter(|other| **other >= least).count() + byzantine;
        // The view's time begins when the member could propose something
        // itself, or when enough members are in it.
        let is_timed = if view == 0 { !state.candidates[member].is_empty() } else { in_view(view) >= n - f };
        let joins = in_view(view + 1) > f;
        let is_last = view + 1 == self.constants.leaders.len();
        if self.constants.keep(Rule::ViewChange) && !is_last && (is_timed || joins) {
            let mut after = state.clone();
            after.view[member] += 1;
            next.push((Action::EnterView { member }, after));
        }
    }

    fn restart(&self, state: &State, member: usize, next: &mut Vec<(Action, State)>) {
        if !self.constants.restarting.contains(&member) || state.stabilised {
            return;
        }
        let stages = self.constants.last();
        let mut after = state.clone();
        after.working[member] = self.owned(member);
        after.computed[member] = vec![None; stages];
        after.attested[member] = vec![false; stages];
        after.past[member] =
            (1..=stages).map(|stage| stage == 1 || !self.constants.is_assigned(member, stage)).collect();
        after.candidates[member] = if self.constants.keep(Rule::PayloadRecorded) {
            reported(state, member, state.view[member] + 1).into_iter().cloned().collect()
        } else {
            BTreeSet::new()
        };
        next.push((Action::Restart { member }, after));
    }
}

/// `Reported(i, v)`: the last vote of `member` before `view`.
fn reported(state: &State, member: usize, view: usize) -> Option<&Value> {
    state.votes[member].iter().take(view).rev().flatten().next()
}

fn holding(state: &State, member: usize, value: &Value) -> State {
    let mut after = state.clone();
    after.candidates[member].insert(value.clone());
    after
}
