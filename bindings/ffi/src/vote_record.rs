//! What a node must not forget, as a file: the scheme and the file of
//! `butterfly` nodes.

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use butterfly_record::{Gathered, Store, StoreError};

use crate::Error;
use crate::surface::Digest;

/// Bytes between the copies: whole pages, and room for the longest record.
const COPY_BYTES: usize = 16 * 1024;

type FileStore = Store<Gathered<File>, COPY_BYTES>;

/// The open vote record of one member. One process at a time may hold it.
#[derive(uniffi::Object)]
pub struct VoteRecord {
    path: String,
    /// None once it is closed.
    store: Mutex<Option<FileStore>>,
}

#[uniffi::export]
impl VoteRecord {
    /// Writes the first record of a member to a file that is not there yet.
    /// `owner` is `Roster.member_name`.
    #[uniffi::constructor]
    pub fn provision(path: String, owner: Digest, record: &[u8]) -> Result<Arc<VoteRecord>, Error> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = file.and_then(prepared).map_err(|error| failed(&path, error))?;
        let store = FileStore::provision(Gathered::new(file), owner.0, record);
        let store = store.map_err(|error| store_failed(&path, error))?;
        // The length of the file as well.
        store.medium().device().sync_all().map_err(|error| failed(&path, error))?;
        Ok(Arc::new(VoteRecord { path, store: Mutex::new(Some(store)) }))
    }

    /// Opens the record of a member.
    #[uniffi::constructor]
    pub fn open(path: String, owner: Digest) -> Result<Arc<VoteRecord>, Error> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.and_then(prepared).map_err(|error| failed(&path, error))?;
        let store = FileStore::open(Gathered::new(file), owner.0).map_err(|error| store_failed(&path, error))?;
        Ok(Arc::new(VoteRecord { path, store: Mutex::new(Some(store)) }))
    }

    /// What was written last; none if no copy is readable: then the member has
    /// lost its record, and must say so.
    pub fn record(&self) -> Result<Option<Vec<u8>>, Error> {
        let mut store = self.lock()?;
        let mut room = vec![0; FileStore::MAX_RECORD];
        let record = store.as_mut().ok_or_else(closed)?.record(&mut room);
        Ok(record.map_err(|error| store_failed(&self.path, error))?.map(<[u8]>::to_vec))
    }

    /// Makes `record` durable: when this returns, it will be read back. The
    /// node must stop on any error.
    pub fn write(&self, record: &[u8]) -> Result<(), Error> {
        let mut store = self.lock()?;
        let store = store.as_mut().ok_or_else(closed)?;
        store.write(record).map_err(|error| store_failed(&self.path, error))
    }

    /// Lets another process have it. Nothing more can be read or written.
    pub fn close(&self) -> Result<(), Error> {
        *self.lock()? = None;
        Ok(())
    }
}

impl VoteRecord {
    fn lock(&self) -> Result<MutexGuard<'_, Option<FileStore>>, Error> {
        self.store.lock().map_err(|_| Error::Broken)
    }
}

/// Locked, and as long as the record takes. What stands behind it, a process of
/// `butterfly` wrote for itself, and it stays. A file that was cut is taken for
/// lost, even if an older slot of it is whole: a torn write leaves its length.
fn prepared(file: File) -> io::Result<File> {
    file.try_lock().map_err(|_| io::Error::other("another process holds it: a node must not run twice"))?;
    let needed = FileStore::BYTES as u64;
    if file.metadata()?.len() < needed {
        file.set_len(0)?;
        file.set_len(needed)?;
    }
    Ok(file)
}

fn failed(path: &str, error: io::Error) -> Error {
    Error::Record { reason: format!("the vote record {path} cannot be used: {error}") }
}

fn store_failed(path: &str, error: StoreError<io::Error>) -> Error {
    match error {
        StoreError::Device(error) => failed(path, error),
        StoreError::TooLong(length) => Error::Record { reason: format!("a record of {length} bytes is too long") },
        StoreError::Changed => failed(path, io::Error::other("it is read as different things")),
    }
}

fn closed() -> Error {
    Error::Record { reason: "the vote record is closed".into() }
}
