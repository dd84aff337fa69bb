//! The properties of `Inference.tla`, and the witnesses of `InferenceCheck.tla`.

use std::collections::BTreeSet;

use super::{Action, Computation, Specification, State, Value, holding, reported};
use crate::transcription::{Module, Property, names};

const PROPERTIES: [Property<Specification>; 10] = [
    Property::invariant("TypeOK", type_ok),
    Property::invariant("Validity", validity),
    Property::invariant("ByzantineResistance", byzantine_resistance),
    Property::invariant("Integrity", integrity),
    Property::invariant("Agreement", agreement),
    Property::invariant("Accountability", accountability),
    Property::invariant("Carried", carried),
    Property::invariant("NothingCarriedIsDecided", nothing_carried_is_decided),
    Property::step("NeverTakenBack", never_taken_back),
    Property::step("NothingOnlyFetched", nothing_only_fetched),
];

impl Module for Specification {
    type State = State;
    type Action = Action;

    const PROPERTIES: &'static [Property<Self>] = &PROPERTIES;
    const NAMES: &'static [&'static str] = &names(&PROPERTIES);

    fn init(&self) -> State {
        Specification::init(self)
    }

    fn next(&self, state: &State) -> Vec<(Action, State)> {
        Specification::next(self, state)
    }

    fn representative(&self, state: &State) -> State {
        state.clone()
    }

    fn member(action: &Action) -> usize {
        action.member().unwrap_or(0)
    }
}

fn type_ok(specification: &Specification, state: &State) -> bool {
    let constants = specification.constants();
    let (honest, stages, views) = (constants.honest(), constants.last(), constants.leaders.len());
    let is_value = |value: &Value| value.len() == stages + 1 && value.iter().all(|signal| *signal < constants.signals);
    let is_computation = |done: &Computation| done.input < constants.signals && done.output < constants.signals;
    let by_stage = |flags: &Vec<Vec<bool>>| flags.len() == honest && flags.iter().all(|flags| flags.len() == stages);
    [&state.working, &state.attested, &state.past].into_iter().all(by_stage)
        && state.computed.len() == honest
        && state.computed.iter().all(|computed| computed.len() == stages)
        && state.computed.iter().flatten().flatten().all(is_computation)
        && state.candidates.len() == honest
        && state.candidates.iter().flatten().all(is_value)
        && state.view.len() == honest
        && state.view.iter().all(|view| *view < views)
        && state.votes.len() == honest
        && state.votes.iter().chain([&state.proposals]).all(|votes| votes.len() == views)
        && state.votes.iter().chain([&state.proposals]).flatten().flatten().all(is_value)
}

/// `Results`: everything that an honest member holds as valid, or that is decided.
fn results(specification: &Specification, state: &State) -> BTreeSet<Value> {
    let mut results = specification.decided(state);
    results.extend(state.candidates.iter().flatten().cloned());
    results
}

fn validity(specification: &Specification, state: &State) -> bool {
    let model = specification.constants().model();
    results(specification, state).iter().all(|value| *value == model)
}

fn byzantine_resistance(specification: &Specification, state: &State) -> bool {
    let gives = |stage: usize, claim: &Computation| specification.constants().gives[stage - 1][claim.input];
    (1..=specification.constants().last()).all(|stage| {
        let certificates = specification.certificates(state, stage);
        certificates.iter().all(|claim| claim.output == gives(stage, claim))
    })
}

fn integrity(specification: &Specification, state: &State) -> bool {
    results(specification, state).iter().all(|value| value[0] == specification.constants().committed)
}

fn agreement(specification: &Specification, state: &State) -> bool {
    specification.decided(state).len() <= 1
}

/// `Blamed = {}`
fn accountability(specification: &Specification, state: &State) -> bool {
    let constants = specification.constants();
    let contradict = |one: &Computation, other: &Computation| one.input == other.input && one.output != other.output;
    (1..=constants.last()).all(|stage| {
        let certificates = specification.certificates(state, stage);
        constants.assigned(stage).all(|member| {
            let own = specification.attestations(state, member, stage);
            let against = || own.iter().chain(&certificates);
            !own.iter().any(|claim| against().any(|other| contradict(claim, other)))
        })
    })
}

fn carried(_: &Specification, state: &State) -> bool {
    state.candidates.iter().enumerate().all(|(member, candidates)| {
        let vote = reported(state, member, state.view[member] + 1);
        vote.is_none_or(|value| candidates.contains(value))
    })
}

