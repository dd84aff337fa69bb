//! Every model by name, with what must come out. A pinned number changes only
//! with the protocol, the kernel or the world: whoever changes it says why.

mod agreement;
pub(crate) mod chain;
pub(crate) mod inference;
pub mod liveness;
mod subject;

use crate::explore::Engine;
pub use subject::{Agreement, Subject, Visit};

/// A configuration, and what must come out when it is explored.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What it is called on the command line.
    pub name: &'static str,
    /// In `all` always, or only with `--nightly`.
    pub tier: Tier,
    /// What is explored.
    pub subject: Subject,
    /// What must come out, from each engine.
    pub expect: Expect,
}

/// When a model is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Always.
    Always,
    /// Only in `all --nightly`.
    Nightly,
}

/// What must come out.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// Every state is explored, every property holds, every branch named is taken.
    Holds {
        /// Distinct states.
        distinct: usize,
        /// Steps between them.
        transitions: usize,
        /// States on the longest of the shortest paths to each state.
        depth: usize,
        /// Branches, as [`crate::world::replica::Witness`] names them.
        through: &'static [&'static str],
    },
    /// Every state is explored and every property holds; how many there are
    /// is not pinned.
    Open,
    /// A property fails, and a shortest counterexample has so many steps.
    Violates {
        /// Which.
        property: &'static str,
        /// Steps.
        steps: usize,
    },
}

impl Entry {
    /// Who takes part and how messages travel, in one line.
    pub fn configuration(&self) -> String {
        let mutant = self.subject.mutant().map(|mutant| format!(", {mutant:?}")).unwrap_or_default();
        format!("{}{mutant}", self.subject.configuration())
    }

    /// The same with the first `views` views only. What must come out of that
    /// is not pinned. None where there are not so many.
    pub fn with_views(&self, views: usize) -> Option<Entry> {
        let subject = self.subject.with_views(views)?;
        let expect = if views < self.subject.views() { Expect::Open } else { self.expect };
        Some(Entry { subject, expect, ..*self })
    }

    /// Distinct states, where they are pinned.
    pub fn size(&self) -> usize {
        match self.expect {
            Expect::Holds { distinct, .. } => distinct,
            Expect::Open | Expect::Violates { .. } => 0,
        }
    }

    /// The engines that explore it.
    pub fn engines(&self) -> &'static [Engine] {
        &Engine::BOTH
    }
}

/// Every model.
pub fn models() -> impl Iterator<Item = &'static Entry> {
    agreement::MODELS.iter().chain(chain::MODELS).chain(inference::MODELS)
}

/// The model called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    models().find(|entry| entry.name == name)
}
