//! One honest node between two steps: its record, and all that it ever said.

use std::collections::BTreeSet;

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::types::View;

use crate::symbolic::{Symbolic, Value};
use crate::world::network::Breach;
use crate::world::setting::{Ballot, Message, ViewChange};

/// The number of a local state.
pub type Id = u16;

/// Views of any model at most.
pub const MOST_VIEWS: usize = 4;

/// One honest node. It does not say which: nodes with the same past are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    /// What it wrote down, or holds in memory where nobody crashes.
    pub durable: Durable<Symbolic>,
    /// Every proposal, vote, commit and view change that it ever sent.
    pub said: BTreeSet<Message>,
    /// How the kernel broke its contract in one of its steps.
    pub breaches: BTreeSet<Breach>,
    /// What it decided, where decisions are taken in.
    pub decided: Option<Ballot>,
}

/// Some of the values, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Values(u8);

impl Values {
    /// These and `value`.
    pub fn with(self, value: Value) -> Values {
        Values(self.0 | 1_u8.checked_shl(u32::from(value.0)).unwrap_or(0))
    }

    /// Whether `value` is one of them.
    pub fn contains(self, value: Value) -> bool {
        Values::default().with(value).0 & self.0 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Value> {
        Value::ALL.into_iter().filter(move |value| self.contains(*value))
    }

    /// As a number below 8.
    pub fn bits(self) -> u8 {
        self.0
    }
}

/// What everybody can see of a node: what it said, by view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Public {
    /// The view that it is in.
    pub view: u8,
    /// What it voted for in each view.
    pub votes: [Values; MOST_VIEWS],
    /// What it sent a commit for in each view.
    pub commits: [Values; MOST_VIEWS],
    /// What it proposed in each view.
    pub proposals: [Values; MOST_VIEWS],
    /// The number of its view change for each view; 0 where there is none.
    pub changes: [u8; MOST_VIEWS],
    /// It has taken in a decision.
    pub decided: bool,
}

impl Local {
    /// Before the first step.
    pub fn fresh() -> Local {
        Local { durable: Durable::fresh(), said: BTreeSet::new(), breaches: BTreeSet::new(), decided: None }
    }

    /// What everybody can see. `number` gives the number of a view change, from 1.
    pub fn public(&self, mut number: impl FnMut(&ViewChange) -> u8) -> Public {
        let mut public =
            Public { view: small(self.durable.view), decided: self.decided.is_some(), ..Public::default() };
        for message in &self.said {
            let add = |table: &mut [Values; MOST_VIEWS], ballot: &Ballot| {
                let values = &mut table[place(ballot.view)];
                *values = values.with(ballot.value);
            };
            match message {
                Message::Propose { ballot, .. } => add(&mut public.proposals, ballot),
                Message::Vote(ballot) => add(&mut public.votes, ballot),
                Message::Commit(ballot) => add(&mut public.commits, ballot),
                Message::ViewChange(change) => public.changes[place(change.view)] = number(change),
                Message::CertRequest(_) | Message::CertAck(_) => {}
            }
        }
        public
    }
}

/// The place of `view` in a table.
pub fn place(view: View) -> usize {
    usize::try_from(view.0).expect("few views")
}

fn small(view: View) -> u8 {
    u8::try_from(view.0).expect("few views")
}
