//! Each task comes back once, in order, with its own signal.

use std::vec;
use std::vec::Vec;

use butterfly_kernel::types::ClientId;

use super::*;

fn run() -> RunId<4> {
    RunId { client: ClientId(0), sequence: 1, plan: butterfly_kernel::crypto::ed25519::Digest([7; 32]) }
}

type Both = (Tasks<4>, Signals);

fn both() -> Both {
    (Tasks::new(), Signals::new())
}

fn provide((tasks, signals): &mut Both, position: u16, signal: &[u8]) -> Result<(), Full> {
    tasks.push_signal(signals, run(), Stage(1), Position(position), signal)
}

/// The position and the signal of what is to be kept next.
fn next((tasks, signals): &mut Both) -> Option<(u16, Vec<u8>)> {
    loop {
        if let Task::Provide(_, _, position, waiting) = tasks.pop()? {
            return Some((position.0, signals.take(waiting).to_vec()));
        }
    }
}

#[test]
fn signals_come_back_with_their_tasks() {
    let mut tasks = both();
    provide(&mut tasks, 3, &[1; 320]).unwrap();
    tasks.0.push(Task::Assign).unwrap();
    provide(&mut tasks, 4, &[]).unwrap();
    provide(&mut tasks, 5, &[2, 3]).unwrap();
    assert_eq!(next(&mut tasks), Some((3, vec![1; 320])));
    assert_eq!(tasks.0.pop(), Some(Task::Assign));
    provide(&mut tasks, 6, &[4]).unwrap();
    assert_eq!(next(&mut tasks), Some((4, vec![])));
    assert_eq!(next(&mut tasks), Some((5, vec![2, 3])));
    assert_eq!(next(&mut tasks), Some((6, vec![4])));
    assert_eq!(next(&mut tasks), None);
}

#[test]
fn what_does_not_fit_is_not_added() {
    let mut tasks = both();
    let kept = (0..).take_while(|at| provide(&mut tasks, *at, &[5; 320]).is_ok()).count();
    assert_eq!(kept, SIGNALS / 320);
    assert_eq!(provide(&mut tasks, 0, &[6]), Err(Full), "no room for a signal");
    let others = (0..).take_while(|_: &u16| tasks.0.push(Task::Assign).is_ok()).count();
    assert_eq!(kept + others, TASKS);
    assert_eq!(next(&mut tasks), Some((0, vec![5; 320])));
    provide(&mut tasks, 9, &[6]).unwrap();
    assert_eq!(provide(&mut tasks, 10, &[7]), Err(Full), "no room for a task");
    for at in 1..4 {
        assert_eq!(next(&mut tasks), Some((at, vec![5; 320])));
    }
    assert_eq!(next(&mut tasks), Some((9, vec![6])), "and not the one that was refused");
}
