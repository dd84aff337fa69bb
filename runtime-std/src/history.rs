//! Every decision that a node made or learned of, on disk: what clients and
//! operators are told of epochs that left its memory.
//!
//! The kernel does not need it, so it is written by a thread of its own, in
//! batches. Nothing is lost in between: a decision is in the [journal] of the
//! vote record, which is flushed anyway, until it is here. After a restart what
//! the journal still holds is added first.
//!
//! [journal]: crate::storage::RecordFile::journal
//!
//! An entry is an encoded answer with its SHA-256, in a database that checks
//! all of itself when it is opened. One that fails is put aside, as
//! `history.damaged`, and another begun: nothing depends on it, and its entries
//! prove themselves to whoever reads them.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use butterfly_kernel::types::Epoch;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sha2::{Digest as _, Sha256};

use crate::storage::JOURNAL_SLOTS;

/// Encoded answers by their epochs, each behind its digest.
const EPOCHS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("epochs");
/// Whose they are, and how they are encoded.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
const OWNER: &str = "owner";
/// Of this encoding.
const VERSION: u8 = 1;
const DIGEST_BYTES: usize = 32;

/// Decisions in one transaction, at most.
const BATCH: usize = JOURNAL_SLOTS / 2;
/// And how long the first of them waits for others.
const PAUSE: Duration = Duration::from_millis(100);
/// Decisions that wait while a batch is written. With that batch and the one
/// that the event loop has in its hands there are no more than slots in the journal.
const QUEUE: usize = JOURNAL_SLOTS - BATCH - 1;
/// Epochs that are kept; older ones are removed.
const EPOCHS_KEPT: u64 = 100_000;
/// Of pages in memory.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// An encoded answer, and its epoch.
pub(crate) type Entry = (Epoch, Vec<u8>);

/// The open history of one node.
pub(crate) struct History {
    shelf: Shelf,
    /// Taken away to end the writer.
    queue: Option<SyncSender<Entry>>,
    writer: Option<JoinHandle<()>>,
    failure: Arc<Mutex<Option<String>>>,
}

/// Where the entries are read.
#[derive(Clone)]
pub(crate) struct Shelf {
    database: Arc<Database>,
    path: PathBuf,
}

impl History {
    /// Opens the history of `owner` at `path`, or begins one, and adds what its
    /// journal holds.
    ///
    /// # Errors
    /// When the file system fails.
    pub(crate) fn open(path: &Path, owner: [u8; 32], journalled: &[Entry]) -> Result<History> {
        let database = open(path, owner).or_else(|unusable| match unusable {
            Unusable::Damaged(why) => {
                put_aside(path, &why)?;
                open(path, owner).map_err(|unusable| unusable.about(path))
            }
            Unusable::Refused(_) => Err(unusable.about(path)),
        })?;
        let shelf = Shelf { database: Arc::new(database), path: path.into() };
        shelf.write(journalled)?;
        let (queue, entries) = sync_channel(QUEUE);
        let failure = Arc::default();
        let writer = Writer { shelf: shelf.clone(), failure: Arc::clone(&failure) };
        let writer = std::thread::Builder::new().name("history".into()).spawn(move || writer.run(&entries))?;
        Ok(History { shelf, queue: Some(queue), writer: Some(writer), failure })
    }

    /// Where its entries are read.
    pub(crate) fn shelf(&self) -> Shelf {
        self.shelf.clone()
    }

    /// Adds an entry, which must be in the journal. Waits if the disk is slow.
    ///
    /// # Errors
    /// When an earlier one could not be written. The node must stop: it could
    /// no longer say what was decided.
    pub(crate) fn add(&self, entry: Entry) -> Result<()> {
        let taken = self.queue.as_ref().is_some_and(|queue| queue.send(entry).is_ok());
        ensure!(taken, "{}", self.failure().unwrap_or_else(|| "the history is closed".into()));
        Ok(())
    }

    /// Everything that was added is written when this returns.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn close(mut self) -> Result<()> {
        let panicked = self.end();
        ensure!(!panicked, "the history's writer panicked");
        self.failure().map_or(Ok(()), |failure| bail!("{failure}"))
    }

    /// Whether the writer panicked instead of ending.
    fn end(&mut self) -> bool {
        self.queue = None;
        self.writer.take().is_some_and(|writer| writer.join().is_err())
    }

    fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _panicked = self.end();
    }
}

struct Writer {
    shelf: Shelf,
    failure: Arc<Mutex<Option<String>>>,
}

