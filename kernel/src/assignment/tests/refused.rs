//! Facts for which there is no placement, and how that is said.

use std::string::ToString;

use super::*;

fn refused(facts: &Facts<'_>) -> PlacementError {
    let refusals = STRATEGIES.map(|strategy| place(&Facts { strategy, ..*facts }, draws(0)).unwrap_err());
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "strategies do not differ in what they refuse");
    refusals[0]
}

#[test]
fn facts_outside_their_bounds_are_refused() {
    let layers = Layers::even(4, 1).unwrap();
    let members = [Profile::default(); 65];
    let sound = facts(1, 4, &layers, &members[..4], Strategy::RoundRobin);
    assert!(place(&sound, draws(0)).is_ok());
    let joined = Layers { joined: LayerSet::run(0..1), ..layers.clone() };
    assert_eq!(refused(&Facts { layers: &joined, ..sound }), PlacementError::Layers(LayersError::Joined));
    assert_eq!(refused(&Facts { members: &members, ..sound }), PlacementError::Members);
    assert!(place(&Facts { members: &members[..64], ..sound }, draws(0)).is_ok());
    for (owners, assigned) in [(0, 3), (4, 3), (2, 12)] {
        assert_eq!(refused(&Facts { owners, assigned, ..sound }), PlacementError::Sizes);
    }
    for links in [Links { within: MAX_LINK + 1, between: 0 }, Links { within: 0, between: MAX_LINK + 1 }] {
        assert_eq!(refused(&Facts { links, ..sound }), PlacementError::Links);
    }
}

#[test]
fn a_model_is_cut_into_as_many_stages_as_it_has_cuts_and_no_more_than_eight() {
    let (short, long) = (Layers::even(3, 1).unwrap(), Layers::even(64, 1).unwrap());
    let joined = Layers { joined: LayerSet::run(1..2), ..short.clone() };
    let members = [Profile::default(); 4];
    let facts = |stages, layers| facts(1, stages, layers, &members, Strategy::RoundRobin);
    assert_eq!(refused(&facts(0, &short)), PlacementError::Stages { possible: 3 });
    assert_eq!(refused(&facts(4, &short)), PlacementError::Stages { possible: 3 });
    assert_eq!(refused(&facts(3, &joined)), PlacementError::Stages { possible: 2 });
    assert_eq!(refused(&facts(9, &long)), PlacementError::Stages { possible: 8 });
    assert!(place(&facts(2, &joined), draws(0)).is_ok() && place(&facts(8, &long), draws(0)).is_ok());
}

#[test]
fn a_stage_that_faults_could_stop_is_an_error_and_not_a_smaller_stage() {
    let layers = Layers { joined: LayerSet::run(2..3), ..Layers::even(4, 1).unwrap() };
    let mut members = [Profile::default(); 5];
    for gone in 0..5 {
        let facts = facts(1, 2, &layers, &members, Strategy::LoadBalanced);
        if gone < 3 {
            assert!(place(&facts, draws(0)).is_ok());
        } else {
            assert_eq!(refused(&facts), PlacementError::TooFewMembers { layer: 0, able: 5 - gone, needed: 3 });
        }
        members[gone].speed = 0;
    }
    // Three hold the second layer and three the third, but these two stay together.
    let halves = [0..2, 0..2, 2..4, 2..4, 0..4].map(|run| Profile { holds: LayerSet::run(run), ..Profile::default() });
    let facts = facts(1, 2, &layers, &halves, Strategy::LoadBalanced);
    assert_eq!(refused(&facts), PlacementError::TooFewMembers { layer: 1, able: 1, needed: 3 });
    assert_eq!(
        refused(&facts).to_string(),
        "layer 1 and those joined to it need 3 members that can run them, and there are 1: \
         bring members back, or give more of them these layers"
    );
}

#[test]
fn members_with_different_layers_need_a_stage_for_each_kind() {
    let layers = Layers::even(6, 1).unwrap();
    let kinds = [0..2, 2..4, 4..6];
    let members: Vec<Profile> =
        (0..9).map(|node| Profile { holds: LayerSet::run(kinds[node % 3].clone()), ..Profile::default() }).collect();
    assert_eq!(refused(&facts(1, 2, &layers, &members, Strategy::Hybrid)), PlacementError::Scattered { needed: 3 });
    for strategy in STRATEGIES {
        let facts = facts(1, 3, &layers, &members, strategy);
        assert_sound(&facts, &place(&facts, draws(0)).unwrap());
    }
}
