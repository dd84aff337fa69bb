//! Every kind of fault: alone, in pairs, in threes, and beside nodes that come
//! back. The kinds are those of the table, so a new one is in every matrix.

use butterfly_runtime_std::faults::FaultKind;

use crate::case::{Case, kinds_by_severity, run_all};
use crate::harness::{demo, reference};

/// Tokens of a run, and the epochs that they take.
const TOKENS: usize = 16;
const EPOCHS: u64 = 4;

/// Whether `node` is convicted for sure when it is the only faulty one. One
/// that equivocates is when it leads an epoch; of its contradicting votes,
/// those that come when the epoch is decided already are dropped unread.
fn is_convicted(node: usize, kind: FaultKind, since: u64) -> bool {
    let leads = |epoch: u64| usize::try_from(epoch % 4).unwrap() == node;
    match kind.name() {
        "lie" => true,
        "equivocate" => (since..=EPOCHS).any(leads),
        _ => false,
    }
}

#[test]
fn every_kind_alone_on_every_node_of_four() {
    let mut cases = Vec::new();
    for kind in FaultKind::ALL {
        for epoch in [1, 3] {
            cases.extend((0..4).map(|node| Case {
                nodes: 4,
                tokens: TOKENS,
                view_timeout: 300,
                faults: vec![(node, kind, epoch)],
            }));
        }
    }
    run_all(&cases, |case, report| {
        let (node, kind, since) = case.faults[0];
        let blamed = !report["blamed"].as_array().unwrap().is_empty();
        (!blamed && is_convicted(node, kind, since)).then(|| "nobody is blamed".into())
    });
}

#[test]
fn every_pair_of_kinds_among_seven() {
    let mut cases = Vec::new();
    for (at, first) in FaultKind::ALL.into_iter().enumerate() {
        for (further, second) in FaultKind::ALL.into_iter().enumerate().skip(at) {
            // Once together from the start and once one after the other, on
            // other nodes each time: leaders of the first epochs and not.
            for (turn, epoch) in [(0, 1), (1, 2)] {
                let node = (3 * cases.len() + turn) % 7;
                let fellow = (node + 1 + (at + further + turn) % 6) % 7;
                let faults = vec![(node, first, 1), (fellow, second, epoch)];
                cases.push(Case { nodes: 7, tokens: 12, view_timeout: 300, faults });
            }
        }
    }
    run_all(&cases, |_, _| None);
}

#[test]
fn three_kinds_at_once_among_ten() {
    let mut cases = Vec::new();
    let kind = |at: usize| FaultKind::ALL[at % FaultKind::ALL.len()];
    for at in 0..FaultKind::ALL.len() {
        for (second, third) in [(1, 4), (2, 7)] {
            let faults = vec![
                (at % 10, kind(at), 1),
                ((at + 1) % 10, kind(at + second), 2),
                ((at + 4) % 10, kind(at + third), 1),
            ];
            cases.push(Case { nodes: 10, tokens: 12, view_timeout: 500, faults });
        }
    }
    run_all(&cases, |_, _| None);
}

/// What comes back by itself needs no share of f.
#[test]
fn every_kind_that_counts_beside_every_one_that_does_not() {
    let (counting, passing) = kinds_by_severity();
    let mut cases = Vec::new();
    for (at, first) in counting.into_iter().enumerate() {
        for (turn, second) in passing.iter().enumerate() {
            let node = (at + turn) % 4;
            let fellow = (node + 1 + at % 3) % 4;
            let faults = vec![(node, first, 1 + at as u64 % 2), (fellow, *second, 1 + turn as u64 % 2)];
            cases.push(Case { nodes: 4, tokens: 8, view_timeout: 300, faults });
        }
    }
    run_all(&cases, |_, _| None);
}

#[test]
fn two_liars_that_do_not_collude_make_nothing_wrong() {
    let outcome = demo("--tokens 16 --view-timeout-ms 300 --fault 0:lie@2 --fault 3:lie@2");
    let text = outcome.report["text"].as_str().unwrap();
    assert!(reference(16).starts_with(text), "{text:?}");
    assert_eq!(outcome.report["matches_reference"], true);
}
