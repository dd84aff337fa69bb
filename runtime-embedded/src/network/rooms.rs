//! Where members' messages that come in parts are put together.
//!
//! There is not a room for each member, but one more than members that may be
//! faulty. A member has one session, and with it one room at most. So those who
//! begin messages and do not end them leave one room to the others, who get it
//! in the order in which they came. Who waits is not read meanwhile: what it
//! sends waits in TCP, and blocks nobody else.

#[cfg(test)]
mod tests;

use core::cell::{RefCell, RefMut};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::semaphore::{FairSemaphore, Semaphore, SemaphoreReleaser};
use heapless::Vec;

/// The memory of `ROOMS` rooms for messages of at most `MESSAGE` bytes.
pub(super) type RoomsMemory<const ROOMS: usize, const MESSAGE: usize> = [RefCell<Vec<u8, MESSAGE>>; ROOMS];

/// The rooms, and the queue of those who wait for one, at most `WAITING`.
pub(super) struct Rooms<'m, const WAITING: usize, const MESSAGE: usize> {
    rooms: &'m [RefCell<Vec<u8, MESSAGE>>],
    free: FairSemaphore<NoopRawMutex, WAITING>,
}

/// A room, until it is dropped.
pub(super) struct Room<'r, const WAITING: usize, const MESSAGE: usize> {
    /// Given back first: whoever is woken finds it free.
    pub(super) whole: RefMut<'r, Vec<u8, MESSAGE>>,
    _permit: SemaphoreReleaser<'r, FairSemaphore<NoopRawMutex, WAITING>>,
}

impl<'m, const WAITING: usize, const MESSAGE: usize> Rooms<'m, WAITING, MESSAGE> {
    /// All are free.
    pub(super) const fn new<const ROOMS: usize>(memory: &'m RoomsMemory<ROOMS, MESSAGE>) -> Self {
        Rooms { rooms: memory, free: FairSemaphore::new(ROOMS) }
    }

    /// Waits for a room. None if too many wait already.
    pub(super) async fn take(&self) -> Option<Room<'_, WAITING, MESSAGE>> {
        let permit = self.free.acquire(1).await.ok()?;
        let whole = self.rooms.iter().find_map(|room| room.try_borrow_mut().ok())?;
        Some(Room { whole, _permit: permit })
    }
}
