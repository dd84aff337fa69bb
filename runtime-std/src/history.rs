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

use std::collections::VecDeque;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use butterfly_kernel::types::Epoch;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sha2::{Digest as _, Sha256};
use tracing::warn;

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
const BATCH: usize = (JOURNAL_SLOTS - 1) / 2;
/// And how long the first of them waits for others.
const PAUSE: Duration = Duration::from_millis(500);
/// Decisions that wait while a batch is written. With that batch and the one
/// that the event loop has in its hands there are no more than slots in the journal.
const QUEUE: usize = JOURNAL_SLOTS - BATCH - 1;
const _: () = assert!(BATCH <= QUEUE, "a batch must fit in the queue");
/// Epochs that are kept; older ones are removed.
const EPOCHS_KEPT: u64 = 100_000;
/// Of pages in memory.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// An encoded answer, and its epoch.
pub(crate) type Entry = (Epoch, Arc<[u8]>);

/// The open history of one node.
pub(crate) struct History {
    shelf: Shelf,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

/// Decisions on their way to the writer. It is woken for the first of a batch
/// and when the batch is complete, not for each.
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Nothing more is added.
    ended: bool,
    /// Why nothing more is written.
    failure: Option<String>,
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
        History::start(shelf)
    }

    fn start(shelf: Shelf) -> Result<History> {
        let queue = Arc::<Queue>::default();
        let writer = Writer { shelf: shelf.clone(), queue: Arc::clone(&queue) };
        let writer = std::thread::Builder::new().name("history".into()).spawn(move || writer.run())?;
        Ok(History { shelf, queue, writer: Some(writer) })
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
        let full = |waiting: &mut Waiting| waiting.entries.len() == QUEUE && waiting.failure.is_none();
        let mut waiting = self.queue.wait_while(self.queue.lock(), full);
        if let Some(failure) = &waiting.failure {
            bail!("{failure}");
        }
        waiting.entries.push_back(entry);
        if waiting.entries.len() == 1 || waiting.entries.len() >= BATCH {
            self.queue.changed.notify_all();
        }
        Ok(())
    }

    /// Everything that was added is written when this returns, and read on the
    /// shelf; more can be added.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn settle(self) -> Result<History> {
        let shelf = self.shelf();
        self.close()?;
        History::start(shelf)
    }

    /// Everything that was added is written when this returns.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn close(mut self) -> Result<()> {
        let panicked = self.end();
        ensure!(!panicked, "the history's writer panicked");
        self.queue.lock().failure.clone().map_or(Ok(()), |failure| bail!("{failure}"))
    }

    /// Whether the writer panicked instead of ending.
    fn end(&mut self) -> bool {
        self.queue.lock().ended = true;
        self.queue.changed.notify_all();
        self.writer.take().is_some_and(|writer| writer.join().is_err())
    }
}

impl Drop for History {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _panicked = self.end();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'w>(
        &self,
        waiting: MutexGuard<'w, Waiting>,
        condition: impl FnMut(&mut Waiting) -> bool,
    ) -> MutexGuard<'w, Waiting> {
        self.changed.wait_while(waiting, condition).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next entries to be written together; none when there are no more.
    fn next_batch(&self) -> Vec<Entry> {
        let waiting = self.wait_while(self.lock(), |waiting| waiting.entries.is_empty() && !waiting.ended);
        let incomplete = |waiting: &mut Waiting| waiting.entries.len() < BATCH && !waiting.ended;
        let waited = self.changed.wait_timeout_while(waiting, PAUSE, incomplete);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let count = BATCH.min(waiting.entries.len());
        let batch = waiting.entries.drain(..count).collect();
        drop(waiting);
        self.changed.notify_all();
        batch
    }
}

struct Writer {
    shelf: Shelf,
    queue: Arc<Queue>,
}

impl Writer {
    /// Until nobody adds anything any more, or the disk fails.
    fn run(self) {
        loop {
            let batch = self.queue.next_batch();
            if batch.is_empty() {
                return;
            }
            if let Err(error) = self.shelf.write(&batch) {
                self.queue.lock().failure = Some(format!("{error:#}"));
                self.queue.changed.notify_all();
                return;
            }
        }
    }
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
    warn!(
        "{} is damaged, and becomes {}: {why}. Another is begun; what it held, other nodes can tell",
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
            entries.extend(whole(epoch.value(), value.value()).map(|answer| (Epoch(epoch.value()), answer.into())));
        }
        Ok(entries)
    }

    /// The last epoch that has an entry, before all if there is none.
    pub(crate) fn last(&self) -> Result<Epoch> {
        let read = || -> Result<Epoch> {
            let table = self.database.begin_read()?.open_table(EPOCHS)?;
            Ok(Epoch(table.last()?.map_or(0, |(epoch, _)| epoch.value())))
        };
        read().with_context(|| format!("the history {} cannot be read", self.path.display()))
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
