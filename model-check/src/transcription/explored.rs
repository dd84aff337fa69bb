//! A module as the engines explore it: its states by number, and the
//! properties that its configuration names.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Holds, Module};
use crate::explore::System;
use crate::story::{Scene, Story};
use crate::world::tables::{Id, Numbers};

/// `module`, ready to be explored.
#[derive(Clone)]
pub struct Explored<M: Module> {
    module: M,
    /// Places in [`Module::PROPERTIES`].
    checked: Vec<usize>,
    states: Arc<Mutex<Numbers<M::State>>>,
}

/// A step of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<A> {
    /// The action.
    pub action: A,
    /// The state that it leads to itself. Properties of steps are about this
    /// one: the representative of its orbit may call members by other names.
    pub reached: Id,
}

impl<M: Module> Explored<M> {
    /// `checked` are the places in [`Module::PROPERTIES`] of what must hold.
    pub fn new(module: M, checked: Vec<usize>) -> Explored<M> {
        Explored { module, checked, states: Arc::default() }
    }

    /// The state with this number.
    pub fn state(&self, id: Id) -> M::State {
        self.states().get(id).clone()
    }

    fn number(&self, state: M::State) -> Id {
        self.states().number(state)
    }

    fn states(&self) -> MutexGuard<'_, Numbers<M::State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failing(&self, fails: impl Fn(&Holds<M>) -> bool) -> Vec<usize> {
        self.checked.iter().copied().filter(|property| fails(&M::PROPERTIES[*property].holds)).collect()
    }
}

impl<M: Module> System for Explored<M> {
    type State = Id;
    type Label = Step<M::Action>;

    fn initial(&self) -> Vec<Id> {
        vec![self.number(self.module.representative(&self.module.init()))]
    }

    fn steps(&self, state: &Id, steps: &mut Vec<(Step<M::Action>, Id)>) {
        let before = self.state(*state);
        for (action, after) in self.module.next(&before) {
            if after != before {
                let next = self.number(self.module.representative(&after));
                steps.push((Step { action, reached: self.number(after) }, next));
            }
        }
    }

    fn properties(&self) -> &'static [&'static str] {
        M::NAMES
    }

    fn violated(&self, state: &Id) -> Vec<usize> {
        let state = self.state(*state);
        self.failing(|holds| matches!(holds, Holds::In(holds) if !holds(&self.module, &state)))
    }

    fn is_of_steps(&self, property: usize) -> bool {
        matches!(M::PROPERTIES[property].holds, Holds::Between(_))
    }

    fn violated_by(&self, state: &Id, step: &Step<M::Action>, _: &Id) -> Vec<usize> {
        let (before, after) = (self.state(*state), self.state(step.reached));
        self.failing(|holds| matches!(holds, Holds::Between(holds) if !holds(&self.module, &before, &after)))
    }

    fn witnesses(&self) -> Vec<String> {
        Vec::new()
    }

    fn describe(&self, step: &Step<M::Action>) -> String {
        format!("{:?}", step.action)
    }

    fn tell(&self, _: &Id, path: &[(Step<M::Action>, Id)]) -> Story {
        let scene = |(step, _): &(Step<M::Action>, Id)| Scene {
            at: M::member(&step.action),
            happening: self.describe(step),
            arrows: Vec::new(),
            consequences: Vec::new(),
        };
        Story { scenes: path.iter().map(scene).collect(), ..Story::default() }
    }
}
