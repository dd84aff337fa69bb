//! The specification in Rust, action by action, so that the kernel's steps can
//! be held against it and its states against those of TLC.
//!
//! A transcription could be wrong in the same way as the kernel; what keeps it
//! honest is that its set of reachable states equals TLC's, state by state, and
//! that its counts equal those of both checkers (`butterfly-check spec`).

pub mod agreement;
pub mod chain;
pub mod configuration;
pub mod dump;
pub mod explored;
pub mod inference;

use std::fmt::Debug;
use std::hash::Hash;

/// A root module of `spec/`: what the transcriptions have in common.
pub trait Module: Clone + Send + Sync + 'static {
    /// The variables.
    type State: Clone + Eq + Hash + Ord + Debug + Send + Sync;
    /// A step: whose, which action, with what.
    type Action: Clone + PartialEq + Debug + Send + Sync;

    /// The properties without fairness that a configuration can name.
    const PROPERTIES: &'static [Property<Self>];
    /// The names of [`Module::PROPERTIES`], see [`names`].
    const NAMES: &'static [&'static str];

    /// `Init`.
    fn init(&self) -> Self::State;

    /// `Next`: every step from `state`, also those that change nothing.
    fn next(&self, state: &Self::State) -> Vec<(Self::Action, Self::State)>;

    /// The state that stands for all of its orbit: `state` itself unless the
    /// configuration has a `VIEW`.
    fn representative(&self, state: &Self::State) -> Self::State;

    /// The honest member whose step it is, 0 if it is nobody's.
    fn member(action: &Self::Action) -> usize;
}

/// A property and its name in the module.
pub struct Property<M: Module> {
    /// As configurations name it.
    pub name: &'static str,
    /// When it holds.
    pub holds: Holds<M>,
}

/// When a property holds.
pub enum Holds<M: Module> {
    /// An invariant.
    In(fn(&M, &M::State) -> bool),
    /// `[][...]_vars`: of the state before and the state after each step.
    Between(fn(&M, &M::State, &M::State) -> bool),
}

impl<M: Module> Property<M> {
    const fn invariant(name: &'static str, holds: fn(&M, &M::State) -> bool) -> Property<M> {
        Property { name, holds: Holds::In(holds) }
    }

    const fn step(name: &'static str, holds: fn(&M, &M::State, &M::State) -> bool) -> Property<M> {
        Property { name, holds: Holds::Between(holds) }
    }
}

/// The names of `properties`, in their order.
pub const fn names<M: Module, const N: usize>(properties: &[Property<M>; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut place = 0;
    while place < N {
        names[place] = properties[place].name;
        place += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A property that never failed would look like one that holds.
    pub(super) struct Counterexample<M: Module> {
        pub(super) property: &'static str,
        pub(super) module: M,
        pub(super) before: M::State,
        pub(super) after: M::State,
    }

    /// Each property of `module` holds where it begins, and fails in each of
    /// its counterexamples, of which there is one.
    pub(super) fn every_property_can_fail<M: Module>(module: &M, counterexamples: &[Counterexample<M>]) {
        let first = module.init();
        for Property { name, holds } in M::PROPERTIES {
            let is_kept = |module: &M, before: &M::State, after: &M::State| match holds {
                Holds::In(holds) => holds(module, after),
                Holds::Between(holds) => holds(module, before, after),
            };
            assert!(is_kept(module, &first, &first), "{name}");
            let mut against = counterexamples.iter().filter(|found| found.property == *name).peekable();
            assert!(against.peek().is_some(), "{name}");
            assert!(against.all(|found| !is_kept(&found.module, &found.before, &found.after)), "{name}");
        }
    }
}
