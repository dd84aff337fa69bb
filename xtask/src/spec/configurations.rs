//! What is checked, and what must come out: the one table of pinned numbers.
//!
//! A changed number means a changed protocol. Change it only together with an
//! explanation of the new one, here and in `spec/README.md`.

use std::borrow::Cow;
use std::fmt;

/// One file `spec/NAME.cfg`.
pub(super) struct Configuration {
    pub(super) name: &'static str,
    /// The root module: `spec/MODULE.tla`.
    pub(super) module: &'static str,
    pub(super) checkers: Checkers,
    pub(super) expected: Outcome,
}

/// Who has to run a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkers {
    /// Both, and they have to agree.
    Both,
    /// TLC, since the properties say what must happen in the end.
    TlcAlone,
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
        /// The name of the property in the module, or [`PROGRESS`].
        property: Cow<'static, str>,
        /// States on a shortest path to a violation, both ends included. When
        /// progress fails: on the path that was found, with the place where it stops.
        length: u64,
    },
}

/// TLC does not say which temporal property failed. A configuration in which
/// one must fail has no other.
pub(super) const PROGRESS: &str = "progress";

/// What every commit has to pass. Those that must fail stand last.
pub(super) const ALWAYS: &[Configuration] = &[
    holds("n4-p1", 104, 10),
    holds("n4-p1-slow", 860, 16),
    holds("n4-p1-slow-unreduced", 8_818, 16),
    holds("n4-p1-byzantine-first", 2_040, 17),
    holds("n4-p1-byzantine-second", 1_450, 17),
    holds("n4-p0", 860, 16),
    holds("n4-p0-any-strong", 913, 16),
    holds("n4-p1-three-views", 1_544, 16),
    holds("n4-p1-slow-three-views", 33_724, 25),
    disagrees("broken-three-replicas", 3),
    disagrees("broken-keeps-equivocator", 7),
    disagrees("broken-hides-lock", 12),
    disagrees("broken-uncertified-report", 9),
    chain_holds("chain-one-value", 3_040, 20),
    chain_holds("chain-unreduced", 5_636, 20),
    chain_holds("chain-two-values", 2_655, 14),
    chain_holds("chain-lost-twice", 1_107, 16),
    chain_holds("chain-two-members-lost", 5_292, 16),
    chain_holds("chain-too-many-lost", 624, 11),
    chain_progresses("chain-progress", 3_098, 18),
    chain_progresses("chain-progress-byzantine", 260, 13),
    chain_violates("broken-chain-learner-signs", "Agreement", 6),
    chain_violates("broken-chain-nonce-reused", "Agreement", 13),
    chain_violates("broken-chain-vote-volatile", "Agreement", 6),
    chain_violates("broken-chain-decision-volatile", "Agreement", 7),
    chain_violates("broken-chain-signs-ahead", "NoResign", 8),
    chain_violates("broken-chain-notice-twice", "Integrity", 8),
    chain_stops("broken-chain-payload-volatile", 10),
    chain_stops("broken-chain-work-first", 16),
    chain_stops("broken-chain-two-learners", 7),
    chain_stops("broken-chain-learner-byzantine", 5),
    chain_stops("broken-chain-need-not-vote", 12),
    chain_stops("broken-chain-need-not-close", 14),
    chain_stops("broken-chain-need-not-catch-up", 15),
    chain_violates("witness-chain-stuck", "NobodyIsEverStuck", 3),
    chain_violates("witness-chain-comes-back", "NobodyComesBack", 6),
    chain_violates("witness-chain-skips", "NobodySkips", 8),
];

/// What takes too long for every commit.
pub(super) const NIGHTLY: &[Configuration] = &[
    holds("n4-p0-three-views", 33_724, 25),
    holds("n4-p0-any-strong-three-views", 38_079, 25),
    disagrees("broken-hides-lock-seven", 15),
    chain_holds("chain-four-epochs", 15_812, 26),
    chain_holds("chain-equivocation-three-epochs", 5_282, 20),
    chain_holds("chain-seven", 5_652, 22),
    chain_holds("chain-lost-twice-three-epochs", 7_539, 22),
    chain_holds("chain-too-many-lost-two-epochs", 11_080, 20),
    chain_progresses("chain-progress-three-epochs", 24_956, 26),
    chain_progresses("chain-progress-lost-twice", 59_355, 28),
];

// One epoch.

const fn holds(name: &'static str, states: u64, depth: u64) -> Configuration {
    both(name, "AgreementCheck", Outcome::Holds { states, depth })
}

const fn disagrees(name: &'static str, length: u64) -> Configuration {
    both(name, "AgreementCheck", Outcome::violates("Agreement", length))
}

// The chain of epochs.

const CHAIN: &str = "ChainCheck";

const fn chain_holds(name: &'static str, states: u64, depth: u64) -> Configuration {
    both(name, CHAIN, Outcome::Holds { states, depth })
}

const fn chain_violates(name: &'static str, property: &'static str, length: u64) -> Configuration {
    both(name, CHAIN, Outcome::violates(property, length))
}

const fn chain_progresses(name: &'static str, states: u64, depth: u64) -> Configuration {
    tlc_alone(name, CHAIN, Outcome::Holds { states, depth })
}

const fn chain_stops(name: &'static str, length: u64) -> Configuration {
    tlc_alone(name, CHAIN, Outcome::violates(PROGRESS, length))
}

// Any module.

const fn both(name: &'static str, module: &'static str, expected: Outcome) -> Configuration {
    Configuration { name, module, checkers: Checkers::Both, expected }
}

const fn tlc_alone(name: &'static str, module: &'static str, expected: Outcome) -> Configuration {
    Configuration { name, module, checkers: Checkers::TlcAlone, expected }
}

impl Outcome {
    const fn violates(property: &'static str, length: u64) -> Self {
        Self::Violates { property: Cow::Borrowed(property), length }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::folder;

    /// Otherwise the second checker could have run it.
    #[test]
    fn what_tlc_runs_alone_assumes_fairness() {
        for configuration in ALWAYS.iter().chain(NIGHTLY) {
            let file = folder().join(format!("{}.cfg", configuration.name));
            let text = std::fs::read_to_string(file).unwrap();
            let fair = !text.lines().any(|line| line == "SPECIFICATION Spec");
            assert_eq!(fair, configuration.checkers == Checkers::TlcAlone, "{}", configuration.name);
        }
    }
}
