//! Nothing leaves before it is released, and a queue never grows.

use std::vec;
use std::vec::Vec;

use super::{NodeId, NodeSet, Queue, Queues, Transmission};

fn drain<const BYTES: usize>(queue: &mut Queue<BYTES>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = queue.front() {
        frames.push(frame.to_vec());
        queue.pop();
    }
    frames
}

#[test]
fn what_is_staged_leaves_when_it_is_released_in_order() {
    let mut queue = Queue::<64>::new();
    queue.stage(b"first");
    assert_eq!(queue.front(), None);
    assert!(queue.release());
    queue.stage(b"second");
    assert_eq!(drain(&mut queue), [b"first".to_vec()]);
    assert!(queue.release());
    assert_eq!(drain(&mut queue), [b"second".to_vec()]);
    assert!(!queue.release());
}

#[test]
fn the_oldest_make_room() {
    let mut queue = Queue::<20>::new();
    for byte in 0..5_u8 {
        queue.stage(&[byte; 6]);
        queue.release();
    }
    assert_eq!(drain(&mut queue), [vec![3; 6], vec![4; 6]]);
    assert_eq!(queue.dropped(), 3);
}

#[test]
fn a_frame_that_never_fits_is_dropped_alone() {
    let mut queue = Queue::<20>::new();
    queue.stage(b"stays");
    queue.stage(&[0; 19]);
    queue.release();
    assert_eq!(drain(&mut queue), [b"stays".to_vec()]);
    assert_eq!(queue.dropped(), 1);
}

#[test]
fn a_frame_that_has_begun_to_leave_stays() {
    let mut queue = Queue::<30>::new();
    for byte in 0..3_u8 {
        queue.stage(&[byte; 6]);
    }
    queue.release();
    queue.begin();
    queue.stage(&[3; 6]);
    // It would fit, were it not for the one that leaves.
    queue.stage(&[4; 24]);
    queue.release();
    assert_eq!(drain(&mut queue), [vec![0; 6], vec![2; 6], vec![3; 6]]);
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn a_frame_whose_parts_were_lost_leaves_again_or_makes_room() {
    let mut queue = Queue::<20>::new();
    queue.stage(&[0; 6]);
    queue.stage(&[1; 6]);
    queue.release();
    queue.begin();
    queue.rewind();
    assert_eq!(queue.front(), Some(&[0; 6][..]));
    queue.stage(&[2; 6]);
    assert_eq!(drain(&mut queue), [vec![1; 6]]);
    queue.release();
    assert_eq!(drain(&mut queue), [vec![2; 6]]);
}

#[test]
fn what_is_dropped_while_it_is_staged_releases_nothing() {
    let mut queue = Queue::<30>::new();
    queue.stage(&[0; 6]);
    queue.release();
    queue.begin();
    for byte in 1..4_u8 {
        queue.stage(&[byte; 6]);
    }
    assert_eq!(drain(&mut queue), [vec![0; 6]]);
}

#[test]
fn every_peer_has_a_queue_of_its_own_and_nobody_for_itself() {
    for me in (0..4).map(NodeId) {
        let mut memory = [const { Queue::<64>::new() }; 3];
        let mut queues = Queues::new(me, &mut memory);
        assert!(queues.of(me).is_none());
        assert!(queues.of(NodeId(4)).is_none(), "there is no fifth member");
        for peer in (0..4).map(NodeId).filter(|peer| *peer != me) {
            queues.of(peer).unwrap().stage(&[peer.0]);
        }
        assert_eq!(queues.waiting(), NodeSet::EMPTY, "nothing leaves before it is released");
        queues.release();
        assert_eq!(queues.waiting(), (0..4).map(NodeId).filter(|peer| *peer != me).collect());
        for peer in queues.waiting().iter() {
            assert_eq!(drain(queues.of(peer).unwrap()), [vec![peer.0]]);
        }
        assert_eq!(queues.waiting(), NodeSet::EMPTY);
    }
}

/// What one peer hears of `frames`.
fn said(queues: &mut Queues<'_, 64>, frames: &[Vec<u8>], transmission: Transmission) -> Vec<Vec<u8>> {
    frames.iter().for_each(|frame| queues.stage(NodeId(1), frame, transmission));
    queues.release();
    drain(queues.of(NodeId(1)).unwrap())
}

fn frames(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|byte| vec![byte; 18]).collect()
}

#[test]
fn of_an_answer_the_first_part_is_said() {
    let mut memory = [const { Queue::<64>::new() }; 1];
    let mut queues = Queues::new(NodeId(0), &mut memory);
    let frames = frames(7);
    assert_eq!(said(&mut queues, &frames, Transmission::First), frames[4..], "of what is new the last");
    assert_eq!(said(&mut queues, &frames, Transmission::Again), frames[..3]);
    queues.stage(NodeId(1), &frames[0], Transmission::Again);
    assert_eq!(said(&mut queues, &frames[1..4], Transmission::First), frames[1..4], "what is new comes first");
    assert_eq!(queues.of(NodeId(1)).unwrap().dropped(), 4 + 4 + 1);
}

#[test]
fn rounds_go_on_where_the_one_before_ended() {
    let mut memory = [const { Queue::<64>::new() }; 1];
    let mut queues = Queues::new(NodeId(0), &mut memory);
    let frames = frames(7);
    let mut round = |frames: &[Vec<u8>]| {
        queues.begin_round();
        said(&mut queues, frames, Transmission::First)
    };
    assert_eq!(round(&frames), frames[..3]);
    assert_eq!(round(&frames), frames[3..6]);
    assert_eq!(round(&frames), frames[6..]);
    assert_eq!(round(&frames), frames[..3], "and from the beginning");
    assert_eq!(round(&frames[..2]), [] as [Vec<u8>; 0], "there is less to say by now");
    assert_eq!(round(&frames[..2]), frames[..2]);
    assert_eq!(said(&mut queues, &frames, Transmission::First), frames[4..], "the round is over");
}
