//! What is checked, and what must come out: the one table of pinned numbers.
//!
//! A changed number means a changed protocol. Change it only together with an
//! explanation of the new one, here and in `spec/README.md`.

use std::borrow::Cow;
use std::fmt;

/// One file `spec/NAME.cfg`.
pub(super) struct Configuration {
    pub(super) name: &'static str,
    pub(super) expected: Outcome,
}

/// What a complete run of a checker says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All properties hold in all states.
    Holds {
        /// Distinct states.
        states: u64,
        /// States on the longest of the shortest paths from the initial state.
        depth: u64,
    },
    /// A property fails.
    Violates {
        /// The name of the property in the module.
        property: Cow<'static, str>,
        /// States on a shortest path to a violation, both ends included.
        length: u64,
    },
}

/// What every commit has to pass. Those that must fail stand last.
pub(super) const ALWAYS: &[Configuration] = &[
    holds("n4-p1", 104, 10),
    holds("n4-p1-slow", 860, 16),
    holds("n4-p1-slow-unreduced", 8_818, 16),
    holds("n4-p1-byzantine-first", 1_497, 16),
    holds("n4-p1-byzantine-second", 914, 16),
    holds("n4-p0", 860, 16),
    holds("n4-p0-any-strong", 913, 16),
    holds("n4-p1-three-views", 1_544, 16),
    holds("n4-p1-slow-three-views", 33_724, 25),
    disagrees("broken-three-replicas", 3),
    disagrees("broken-keeps-equivocator", 7),
    disagrees("broken-hides-lock", 12),
    disagrees("broken-uncertified-report", 9),
];

/// What takes too long for every commit.
pub(super) const NIGHTLY: &[Configuration] = &[
    holds("n4-p0-three-views", 33_724, 25),
    holds("n4-p0-any-strong-three-views", 38_079, 25),
    disagrees("broken-hides-lock-seven", 15),
];

const fn holds(name: &'static str, states: u64, depth: u64) -> Configuration {
    Configuration { name, expected: Outcome::Holds { states, depth } }
}

const fn disagrees(name: &'static str, length: u64) -> Configuration {
    Configuration { name, expected: Outcome::Violates { property: Cow::Borrowed("Agreement"), length } }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { states, depth } => write!(f, "holds in {states} states, depth {depth}"),
            Self::Violates { property, length } => {
                write!(f, "{property} is violated after {length} states")
            }
        }
    }
}
