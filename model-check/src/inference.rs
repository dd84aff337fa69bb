//! One part of a run on the kernel's node: computing, attesting, certificates,
//! payloads, and the epoch that commits it, in the steps of `spec/Inference.tla`.
//!
//! Each step wakes one honest node, lets it hear at once all that the step
//! needs, and keeps what it did: what it computed, attested and holds, its
//! record, and all that it said in agreement. Between two steps that is all
//! that is left of it. It is woken by going through this again with the
//! kernel's own `Node`: its host computes the same again, and it hears again
//! as much as had made it act. So a lie can come at any moment, to anybody, and
//! in any number of versions.
//!
//! The first part of the request is committed and one is left, so there are
//! statements about an earlier part, and earlier inputs that a restarted node
//! lacks. Deciding is not a step here: see [`crate::chain`].
//!
//! | module | subject |
//! | --- | --- |
//! | [`setting`] | who takes part, who computes what, who lies |
//! | [`values`] | what crossed each link, and what shows it |
//! | [`local`] | one honest node between two steps |
//! | [`awake`] | one honest node at work |
//! | [`evidence`] | what can be shown to a node, by honest nodes and the liar |
//! | [`memo`] | what the kernel makes of each thing that can happen |
//! | [`properties`] | what must hold in every state |
//! | [`tell`] | a run, told |

mod awake;
mod evidence;
pub mod local;
pub mod memo;
pub mod properties;
pub mod setting;
mod tell;
pub mod values;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use butterfly_kernel::types::{NodeId, Stage, View};

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

/// What one honest node does in a step. The names are those of
/// `spec/Inference.tla`; several of them may come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Steps in for an owner.
    Escalate(Stage),
    /// Computes a stage.
    Compute(Stage),
    /// Signs what it computed.
    Attest(Stage),
    /// Puts a payload together, or is given one by the liar.
    Certify(values::Id),
    /// Is given a payload by an honest member.
    Fetch(values::Id),
    /// Leads a view, and proposes.
    Propose(View),
    /// Votes.
    Vote(values::Id),
    /// Leaves for a view.
    EnterView(View),
    /// Loses what is not on its disk.
    Restart,
    /// Has earlier inputs again.
    Recover(Stage),
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
    /// A reserve stepped in.
    StepsIn,
    /// A node put a payload together itself.
    PutsTogether,
    /// A node left a view because others had.
    Joins,
    /// An honest node proposed in a later view.
    Leads,
    /// A node voted in a second view.
    Carries,
    /// Earlier inputs were recovered.
    Recovers,
}

impl std::fmt::Display for Witness {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Witness::StepsIn => "a reserve stepped in",
            Witness::PutsTogether => "a payload put together",
            Witness::Joins => "a view left with others",
            Witness::Leads => "a proposal in a later view",
            Witness::Carries => "a vote in a second view",
            Witness::Recovers => "earlier inputs recovered",
        })
    }
}

/// A world to explore. Clones share the tables.
#[derive(Clone)]
pub struct Inference {
    setting: Arc<Setting>,
    memo: Arc<Mutex<Memo>>,
}

impl Inference {
    /// A world with these parameters, nothing explored yet.
    pub fn new(parameters: Parameters) -> Inference {
        let setting = Setting::new(parameters);
        let memo = Memo::new(&setting);
        Inference { setting: Arc::new(setting), memo: Arc::new(Mutex::new(memo)) }
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

impl System for Inference {
    type State = State;
    type Label = Action;

    fn initial(&self) -> Vec<State> {
        let mut state = State([0; MOST_HONEST]);
        for node in self.setting.honest().iter() {
            state.0[node.index()] = self.memo().first(&self.setting, node);
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
        properties::violated(&self.setting, &memo.values, &memo.locals(&self.setting, state))
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
