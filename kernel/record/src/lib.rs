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
//! The store keeps no record in memory. One that is written is said by its
//! [`Source`] several times, piece by piece; one that is read goes in pieces
//! through a small room. So the same code runs on a file, in the simulator and,
//! without an allocator, on a microcontroller: a host says what its [`Medium`] is.
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

#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(feature = "std")]
mod gathered;
#[cfg(test)]
mod tests;

#[cfg(feature = "std")]
pub use gathered::{Device, Gathered};
use sha2::{Digest, Sha256};

const MAGIC: [u8; 8] = *b"BFLYVOTE";
const VERSION: u32 = 1;

/// Magic, version, length, counter, digest.
pub const HEADER_BYTES: usize = 8 + 4 + 4 + 8 + 32;
/// Copies of a record with room for `COPY` bytes each that a medium holds.
pub const COPIES: usize = 4;
/// Bytes that are read at a time when a copy is looked at.
const PIECE: usize = 64;

/// Names one member of one cluster, the id of which is `cluster`: what is
/// stored for it is nobody else's.
pub fn owner(cluster: &[u8; 32], member: u8) -> [u8; 32] {
    Sha256::new().chain_update(b"butterfly member").chain_update(cluster).chain_update([member]).finalize().into()
}

/// Bytes that can be said piece by piece, as often as is asked for: a record.
pub trait Source {
    /// Gives `sink` the pieces in their order. Together they are the same bytes
    /// each time; how they are cut may differ.
    fn feed(&self, sink: &mut dyn FnMut(&[u8]));

    /// Bytes of all pieces together.
    fn length(&self) -> usize {
        let mut length: usize = 0;
        self.feed(&mut |piece| length = length.saturating_add(piece.len()));
        length
    }
}

impl<T: AsRef<[u8]> + ?Sized> Source for T {
    fn feed(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(self.as_ref());
    }
}

/// Where bytes are kept: a file, a region of flash, or a simulated disk.
///
/// A copy is written by one [`Medium::begin`], the pieces in their order, and a
/// flush. A medium may put pieces down as they come, or keep them until the
/// flush. Other places may be read in between.
pub trait Medium {
    /// Why it cannot be used.
    type Error;

    /// Reads as many bytes as `bytes` has room for, from `at` on.
    ///
    /// # Errors
    /// When the device fails. What was never written may read as anything.
    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), Self::Error>;

    /// The pieces that follow make up `length` bytes, which belong at both of
    /// `places`. What was begun before and not flushed may be forgotten.
    ///
    /// # Errors
    /// When the device fails.
    fn begin(&mut self, places: [usize; 2], length: usize) -> Result<(), Self::Error>;

    /// Takes the next piece. What was put may become durable at once, later, in
    /// part, and in any order, up to the next flush.
    ///
    /// # Errors
    /// When the device fails.
    fn put(&mut self, piece: &[u8]) -> Result<(), Self::Error>;

    /// Makes everything durable that was put before.
    ///
    /// # Errors
    /// When the device fails: nothing is known about what was put then.
    fn flush(&mut self) -> Result<(), Self::Error>;
}

/// Why the record cannot be read or written. The node must stop: what is not
/// durable must not be followed by a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError<E> {
    /// The device failed.
    Device(E),
    /// The record is longer than a copy, or than the room that it is read into.
    TooLong(usize),
    /// The record was another one when it was put down than when its length and
    /// digest were taken: its source says different things, or the device reads
    /// them. It is not durable.
    Changed,
}

/// The open vote record of one member, with room for `COPY` bytes in each
/// copy: whole pages, so that no page holds parts of two.
#[derive(Debug)]
pub struct Store<M, const COPY: usize> {
    medium: M,
    owner: [u8; 32],
    counter: u64,
    /// The first counter under which the present record was put down; none if
    /// there is no record. From there to `counter`, copies hold no other.
    since: Option<u64>,
}

/// A copy, as its header has it. It is true if the digest is that of the rest.
#[derive(Clone, Copy)]
struct Claim {
    head: [u8; HEADER_BYTES],
    length: usize,
    counter: u64,
    /// Where the record begins.
    body: usize,
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
    pub fn provision(
        medium: M,
        owner: [u8; 32],
        record: &(impl Source + ?Sized),
    ) -> Result<Self, StoreError<M::Error>> {
        let mut first = Store { medium, owner, counter: 0, since: None };
        first.write(record)?;
        Ok(first)
    }

