//! Nothing leaves before it is released, and a queue never grows.

use std::vec;
use std::vec::Vec;

use super::Queue;

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