fn nothing_carried_is_decided(specification: &Specification, state: &State) -> bool {
    let fast_quorum = specification.fast_quorum();
    !state.candidates.iter().flatten().any(|value| {
        specification.honest_votes_for(state, 0, value) > 0
            && specification.votes_for(state, 0, value) < fast_quorum
            && specification.honest_votes_for(state, 1, value) >= fast_quorum
    })
}

fn never_taken_back(_: &Specification, before: &State, after: &State) -> bool {
    let stays = |(before, after): (&Option<Value>, &Option<Value>)| before.is_none() || before == after;
    let votes = before.votes.iter().flatten().zip(after.votes.iter().flatten());
    before.view.iter().zip(&after.view).all(|(before, after)| after >= before)
        && votes.chain(before.proposals.iter().zip(&after.proposals)).all(stays)
}

fn nothing_only_fetched(specification: &Specification, before: &State, after: &State) -> bool {
    let members = 0..before.candidates.len();
    let is_fetched = |member: usize| {
        let mut others = before.candidates.iter().flat_map(|held| held.difference(&before.candidates[member]));
        others.any(|value| holding(before, member, value) == *after)
    };
    let can_certify = |member: usize| !specification.certified(before).is_subset(&before.candidates[member]);
    members.into_iter().all(|member| !is_fetched(member) || can_certify(member))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::configuration;
    use crate::transcription::tests::{Counterexample, every_property_can_fail};

    fn module() -> Specification {
        match configuration::read("inference").unwrap().constants {
            configuration::Constants::Inference(constants) => Specification::new(constants),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_property_fails_somewhere() {
        const RIGHT: [usize; 3] = [0, 0, 0];
        const WRONG: [usize; 3] = [0, 0, 1];
        const OLD: [usize; 3] = [2, 2, 2];
        let module = module();
        let case = |property, before: &dyn Fn(&mut State), after: &dyn Fn(&mut State)| {
            let (mut first, mut second) = (module.init(), module.init());
            before(&mut first);
            after(&mut second);
            Counterexample { property, module: module.clone(), before: first, after: second }
        };
        let at = |property, change: &dyn Fn(&mut State)| case(property, &|_| {}, change);
        let hold = |state: &mut State, member: usize, value: [usize; 3]| {
            state.candidates[member].insert(value.to_vec());
        };
        let vote = |state: &mut State, members: &[usize], view: usize, value: [usize; 3]| {
            for member in members {
                state.votes[*member][view] = Some(value.to_vec());
            }
        };
        let attest = |state: &mut State, input: usize, output: usize| {
            state.computed[0][0] = Some(Computation { input, output });
            state.attested[0][0] = true;
        };
        let counterexamples = [
            at("TypeOK", &|state| state.view[0] = 2),
            at("TypeOK", &|state| hold(state, 0, [0, 0, 3])),
            at("Validity", &|state| hold(state, 0, WRONG)),
            at("Validity", &|state| vote(state, &[0, 1], 0, WRONG)),
            at("ByzantineResistance", &|state| attest(state, 0, 1)),
            at("Integrity", &|state| hold(state, 0, OLD)),
            at("Agreement", &|state| {
                vote(state, &[0, 1], 0, RIGHT);
                vote(state, &[1, 2], 1, WRONG);
            }),
            // Against itself, and against a certificate that others made.
            at("Accountability", &|state| attest(state, 2, 1)),
            at("Accountability", &|state| {
                attest(state, 0, 1);
                state.computed[1][0] = Some(Computation { input: 0, output: 0 });
                state.attested[1][0] = true;
            }),
            at("Carried", &|state| vote(state, &[0], 0, RIGHT)),
            at("NothingCarriedIsDecided", &|state| {
                hold(state, 0, RIGHT);
                vote(state, &[0], 0, RIGHT);
                vote(state, &[0, 1, 2], 1, RIGHT);
            }),
            case("NeverTakenBack", &|state| state.view[0] = 1, &|_| {}),
            case("NeverTakenBack", &|state| vote(state, &[0], 0, RIGHT), &|_| {}),
            case("NeverTakenBack", &|state| state.proposals[0] = Some(RIGHT.to_vec()), &|state| {
                state.proposals[0] = Some(WRONG.to_vec());
            }),
            case("NothingOnlyFetched", &|state| hold(state, 1, RIGHT), &|state| {
                hold(state, 0, RIGHT);
                hold(state, 1, RIGHT);
            }),
        ];
        every_property_can_fail(&module, &counterexamples);
    }
}