impl Writer {
    /// Until nobody adds anything any more, or the disk fails.
    fn run(self, entries: &Receiver<Entry>) {
        while let Some(batch) = next_batch(entries) {
            if let Err(error) = self.shelf.write(&batch) {
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{error:#}"));
                return;
            }
        }
    }
}

fn next_batch(entries: &Receiver<Entry>) -> Option<Vec<Entry>> {
    let mut batch = vec![entries.recv().ok()?];
    let deadline = Instant::now() + PAUSE;
    while batch.len() < BATCH {
        match entries.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(entry) => batch.push(entry),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    Some(batch)
}

/// Why a history cannot be opened.
enum Unusable {
    /// It is not whole, or not this node's.
    Damaged(String),
    /// By the system.
    Refused(redb::Error),
}

impl Unusable {
    fn about(self, path: &Path) -> anyhow::Error {
        let why = match self {
            Unusable::Damaged(why) => why,
            Unusable::Refused(error) => error.to_string(),
        };
        anyhow!("the history {} cannot be used: {why}", path.display())
    }
}

impl<E: Into<redb::Error>> From<E> for Unusable {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error) if !ABOUT_CONTENT.contains(&error.kind()) => Unusable::Refused(error.into()),
            error @ redb::Error::DatabaseAlreadyOpen => Unusable::Refused(error),
            error => Unusable::Damaged(error.to_string()),
        }
    }
}

/// Errors of reading that speak of what the file holds.
const ABOUT_CONTENT: [ErrorKind; 2] = [ErrorKind::InvalidData, ErrorKind::UnexpectedEof];

fn open(path: &Path, owner: [u8; 32]) -> Result<Database, Unusable> {
    // Only a check of all of it tells a damaged file from a whole one.
    let mut builder = Database::builder();
    let database = builder.set_check_integrity_on_open(true).set_cache_size(CACHE_BYTES).create(path)?;
    let about: Vec<u8> = [&owner[..], &[VERSION]].concat();
    let transaction = database.begin_write()?;
    {
        let _made = transaction.open_table(EPOCHS)?;
        let mut table = transaction.open_table(ABOUT)?;
        let found = table.get(OWNER)?.map(|found| found.value() == about);
        match found {
            None => {
                table.insert(OWNER, &*about)?;
            }
            Some(true) => {}
            Some(false) => return Err(Unusable::Damaged("it is another node's, or of another version".into())),
        }
    }
    transaction.commit()?;
    Ok(database)
}

fn put_aside(path: &Path, why: &str) -> Result<()> {
    let aside = path.with_extension("damaged");
    eprintln!(
        "{} is damaged, and becomes {}: {why}. Another is begun; what it held, other nodes can tell.",
        path.display(),
        aside.display()
    );
    fs::rename(path, &aside).with_context(|| format!("cannot put {} aside", path.display()))
}

impl Shelf {
    /// At most `limit` entries from `from` on and before `end`, in order.
    /// Damaged ones are passed over.
    pub(crate) fn range(&self, from: Epoch, end: Epoch, limit: usize) -> Result<Vec<Entry>> {
        self.read(from, end, limit).with_context(|| format!("the history {} cannot be read", self.path.display()))
    }

    fn read(&self, from: Epoch, end: Epoch, limit: usize) -> Result<Vec<Entry>> {
        let table = self.database.begin_read()?.open_table(EPOCHS)?;
        let mut entries = Vec::new();
        for found in table.range(from.0..end.0)? {
            if entries.len() == limit {
                break;
            }
            let (epoch, value) = found?;
            entries.extend(whole(epoch.value(), value.value()).map(|answer| (Epoch(epoch.value()), answer.to_vec())));
        }
        Ok(entries)
    }

    /// One durable transaction.
    fn write(&self, entries: &[Entry]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.insert(entries).with_context(|| {
            format!("the history {} cannot be written; see to the disk, and start the node again", self.path.display())
        })
    }

    fn insert(&self, entries: &[Entry]) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        // One that was not finished is seen to be so by its checksums and by
        // the slot that names the other root, not by the checksums alone.
        transaction.set_two_phase_commit(true);
        {
            let mut table = transaction.open_table(EPOCHS)?;
            for (Epoch(epoch), answer) in entries {
                // What was told first knows the most: one who catches up learns no tokens.
                if table.get(epoch)?.is_none_or(|kept| whole(*epoch, kept.value()).is_none()) {
                    table.insert(epoch, &*[&digest(*epoch, answer)[..], answer].concat())?;
                }
            }
            let last = table.last()?.map_or(0, |(epoch, _)| epoch.value());
            let first_kept = last.saturating_add(1).saturating_sub(EPOCHS_KEPT);
            table.retain_in(..first_kept, |_, _| false)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn digest(epoch: u64, answer: &[u8]) -> [u8; DIGEST_BYTES] {
    Sha256::new().chain_update(epoch.to_le_bytes()).chain_update(answer).finalize().into()
}

fn whole(epoch: u64, value: &[u8]) -> Option<&[u8]> {
    let (said, answer) = value.split_first_chunk::<DIGEST_BYTES>()?;
    (*said == digest(epoch, answer)).then_some(answer)
}
