//! The kernel's node over several epochs: catch-up, restarts, lost records and
//! their owners' re-admission, in the steps of `spec/Chain.tla`.
//!
//! As from record to record in one epoch ([`crate::records`]), each step wakes
//! one honest node, lets it hear at once all that the step needs, and keeps of
//! it what counts: here what it goes by, what is on its disk, and all that it
//! ever said. What is in its tables besides, it can be told again. Everything
//! is done by `butterfly_kernel::node::Node`, from verification to records.
//!
//! A faulty node leads view 0 of every epoch and there are no others, so a
//! leader never stands in the way of a value; what views add is checked on one
//! epoch. What an epoch adds is a notice, a member's re-admission or a revision
//! of the leader's profile, or a change of the roster, so nothing is computed:
//! see [`crate::inference`].
//!
//! Nodes keep their numbers when the roster changes, and members have others,
//! by their place in each roster. Who is no member runs no kernel: its host
//! looks for the changes that lead to it.
//!
//! | module | subject |
//! | --- | --- |
//! | [`setting`] | who takes part, who is faulty, who may lose what |
//! | [`values`] | values, each being the chain that it ends |
//! | [`local`] | one honest node between two steps |
//! | [`awake`] | one honest member at work |
//! | [`guest`] | the host of one that is no member, at work |
//! | [`memo`] | what the kernel makes of each thing that can happen |
//! | [`properties`] | what must hold in every state |
//! | [`tell`] | a run, told |

mod awake;
mod guest;
pub mod local;
pub mod memo;
pub mod properties;
pub mod setting;
mod tell;
pub mod values;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use butterfly_kernel::types::NodeId;

use self::memo::Memo;
use self::properties::PROPERTIES;
use self::setting::{Parameters, Setting};
use crate::explore::System;
use crate::story::Story;
use crate::world::setting::MOST_HONEST;
use crate::world::tables::Id;

/// Where a world is: the number of each honest node's state. Places behind the
/// honest nodes stay zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State(pub [Id; MOST_HONEST]);

/// What one honest node does in a step. The names are those of `spec/Chain.tla`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Votes in the open epoch.
    Vote(values::Id),
    /// Holds a quorum of votes in the open epoch.
    Close(values::Id),
    /// Is told of a later decision, and skips what lies between.
    CatchUp(values::Id),
    /// Holds the last decision of its cluster, and goes on in the next one.
    Enter,
    /// Crashes and starts from what is durable.
    Start,
    /// Starts without a record.
    Lose,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Whose.
    pub node: NodeId,
    /// What it does.
    pub act: Act,
}

/// A branch that a run has been through. A run that misses one it should go
/// through proves little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Witness {
    /// A member skipped an epoch.
    Skips,
    /// A learner became a replica again.
    ComesBack,
    /// A member that had lost its record voted.
    VotesAgain,
    /// A member closed an epoch in which it had not voted.
    ClosesUnvoted,
    /// A member entered another cluster.
    Enters,
    /// Somebody voted who was no founder.
    Joins,
    /// A learner entered another cluster.
    EntersLearning,
}

impl std::fmt::Display for Witness {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Witness::Skips => "an epoch skipped",
            Witness::ComesBack => "a learner admitted again",
            Witness::VotesAgain => "a vote after a loss",
            Witness::ClosesUnvoted => "an epoch closed without a vote of one's own",
            Witness::Enters => "a cluster entered behind a change",
            Witness::Joins => "a vote of one who joined",
            Witness::EntersLearning => "a cluster entered by a learner",
        })
    }
}

/// A world to explore. Clones share the tables.
#[derive(Clone)]
pub struct Chain {
    setting: Arc<Setting>,
    memo: Arc<Mutex<Memo>>,
}

impl Chain {
    /// A world with these parameters, nothing explored yet.
    pub fn new(parameters: Parameters) -> Chain {
        let setting = Setting::new(parameters);
        let memo = Memo::new(&setting);
        Chain { setting: Arc::new(setting), memo: Arc::new(Mutex::new(memo)) }
    }

    /// Who takes part.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// What was found out about the kernel so far.
    pub fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Branches that reachable steps went through.
    pub fn seen(&self) -> BTreeSet<Witness> {
        self.memo().seen.clone()
    }
}

impl System for Chain {
    type State = State;
    type Label = Action;

    fn initial(&self) -> Vec<State> {
        let first = self.memo().first(&self.setting);
        let mut state = State([0; MOST_HONEST]);
        for node in self.setting.honest().iter() {
            state.0[node.index()] = first;
        }
        vec![state]
    }

    fn steps(&self, state: &State, steps: &mut Vec<(Action, State)>) {
        let moves = self.memo().moves(&self.setting, state);
        steps.extend(moves.into_iter().map(|(action, local)| {
            let mut next = *state;
            next.0[action.node.index()] = local;
            (action, next)
        }));
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn violated(&self, state: &State) -> Vec<usize> {
        let memo = self.memo();
        properties::violated(&self.setting, &memo.values, &memo.publics(&self.setting, state))
    }

    fn witnesses(&self) -> Vec<String> {
        self.seen().iter().map(ToString::to_string).collect()
    }

    fn describe(&self, action: &Action) -> String {
        tell::describe(&self.memo().values, action)
    }

    fn tell(&self, first: &State, path: &[(Action, State)]) -> Story {
        tell::tell(self, first, path)
    }
}
