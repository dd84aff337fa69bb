//! Each reduction, compared with a run that does without it. What must stay
//! the same is everything that a property can see: the statements that exist
//! together, and who has decided what by then.

use std::collections::{BTreeSet, HashSet};

use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::{NodeId, NodeSet, Resilience};
use butterfly_model_check::explore::System;
use butterfly_model_check::explore::Until;
use butterfly_model_check::explore::graph::Graph;
use butterfly_model_check::records::{Options, Records};
use butterfly_model_check::world::World;
use butterfly_model_check::world::network::Fact;
use butterfly_model_check::world::setting::{Ballot, Delivery, Leftovers, Parameters, Reports};
use butterfly_model_check::world::setting::{Message, Setting};

type Visible = (BTreeSet<Fact>, Vec<(NodeId, Path, Ballot)>);

fn parameters(p: u8, schedule: &[u8]) -> Parameters {
    Parameters {
        resilience: Resilience::outside_the_bounds(4, 1, p),
        faulty: 1,
        schedule: schedule.iter().map(|leader| NodeId(*leader)).collect(),
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        leftovers: Leftovers::Bare,
        symmetry: false,
        swapped: NodeSet::EMPTY,
        mutant: None,
    }
}

/// Explores to the end and gives what is visible anywhere, with the number of
/// states.
fn explore(parameters: Parameters) -> (HashSet<Visible>, usize) {
    let world = World::new(parameters);
    let graph = whole(&world);
    let visible = graph.states.iter().map(|state| {
        let facts = world.tables().networks.get(state.network).facts().clone();
        (facts, world.decisions(state))
    });
    (visible.collect(), graph.states.len())
}

fn whole<S: System>(system: &S) -> Graph<S> {
    Graph::explore(system, Until::End, &mut |_| {}, |_, _, _, _, _| {})
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

/// What every honest node ever said, questions and acknowledgements apart.
type Said = Vec<BTreeSet<Message>>;

fn said_to_single_receivers(parameters: Parameters) -> HashSet<Said> {
    let lasting = |message: &Message| !matches!(message, Message::CertRequest(_) | Message::CertAck(_));
    let world = World::new(parameters);
    let graph = whole(&world);
    let said = graph.states.iter().map(|state| {
        let tables = world.tables();
        let said: Vec<_> = tables.networks.get(state.network).said().collect();
        let of = |node| said.iter().filter(move |(from, message)| *from == node && lasting(message));
        let honest = world.setting().honest();
        honest.iter().map(|node| of(node).map(|(_, message)| (*message).clone()).collect()).collect::<Said>()
    });
    said.collect()
}

/// Which value a leader proposes when free to is fixed there by the order in
/// which it learns them, and open from record to record: every choice of the
/// honest leaders.
fn swaps(schedule: &[u8]) -> Vec<NodeSet> {
    let leaders: BTreeSet<u8> = schedule.iter().copied().filter(|leader| *leader != 3).collect();
    leaders.into_iter().fold(vec![NodeSet::EMPTY], |swaps, leader| {
        let with = swaps.iter().map(|swapped| swapped.with(NodeId(leader))).collect::<Vec<_>>();
        [swaps, with].concat()
    })
}

/// Every statement that can be made in the world of single deliveries can be
/// made from record to record, together with the same others, and back.
fn assert_records_hide_nothing(p: u8, schedule: &[u8]) {
    let mut said: HashSet<Said> = HashSet::new();
    for swapped in swaps(schedule) {
        said.extend(said_to_single_receivers(Parameters { swapped, ..parameters(p, schedule) }));
    }
    let options = Options { crashes: true, ..Options::default() };
    let records = Records::new(Setting::new(parameters(p, schedule)), options);
    let from_record = whole(&records);
    let told = from_record.states.iter().map(|state| {
        let memo = records.memo();
        let honest = records.setting().honest();
        honest.iter().map(|node| memo.local(state.0[node.index()]).said.clone()).collect::<Said>()
    });
    // There an honest leader of view 0 knows what to propose from the first
    // moment on; from record to record it may leave before it does.
    let leader = usize::from(schedule[0]);
    let proposes = |said: &BTreeSet<Message>| said.iter().any(|message| matches!(message, Message::Propose { .. }));
    let told: HashSet<Said> = told.filter(|told| told.get(leader).is_none_or(proposes)).collect();
    let missing = said.difference(&told).count();
    let invented = told.difference(&said).count();
    assert_eq!((missing, invented), (0, 0), "of {} and {}", said.len(), told.len());
}

#[test]
fn from_record_to_record_nothing_is_hidden_where_a_faulty_node_leads_both_views() {
    assert_records_hide_nothing(1, &[3, 3]);
}

#[test]
fn from_record_to_record_nothing_is_hidden_where_a_faulty_node_leads_later() {
    assert_records_hide_nothing(1, &[0, 3]);
}

#[test]
fn from_record_to_record_nothing_is_hidden_where_honest_nodes_lead() {
    assert_records_hide_nothing(1, &[0, 1]);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "half a million states: run with --release")]
fn from_record_to_record_nothing_is_hidden_with_a_slow_path() {
    assert_records_hide_nothing(0, &[0, 3]);
}

/// States that differ in names only are explored once: as many as each stands
/// for, all of them together are those of the run that tells names apart.
fn assert_orbits_add_up(p: u8, schedule: &[u8]) {
    let options = Options { crashes: true, ..Options::default() };
    let world = |symmetry| Records::new(Setting::new(Parameters { symmetry, ..parameters(p, schedule) }), options);
    let (full, reduced) = (world(false), world(true));
    let orbits = whole(&reduced).states.iter().map(|state| reduced.orbit(state)).collect::<Vec<_>>();
    let all = whole(&full).states.len();
    assert!(orbits.len() < all, "nothing is reduced: {} states", orbits.len());
    assert_eq!(orbits.iter().sum::<usize>(), all);
}

#[test]
fn names_that_do_not_matter_are_counted_as_often_as_there_are() {
    assert_orbits_add_up(1, &[3, 3, 3]);
    assert_orbits_add_up(1, &[3, 0]);
    assert_orbits_add_up(0, &[3, 3]);
}
