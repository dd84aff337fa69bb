//! What must happen in the end, on the whole graph of a system.
//!
//! A run goes on for ever or stops where nothing more happens; stopping is a
//! run that repeats its last state. A run is *fair* to an action if, from any
//! moment on, the action is taken, or is impossible, again and again (weak
//! fairness). [`Steps::leads_to`] asks whether every fair run that passes a
//! state of one kind reaches a state of another kind later.
//!
//! The answer is exact: a run that never gets there stays, from some moment
//! on, in one strongly connected component of the states that are not there.
//! It can be fair if and only if each fair action is somewhere in that
//! component impossible, or taken by a step inside it; a larger component can
//! only make that easier, so the largest ones are looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, Place};
use super::{Progress, System, Until};

/// The steps of a graph, each with the fair action that it is.
pub struct Steps<A> {
    /// By state: where its steps begin in `to`. One more than there are states.
    begin: Vec<u32>,
    to: Vec<Place>,
    /// By step: the number of its action in `actions`, or [`UNFAIR`].
    action: Vec<u16>,
    actions: Vec<A>,
}

/// A step that nobody promises to take.
const UNFAIR: u16 = u16::MAX;

/// A fair run that never gets where it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasso {
    /// A state from which the run can stay away for ever.
    pub place: Place,
    /// How many states it goes round: one if it stops there.
    pub round: usize,
}

impl<A: Clone + Ord> Steps<A> {
    /// Explores `system` and keeps its steps. `fair` says of which action,
    /// promised to be taken if it stays possible, a step is; none if of none.
    pub fn explore<S: System>(
        system: &S,
        progress: Progress<'_>,
        fair: impl Fn(&S::Label) -> Option<A>,
    ) -> (Graph<S>, Steps<A>) {
        let mut numbers: BTreeMap<A, u16> = BTreeMap::new();
        let mut steps = Steps { begin: vec![0], to: Vec::new(), action: Vec::new(), actions: Vec::new() };
        let graph = Graph::explore(system, Until::End, progress, |from, _, label, to, _| {
            steps.end_states_before(from);
            let action = fair(label).map_or(UNFAIR, |action| {
                *numbers.entry(action.clone()).or_insert_with(|| {
                    steps.actions.push(action);
                    u16::try_from(steps.actions.len() - 1).expect("few actions")
                })
            });
            steps.to.push(to);
            steps.action.push(action);
        });
        steps.end_states_before(Place::try_from(graph.states.len()).expect("fewer than 2^32 states"));
        (graph, steps)
    }

    /// A graph given by its steps: from, to, and of which fair action.
    pub fn of(states: usize, edges: &[(Place, Place, Option<A>)]) -> Steps<A> {
        let mut steps = Steps { begin: vec![0], to: Vec::new(), action: Vec::new(), actions: Vec::new() };
        let mut edges = edges.to_vec();
        edges.sort();
        for (from, to, action) in edges {
            steps.end_states_before(from);
            let known = action.as_ref().and_then(|action| steps.actions.iter().position(|known| known == action));
            let number = match (action, known) {
                (None, _) => UNFAIR,
                (Some(_), Some(known)) => u16::try_from(known).expect("few actions"),
                (Some(action), None) => {
                    steps.actions.push(action);
                    u16::try_from(steps.actions.len() - 1).expect("few actions")
                }
            };
            steps.to.push(to);
            steps.action.push(number);
        }
        steps.end_states_before(Place::try_from(states).expect("fewer than 2^32 states"));
        steps
    }

    fn end_states_before(&mut self, from: Place) {
        let end = u32::try_from(self.to.len()).expect("fewer than 2^32 steps");
        while self.begin.len() <= at(from) {
            self.begin.push(end);
        }
    }

    /// How many states.
    pub fn states(&self) -> usize {
        self.begin.len() - 1
    }

    /// The fair actions that steps are of.
    pub fn actions(&self) -> &[A] {
        &self.actions
    }