    /// Opens the record of `owner`: the readable copy with the highest counter.
    /// It is written again from there, so that a page that rotted is whole again
    /// before anything is sent.
    ///
    /// # Errors
    /// [`StoreError::Device`], and [`StoreError::Changed`] if a copy that was
    /// readable is not any more when it is written again, and the other copy of
    /// its slot is no help: an older record must not take its place.
    pub fn open(medium: M, owner: [u8; 32]) -> Result<Self, StoreError<M::Error>> {
        let mut opened = Store { medium, owner, counter: 0, since: None };
        let mut claims = opened.claims()?;
        let mut readable = None;
        while let Some(claim) = take_highest(&mut claims) {
            if readable.is_some_and(|counter| counter > claim.counter) {
                break;
            }
            let Some(header) = opened.successor(&claim)? else { continue };
            readable = Some(claim.counter);
            if opened.put_again(&claim, &header)? {
                return Ok(opened);
            }
        }
        if readable.is_some() { Err(StoreError::Changed) } else { Ok(opened) }
    }

    /// Reads what was written last, or was found when the store was opened, to
    /// the front of `room`, and returns that part of it; none if no copy of it
    /// is readable.
    ///
    /// # Errors
    /// [`StoreError::Device`]; [`StoreError::TooLong`] if `room` is too short.
    /// One of [`Store::MAX_RECORD`] never is.
    pub fn record<'r>(&mut self, room: &'r mut [u8]) -> Result<Option<&'r [u8]>, StoreError<M::Error>> {
        let Some(since) = self.since else { return Ok(None) };
        let mut claims = self.claims()?;
        while let Some(claim) = take_highest(&mut claims) {
            let mut places = room.iter_mut();
            let mut take = |piece: &[u8]| piece.iter().zip(places.by_ref()).for_each(|(byte, place)| *place = *byte);
            if (since..=self.counter).contains(&claim.counter) && self.is_readable(&claim, &mut take)? {
                return room.get(..claim.length).map(Some).ok_or(StoreError::TooLong(claim.length));
            }
        }
        Ok(None)
    }

    /// Makes `record` durable: when this returns, it will be read back. If it
    /// is too long nothing is put down, and the one before stays.
    ///
    /// # Errors
    /// The node must stop on any.
    pub fn write(&mut self, record: &(impl Source + ?Sized)) -> Result<(), StoreError<M::Error>> {
        let length = record.length();
        if length > Self::MAX_RECORD {
            return Err(StoreError::TooLong(length));
        }
        let counter = self.counter.saturating_add(1);
        let mut digest = begin_digest(&self.owner, counter, length);
        record.feed(&mut |piece| digest.update(piece));
        self.begin(counter, length, &header(counter, length, digest))?;
        let (mut said, mut outcome): (usize, _) = (0, Ok(()));
        record.feed(&mut |piece| {
            said = said.saturating_add(piece.len());
            // No more than there is room for.
            if said <= length && outcome.is_ok() {
                outcome = self.medium.put(piece);
            }
        });
        outcome.map_err(StoreError::Device)?;
        if said != length {
            return Err(StoreError::Changed);
        }
        self.medium.flush().map_err(StoreError::Device)?;
        self.since = Some(counter);
        Ok(())
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

    /// Begins both copies of the slot of `counter` with their header.
    fn begin(&mut self, counter: u64, length: usize, header: &[u8; HEADER_BYTES]) -> Result<(), StoreError<M::Error>> {
        // A counter that was used is never used for another record, even if the write fails.
        self.counter = counter;
        let slot = if counter.is_multiple_of(2) { 0 } else { COPY.saturating_mul(2) };
        let places = [slot, slot.saturating_add(COPY)];
        let begun = self.medium.begin(places, HEADER_BYTES.saturating_add(length));
        begun.and_then(|()| self.medium.put(header)).map_err(StoreError::Device)
    }

    /// What the headers of all copies say that could be one.
    fn claims(&mut self) -> Result<[Option<Claim>; COPIES], StoreError<M::Error>> {
        let mut claims = [None; COPIES];
        for (place, claim) in claims.iter_mut().enumerate() {
            let at = place.saturating_mul(COPY);
            let mut head = [0; HEADER_BYTES];
            self.medium.read(at, &mut head).map_err(StoreError::Device)?;
            let body = at.saturating_add(HEADER_BYTES);
            let spoken = claims_of(&head).filter(|(length, _)| *length <= Self::MAX_RECORD);
            *claim = spoken.map(|(length, counter)| Claim { head, length, counter, body });
        }
        Ok(claims)
    }

    /// The header under which the record of a copy is put down again; none if
    /// the copy is not readable.
    fn successor(&mut self, claim: &Claim) -> Result<Option<[u8; HEADER_BYTES]>, StoreError<M::Error>> {
        let counter = claim.counter.saturating_add(1);
        // Of the very bytes that are held against the digest of the copy.
        let mut digest = begin_digest(&self.owner, counter, claim.length);
        let readable = self.is_readable(claim, &mut |piece| digest.update(piece))?;
        Ok(readable.then(|| header(counter, claim.length, digest)))
    }

    /// Puts the record of a copy down again, from the medium itself. False if it
    /// was not read as it was for `header`: then nothing was flushed.
    fn put_again(&mut self, claim: &Claim, new: &[u8; HEADER_BYTES]) -> Result<bool, StoreError<M::Error>> {
        let counter = claim.counter.saturating_add(1);
        self.begin(counter, claim.length, new)?;
        let mut digest = begin_digest(&self.owner, counter, claim.length);
        self.each_piece(claim, &mut |medium, piece| {
            digest.update(piece);
            medium.put(piece)
        })?;
        if header(counter, claim.length, digest) != *new {
            return Ok(false);
        }
        self.medium.flush().map_err(StoreError::Device)?;
        self.since = Some(claim.counter);
        Ok(true)
    }

    /// Whether the digest of a copy covers owner, counter and record, every
    /// piece of which `take` is given.
    fn is_readable(&mut self, claim: &Claim, take: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError<M::Error>> {
        let mut digest = begin_digest(&self.owner, claim.counter, claim.length);
        self.each_piece(claim, &mut |_, piece| {
            digest.update(piece);
            take(piece);
            Ok(())
        })?;
        Ok(header(claim.counter, claim.length, digest) == claim.head)
    }

    /// Reads the record of a copy, piece by piece.
    #[allow(clippy::type_complexity, reason = "what is done with a piece")]
    fn each_piece(
        &mut self,
        claim: &Claim,
        take: &mut dyn FnMut(&mut M, &[u8]) -> Result<(), M::Error>,
    ) -> Result<(), StoreError<M::Error>> {
        let mut piece = [0; PIECE];
        for from in (0..claim.length).step_by(PIECE) {
            let length = claim.length.saturating_sub(from).min(PIECE);
            let part = piece.get_mut(..length).unwrap_or_default();
            let read = self.medium.read(claim.body.saturating_add(from), part);
            read.and_then(|()| take(&mut self.medium, part)).map_err(StoreError::Device)?;
        }
        Ok(())
    }
}

/// Takes the first with the highest counter.
fn take_highest(claims: &mut [Option<Claim>; COPIES]) -> Option<Claim> {
    // Of those that are as high as each other, the last is the greatest here.
    claims.iter_mut().rev().max_by_key(|claim| claim.map(|claim| claim.counter))?.take()
}

/// The length and the counter that a header speaks of.
fn claims_of(head: &[u8; HEADER_BYTES]) -> Option<(usize, u64)> {
    let length = u32::from_le_bytes(*head.get(12..)?.first_chunk()?);
    let counter = u64::from_le_bytes(*head.get(16..)?.first_chunk()?);
    Some((usize::try_from(length).ok()?, counter))
}

/// The digest of a copy, up to where its record begins.
fn begin_digest(owner: &[u8; 32], counter: u64, length: usize) -> Sha256 {
    Sha256::new()
        .chain_update(MAGIC)
        .chain_update(VERSION.to_le_bytes())
        .chain_update(owner)
        .chain_update(counter.to_le_bytes())
        .chain_update(length_field(length))
}

fn header(counter: u64, length: usize, digest: Sha256) -> [u8; HEADER_BYTES] {
    let digest = digest.finalize();
    let mut header = [0; HEADER_BYTES];
    let fields: [&[u8]; 5] = [&MAGIC, &VERSION.to_le_bytes(), &length_field(length), &counter.to_le_bytes(), &digest];
    for (place, byte) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *byte;
    }
    header
}

fn length_field(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}
