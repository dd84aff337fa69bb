//! The vote record on disk: what must be durable before a message is sent.
//!
//! The scheme is [`butterfly_record`]'s: two slots, written in turn, each with
//! two copies in different pages, and one flush for both. Here it is given a
//! file, which one process at a time may hold. Behind it in the file is a
//! [`journal`] of what was decided.

mod journal;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use butterfly_record::{Gathered, Store, StoreError};
use thiserror::Error;

use journal::Journal;
pub(crate) use journal::SLOTS as JOURNAL_SLOTS;

/// Bytes between the copies: whole pages, and room for the longest record.
const COPY_BYTES: usize = 16 * 1024;

type RecordStore = Store<Gathered<File>, COPY_BYTES>;

/// Most bytes of one record.
pub const MAX_RECORD: usize = RecordStore::MAX_RECORD;
/// Of the whole file.
const FILE_BYTES: usize = RecordStore::BYTES + journal::BYTES;

/// Why the record cannot be read or written. The node must stop: what is not
/// durable must not be followed by a message.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The device or the file system failed.
    #[error("the vote record {path} cannot be used; see to the disk, and start the node again")]
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
    store: RecordStore,
    journal: Journal,
    path: PathBuf,
}

impl RecordFile {
    /// Provisioning: writes the first record of `owner`. Refused if there is a
    /// file, since a node must never be given its first record again.
    ///
    /// # Errors
    /// [`StorageError::Device`].
    pub fn provision(path: &Path, owner: [u8; 32], record: &[u8]) -> Result<(), StorageError> {
        let device = |source| StorageError::Device { path: path.into(), source };
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(device)?;
        reserve(&file).map_err(device)?;
        let first = RecordStore::provision(Gathered::new(file), owner, record);
        let first = first.map_err(|error| failed(path, error))?;
        // The length of the file as well.
        first.medium().device().sync_all().map_err(device)
    }

    /// Opens the record of `owner` and returns what it holds; nothing if no
    /// copy is readable. What was read is written again, so that a page that
    /// rotted is whole again before anything is sent.
    ///
    /// A file that was cut is taken for lost, even if an older slot of it is
    /// whole: a torn write leaves its length as it was.
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
        if file.metadata().map_err(device)?.len() < RecordStore::BYTES as u64 {
            file.set_len(0).map_err(device)?;
        }
        reserve(&file).map_err(device)?;
        let store = RecordStore::open(Gathered::new(file), owner);
        let mut store = store.map_err(|error| failed(path, error))?;
        let mut room = vec![0; MAX_RECORD];
        let record = store.record(&mut room).map_err(|error| failed(path, error))?.map(<[u8]>::to_vec);
        let journal = Journal::new(RecordStore::BYTES, owner);
        Ok((RecordFile { store, journal, path: path.into() }, record))
    }

    /// The decisions that are in the journal, in no order. They must be in the
    /// history before the first is added.
    ///
    /// # Errors
    /// [`StorageError::Device`].
    pub fn journalled(&self) -> Result<Vec<Vec<u8>>, StorageError> {
        self.journal.entries(self.store.medium().device()).map_err(|source| self.device(source))
    }

    /// Adds a decision to the journal. The next [`RecordFile::write`] makes it
    /// durable. The one that was added as many decisions ago as the journal has
    /// slots must be in the history.
    ///
    /// # Errors
    /// The node must stop on any.
    pub fn journal(&mut self, decision: &[u8]) -> Result<(), StorageError> {
        let added = self.journal.add(self.store.medium().device(), decision);
        added.map_err(|source| self.device(source))
    }

    /// Makes `record` durable: when this returns, it will be read back.
    ///
    /// # Errors
    /// The node must stop on any.
    pub fn write(&mut self, record: &[u8]) -> Result<(), StorageError> {
        self.store.write(record).map_err(|error| failed(&self.path, error))
    }

    fn device(&self, source: io::Error) -> StorageError {
        StorageError::Device { path: self.path.clone(), source }
    }
}

/// Gives the file its length, and its place on the disk: one that is full later
/// does not keep a node from voting.
fn reserve(file: &File) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(file, FallocateFlags::empty(), 0, FILE_BYTES as u64) {
            // Not every file system can.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    file.set_len(FILE_BYTES as u64)
}

fn failed(path: &Path, error: StoreError<io::Error>) -> StorageError {
    match error {
        StoreError::Device(source) => StorageError::Device { path: path.into(), source },
        StoreError::TooLong(length) => StorageError::TooLong(length),
        StoreError::Changed => {
            StorageError::Device { path: path.into(), source: io::Error::other("it is read as different things") }
        }
    }
}