    fn steps(&self, place: Place) -> impl Iterator<Item = (Place, u16)> + '_ {
        let range = at(self.begin[at(place)])..at(self.begin[at(place) + 1]);
        self.to[range.clone()].iter().copied().zip(self.action[range].iter().copied())
    }

    /// A state from which no fair step, one after the other, leads to `goal`:
    /// a trap, if there is any. Of several the first that was found.
    pub fn trap(&self, goal: impl Fn(Place) -> bool) -> Option<Place> {
        let states = Place::try_from(self.states()).expect("fewer than 2^32 states");
        let mut before: Vec<Vec<Place>> = vec![Vec::new(); self.states()];
        for from in 0..states {
            for (to, _) in self.steps(from).filter(|(_, action)| *action != UNFAIR) {
                before[at(to)].push(from);
            }
        }
        let mut leads: Vec<bool> = (0..states).map(&goal).collect();
        let mut open: Vec<Place> = (0..states).filter(|place| leads[at(*place)]).collect();
        while let Some(place) = open.pop() {
            for from in &before[at(place)] {
                if !std::mem::replace(&mut leads[at(*from)], true) {
                    open.push(*from);
                }
            }
        }
        (0..states).find(|place| !leads[at(*place)])
    }

    /// Whether every run that passes a state of `from` reaches `goal` then or
    /// later, if it is fair to every action for which `is_fair` holds.
    ///
    /// # Errors
    /// A fair run that does not.
    pub fn leads_to(
        &self,
        from: impl Fn(Place) -> bool,
        goal: impl Fn(Place) -> bool,
        is_fair: impl Fn(&A) -> bool,
    ) -> Result<(), Lasso> {
        let fair: Vec<u16> = (0..u16::try_from(self.actions.len()).expect("few actions"))
            .filter(|action| is_fair(&self.actions[usize::from(*action)]))
            .collect();
        for component in self.components(from, goal) {
            let inside: BTreeSet<Place> = component.iter().copied().collect();
            let excused = |action: &u16| {
                let impossible = component.iter().any(|place| self.steps(*place).all(|(_, taken)| taken != *action));
                let taken = || {
                    let mut steps = component.iter().flat_map(|place| self.steps(*place));
                    steps.any(|(to, taken)| taken == *action && inside.contains(&to))
                };
                impossible || taken()
            };
            if fair.iter().all(excused) {
                let place = component.iter().copied().min().expect("a component has a state");
                return Err(Lasso { place, round: component.len() });
            }
        }
        Ok(())
    }

    /// The largest strongly connected components of the states that can be
    /// reached from `from` without passing `goal`. A state alone is one: a run
    /// can stop there. The algorithm is Tarjan's (1972), its calls on a stack
    /// of our own, since paths are as long as the graph is deep.
    fn components(&self, from: impl Fn(Place) -> bool, goal: impl Fn(Place) -> bool) -> Vec<Vec<Place>> {
        const NEVER: u32 = u32::MAX;
        let states = Place::try_from(self.states()).expect("fewer than 2^32 states");
        let mut number = vec![NEVER; self.states()];
        let mut lowest = vec![NEVER; self.states()];
        let mut open = vec![false; self.states()];
        let mut stack: Vec<Place> = Vec::new();
        let mut next = 0;
        let mut components = Vec::new();
        let mut calls: Vec<Call> = Vec::new();
        for root in (0..states).filter(|place| from(*place) && !goal(*place)) {
            if number[at(root)] == NEVER {
                calls.push(self.call(root));
            }
            while let Some(call) = calls.last_mut() {
                let place = call.place;
                if number[at(place)] == NEVER {
                    number[at(place)] = next;
                    lowest[at(place)] = next;
                    next += 1;
                    stack.push(place);
                    open[at(place)] = true;
                }
                if let Some(step) = call.steps.next() {
                    let to = self.to[step];
                    if goal(to) {
                        continue;
                    }
                    if number[at(to)] == NEVER {
                        calls.push(self.call(to));
                    } else if open[at(to)] {
                        lowest[at(place)] = lowest[at(place)].min(number[at(to)]);
                    }
                    continue;
                }
                calls.pop();
                if let Some(caller) = calls.last() {
                    lowest[at(caller.place)] = lowest[at(caller.place)].min(lowest[at(place)]);
                }
                if lowest[at(place)] == number[at(place)] {
                    let begin = stack.iter().rposition(|member| *member == place).expect("on the stack");
                    let component = stack.split_off(begin);
                    component.iter().for_each(|member| open[at(*member)] = false);
                    components.push(component);
                }
            }
        }
        components
    }

    fn call(&self, place: Place) -> Call {
        Call { place, steps: at(self.begin[at(place)])..at(self.begin[at(place) + 1]) }
    }
}

