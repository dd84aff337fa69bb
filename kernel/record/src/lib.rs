//! The vote record on a medium: what must be durable before a message is sent.
//!
//! Two slots, written in turn, each with two copies in different pages. Both
//! copies of a slot are put down and one flush makes them durable. On opening,
//! the readable copy with the highest counter wins:
//!
//! - both copies of the newer slot are unreadable: the write was torn, so the
//!   message behind it was never sent, and the older slot is complete;
//! - one copy is unreadable: the other still counts, so a single rotten page
//!   never makes a node forget a vote;
//! - no copy is readable: the record is lost. The node has amnesia and must
//!   not sign in agreement.
//!
//! No local scheme notices a device that lies about a flush, or an older image
//! that was put back; such a node counts towards f.
//!
//! The same code runs on a file, in the simulator and, without an allocator,
//! on a microcontroller: a host says what its [`Medium`] is.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

const MAGIC: [u8; 8] = *b"BFLYVOTE";
const VERSION: u32 = 1;

/// Magic, version, length, counter, digest.
pub const HEADER_BYTES: usize = 8 + 4 + 4 + 8 + 32;
/// Copies of a record with room for `COPY` bytes each that a medium holds.
pub const COPIES: usize = 4;

/// Names one member of one cluster, the id of which is `cluster`: what is
/// stored for it is nobody else's.
pub fn owner(cluster: &[u8; 32], member: u8) -> [u8; 32] {
    Sha256::new().chain_update(b"butterfly member").chain_update(cluster).chain_update([member]).finalize().into()
}

/// Where bytes are kept: a file, a region of flash, or a simulated disk.
pub trait Medium {
    /// Why it cannot be used.
    type Error;

    /// Reads as many bytes as `bytes` has room for, from `at` on.
    ///
    /// # Errors
    /// When the device fails. What was never written may read as anything.
    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), Self::Error>;

    /// Puts `bytes` down from `at` on. They may become durable at once, later,
    /// in part, and in any order, up to the next flush.
    ///
    /// # Errors
    /// When the device fails.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Makes everything durable that was put down before.
    ///
    /// # Errors
    /// When the device fails: nothing is known about what was put down then.
    fn flush(&mut self) -> Result<(), Self::Error>;
}

/// Why the record cannot be read or written. The node must stop: what is not
/// durable must not be followed by a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError<E> {
    /// The device failed.
    Device(E),
    /// The record is longer than a copy.
    TooLong(usize),
}

/// The open vote record of one member, with room for `COPY` bytes in each
/// copy: whole pages, so that no page holds parts of two.
#[derive(Debug)]
pub struct Store<M, const COPY: usize> {
    medium: M,
    owner: [u8; 32],
    counter: u64,
    /// One copy as it is put down: a header and a record.
    copy: [u8; COPY],
    /// How long the record in it is; none before there is one.
    length: Option<usize>,
}

impl<M: Medium, const COPY: usize> Store<M, COPY> {
    /// Most bytes of one record.
    pub const MAX_RECORD: usize = COPY.saturating_sub(HEADER_BYTES);
    /// Bytes of the medium that are used.
    pub const BYTES: usize = COPY.saturating_mul(COPIES);

    /// Provisioning: writes the first record of `owner` to a medium that holds
    /// none. A node must never be given its first record again; whether it was
    /// is for the host to know.
    ///
    /// # Errors
    /// When the record is not durable.
    pub fn provision(medium: M, owner: [u8; 32], record: &[u8]) -> Result<Self, StoreError<M::Error>> {
        let mut first = Store { medium, owner, counter: 0, copy: [0; COPY], length: None };
        first.write(record)?;
        Ok(first)
    }

    /// Opens the record of `owner`: see [`Store::record`]. What was read is
    /// written again, so that a page that rotted is whole again before
    /// anything is sent.
    ///
    /// # Errors
    /// When the device fails.
    pub fn open(medium: M, owner: [u8; 32]) -> Result<Self, StoreError<M::Error>> {
        let mut opened = Store { medium, owner, counter: 0, copy: [0; COPY], length: None };
        opened.load_newest()?;
        if opened.length.is_some() {
            opened.put_down()?;
        }
        Ok(opened)
    }

    /// What was written or read last; none if no copy was readable.
    pub fn record(&self) -> Option<&[u8]> {
        self.copy.get(HEADER_BYTES..)?.get(..self.length?)
    }

    /// Makes `record` durable: when this returns, it will be read back.
    ///
    /// # Errors
    /// The node must stop on any.
    pub fn write(&mut self, record: &[u8]) -> Result<(), StoreError<M::Error>> {
        if record.len() > Self::MAX_RECORD {
            return Err(StoreError::TooLong(record.len()));
        }
        self.write_with(|room| {
            room.get_mut(..record.len())?.copy_from_slice(record);
            Some(record.len())
        })
    }

