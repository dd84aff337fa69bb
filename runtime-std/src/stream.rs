//! What happens at a node, for those who look on: the last [`KEPT`] happenings,
//! each with a number, and a bell for whoever waits for the next.
//!
//! Nothing is written while nobody looks on: the event loop pays an atomic load
//! for each message and each change. What happened is kept for [`GRACE`] longer
//! than anybody looks, so that a reader whose connection broke goes on where it was.
//!
//! Numbers have a gap where something was not kept: a reader that asks for what
//! comes behind a number is told whether that is all.

mod happening;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use butterfly_kernel::types::{Epoch, NodeId, View};
use tokio::sync::watch;

use crate::log::{self, Place};
pub(crate) use happening::Happening;

/// Happenings that are kept: some seconds of a cluster at its fastest.
pub(crate) const KEPT: usize = 8192;
/// Readers at a time.
pub(crate) const READERS: usize = 8;
/// How long it goes on for readers that may come back.
const GRACE: Duration = Duration::from_secs(30);
/// Happenings that a reader is handed at once.
const BATCH: usize = 256;

/// One happening, as every reader gets it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    /// JSON.
    pub(crate) data: Arc<str>,
}

/// Shared by those who tell and those who answer operators.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    node: NodeId,
    /// Where it is.
    epoch: AtomicU64,
    view: AtomicU32,
    is_wanted: AtomicBool,
    began: Instant,
    kept: Mutex<Kept>,
    /// The number of the last happening.
    bell: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    told: VecDeque<Told>,
    readers: usize,
    /// Since when there are none.
    left: Option<Instant>,
}

/// Somebody who looks on, until this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    bell: watch::Receiver<u64>,
    /// The last number that was handed out, or asked behind.
    at: u64,
}

/// It is more than [`KEPT`] happenings behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind;

impl Stream {
    /// For what happens at `node`.
    pub(crate) fn new(node: NodeId) -> Stream {
        Stream {
            shared: Arc::new(Shared {
                node,
                epoch: AtomicU64::new(0),
                view: AtomicU32::new(0),
                is_wanted: AtomicBool::new(false),
                began: Instant::now(),
                kept: Mutex::default(),
                bell: watch::Sender::new(0),
            }),
        }
    }

    /// Whether anybody looks on. If not, nothing needs to be told.
    pub(crate) fn is_wanted(&self) -> bool {
        self.shared.is_wanted.load(Ordering::Relaxed)
    }

    /// The node is here now; the log says so with each line.
    pub(crate) fn be_at(&self, epoch: Epoch, view: View) {
        self.shared.epoch.store(epoch.0, Ordering::Relaxed);
        self.shared.view.store(view.0, Ordering::Relaxed);
    }

    fn place(&self) -> Place {
        let Shared { node, epoch, view, .. } = &*self.shared;
        Place { node: *node, epoch: Epoch(epoch.load(Ordering::Relaxed)), view: View(view.load(Ordering::Relaxed)) }
    }

    /// It happened, now. The log hears of it as well.
    pub(crate) fn tell(&self, happening: &Happening) {
        log::happened(self.place(), happening);
        if !self.is_wanted() {
            return;
        }
        let mut kept = self.shared.kept();
        // In here, so that times are in the order of numbers.
        let at = u64::try_from(self.shared.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if kept.left.is_some_and(|left| left.elapsed() > GRACE) {
            self.shared.is_wanted.store(false, Ordering::Relaxed);
            kept.told.clear();
            // Whoever asks behind the last one missed this one.
            kept.last += 1;
            return;
        }
        if kept.told.len() == KEPT {
            kept.told.pop_front();
        }
        kept.last += 1;
        let number = kept.last;
        kept.told.push_back(Told { number, name: happening.name(), data: happening.data(at).into() });
        drop(kept);
        self.shared.bell.send_replace(number);
    }

    /// Looks on from now, or from behind number `after` if everything behind it
    /// is kept. None when there are [`READERS`] already.
    pub(crate) fn read(&self, after: Option<u64>) -> Option<(Reader, Start)> {
        let mut kept = self.shared.kept();
        if kept.readers == READERS {
            return None;
        }
        kept.readers += 1;
        kept.left = None;
        let (at, start) = match after.filter(|after| kept.follows(*after)) {
            Some(after) => (after, Start::Resumed),
            None => (kept.last, Start::Anew),
        };
        self.shared.is_wanted.store(true, Ordering::Relaxed);
        Some((Reader { shared: Arc::clone(&self.shared), bell: self.shared.bell.subscribe(), at }, start))
    }
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// What happened before is not told.
    Anew,
    /// Nothing is missing since the number that it named.
    Resumed,
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Whether everything behind `number` is kept.
    fn follows(&self, number: u64) -> bool {
        let first = self.told.front().map_or(self.last + 1, |told| told.number);
        first <= number.saturating_add(1) && number <= self.last
    }
}

impl Reader {
    /// Waits for what comes next, and takes up to [`BATCH`] of it.
    ///
    /// # Errors
    /// When it is lost, since this reader was too slow.
    pub(crate) async fn next(&mut self) -> Result<Vec<Told>, Behind> {
        loop {
            // Before looking: what comes meanwhile rings again.
            self.bell.mark_unchanged();
            let told = self.take()?;
            if !told.is_empty() || self.bell.changed().await.is_err() {
                return Ok(told);
            }
        }
    }

    fn take(&mut self) -> Result<Vec<Told>, Behind> {
        let kept = self.shared.kept();
        if !kept.follows(self.at) {
            return Err(Behind);
        }
        let behind = usize::try_from(kept.last - self.at).unwrap_or(KEPT).min(kept.told.len());
        let told: Vec<Told> = kept.told.iter().skip(kept.told.len() - behind).take(BATCH).cloned().collect();
        self.at = told.last().map_or(self.at, |told| told.number);
        Ok(told)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut kept = self.shared.kept();
        kept.readers -= 1;
        if kept.readers == 0 {
            kept.left = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests;
