//! The same agreement from record to record: what a node holds between two
//! steps is what it wrote down, and nothing else.
//!
//! In each step one honest node wakes up with its record, hears at once all
//! that the step needs, and says one new thing: it votes, commits, proposes or
//! leaves its view. All of that is done by the kernel. What it may hear is
//! everything that was ever said, and everything that the faulty nodes could
//! say by then; a quorum comes whole. Handlers only count, so whatever a node
//! does with what it gathered slowly, it also does with the same gathered at
//! once, and a world of whole quorums has every statement that the world of
//! single deliveries has (`tests/check/reductions.rs` compares the two).
//! Three views, and seven nodes, fit this way.
//!
//! | module | subject |
//! | --- | --- |
//! | [`local`] | one honest node: its record and all that it ever said |
//! | [`evidence`] | what can be shown to a node, honest or forged |
//! | [`wake`] | one honest node at work: the kernel's own entry points |
//! | [`questions`] | what a leader may ask, and which values that justifies |
//! | [`tell`] | a run, told |

pub mod evidence;
pub mod local;
pub mod questions;
pub mod tell;
pub mod wake;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use butterfly_kernel::types::{NodeId, View};

use self::local::{Id, Public};
use self::wake::Memo;
use crate::explore::System;
use crate::story::Story;
use crate::symbolic::Value;
use crate::world::replica::Witness;
use crate::world::setting::{Ballot, MOST_HONEST, Setting};
use crate::world::{AGREEMENT, CONTRACT, PROPERTIES, VALIDITY};

/// Where a world is: the number of each honest node's state. Places behind the
/// honest nodes stay zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State(pub [Id; MOST_HONEST]);

/// What one honest node does in a step. The names are those of
/// `spec/Agreement.tla`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// As the leader of its view, proposes, and votes for what it proposes.
    Propose(Ballot),
    /// Votes for the proposal of its view's leader.
    Vote(Ballot),
    /// Holds a commit certificate, and says so.
    Commit(Ballot),
    /// Leaves for this view.
    EnterView(View),
    /// Takes in a quorum that decides. Only where [`Options::decide`] says so.
    Decide(Ballot),
    /// Is shown a decision by an honest node that has decided, as `node` does
    /// it with whoever is behind. Only where [`Options::decide`] says so.
    CatchUp(Ballot),
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Whose.
    pub node: NodeId,
    /// What it does.
    pub act: Act,
    /// Whether honest nodes alone could bring it about. Only looked into where
    /// [`Options::decide`] is set.
    pub unaided: bool,
}

/// How the world is cut down, or made larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// A step remembers only what was made durable in it, as after a crash.
    /// Otherwise nodes go on from what they hold in memory.
    pub crashes: bool,
    /// Nodes take in decisions, and stop. Otherwise a decision is a quorum that
    /// somebody could be shown, and nodes go on as if they had not been.
    pub decide: bool,
}

/// A world to explore. Clones share the tables.
#[derive(Clone)]
pub struct Records {
    setting: Arc<Setting>,
    options: Options,
    memo: Arc<Mutex<Memo>>,
}

impl Records {
    /// A world with these parameters, nothing explored yet. How messages are
    /// delivered is not looked at.
    pub fn new(setting: Setting, options: Options) -> Records {
        Records { setting: Arc::new(setting), options, memo: Arc::default() }
    }

    /// Who takes part.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// How it is cut down, or made larger.
    pub fn options(&self) -> Options {
        self.options
    }

    /// What was found out about the kernel so far.
    pub fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Branches of the protocol that reachable steps went through.
    pub fn seen(&self) -> BTreeSet<Witness> {
        self.memo().seen.clone()
    }

    /// What everybody can see of each honest node.
    pub fn publics(&self, state: &State) -> Vec<Public> {
        self.memo().publics(&self.setting, state)
    }

    /// The steps from `state`, before states that differ only in names are
    /// taken for one.
    pub fn concrete_steps(&self, state: &State) -> Vec<(Action, State)> {
        let moves = self.memo().moves(&self.setting, self.options, state);
        let steps = moves.into_iter().map(|(action, local)| {
            let mut next = *state;
            next.0[action.node.index()] = local;
            (action, next)
        });
        steps.collect()
    }

    /// The one of the states that differ from `state` in names only which
    /// stands for all of them.
    pub fn representative(&self, state: &State) -> State {
        if !self.setting.parameters.symmetry {
            return *state;
        }
        let mut next = *state;
        let honest = self.setting.honest().iter();
        let alike: Vec<usize> = honest.filter(|node| !self.setting.leads(*node)).map(NodeId::index).collect();
        let mut locals: Vec<Id> = alike.iter().map(|place| state.0[*place]).collect();
        locals.sort_unstable();
        for (place, local) in alike.into_iter().zip(locals) {
            next.0[place] = local;
        }
        next
    }

    /// How many states differ from `state` in names only, itself included.
    pub fn orbit(&self, state: &State) -> usize {
        let symmetry = self.setting.parameters.symmetry;
        let alike = self.setting.honest().iter().filter(|node| symmetry && !self.setting.leads(*node));
        let mut counted: Vec<(Id, usize)> = Vec::new();
        let mut orbit = 1;
        for (before, node) in alike.enumerate() {
            let local = state.0[node.index()];
            let same = match counted.iter_mut().find(|(other, _)| *other == local) {
                Some((_, same)) => same,
                None => {
                    counted.push((local, 0));
                    &mut counted.last_mut().expect("just pushed").1
                }
            };
            *same += 1;
            // n! / (k! l! …), one factor after the other: always whole.
            orbit = orbit * (before + 1) / *same;
        }
        orbit
    }
}

impl System for Records {
    type State = State;
    type Label = Action;

    fn initial(&self) -> Vec<State> {
        let fresh = self.memo().fresh();
        let mut state = State([0; MOST_HONEST]);
        for node in self.setting.honest().iter() {
            state.0[node.index()] = fresh;
        }
        vec![state]
    }

    fn steps(&self, state: &State, steps: &mut Vec<(Action, State)>) {
        let next = self.concrete_steps(state);
        steps.extend(next.into_iter().map(|(action, next)| (action, self.representative(&next))));
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn violated(&self, state: &State) -> Vec<usize> {
        let mut memo = self.memo();
        let decided = memo.decided(&self.setting, state);
        let place = |property| PROPERTIES.iter().position(|name| *name == property).expect("in the list");
        let failures = [
            (AGREEMENT, decided.len() > 1),
            (VALIDITY, decided.iter().any(|value| !Value::VALID.contains(value))),
            (CONTRACT, memo.is_breached(&self.setting, state)),
        ];
        failures.into_iter().filter(|(_, failed)| *failed).map(|(property, _)| place(property)).collect()
    }

    fn witnesses(&self) -> Vec<String> {
        self.seen().iter().map(ToString::to_string).collect()
    }

    fn describe(&self, action: &Action) -> String {
        format!("node {}: {:?}", action.node.0, action.act)
    }

    fn tell(&self, first: &State, path: &[(Action, State)]) -> Story {
        tell::tell(self, first, path)
    }
}