    /// The same for a record that `fill` puts into the room that it is given,
    /// so that it need not be anywhere else before; it says how long it is, or
    /// nothing if there is too little room.
    ///
    /// # Errors
    /// The node must stop on any.
    pub fn write_with(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) -> Result<(), StoreError<M::Error>> {
        // Until it is complete, what is in memory is no record.
        self.length = None;
        let room = self.copy.get_mut(HEADER_BYTES..).unwrap_or_default();
        let most = room.len();
        let length = fill(room).filter(|length| *length <= most);
        self.length = Some(length.ok_or(StoreError::TooLong(most.saturating_add(1)))?);
        self.put_down()
    }

    /// The medium.
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// The medium, to change what it does; what it holds is the store's.
    pub fn medium_mut(&mut self) -> &mut M {
        &mut self.medium
    }

    /// The medium, by value.
    pub fn into_medium(self) -> M {
        self.medium
    }

    /// Both copies of the next slot, and a flush.
    fn put_down(&mut self) -> Result<(), StoreError<M::Error>> {
        // A counter that was used is never used again, even if the write fails.
        self.counter = self.counter.saturating_add(1);
        let header = header(&self.owner, self.counter, self.record().unwrap_or_default());
        let length = HEADER_BYTES.saturating_add(self.length.unwrap_or(0));
        if let Some((place, _)) = self.copy.split_first_chunk_mut() {
            *place = header;
        }
        let slot = if self.counter.is_multiple_of(2) { 0 } else { COPY.saturating_mul(2) };
        let copy = self.copy.get(..length).unwrap_or_default();
        for at in [slot, slot.saturating_add(COPY)] {
            self.medium.write(at, copy).map_err(StoreError::Device)?;
        }
        self.medium.flush().map_err(StoreError::Device)
    }

    /// Brings the readable copy with the highest counter into memory. It is
    /// read once to be found and once more to be taken, and must be readable
    /// both times.
    fn load_newest(&mut self) -> Result<(), StoreError<M::Error>> {
        let mut counters = [None; COPIES];
        for (place, counter) in counters.iter_mut().enumerate() {
            *counter = self.load(place)?;
        }
        while let Some(highest) = counters.iter().flatten().max().copied() {
            for (place, counter) in counters.iter_mut().enumerate() {
                if counter.take_if(|counter| *counter == highest).is_some() && self.load(place)? == Some(highest) {
                    self.counter = highest;
                    return Ok(());
                }
            }
        }
        self.length = None;
        Ok(())
    }

    /// Reads the copy at `place`; its counter, if it is readable.
    fn load(&mut self, place: usize) -> Result<Option<u64>, StoreError<M::Error>> {
        let at = place.saturating_mul(COPY);
        let Some(head) = self.copy.first_chunk_mut::<HEADER_BYTES>() else { return Ok(None) };
        self.medium.read(at, head).map_err(StoreError::Device)?;
        let head = *head;
        let Some((length, counter)) = claims(&head) else { return Ok(None) };
        let body = self.copy.get_mut(HEADER_BYTES..).and_then(|room| room.get_mut(..length));
        let Some(body) = body else { return Ok(None) };
        self.medium.read(at.saturating_add(HEADER_BYTES), body).map_err(StoreError::Device)?;
        // A copy is readable if its digest covers owner, counter and record.
        if head != header(&self.owner, counter, body) {
            return Ok(None);
        }
        self.length = Some(length);
        Ok(Some(counter))
    }
}

/// The length and the counter that a header speaks of.
fn claims(head: &[u8; HEADER_BYTES]) -> Option<(usize, u64)> {
    let length = u32::from_le_bytes(*head.get(12..)?.first_chunk()?);
    let counter = u64::from_le_bytes(*head.get(16..)?.first_chunk()?);
    Some((usize::try_from(length).ok()?, counter))
}

fn header(owner: &[u8; 32], counter: u64, record: &[u8]) -> [u8; HEADER_BYTES] {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
    let digest = Sha256::new()
        .chain_update(MAGIC)
        .chain_update(VERSION.to_le_bytes())
        .chain_update(owner)
        .chain_update(counter.to_le_bytes())
        .chain_update(length)
        .chain_update(record)
        .finalize();
    let mut header = [0; HEADER_BYTES];
    let fields: [&[u8]; 5] = [&MAGIC, &VERSION.to_le_bytes(), &length, &counter.to_le_bytes(), &digest];
    for (place, byte) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *byte;
    }
    header
}
