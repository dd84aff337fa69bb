//! The world that is explored: honest nodes that run the real kernel, and the
//! set of all that was ever said.
//!
//! | module | subject |
//! | --- | --- |
//! | [`setting`] | who takes part, who is faulty, who leads |
//! | [`network`] | what is true, and what follows from it for good |
//! | [`faulty`] | what may happen next, faulty nodes included |
//! | [`replica`] | one honest node, driven through the kernel's entry points |
//! | [`tables`] | numbers for states, so that a state of the world is a few bytes |
//! | [`narrate`] | a run, told |

pub mod faulty;
pub mod narrate;
pub mod network;
pub mod replica;
pub mod setting;
pub mod tables;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::NodeId;

use self::network::Network;
use self::replica::Witness;
use self::setting::{Ballot, MOST_HONEST, Parameters, Setting};
use self::tables::{Id, Local, Tables};
use crate::explore::System;
use crate::story::Story;
use crate::symbolic::Value;

/// Where a world is: the number of each honest node's state and of the
/// network, all in [`Tables`]. Places behind the honest nodes stay zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// By node.
    pub locals: [Id; MOST_HONEST],
    /// What was said.
    pub network: Id,
}

/// One node's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Whose.
    pub node: NodeId,
    /// What happens to it, by its number.
    pub offer: Id,
}

/// A world to explore. Clones share the tables.
#[derive(Clone)]
pub struct World {
    setting: Arc<Setting>,
    tables: Arc<Mutex<Tables>>,
}

impl World {
    /// A world with these parameters, nothing explored yet.
    pub fn new(parameters: Parameters) -> World {
        World { setting: Arc::new(Setting::new(parameters)), tables: Arc::default() }
    }

    /// Who takes part.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// What the numbers in a state stand for.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        // A worker that panicked fails the run; the tables are only read then.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Branches of the protocol that reachable steps went through.
    pub fn seen(&self) -> BTreeSet<Witness> {
        self.tables().seen.clone()
    }

    /// What honest nodes have decided.
    pub fn decisions(&self, state: &State) -> Vec<(NodeId, Path, Ballot)> {
        let tables = self.tables();
        let nodes = self.setting.honest();
        let decided = nodes.iter().filter_map(|node| match tables.locals.get(state.locals[node.index()]) {
            Local::Decided { me, path, ballot } => Some((*me, *path, *ballot)),
            Local::Running { .. } => None,
        });
        decided.collect()
    }

    /// Values that are decided, or for which a certificate can exist.
    pub fn decided_values(&self, state: &State) -> BTreeSet<Value> {
        let mut values = self.tables().verdict(state.network).decidable.clone();
        values.extend(self.decisions(state).into_iter().map(|(_, _, ballot)| ballot.value));
        values
    }

    fn keeps_contract(&self, state: &State) -> bool {
        !self.tables().verdict(state.network).breached
    }
}

impl System for World {
    type State = State;
    type Label = Action;

    fn initial(&self) -> Vec<State> {
        let mut tables = self.tables();
        let network = tables.network(&self.setting, Network::default());
        let mut state = State { locals: [0; MOST_HONEST], network };
        for node in self.setting.honest().iter() {
            let step = self.setting.start(node);
            let (local, network) = tables.admit(&self.setting, node, step, state.network);
            state.locals[node.index()] = local;
            state.network = network;
        }
        vec![state]
    }

    fn steps(&self, state: &State, steps: &mut Vec<(Action, State)>) {
        let mut tables = self.tables();
        for node in self.setting.honest().iter() {
            let moves = tables.moves(&self.setting, state.locals[node.index()], state.network);
            steps.extend(moves.iter().map(|step| {
                let mut next = *state;
                next.locals[node.index()] = step.local;
                next.network = step.network;
                (Action { node, offer: step.offer }, next)
            }));
        }
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn violated(&self, state: &State) -> Vec<usize> {
        let values = self.decided_values(state);
        let holds =
            [values.len() <= 1, values.iter().all(|value| Value::VALID.contains(value)), self.keeps_contract(state)];
        (0..holds.len()).filter(|property| !holds[*property]).collect()
    }

    fn witnesses(&self) -> Vec<String> {
        self.seen().iter().map(ToString::to_string).collect()
    }

    fn describe(&self, action: &Action) -> String {
        let offer = self.tables().offers.get(action.offer).clone();
        narrate::happening(&self.setting, action.node, &offer)
    }

    fn tell(&self, first: &State, path: &[(Action, State)]) -> Story {
        narrate::narrate(self, first, path)
    }
}

/// No two values are decided, nor could be with the statements that exist.
pub const AGREEMENT: &str = "Agreement";
/// Only values that honest nodes know to be valid are decided.
pub const VALIDITY: &str = "Validity";
/// None of [`network::Breach`] happens; blaming an honest node is one of them.
pub const CONTRACT: &str = "Contract";
/// What is checked in every state.
pub const PROPERTIES: [&str; 3] = [AGREEMENT, VALIDITY, CONTRACT];
