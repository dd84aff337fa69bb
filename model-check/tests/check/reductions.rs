//! Each reduction, compared with a run that does without it. What must stay
//! the same is everything that a property can see: the statements that exist
//! together, and who has decided what by then.

use std::collections::{BTreeSet, HashSet};

use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::{NodeId, Resilience};
use butterfly_model_check::models::{Expect, find};
use butterfly_model_check::world::network::Fact;
use butterfly_model_check::world::setting::{Ballot, Delivery, Leftovers, Parameters, Reports};
use butterfly_model_check::world::{State, World};
use stateright::Model;

type Visible = (BTreeSet<Fact>, Vec<(NodeId, Path, Ballot)>);

fn parameters(p: u8, schedule: &[u8]) -> Parameters {
    Parameters {
        resilience: Resilience::outside_the_bounds(4, 1, p),
        faulty: 1,
        schedule: schedule.iter().map(|leader| NodeId(*leader)).collect(),
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        leftovers: Leftovers::Bare,
        mutant: None,
    }
}

/// Explores to the end, exactly, and gives what is visible anywhere, with the
/// number of states.
fn explore(parameters: Parameters) -> (HashSet<Visible>, usize) {
    let world = World::new(parameters);
    let mut found: HashSet<State> = world.init_states().into_iter().collect();
    let mut open: Vec<State> = found.iter().copied().collect();
    let mut actions = Vec::new();
    while let Some(state) = open.pop() {
        world.actions(&state, &mut actions);
        for action in actions.drain(..) {
            let next = world.next_state(&state, action).unwrap();
            if found.insert(next) {
                open.push(next);
            }
        }
    }
    let facts = |state: &State| world.tables().networks.get(state.network).facts().clone();
    let visible = found.iter().map(|state| (facts(state), world.decisions(state))).collect();
    (visible, found.len())
}

fn assert_same(reduced: Parameters, full: Parameters) {
    let ((reduced, fewer), (full, more)) = (explore(reduced), explore(full));
    assert!(fewer < more, "nothing is reduced: {fewer} states against {more}");
    assert!(reduced == full, "{} visible outcomes against {}", reduced.len(), full.len());
}

fn assert_quorums_hide_nothing(p: u8, leader: u8) {
    let quorum = parameters(p, &[leader]);
    let single = Parameters { delivery: Delivery::Single, ..quorum.clone() };
    assert_same(quorum, single);
}

#[test]
fn votes_by_quorum_hide_nothing_where_a_faulty_node_leads() {
    assert_quorums_hide_nothing(1, 3);
}

#[test]
fn votes_by_quorum_hide_nothing_where_an_honest_node_leads() {
    assert_quorums_hide_nothing(1, 0);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "1.5 million states: run with --release")]
fn votes_and_commits_by_quorum_hide_nothing_with_a_slow_path() {
    assert_quorums_hide_nothing(0, 0);
}

#[test]
fn tables_kept_bare_by_a_faulty_leader_hide_nothing() {
    let bare = parameters(1, &[0, 3]);
    let any = Parameters { leftovers: Leftovers::Any, ..bare.clone() };
    assert_same(bare, any);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "300 thousand states: run with --release")]
fn reports_with_the_question_hide_nothing() {
    let single = parameters(1, &[0, 1]);
    let with_question = Parameters { reports: Reports::WithQuestion, ..single.clone() };
    assert_same(with_question, single);
}

/// Stateright keeps 64-bit fingerprints; here the states themselves are kept.
#[test]
fn an_exact_set_of_states_has_the_pinned_size() {
    for name in ["p1-faulty-leads-both", "p1-faulty-leads-second", "p1-single-votes-faulty-leads"] {
        let entry = find(name).unwrap();
        let Expect::Holds { distinct, .. } = entry.expect else { panic!("{name} should hold") };
        assert_eq!(explore(entry.parameters()).1, distinct, "{name}");
    }
}
