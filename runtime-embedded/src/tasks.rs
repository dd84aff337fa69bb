//! What a step asked for besides sending and waiting, in order.
//!
//! Signals lie apart, in the memory of the request: few tasks have one, and it
//! is longer than all else.

#[cfg(test)]
mod tests;

use butterfly_kernel::machine::Source;
use butterfly_kernel::message::inference::{Sampling, Signal, Tokens};
use butterfly_kernel::types::{Epoch, MAX_SIGNAL, NodeId, Position, Stage};
use heapless::{Deque, Vec};

use crate::protocol::{Digest, RunId};

/// Most tasks that wait at once.
const TASKS: usize = 16;
/// Bytes of all signals that wait: a message with recovered inputs brings four.
const SIGNALS: usize = 4 * MAX_SIGNAL;

/// Something to do after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task<const N: usize> {
    Assign,
    Provide(RunId<N>, Stage, Position, Waiting),
    Supply(NodeId, RunId<N>, Stage, Position, Source),
    Compute(RunId<N>, Stage, Position, Sampling, Option<NodeId>),
    Committed(Epoch, Tokens),
    Holding(RunId<N>, Stage, Position, Digest),
}

/// A signal that waits, by its length: the oldest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting(usize);

/// The signals of the tasks that wait, in the same order.
#[derive(Debug)]
pub(crate) struct Signals(Vec<u8, SIGNALS>);

/// There is no room for another task, or for its signal. Nothing was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Tasks in the order in which they came.
#[derive(Debug)]
pub(crate) struct Tasks<const N: usize> {
    tasks: Deque<Task<N>, TASKS>,
}

impl<const N: usize> Tasks<N> {
    pub(crate) const fn new() -> Self {
        Tasks { tasks: Deque::new() }
    }

    pub(crate) fn push(&mut self, task: Task<N>) -> Result<(), Full> {
        self.tasks.push_back(task).map_err(|_| Full)
    }

    /// Adds that a host is to keep `signal`, the input of `stage` at `position`.
    /// It waits among `signals`.
    pub(crate) fn push_signal(
        &mut self,
        signals: &mut Signals,
        run: RunId<N>,
        stage: Stage,
        position: Position,
        signal: &[u8],
    ) -> Result<(), Full> {
        if self.tasks.is_full() {
            return Err(Full);
        }
        let waiting = signals.add(signal)?;
        self.push(Task::Provide(run, stage, position, waiting))
    }

    /// The task that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<Task<N>> {
        self.tasks.pop_front()
    }
}

impl Signals {
    pub(crate) const fn new() -> Self {
        Signals(Vec::new())
    }

    fn add(&mut self, signal: &[u8]) -> Result<Waiting, Full> {
        self.0.extend_from_slice(signal).map_err(|_| Full)?;
        Ok(Waiting(signal.len()))
    }

    /// The signal of the task that was just taken.
    pub(crate) fn take(&mut self, Waiting(length): Waiting) -> Signal {
        let signal = self.0.get(..length).and_then(|bytes| Signal::from_slice(bytes).ok()).unwrap_or_default();
        let behind = length.min(self.0.len());
        let left = self.0.len().saturating_sub(behind);
        self.0.copy_within(behind.., 0);
        self.0.truncate(left);
        signal
    }
}
