//! What the event loop shows beside what was decided.

use std::sync::{Mutex, MutexGuard, PoisonError};

use butterfly_kernel::node::Coordinator;
use butterfly_kernel::types::NodeSet;

use crate::protocol::Evidence;

/// Written by the event loop, read by those who answer operators and clients.
pub(crate) struct Board {
    shown: Mutex<Shown>,
}

struct Shown {
    doing: Coordinator,
    suspects: NodeSet,
    /// One for each member and fault.
    evidence: Vec<Evidence>,
}

impl Board {
    pub(crate) fn new() -> Board {
        Board {
            shown: Mutex::new(Shown {
                doing: Coordinator::Initializing,
                suspects: NodeSet::EMPTY,
                evidence: Vec::new(),
            }),
        }
    }

    /// What the node is doing now.
    pub(crate) fn turn(&self, now: Coordinator) {
        self.shown().doing = now;
    }

    /// Who was silent or disagreed when it mattered.
    pub(crate) fn suspect(&self, members: NodeSet) {
        self.shown().suspects = members;
    }

    /// It holds proof that a member is faulty: the first of its kind.
    pub(crate) fn add(&self, evidence: Evidence) {
        self.shown().evidence.push(evidence);
    }

    /// The proof with this number, in the order in which they were found.
    pub(crate) fn proof(&self, number: usize) -> Option<Evidence> {
        self.shown().evidence.get(number).cloned()
    }

    pub(super) fn doing(&self) -> Coordinator {
        self.shown().doing
    }

    pub(super) fn suspects(&self) -> NodeSet {
        self.shown().suspects
    }

    pub(super) fn evidence(&self) -> Vec<Evidence> {
        self.shown().evidence.clone()
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
