//! The properties of `Chain.tla`, and the witnesses of `ChainCheck.tla`.

use std::collections::BTreeSet;

use super::{Action, Chain, Increment, Notice, Record, Role, Specification, State, orbit};
use crate::transcription::{Module, Property, names};

const PROPERTIES: [Property<Specification>; 16] = [
    Property::invariant("TypeOK", type_ok),
    Property::invariant("Agreement", agreement),
    Property::invariant("Consistency", consistency),
    Property::invariant("SignedOnDecided", signed_on_decided),
    Property::invariant("Integrity", integrity),
    Property::invariant("OnlyMembersSign", only_members_sign),
    Property::invariant("NeverContradicted", never_contradicted),
    Property::invariant("DurableBeforeVisible", durable_before_visible),
    Property::invariant("StuckIsBlocked", stuck_is_blocked),
    Property::invariant("NobodyIsEverStuck", nobody_is_ever_stuck),
    Property::invariant("NobodyJoins", nobody_joins),
    Property::invariant("NobodyComesBack", nobody_comes_back),
    Property::step("NoResign", no_resign),
    Property::step("LearnersAreSilent", learners_are_silent),
    Property::step("StuckStays", stuck_stays),
    Property::step("NobodySkips", nobody_skips),
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
        if self.constants.orbits { orbit::representative(&self.constants, state) } else { state.clone() }
    }

    fn member(action: &Action) -> usize {
        action.member()
    }
}

fn type_ok(specification: &Specification, state: &State) -> bool {
    let constants = specification.constants();
    let is_chain = |chain: &Chain| {
        let is_known = |increment: &Increment| match increment {
            Increment::Work(work) => *work < constants.work,
            Increment::Readmit(notice) => state.notices.contains(notice),
            Increment::Admit(member) => constants.joining.contains(member),
            Increment::Remove(member) => constants.leaving.contains(member),
        };
        chain.epoch() <= constants.epochs && chain.increments().iter().all(is_known)
    };
    let is_record = |record: &Record| {
        is_chain(&record.head)
            && is_chain(&record.voted)
            && (record.payload == record.voted || record.payload.is_none())
            && (record.origin == 0 || record.head.changes().any(|epoch| epoch == record.origin))
    };
    let is_notice = |notice: &Notice| {
        let drawn = state.drawn.get(notice.member);
        drawn.is_some_and(|drawn| (1..=*drawn).contains(&notice.nonce))
    };
    state.memory.len() == constants.honest
        && state.record.len() == constants.honest
        && state.memory.iter().chain(&state.record).all(is_record)
        && state.signed.iter().flatten().all(|value| is_chain(value) && !value.is_none())
        && state.notices.iter().all(is_notice)
        && state.drawn.len() == constants.honest
        && state.drawn.iter().all(|drawn| *drawn <= constants.draws)
}

fn agreement(specification: &Specification, state: &State) -> bool {
    let decided = specification.decided(state);
    every_two(&decided, |one, other| one.epoch() != other.epoch() || one == other)
}

fn consistency(specification: &Specification, state: &State) -> bool {
    let decided = specification.decided(state);
    every_two(&decided, |one, other| one.epoch() > other.epoch() || *one == other.until(one.epoch()))
        && state.memory.iter().all(|member| is_settled(&decided, &member.head))
}

fn signed_on_decided(specification: &Specification, state: &State) -> bool {
    let decided = specification.decided(state);
    state.signed.iter().flatten().all(|value| is_settled(&decided, &value.parent()))
}

fn integrity(specification: &Specification, state: &State) -> bool {
    let in_order = |chain: &Chain| {
        let notices: Vec<Notice> = chain.notices().collect();
        let follows = |(place, earlier): (usize, &Notice)| {
            let is_of_the_same = |later: &&Notice| (later.member, later.origin) == (earlier.member, earlier.origin);
            let of_the_same = notices.iter().skip(place + 1).filter(is_of_the_same);
            of_the_same.into_iter().all(|later| earlier.incarnation < later.incarnation)
        };
        notices.iter().enumerate().all(follows)
    };
    specification.decided(state).iter().all(in_order)
}

fn only_members_sign(specification: &Specification, state: &State) -> bool {
    let is_member = |member: usize, value: &Chain| specification.roster(&value.parent()).contains(&member);
    (0..).zip(&state.signed).all(|(member, signed)| signed.iter().all(|value| is_member(member, value)))
}

