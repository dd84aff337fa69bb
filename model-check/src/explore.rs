//! What is explored, and the two programs that explore it.
//!
//! A [`System`] gives first states and labelled steps. [`graph`] keeps every
//! state, and [`fair`] every step to say what must happen in the end; [`stateright`] hands the same system to
//! Stateright. They share no code but the system, so their counts check each
//! other.

pub mod fair;
pub mod graph;
pub mod stateright;

use std::fmt::Debug;
use std::hash::Hash;

use crate::story::Story;

/// A world with finitely many states.
pub trait System {
    /// One state, exact: two states are equal only if nothing tells them apart.
    type State: Copy + Eq + Hash + Debug;
    /// What a step is called.
    type Label: Clone + PartialEq + Debug;

    /// Where it begins.
    fn initial(&self) -> Vec<Self::State>;

    /// Every step from `state`, put behind what is in `steps`. No step leads
    /// to where it came from.
    fn steps(&self, state: &Self::State, steps: &mut Vec<(Self::Label, Self::State)>);

    /// What must hold in every state, or of every step.
    fn properties(&self) -> &'static [&'static str];

    /// Those of [`System::properties`] that do not hold in `state`, by their
    /// places in that list.
    fn violated(&self, state: &Self::State) -> Vec<usize>;

    /// Whether the property in this place of the list is about steps.
    fn is_of_steps(&self, _property: usize) -> bool {
        false
    }

    /// Those of the properties of steps that this step from `state` breaks.
    fn violated_by(&self, _state: &Self::State, _label: &Self::Label, _next: &Self::State) -> Vec<usize> {
        Vec::new()
    }

    /// Branches of the protocol that steps went through so far.
    fn witnesses(&self) -> Vec<String>;

    /// A step in one line.
    fn describe(&self, label: &Self::Label) -> String;

    /// A run from the first state of `path`, told so that a person can follow.
    fn tell(&self, first: &Self::State, path: &[(Self::Label, Self::State)]) -> Story;
}

/// A system that an engine may hand from thread to thread.
pub trait Shared:
    System<State: Send + Sync + 'static, Label: Send + Sync + 'static> + Clone + Send + Sync + 'static
{
}

impl<S> Shared for S where
    S: System<State: Send + Sync + 'static, Label: Send + Sync + 'static> + Clone + Send + Sync + 'static
{
}

/// A system of which one property is looked at, or all.
#[derive(Clone)]
pub struct Only<S> {
    /// The system.
    pub system: S,
    /// The property; all if none is given.
    pub property: Option<&'static str>,
}

impl<S: System> Only<S> {
    fn is_looked_at(&self, place: usize) -> bool {
        self.property.is_none_or(|property| self.system.properties()[place] == property)
    }
}

impl<S: System> System for Only<S> {
    type State = S::State;
    type Label = S::Label;

    fn initial(&self) -> Vec<S::State> {
        self.system.initial()
    }

    fn steps(&self, state: &S::State, steps: &mut Vec<(S::Label, S::State)>) {
        self.system.steps(state, steps);
    }

    fn properties(&self) -> &'static [&'static str] {
        self.system.properties()
    }

    fn violated(&self, state: &S::State) -> Vec<usize> {
        let mut violated = self.system.violated(state);
        violated.retain(|place| self.is_looked_at(*place));
        violated
    }

    fn is_of_steps(&self, property: usize) -> bool {
        self.system.is_of_steps(property)
    }

    fn violated_by(&self, state: &S::State, label: &S::Label, next: &S::State) -> Vec<usize> {
        let mut violated = self.system.violated_by(state, label, next);
        violated.retain(|place| self.is_looked_at(*place));
        violated
    }

    fn witnesses(&self) -> Vec<String> {
        self.system.witnesses()
    }

    fn describe(&self, label: &S::Label) -> String {
        self.system.describe(label)
    }

    fn tell(&self, first: &S::State, path: &[(S::Label, S::State)]) -> Story {
        self.system.tell(first, path)
    }
}

/// The two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Stateright, breadth first, on one thread.
    Stateright,
    /// Our own, breadth first, exact.
    Graph,
}

impl Engine {
    /// Both, in the order in which they run.
    pub const BOTH: [Engine; 2] = [Engine::Stateright, Engine::Graph];

    /// As in tables and documents.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Stateright => "stateright",
            Engine::Graph => "graph",
        }
    }
}

/// What an engine found.
#[derive(Clone, Debug)]
pub struct Exploration<S: System> {
    /// Distinct states.
    pub distinct: usize,
    /// Steps between them.
    pub transitions: usize,
    /// States on the longest of the shortest paths.
    pub depth: usize,
    /// Whether the steps of every state were taken.
    pub complete: bool,
    /// For each property that fails, a shortest run to a state where it does, or
    /// with the step that breaks it at its end.
    pub violations: Vec<Violation<S>>,
}

/// A property that fails, and how to get there.
#[derive(Clone, Debug)]
pub struct Violation<S: System> {
    /// Its name.
    pub property: &'static str,
    /// No run to a violation has fewer steps.
    pub run: Run<S>,
}

/// A run of a system.
#[derive(Clone, Debug)]
pub struct Run<S: System> {
    /// Where it begins.
    pub first: S::State,
    /// Its steps, each with where it leads.
    pub path: Vec<(S::Label, S::State)>,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the end: every reachable state.
    End,
    /// To the first violation.
    Violation,
}

/// Called now and then with the number of states found so far.
pub type Progress<'a> = &'a mut dyn FnMut(usize);

#[cfg(test)]
mod tests {
    use super::graph::Graph;
    use super::*;

    /// 0 -> 1 -> 3 and 0 -> 2 -> 3, of which the last step breaks `Second`.
    #[derive(Clone)]
    struct Diamond;

    impl System for Diamond {
        type State = u8;
        type Label = ();

        fn initial(&self) -> Vec<u8> {
            vec![0]
        }

        fn steps(&self, state: &u8, steps: &mut Vec<((), u8)>) {
            let next: &[u8] = [&[1, 2][..], &[3], &[3], &[]][usize::from(*state)];
            steps.extend(next.iter().map(|next| ((), *next)));
        }

        fn properties(&self) -> &'static [&'static str] {
            &["First", "Second"]
        }

        fn violated(&self, _: &u8) -> Vec<usize> {
            Vec::new()
        }

        fn is_of_steps(&self, property: usize) -> bool {
            property == 1
        }

        fn violated_by(&self, state: &u8, _: &(), next: &u8) -> Vec<usize> {
            if (*state, *next) == (2, 3) { vec![1] } else { Vec::new() }
        }

        fn witnesses(&self) -> Vec<String> {
            Vec::new()
        }

        fn describe(&self, _: &()) -> String {
            String::new()
        }

        fn tell(&self, _: &u8, _: &[((), u8)]) -> Story {
            Story::default()
        }
    }

    #[test]
    fn a_step_to_a_known_state_is_judged_all_the_same() {
        let explorations = [
            Graph::explore(&Diamond, Until::End, &mut |_| {}, |_, _, _, _, _| {}).exploration(&Diamond),
            stateright::explore(Diamond, Until::End, &mut |_| {}),
        ];
        for exploration in explorations {
            let [violation] = &exploration.violations[..] else { panic!("one violation") };
            assert_eq!(violation.property, "Second");
            assert_eq!(violation.run.path, [((), 2), ((), 3)]);
            assert_eq!((exploration.distinct, exploration.complete), (4, true));
        }
    }
}
