//! The vote record on disk: what must be durable before a message is sent.
//!
//! A file of two slots, written in turn, each with two copies in different
//! pages. One write puts both copies of a slot down and one flush makes them
//! durable. On opening, the readable copy with the highest counter wins:
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

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bytes between the copies: whole pages, and room for the longest record.
const COPY_BYTES: usize = 16 * 1024;
const SLOT_BYTES: usize = 2 * COPY_BYTES;
const FILE_BYTES: usize = 2 * SLOT_BYTES;

const MAGIC: [u8; 8] = *b"BFLYVOTE";
const VERSION: u32 = 1;
/// Magic, version, length, counter, digest.
const HEADER_BYTES: usize = 8 + 4 + 4 + 8 + 32;

/// Most bytes of one record.
pub const MAX_RECORD: usize = COPY_BYTES - HEADER_BYTES;

/// Why the record cannot be read or written. The node must stop: what is not
/// durable must not be followed by a message.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The device or the file system failed.
    #[error("the vote record {path} cannot be used: {source}")]
    Device {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the record.
    #[error("the vote record {0} is in use by another process: a node must not run twice")]
    InUse(PathBuf),
    /// The record is longer than a copy.
    #[error("a record of {0} bytes does not fit into a slot of {MAX_RECORD}")]
    TooLong(usize),
}

/// The open file of one node's vote record.
#[derive(Debug)]
pub struct RecordFile {
    file: File,
    path: PathBuf,
    owner: [u8; 32],
    counter: u64,
}

impl RecordFile {
    /// Provisioning: writes the first record of `owner`. Refused if there is a
    /// file, since a node must never be given its first record again.
    ///
    /// # Errors
    /// [`StorageError::Device`].
    pub fn provision(path: &Path, owner: [u8; 32], record: &[u8]) -> Result<(), StorageError> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(|source| StorageError::Device { path: path.into(), source })?;
        let mut first = RecordFile { file, path: path.into(), owner, counter: 0 };
        first.on_device(|file| file.set_len(FILE_BYTES as u64))?;
        first.write(record)?;
        first.on_device(File::sync_all)
    }

    /// Opens the record of `owner` and returns what it holds; nothing if no
    /// copy is readable. What was read is written again, so that a page that
    /// rotted is whole again before anything is sent.
    ///
    /// # Errors
    /// [`StorageError::Device`], [`StorageError::InUse`].
    pub fn open(path: &Path, owner: [u8; 32]) -> Result<(RecordFile, Option<Vec<u8>>), StorageError> {
        let device = |source| StorageError::Device { path: path.into(), source };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(device)?;
        file.try_lock().map_err(|refused| match refused {
            TryLockError::WouldBlock => StorageError::InUse(path.into()),
            TryLockError::Error(source) => device(source),
        })?;
        file.set_len(FILE_BYTES as u64).map_err(device)?;
        let mut image = vec![0; FILE_BYTES];
        file.read_exact_at(&mut image, 0).map_err(device)?;
        let newest = newest(&image, &owner);
        let counter = newest.map_or(0, |copy| copy.counter);
        let record = newest.map(|copy| copy.record.to_vec());
        let mut opened = RecordFile { file, path: path.into(), owner, counter };
        if let Some(record) = &record {
            opened.write(record)?;
        }
        Ok((opened, record))
    }

    /// Makes `record` durable: when this returns, it will be read back.
    ///
    /// # Errors
    /// The node must stop on any.
    pub fn write(&mut self, record: &[u8]) -> Result<(), StorageError> {
        if record.len() > MAX_RECORD {
            return Err(StorageError::TooLong(record.len()));
        }
        // A counter that was used is never used again, even if the write fails.
        self.counter += 1;
        let header = header(&self.owner, self.counter, record);
        let mut slot = vec![0; COPY_BYTES + HEADER_BYTES + record.len()];
        for start in [0, COPY_BYTES] {
            slot[start..start + HEADER_BYTES].copy_from_slice(&header);
            slot[start + HEADER_BYTES..][..record.len()].copy_from_slice(record);
        }
        let place = (self.counter % 2) * SLOT_BYTES as u64;
        self.on_device(|file| file.write_all_at(&slot, place))?;
        self.on_device(File::sync_data)
    }

    fn on_device(&self, act: impl FnOnce(&File) -> io::Result<()>) -> Result<(), StorageError> {
        act(&self.file).map_err(|source| StorageError::Device { path: self.path.clone(), source })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Copy<'i> {
    counter: u64,
    record: &'i [u8],
}

/// The readable copy with the highest counter.
fn newest<'i>(image: &'i [u8], owner: &[u8; 32]) -> Option<Copy<'i>> {
    image.chunks_exact(COPY_BYTES).filter_map(|copy| read(copy, owner)).max_by_key(|copy| copy.counter)
}

/// A copy is readable if its digest covers owner, counter and record.
fn read<'i>(copy: &'i [u8], owner: &[u8; 32]) -> Option<Copy<'i>> {
    let (head, body) = copy.split_at_checked(HEADER_BYTES)?;
    let length = u32::from_le_bytes(*head.get(12..)?.first_chunk()?);
    let counter = u64::from_le_bytes(*head.get(16..)?.first_chunk()?);
    let record = body.get(..usize::try_from(length).ok()?)?;
    (head == header(owner, counter, record)).then_some(Copy { counter, record })
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
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&length);
    header[16..24].copy_from_slice(&counter.to_le_bytes());
    header[24..].copy_from_slice(&digest);
    header
}
