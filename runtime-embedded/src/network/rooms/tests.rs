//! Whoever keeps a room keeps it from nobody but those who came later.

use core::cell::RefCell;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::vec::Vec;

use super::{Rooms, RoomsMemory};

fn two() -> RoomsMemory<2, 16> {
    [const { RefCell::new(heapless::Vec::new()) }; 2]
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_faulty_member_that_keeps_its_room_leaves_one() {
    let memory = two();
    let rooms = Rooms::<7, 16>::new(&memory);
    let Poll::Ready(Some(_kept)) = poll(&mut Box::pin(rooms.take())) else { panic!("there are two") };
    for _ in 0..100 {
        assert!(matches!(poll(&mut Box::pin(rooms.take())), Poll::Ready(Some(_))));
    }
}

#[test]
fn rooms_are_given_in_the_order_in_which_they_were_asked_for() {
    let memory = two();
    let rooms = Rooms::<7, 16>::new(&memory);
    let mut taken: Vec<_> = (0..2).map(|_| poll(&mut Box::pin(rooms.take()))).collect();
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(rooms.take())).collect();
    assert!(waiting.iter_mut().all(|waiter| poll(waiter).is_pending()));
    taken.pop();
    // Neither those behind it nor one that comes only now are before the first.
    assert!(poll(&mut waiting[2]).is_pending());
    assert!(poll(&mut Box::pin(rooms.take())).is_pending());
    assert!(poll(&mut waiting[1]).is_pending());
    let Poll::Ready(Some(first)) = poll(&mut waiting[0]) else { panic!("it is free") };
    assert!(poll(&mut waiting[1]).is_pending());
    drop(first);
    assert!(poll(&mut waiting[2]).is_pending());
    assert!(matches!(poll(&mut waiting[1]), Poll::Ready(Some(_))));
}

#[test]
fn one_that_is_cut_off_while_it_waits_or_writes_leaves_its_place() {
    let memory = two();
    let rooms = Rooms::<7, 16>::new(&memory);
    let (Poll::Ready(Some(mut room)), Poll::Ready(Some(kept))) =
        (poll(&mut Box::pin(rooms.take())), poll(&mut Box::pin(rooms.take())))
    else {
        panic!("there are two")
    };
    room.whole.extend_from_slice(b"half of a mess").unwrap();
    let (mut cut_off, mut waits) = (Box::pin(rooms.take()), Box::pin(rooms.take()));
    assert!(poll(&mut cut_off).is_pending() && poll(&mut waits).is_pending());
    drop(cut_off);
    drop(room);
    assert!(matches!(poll(&mut waits), Poll::Ready(Some(_))));
    drop(kept);
}
