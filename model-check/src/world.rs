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

pub mod faulty;
pub mod network;
pub mod replica;
pub mod setting;
pub mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::NodeId;
use stateright::{Model, Property};

use self::network::Network;
use self::replica::Witness;
use self::setting::{Ballot, MEMBERS, Parameters, Setting};
use self::tables::{Id, Local, Move, Tables};
use crate::symbolic::Value;

/// Where a world is: the number of each honest node's state and of the
/// network, all in [`Tables`]. Places behind the honest nodes stay zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// By node.
    pub locals: [Id; MEMBERS],
    /// What was said.
    pub network: Id,
}

/// One node's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Whose.
    pub node: NodeId,
    /// What happens to it, and where that leads.
    pub step: Move,
}

/// A world to explore. Clones share the tables.
#[derive(Clone)]
pub struct World {
    setting: Arc<Setting>,
    tables: Arc<Mutex<Tables>>,
    expanded: Arc<AtomicUsize>,
    /// The first state met in which a property does not hold, by property.
    violations: Arc<Mutex<BTreeMap<&'static str, State>>>,
}

impl World {
    /// A world with these parameters, nothing explored yet.
    pub fn new(parameters: Parameters) -> World {
        World {
            setting: Arc::new(Setting::new(parameters)),
            tables: Arc::default(),
            expanded: Arc::default(),
            violations: Arc::default(),
        }
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

    /// How many states had their successors computed.
    pub fn expanded(&self) -> usize {
        self.expanded.load(Ordering::Relaxed)
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

    /// Stateright reports the last violation that it meets before it stops, so
    /// only the first is shown to it: breadth first, that is a nearest one.
    fn holds_or_failed_before(&self, property: &'static str, state: &State, holds: bool) -> bool {
        let mut violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        holds || violations.entry(property).or_insert(*state) != state
    }

    fn keeps_contract(&self, state: &State) -> bool {
        !self.tables().verdict(state.network).breached
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut tables = self.tables();
        let network = tables.network(&self.setting, Network::default());
        let mut state = State { locals: [0; MEMBERS], network };
        for node in self.setting.honest().iter() {
            let step = self.setting.start(node);
            let (local, network) = tables.admit(&self.setting, node, step, state.network);
            state.locals[node.index()] = local;
            state.network = network;
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.expanded.fetch_add(1, Ordering::Relaxed);
        let mut tables = self.tables();
        for node in self.setting.honest().iter() {
            let moves = tables.moves(&self.setting, state.locals[node.index()], state.network);
            actions.extend(moves.iter().map(|step| Action { node, step: *step }));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        next.locals[action.node.index()] = action.step.local;
        next.network = action.step.network;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<World>> {
        vec![
            Property::always(AGREEMENT, |world: &World, state| {
                world.holds_or_failed_before(AGREEMENT, state, world.decided_values(state).len() <= 1)
            }),
            Property::always(VALIDITY, |world: &World, state| {
                let valid = world.decided_values(state).iter().all(|value| Value::VALID.contains(value));
                world.holds_or_failed_before(VALIDITY, state, valid)
            }),
            Property::always(CONTRACT, |world: &World, state| {
                world.holds_or_failed_before(CONTRACT, state, world.keeps_contract(state))
            }),
        ]
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