fn never_contradicted(_: &Specification, state: &State) -> bool {
    state.signed.iter().all(|signed| every_two(signed, |one, other| one.epoch() != other.epoch() || one == other))
}

fn durable_before_visible(_: &Specification, state: &State) -> bool {
    state.record.iter().zip(&state.signed).filter(|(record, _)| record.role == Role::Replica).all(|(record, signed)| {
        let is_over = |value: &Chain| value.epoch() <= record.head.epoch();
        let is_there = |value: &Chain| *value == record.voted && *value == record.payload;
        signed.iter().all(|value| is_over(value) || is_there(value))
    })
}

fn stuck_is_blocked(specification: &Specification, state: &State) -> bool {
    !is_stuck(specification, state) || is_blocked(specification, state)
}

fn nobody_is_ever_stuck(specification: &Specification, state: &State) -> bool {
    !is_stuck(specification, state)
}

fn nobody_joins(specification: &Specification, state: &State) -> bool {
    let founders = &specification.constants().founders;
    (0..).zip(&state.signed).all(|(member, signed)| signed.is_empty() || founders.contains(&member))
}

fn nobody_comes_back(_: &Specification, state: &State) -> bool {
    state.memory.iter().zip(&state.drawn).all(|(member, drawn)| *drawn == 0 || member.voted.is_none())
}

fn no_resign(_: &Specification, before: &State, after: &State) -> bool {
    (0..after.memory.len()).all(|member| {
        let vote = &after.memory[member].voted;
        let is_old = vote.is_none() || *vote == before.memory[member].voted;
        is_old || before.signed[member].iter().all(|value| value.epoch() != vote.epoch())
    })
}

fn learners_are_silent(_: &Specification, before: &State, after: &State) -> bool {
    let is_silent =
        |member: usize| after.signed[member] == before.signed[member] && after.memory[member].voted.is_none();
    (0..before.memory.len()).all(|member| before.memory[member].role == Role::Replica || is_silent(member))
}

fn stuck_stays(specification: &Specification, before: &State, after: &State) -> bool {
    !is_stuck(specification, before)
        || is_stuck(specification, after) && specification.decided(after) == specification.decided(before)
}

fn nobody_skips(_: &Specification, before: &State, after: &State) -> bool {
    before.memory.iter().zip(&after.memory).all(|(before, after)| after.head.epoch() <= before.head.epoch() + 1)
}

/// `Blocked`: fewer than n - f that may sign can be heard of.
fn is_blocked(specification: &Specification, state: &State) -> bool {
    let constants = specification.constants();
    let roster = specification.roster(&last(&specification.decided(state)));
    let may_sign = |member: &&usize| constants.is_byzantine(**member) || state.memory[**member].role == Role::Replica;
    roster.iter().filter(may_sign).count() < roster.len() - constants.f
}

/// `Stuck`: those that signed in the epoch after the last decided one, or still
/// may, make no quorum, and no learner's number is decided.
fn is_stuck(specification: &Specification, state: &State) -> bool {
    let decided = specification.decided(state);
    let last = last(&decided);
    let (roster, open) = (specification.roster(&last), last.epoch() + 1);
    let counts = |member: &&usize| {
        specification.constants().is_byzantine(**member)
            || state.memory[**member].role == Role::Replica
            || state.signed[**member].iter().any(|value| value.epoch() == open)
    };
    let is_admitted = |member: usize| {
        let is_it = |notice: Notice| (notice.member, notice.nonce) == (member, state.drawn[member]);
        decided.iter().any(|value| value.notices().any(is_it))
    };
    let learns = |member: &usize| state.memory[*member].role == Role::Learner;
    roster.iter().filter(counts).count() < specification.quorum(roster.len())
        && !(0..state.memory.len()).filter(learns).any(is_admitted)
}

/// `Last`: the longest decided chain.
fn last(decided: &BTreeSet<Chain>) -> Chain {
    decided.iter().max_by_key(|value| value.epoch()).cloned().unwrap_or(Chain::GENESIS)
}

fn is_settled(decided: &BTreeSet<Chain>, chain: &Chain) -> bool {
    *chain == Chain::GENESIS || decided.contains(chain)
}

