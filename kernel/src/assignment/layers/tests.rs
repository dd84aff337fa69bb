use super::*;
use crate::wire::{decode, encode};

fn flow(from: u8, to: u8, bytes: u32) -> Flow {
    Flow { from, to, bytes }
}

fn with_flows(count: u8, flows: &[Flow]) -> Layers {
    let work = (0..count).map(|_| 1).collect();
    Layers { work, flows: flows.iter().copied().collect(), joined: LayerSet::EMPTY }
}

#[test]
fn sets_of_layers_have_their_edges_where_they_should() {
    assert_eq!(LayerSet::run(0..64), LayerSet::ALL);
    assert_eq!(LayerSet::run(63..64).iter().collect::<std::vec::Vec<_>>(), [63]);
    assert_eq!(LayerSet::run(2..5).iter().collect::<std::vec::Vec<_>>(), [2, 3, 4]);
    assert_eq!(LayerSet::run(5..5), LayerSet::EMPTY);
    assert_eq!(LayerSet::run(core::ops::Range { start: 7, end: 5 }), LayerSet::EMPTY);
    assert_eq!(LayerSet::run(64..70), LayerSet::EMPTY);
    assert!(!LayerSet::ALL.contains(64));
    assert_eq!(LayerSet::ALL.first_missing(3), 64);
    assert_eq!(LayerSet::run(2..5).first_missing(2), 5);
    assert_eq!(LayerSet::run(2..5).first_missing(1), 1);
    assert!(LayerSet::run(2..5).covers(LayerSet::run(3..5)) && !LayerSet::run(3..5).covers(LayerSet::run(2..5)));
}

#[test]
fn a_plain_transformer_has_as_many_layers_as_there_is_room_for() {
    assert_eq!(Layers::even(64, 1).map(|layers| layers.flows.len()), Ok(63));
    assert_eq!(Layers::even(1, 1).map(|layers| layers.cuts()), Ok(LayerSet::EMPTY));
    assert_eq!(Layers::even(65, 1), Err(LayersError::Count));
    assert_eq!(Layers::even(0, 1), Err(LayersError::Count));
    assert_eq!(Layers::even(2, 0), Err(LayersError::Bytes { flow: 0 }));
    assert_eq!(Layers::even(2, MAX_FLOW_BYTES + 1), Err(LayersError::Bytes { flow: 0 }));
    assert!(Layers::even(2, MAX_FLOW_BYTES).is_ok());
}

#[test]
fn whatever_is_not_a_forward_graph_is_refused_by_name() {
    let check = |count, flows: &[Flow]| with_flows(count, flows).check();
    assert_eq!(check(3, &[flow(0, 1, 1), flow(0, 2, 1), flow(1, 2, 1)]), Ok(()));
    assert_eq!(check(3, &[flow(0, 1, 1), flow(1, 3, 1)]), Err(LayersError::NoSuchLayer { flow: 1 }));
    assert_eq!(check(3, &[flow(0, 1, 1), flow(1, 1, 1)]), Err(LayersError::NotForward { flow: 1 }));
    assert_eq!(check(3, &[flow(0, 1, 1), flow(2, 1, 1)]), Err(LayersError::NotForward { flow: 1 }));
    assert_eq!(check(3, &[flow(0, 2, 1), flow(0, 1, 1)]), Err(LayersError::NotSorted { flow: 1 }));
    assert_eq!(check(2, &[flow(0, 1, 1), flow(0, 1, 2)]), Err(LayersError::NotSorted { flow: 1 }));
    assert_eq!(check(4, &[flow(0, 1, 1), flow(2, 3, 1)]), Err(LayersError::Apart { layer: 2 }));
    assert_eq!(check(2, &[]), Err(LayersError::Apart { layer: 1 }));
    // A branch: the second layer needs nothing from the first, but its output meets it.
    assert_eq!(check(3, &[flow(0, 2, 1), flow(1, 2, 1)]), Ok(()));
}

#[test]
fn only_layers_behind_the_first_are_joined_to_the_one_before() {
    let joined = |run| Layers { joined: LayerSet::run(run), ..Layers::even(4, 1).unwrap() };
    assert_eq!(joined(1..4).check(), Ok(()));
    assert_eq!(joined(1..4).cuts(), LayerSet::EMPTY);
    assert_eq!(joined(2..3).cuts().iter().collect::<std::vec::Vec<_>>(), [1, 3]);
    assert_eq!(joined(0..1).check(), Err(LayersError::Joined));
    assert_eq!(joined(4..5).check(), Err(LayersError::Joined));
}

#[test]
fn what_skips_layers_crosses_every_cut_on_its_way() {
    let layers = with_flows(4, &[flow(0, 1, 1), flow(0, 3, 10), flow(1, 2, 100), flow(2, 3, 1_000)]);
    assert_eq!(layers.check(), Ok(()));
    let across: std::vec::Vec<u64> = (0..=4).map(|cut| layers.bytes_across(cut)).collect();
    assert_eq!(across, [0, 11, 110, 1_010, 0]);
}

#[test]
fn layers_are_the_same_behind_the_wire() {
    let mut layers = with_flows(4, &[flow(0, 1, 1), flow(0, 3, 10), flow(1, 2, 100), flow(2, 3, 1_000)]);
    layers.joined = LayerSet::run(2..3);
    let mut buffer = [0; 64];
    let bytes = encode(&layers, &mut buffer).unwrap();
    assert_eq!(decode::<Layers>(bytes), Ok(layers));
}
