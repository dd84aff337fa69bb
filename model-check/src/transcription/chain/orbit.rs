//! `Orbit`: founders that neither lose their record nor leave are
//! interchangeable, and so is work.

use super::{Chain, Constants, Increment, Record, State};

/// The smallest of the states that differ from `state` only in names.
pub(super) fn representative(constants: &Constants, state: &State) -> State {
    let renamings = renamings(constants.work);
    let images = renamings.iter().map(|renaming| with_members_sorted(constants, renamed(state, renaming)));
    images.min().expect("work has a name")
}

/// Every way to rename so many works, the new name in the place of the old one.
fn renamings(works: usize) -> Vec<Vec<usize>> {
    let mut renamings = vec![Vec::new()];
    for work in 0..works {
        renamings = renamings
            .iter()
            .flat_map(|shorter| {
                (0..=work).map(|place| {
                    let mut longer = shorter.clone();
                    longer.insert(place, work);
                    longer
                })
            })
            .collect();
    }
    renamings
}

fn renamed(state: &State, renaming: &[usize]) -> State {
    let chain = |chain: &Chain| {
        let increments = chain.increments().iter().map(|increment| match increment {
            Increment::Work(work) => Increment::Work(renaming[*work]),
            Increment::Readmit(_) | Increment::Admit(_) | Increment::Remove(_) => *increment,
        });
        increments.collect::<Chain>()
    };
    let record = |record: &Record| Record {
        role: record.role,
        origin: record.origin,
        head: chain(&record.head),
        voted: chain(&record.voted),
        payload: chain(&record.payload),
    };
    State {
        memory: state.memory.iter().map(record).collect(),
        record: state.record.iter().map(record).collect(),
        signed: state.signed.iter().map(|signed| signed.iter().map(chain).collect()).collect(),
        ..state.clone()
    }
}

/// No notice and no change names those that are put in order.
fn with_members_sorted(constants: &Constants, mut state: State) -> State {
    let named = [&constants.fallible, &constants.joining, &constants.leaving];
    let is_named = |member: &usize| named.iter().any(|some| some.contains(member));
    let alike: Vec<usize> = (0..constants.honest).filter(|member| !is_named(member)).collect();
    let local = |member: &usize| {
        let State { memory, record, signed, drawn, .. } = &state;
        (memory[*member].clone(), record[*member].clone(), signed[*member].clone(), drawn[*member])
    };
    let mut locals: Vec<_> = alike.iter().map(local).collect();
    locals.sort_unstable();
    for (member, (memory, record, signed, drawn)) in alike.into_iter().zip(locals) {
        state.memory[member] = memory;
        state.record[member] = record;
        state.signed[member] = signed;
        state.drawn[member] = drawn;
    }
    state
}