/// A state under way in the search for components, and its steps not yet followed.
struct Call {
    place: Place,
    steps: std::ops::Range<usize>,
}

fn at(place: Place) -> usize {
    usize::try_from(place).expect("a place in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From, to, and of which fair action.
    type Edge = (Place, Place, Option<char>);

    fn reaches(states: usize, edges: &[Edge], goal: Place) -> bool {
        let steps = Steps::of(states, edges);
        steps.leads_to(|place| place == 0, |place| place == goal, |_| true).is_ok()
    }

    #[test]
    fn a_run_can_go_round_a_cycle_for_ever() {
        assert!(!reaches(4, &[(0, 1, None), (1, 2, None), (2, 1, None), (1, 3, None)], 3));
    }

    #[test]
    fn a_run_can_stay_where_it_is() {
        assert!(!reaches(2, &[(0, 0, None), (0, 1, None)], 1));
        assert!(!reaches(2, &[(0, 1, None)], 1), "or stop there");
    }

    #[test]
    fn a_run_can_miss_the_goal_where_two_paths_join() {
        // 0 -> 1 (goal) -> 3 and 0 -> 2 -> 3: the second path misses it.
        assert!(!reaches(4, &[(0, 1, Some('a')), (0, 2, Some('b')), (1, 3, Some('a')), (2, 3, Some('a'))], 1));
    }

    #[test]
    fn a_fair_run_leaves_a_cycle_by_what_stays_possible() {
        let edges = [(0, 1, Some('a')), (1, 0, Some('a')), (0, 2, Some('b')), (1, 2, Some('b'))];
        assert!(reaches(3, &edges, 2));
        // Possible in one state of the cycle only: impossible again and again.
        assert!(!reaches(3, &edges[..3], 2));
    }

    #[test]
    fn what_nobody_promises_need_not_happen() {
        let steps = Steps::of(2, &[(0, 1, Some('a'))]);
        assert_eq!(steps.leads_to(|_| true, |place| place == 1, |_| true), Ok(()));
        let lasso = steps.leads_to(|_| true, |place| place == 1, |_| false);
        assert_eq!(lasso, Err(Lasso { place: 0, round: 1 }));
    }

    #[test]
    fn only_what_begins_in_the_right_place_has_to_get_there() {
        let edges = [(0, 1, Some('a')), (0, 2, Some('b'))];
        let steps = Steps::of(3, &edges);
        assert!(steps.leads_to(|place| place == 1, |place| place == 1, |_| true).is_ok());
        assert!(steps.leads_to(|place| place == 2, |place| place == 1, |_| true).is_err());
    }

    #[test]
    fn a_trap_is_a_state_that_no_fair_steps_lead_out_of() {
        let steps = Steps::of(4, &[(0, 1, Some('a')), (1, 3, Some('a')), (0, 2, None), (2, 3, None)]);
        assert_eq!(steps.trap(|place| place == 3), Some(2), "its only step is promised by nobody");
        let steps = Steps::of(4, &[(0, 1, Some('a')), (1, 3, Some('a')), (0, 2, None), (2, 3, Some('a'))]);
        assert_eq!(steps.trap(|place| place == 3), None);
    }

    #[test]
    fn components_of_many_graphs_are_those_of_reachability_both_ways() {
        // Every graph of four states in which each has at most one step to each.
        for bits in 0..1_u32 << 16 {
            let edges: Vec<Edge> =
                (0..16).filter(|edge| bits & (1 << edge) != 0).map(|edge| (edge / 4, edge % 4, None)).collect();
            let mut reach = [[false; 4]; 4];
            (0..4).for_each(|place| reach[place][place] = true);
            edges.iter().for_each(|(from, to, _)| reach[at(*from)][at(*to)] = true);
            for via in 0..4 {
                for from in 0..4 {
                    for to in 0..4 {
                        reach[from][to] |= reach[from][via] && reach[via][to];
                    }
                }
            }
            let mut found = Steps::of(4, &edges).components(|_| true, |_| false);
            found.iter_mut().for_each(|component| component.sort_unstable());
            found.sort();
            let mut expected: Vec<Vec<Place>> = (0..4)
                .map(|place| (0..4).filter(|other| reach[place][at(*other)] && reach[at(*other)][place]).collect())
                .collect();
            expected.sort();
            expected.dedup();
            assert_eq!(found, expected, "{edges:?}");
        }
    }
}
