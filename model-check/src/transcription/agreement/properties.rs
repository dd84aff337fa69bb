//! The properties of `Agreement.tla`.

use super::{Action, Entry, Replica, Specification, State, VALID};
use crate::transcription::{Module, Property, names};

const PROPERTIES: [Property<Specification>; 5] = [
    Property::invariant("TypeOK", type_ok),
    Property::invariant("Agreement", agreement),
    Property::invariant("Validity", validity),
    Property::invariant("LockedIn", locked_in),
    Property::step("NeverTakenBack", never_taken_back),
];

/// A value that nobody honest votes for.
const INVALID: Entry = 3;

impl Module for Specification {
    type State = State;
    type Action = Action;

    const PROPERTIES: &'static [Property<Self>] = &PROPERTIES;
    const NAMES: &'static [&'static str] = &names(&PROPERTIES);

    fn init(&self) -> State {
        State::default()
    }

    fn next(&self, state: &State) -> Vec<(Action, State)> {
        Specification::next(self, state)
    }

    fn representative(&self, state: &State) -> State {
        Specification::representative(self, state)
    }

    fn member(action: &Action) -> usize {
        action.replica
    }
}

fn type_ok(specification: &Specification, state: &State) -> bool {
    let views = specification.views();
    let is_history = |entries: &[Entry]| {
        let (used, unused) = entries.split_at(views);
        used.iter().all(|entry| *entry == 0 || VALID.contains(entry)) && unused.iter().all(|entry| *entry == 0)
    };
    let is_replica = |replica: &Replica| {
        usize::from(replica.view) < views && is_history(&replica.votes) && is_history(&replica.commits)
    };
    specification.replicas(state).iter().all(is_replica) && is_history(&state.proposals)
}

fn agreement(specification: &Specification, state: &State) -> bool {
    specification.decided(state).len() <= 1
}

fn validity(specification: &Specification, state: &State) -> bool {
    !(0..specification.views()).any(|view| specification.is_decided_in(state, view, INVALID))
}

fn locked_in(specification: &Specification, state: &State) -> bool {
    specification.decided(state).into_iter().all(|value| {
        let mut views = 0..specification.views();
        // No later view justifies another value, and each view that decides
        // has all those behind it to answer for.
        views.find(|view| specification.is_decided_in(state, *view, value)).is_none_or(|first| {
            let mut later = first + 1..specification.views();
            later.all(|view| specification.justified(state, view).into_iter().all(|other| other == value))
        })
    })
}

fn never_taken_back(specification: &Specification, before: &State, after: &State) -> bool {
    let stays = |before: &[Entry], after: &[Entry]| {
        before.iter().zip(after).all(|(before, after)| *before == 0 || before == after)
    };
    let goes_on = |(before, after): (&Replica, &Replica)| {
        after.view >= before.view && stays(&before.votes, &after.votes) && stays(&before.commits, &after.commits)
    };
    specification.replicas(before).iter().zip(specification.replicas(after)).all(goes_on)
        && stays(&before.proposals, &after.proposals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::agreement::Constants;
    use crate::transcription::configuration;
    use crate::transcription::tests::{Counterexample, every_property_can_fail};

    fn constants() -> Constants {
        match configuration::read("n4-p1").unwrap().constants {
            configuration::Constants::Agreement(constants) => constants,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_property_fails_somewhere() {
        let module = Specification::new(constants());
        let case = |property, constants: Constants, before: &dyn Fn(&mut State), after: &dyn Fn(&mut State)| {
            let (mut first, mut second) = (State::default(), State::default());
            before(&mut first);
            after(&mut second);
            Counterexample { property, module: Specification::new(constants), before: first, after: second }
        };
        let vote = |state: &mut State, replicas: &[usize], view: usize, value: Entry| {
            for replica in replicas {
                state.replicas[*replica].votes[view] = value;
            }
        };
        // A Byzantine replica alone decides what it likes.
        let one_decides = Constants { p: 3, ..constants() };
        // The leader of view 0 lies about its vote.
        let liar_counts = Constants { exclude_equivocator: false, ..constants() };
        let counterexamples = [
            case("TypeOK", constants(), &|_| {}, &|state| state.replicas[0].view = 2),
            case("TypeOK", constants(), &|_| {}, &|state| vote(state, &[0], 0, INVALID)),
            case("Agreement", constants(), &|_| {}, &|state| {
                vote(state, &[0, 1], 0, 1);
                vote(state, &[1, 2], 1, 2);
            }),
            case("Validity", one_decides, &|_| {}, &|_| {}),
            case("LockedIn", liar_counts, &|_| {}, &|state| {
                vote(state, &[0, 1], 0, 1);
                vote(state, &[2], 0, 2);
                state.replicas.iter_mut().take(3).for_each(|replica| replica.view = 1);
            }),
            case("NeverTakenBack", constants(), &|state| state.replicas[0].view = 1, &|_| {}),
            case("NeverTakenBack", constants(), &|state| vote(state, &[0], 0, 1), &|_| {}),
            case("NeverTakenBack", constants(), &|state| state.replicas[0].commits[0] = 1, &|_| {}),
            case("NeverTakenBack", constants(), &|state| state.proposals[0] = 1, &|state| state.proposals[0] = 2),
        ];
        every_property_can_fail(&module, &counterexamples);
    }
}
