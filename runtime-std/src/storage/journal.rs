//! What was decided lately, behind the vote record in the same file, so that
//! the flush of a record makes the decision before it durable as well.
//!
//! A ring of slots, each with one entry and its digest. An entry is put down in
//! the slot of the oldest, which must be in the history by then; at most as many
//! as there are slots wait for that. A slot that is torn or rotten holds nothing:
//! its entry is lost if it is not in the history yet.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

/// Bytes between slots: room for the longest answer to a client.
const SLOT_BYTES: usize = 16 * 1024;
const HEAD_BYTES: usize = 32 + 4;
/// Entries that can wait for the history.
pub(crate) const SLOTS: usize = 64;
/// Bytes of a journal.
pub(super) const BYTES: usize = SLOTS * SLOT_BYTES;

/// A journal in a file, from a place on.
#[derive(Debug)]
pub(super) struct Journal {
    from: u64,
    owner: [u8; 32],
    next: usize,
}

impl Journal {
    pub(super) fn new(from: usize, owner: [u8; 32]) -> Journal {
        Journal { from: from as u64, owner, next: 0 }
    }

    /// Every readable entry, in no order. What is put down from then on begins
    /// with the first slot: all of them are to be in the history before.
    pub(super) fn entries(&self, file: &File) -> io::Result<Vec<Vec<u8>>> {
        let mut entries = Vec::new();
        let mut slot = vec![0; SLOT_BYTES];
        for number in 0..SLOTS {
            file.read_exact_at(&mut slot, self.place(number))?;
            entries.extend(self.read(&slot).map(<[u8]>::to_vec));
        }
        Ok(entries)
    }

    /// Puts an entry down, without a flush.
    pub(super) fn add(&mut self, file: &File, entry: &[u8]) -> io::Result<()> {
        if HEAD_BYTES + entry.len() > SLOT_BYTES {
            return Err(io::Error::other(format!("a decision of {} bytes does not fit into a slot", entry.len())));
        }
        let length = (entry.len() as u32).to_le_bytes();
        let digest = self.digest(length, entry);
        file.write_all_at(&[&digest[..], &length, entry].concat(), self.place(self.next))?;
        self.next = (self.next + 1) % SLOTS;
        Ok(())
    }

    fn place(&self, slot: usize) -> u64 {
        self.from + (slot * SLOT_BYTES) as u64
    }

    fn read<'s>(&self, slot: &'s [u8]) -> Option<&'s [u8]> {
        let (digest, rest) = slot.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let entry = rest.get(..u32::from_le_bytes(*length) as usize)?;
        (*digest == self.digest(*length, entry)).then_some(entry)
    }

    fn digest(&self, length: [u8; 4], entry: &[u8]) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"BFLYJRNL")
            .chain_update(self.owner)
            .chain_update(length)
            .chain_update(entry)
            .finalize()
            .into()
    }
}
