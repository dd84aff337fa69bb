//! Our own engine: breadth first on one thread, over an exact set of states.
//!
//! States stand in one row in the order in which they were found, and a hash
//! table holds their places: a state costs its own size and about six bytes.
//! Where a run is cut into levels tells the depth, and the place from which
//! each state was found first leads back to the beginning on a shortest path.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{Exploration, Progress, Run, System, Until, Violation};

/// The place of a state in the order in which states were found.
pub type Place = u32;

/// Distinct states in the order in which they were first met.
pub struct States<T> {
    row: Vec<T>,
    places: HashTable<Place>,
    hasher: FixedState,
}

impl<T: Copy + Eq + Hash> States<T> {
    /// None yet.
    pub fn new() -> States<T> {
        States { row: Vec::new(), places: HashTable::new(), hasher: FixedState::default() }
    }

    /// The place of `state`, and whether it is new.
    ///
    /// # Panics
    /// With the 2^32nd state.
    pub fn insert(&mut self, state: T) -> (Place, bool) {
        let States { row, places, hasher } = self;
        let hash = hasher.hash_one(state);
        if let Some(place) = places.find(hash, |place| row[at(*place)] == state) {
            return (*place, false);
        }
        let place = Place::try_from(row.len()).expect("fewer than 2^32 states");
        row.push(state);
        places.insert_unique(hash, place, |place| hasher.hash_one(row[at(*place)]));
        (place, true)
    }

    /// The place of `state`, if it was met.
    pub fn find(&self, state: &T) -> Option<Place> {
        let hash = self.hasher.hash_one(state);
        self.places.find(hash, |place| self.row[at(*place)] == *state).copied()
    }

    /// The state at `place`.
    pub fn get(&self, place: Place) -> &T {
        &self.row[at(place)]
    }

    /// All, in the order in which they were met.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.row.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.row.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    /// Bytes that the states and the table of their places take.
    pub fn bytes(&self) -> usize {
        self.row.capacity() * size_of::<T>() + self.places.allocation_size()
    }
}

impl<T: Copy + Eq + Hash> Default for States<T> {
    fn default() -> Self {
        States::new()
    }
}

/// What is kept of a run.
pub struct Graph<S: System> {
    /// The states.
    pub states: States<S::State>,
    /// From where each was found first; the first ones from themselves.
    found_from: Vec<Place>,
    /// Steps taken.
    pub transitions: usize,
    /// Levels of the breadth-first search.
    pub depth: usize,
    /// How many states had their steps taken.
    pub expanded: usize,
    /// The first state or step that fails each property.
    failures: Vec<Failure<S>>,
}

/// Where a property fails.
struct Failure<S: System> {
    property: usize,
    /// The state, or the one that the step leaves.
    place: Place,
    /// The step, if it is one that fails.
    step: Option<(S::Label, S::State)>,
}

impl<S: System> Graph<S> {
    /// Explores `system`. `each` sees every step: the place and the state that
    /// it leaves, its label, the place and the state that it reaches.
    pub fn explore(
        system: &S,
        until: Until,
        progress: Progress<'_>,
        mut each: impl FnMut(Place, &S::State, &S::Label, Place, &S::State),
    ) -> Graph<S> {
        let mut graph = Graph {
            states: States::new(),
            found_from: Vec::new(),
            transitions: 0,
            depth: 0,
            expanded: 0,
            failures: Vec::new(),
        };
        for state in system.initial() {
            graph.meet(system, state, None);
        }
        let mut steps = Vec::new();
        let mut level_ends = 0;
        while graph.expanded < graph.states.len() {
            if until == Until::Violation && !graph.failures.is_empty() {
                break;
            }
            if graph.expanded == level_ends {
                graph.depth += 1;
                level_ends = graph.states.len();
            }
            let from = Place::try_from(graph.expanded).expect("fewer than 2^32 states");
            let state = *graph.states.get(from);
            system.steps(&state, &mut steps);
            for (label, next) in steps.drain(..) {
                let to = graph.meet(system, next, Some(from));
                for property in system.violated_by(&state, &label, &next) {
                    graph.fail(property, from, Some((label.clone(), next)));
                }
                graph.transitions += 1;
                each(from, &state, &label, to, &next);
            }
            graph.expanded += 1;
            if graph.expanded.is_multiple_of(1 << 14) {
                progress(graph.states.len());
            }
        }
        // What a system finds out about itself may come with its last steps.
        let first = graph.states.iter().next().copied();
        if let Some(first) = first {
            graph.judge(system, &first, 0);
        }
        graph
    }

    fn meet(&mut self, system: &S, state: S::State, from: Option<Place>) -> Place {
        let (place, new) = self.states.insert(state);
        if new {
            self.found_from.push(from.unwrap_or(place));
            self.judge(system, &state, place);
        }
        place
    }

    fn judge(&mut self, system: &S, state: &S::State, place: Place) {
        for property in system.violated(state) {
            self.fail(property, place, None);
        }
    }

    fn fail(&mut self, property: usize, place: Place, step: Option<(S::Label, S::State)>) {
        if self.failures.iter().all(|failure| failure.property != property) {
            self.failures.push(Failure { property, place, step });
        }
    }

    /// A shortest run to the state at `place`.
    pub fn path(&self, system: &S, place: Place) -> Run<S> {
        let mut places = vec![place];
        let mut here = place;
        while self.found_from[at(here)] != here {
            here = self.found_from[at(here)];
            places.push(here);
        }
        places.reverse();
        let mut steps = Vec::new();
        let path = places.iter().zip(places.iter().skip(1)).map(|(from, to)| {
            steps.clear();
            system.steps(self.states.get(*from), &mut steps);
            let found = steps.iter().find(|(_, state)| state == self.states.get(*to));
            found.expect("a system takes the same steps each time").clone()
        });
        Run { path: path.collect(), first: *self.states.get(here) }
    }

    /// The numbers and the violations.
    pub fn exploration(&self, system: &S) -> Exploration<S> {
        let violation = |failure: &Failure<S>| {
            let mut run = self.path(system, failure.place);
            run.path.extend(failure.step.clone());
            Violation { property: system.properties()[failure.property], run }
        };
        Exploration {
            distinct: self.states.len(),
            transitions: self.transitions,
            depth: self.depth,
            complete: self.expanded == self.states.len(),
            violations: self.failures.iter().map(violation).collect(),
        }
    }
}

fn at(place: Place) -> usize {
    usize::try_from(place).expect("a place in memory")
}