fn every_two(values: &BTreeSet<Chain>, holds: impl Fn(&Chain, &Chain) -> bool) -> bool {
    values.iter().all(|one| values.iter().all(|other| holds(one, other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::chain::Constants;
    use crate::transcription::configuration;
    use crate::transcription::tests::{Counterexample, every_property_can_fail};

    const WORK: Increment = Increment::Work(0);
    const NOTICE: Increment = Increment::Readmit(Notice { member: 0, origin: 0, incarnation: 1, nonce: 1 });

    fn constants() -> Constants {
        match configuration::read("chain-unreduced").unwrap().constants {
            configuration::Constants::Chain(constants) => constants,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_property_fails_somewhere() {
        let module = Specification::new(constants());
        let case = |property, before: &dyn Fn(&mut State), after: &dyn Fn(&mut State)| {
            let (mut first, mut second) = (module.init(), module.init());
            before(&mut first);
            after(&mut second);
            Counterexample { property, module: module.clone(), before: first, after: second }
        };
        let at = |property, change: &dyn Fn(&mut State)| case(property, &|_| {}, change);
        let chain = |increments: &[Increment]| increments.iter().copied().collect::<Chain>();
        let sign = |state: &mut State, members: &[usize], increments: &[Increment]| {
            for member in members {
                state.signed[*member].insert(chain(increments));
            }
        };
        let learn = |state: &mut State| {
            for member in [0, 1] {
                state.memory[member].role = Role::Learner;
                state.drawn[member] = 1;
            }
        };
        // Outside the bound a cluster can be stuck before it is blocked.
        let three = Constants { n: 3, p: 0, founders: [0, 1, 3].into(), ..constants() };
        let mut stuck_unseen = at("StuckIsBlocked", &|state| {
            learn(state);
            state.memory[1].role = Role::Replica;
        });
        stuck_unseen.module = Specification::new(three.clone());
        let mut joined = at("NobodyJoins", &|state| sign(state, &[2], &[WORK]));
        joined.module = Specification::new(three);
        let counterexamples = [
            at("TypeOK", &|state| state.drawn[0] = 2),
            at("TypeOK", &|state| sign(state, &[0], &[NOTICE])),
            at("TypeOK", &|state| state.record[0].payload = chain(&[WORK])),
            at("Agreement", &|state| {
                sign(state, &[0, 1], &[WORK]);
                sign(state, &[1, 2], &[NOTICE]);
            }),
            at("Consistency", &|state| {
                sign(state, &[0, 1], &[WORK]);
                sign(state, &[0, 1], &[NOTICE, WORK]);
            }),
            at("Consistency", &|state| state.memory[0].head = chain(&[WORK])),
            at("SignedOnDecided", &|state| sign(state, &[0], &[WORK, WORK])),
            at("Integrity", &|state| sign(state, &[0, 1], &[NOTICE, WORK, NOTICE])),
            at("OnlyMembersSign", &|state| sign(state, &[0], &[Increment::Remove(0), WORK])),
            at("NeverContradicted", &|state| {
                sign(state, &[0], &[WORK]);
                sign(state, &[0], &[NOTICE]);
            }),
            at("DurableBeforeVisible", &|state| sign(state, &[0], &[WORK])),
            at("DurableBeforeVisible", &|state| {
                sign(state, &[0], &[WORK]);
                state.record[0].voted = chain(&[WORK]);
            }),
            at("TypeOK", &|state| state.record[0].origin = 1),
            at("TypeOK", &|state| sign(state, &[0], &[Increment::Admit(4)])),
            stuck_unseen,
            joined,
            at("NobodyIsEverStuck", &learn),
            at("NobodyComesBack", &|state| {
                state.drawn[0] = 1;
                state.memory[0].voted = chain(&[WORK]);
            }),
            case("NoResign", &|state| sign(state, &[0], &[NOTICE]), &|state| {
                state.memory[0].voted = chain(&[WORK]);
            }),
            case("LearnersAreSilent", &learn, &|state| sign(state, &[0], &[WORK])),
            case("LearnersAreSilent", &learn, &|state| state.memory[0].voted = chain(&[WORK])),
            case("StuckStays", &learn, &|_| {}),
            case("StuckStays", &learn, &|state| {
                learn(state);
                sign(state, &[0, 1], &[WORK]);
            }),
            at("NobodySkips", &|state| state.memory[0].head = chain(&[WORK, WORK])),
        ];
        every_property_can_fail(&module, &counterexamples);
    }
}
