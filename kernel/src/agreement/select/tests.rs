//! The rule of view change on small sets of reports, case by case.

use super::*;
use crate::cluster::{Assignment, Model, Roster, Timing};
use crate::crypto::ideal::Ideal;
use crate::message::agreement::Ballot;
use crate::types::{Resilience, View};

type C = Ideal<8>;
/// Sender, vote, lock.
type Row = (u8, Option<Ballot<C>>, Option<Ballot<C>>);
type Reports = Map<NodeId, Report<C>, 8>;

const EPOCH: Epoch = Epoch(0);
const X: u64 = 10;
const Y: u64 = 20;

fn cluster(n: usize, f: usize, p: usize) -> Cluster<C, 8> {
    let member = |node: usize| NodeId(u8::try_from(node).unwrap());
    let roster = Roster {
        resilience: Resilience::new(n, f, p).unwrap(),
        members: (0..n).map(member).collect(),
        clients: [NodeId(100)].into_iter().collect(),
        operators: [].into_iter().collect(),
        model: Model {
            manifest: [0; 32],
            stages: 1,
            context: 8,
            vocabulary: 2,
            signal: 1,
            tokens_per_epoch: 1,
            checkpoint_interval: 10,
        },
        assignment: Assignment::in_turn(n, 1).unwrap(),
    };
    Cluster::new(roster, Timing::default()).unwrap()
}

fn ballot(view: u32, value: u64) -> Option<Ballot<C>> {
    Some(Ballot { view: View(view), value })
}

fn reports<const K: usize>(rows: [Row; K]) -> Reports {
    let mut reports = Map::new();
    for (from, voted, locked) in rows {
        reports.insert(NodeId(from), Report { voted, locked }).unwrap();
    }
    reports
}

fn selected<const K: usize>(cluster: &Cluster<C, 8>, rows: [Row; K]) -> Selection<u64> {
    select(cluster, EPOCH, &reports(rows))
}

#[test]
fn nobody_voted_so_anything_goes() {
    let four = cluster(4, 1, 1);
    assert_eq!(selected(&four, [(0, None, None), (1, None, None), (2, None, None)]), Selection::Any);
}

#[test]
fn a_single_value_of_the_highest_view_binds() {
    let four = cluster(4, 1, 1);
    let rows = [(1, ballot(0, X), None), (2, None, None), (3, None, None)];
    assert_eq!(selected(&four, rows), Selection::Must(X));
    let rows = [(1, ballot(0, X), None), (2, ballot(0, X), None), (3, ballot(1, Y), None)];
    assert_eq!(selected(&four, rows), Selection::Must(Y), "the higher view, however few voted in it");
    let rows = [(0, ballot(0, X), None), (1, None, None), (2, None, None)];
    assert_eq!(selected(&four, rows), Selection::Must(X), "its leader counts too, as long as it did not equivocate");
}

#[test]
fn an_equivocating_leader_is_left_out() {
    let four = cluster(4, 1, 1);
    // Node 0 led view 0. With its report there are three; without it too few.
    let rows = [(0, ballot(0, X), None), (1, ballot(0, X), None), (2, ballot(0, Y), None)];
    assert_eq!(selected(&four, rows), Selection::NeedMore);
    // f + p = 2 votes of the others bind; its own does not count.
    let rows = [(0, ballot(0, Y), None), (1, ballot(0, X), None), (2, ballot(0, X), None), (3, ballot(0, Y), None)];
    assert_eq!(selected(&four, rows), Selection::Must(X));
    let rows = [(1, ballot(0, X), None), (2, ballot(0, Y), None), (3, None, None)];
    assert_eq!(selected(&four, rows), Selection::Any, "neither has two votes");
}

#[test]
fn of_two_values_that_as_many_stand_by_everybody_takes_the_same() {
    // Node 0 led view 0, and two voted for each: f + p.
    let seven = cluster(7, 2, 0);
    for (first, second) in [(X, Y), (Y, X)] {
        let rows = [
            (1, ballot(0, first), None),
            (2, ballot(0, first), None),
            (3, ballot(0, second), None),
            (4, ballot(0, second), None),
            (5, None, None),
        ];
        assert_eq!(selected(&seven, rows), Selection::Must(X), "whichever is reported first");
    }
    let rows = [
        (1, ballot(0, X), None),
        (2, ballot(0, X), None),
        (3, ballot(0, Y), None),
        (4, ballot(0, Y), None),
        (5, ballot(0, Y), None),
    ];
    assert_eq!(selected(&seven, rows), Selection::Must(Y), "more stand by it");
}

#[test]
fn a_commit_certificate_of_the_highest_view_binds_before_votes() {
    let four = cluster(4, 1, 0);
    let rows = [(1, ballot(1, X), ballot(1, Y)), (2, ballot(1, X), None), (3, None, None)];
    assert_eq!(selected(&four, rows), Selection::Must(Y));
    let rows = [(1, None, ballot(0, Y)), (2, ballot(1, X), None), (3, None, None)];
    assert_eq!(selected(&four, rows), Selection::Must(X), "but not before votes of a higher view");
    let rows = [(1, ballot(0, X), ballot(1, Y)), (2, ballot(0, X), None), (3, None, None)];
    assert_eq!(selected(&four, rows), Selection::Must(Y), "also when nobody reports a vote of its view");
}

#[test]
fn only_a_justified_value_is_admitted() {
    assert!(Selection::Any.admits(&X));
    assert!(Selection::Must(X).admits(&X));
    assert!(!Selection::Must(X).admits(&Y));
    assert!(!Selection::<u64>::NeedMore.admits(&X));
}
