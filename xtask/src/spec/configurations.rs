//! What is checked, and what must come out: the one table of pinned numbers.
//!
//! A changed number means a changed protocol. Change it only together with an
//! explanation of the new one, here and in `spec/README.md`.

use std::borrow::Cow;
use std::fmt;

/// One file `spec/NAME.cfg`.
pub(super) struct Configuration {
    /// The root module: `spec/MODULE.tla`.
    pub(super) module: &'static str,
    pub(super) name: &'static str,
    /// What must happen is checked, under fairness: only TLC can.
    pub(super) temporal: bool,
    pub(super) expected: Outcome,
}

impl Configuration {
    /// Whether every state is written down, to be compared one by one.
    pub(super) fn writes_states(&self) -> bool {
        !self.temporal && matches!(self.expected, Outcome::Holds { .. })
    }
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
    /// What must happen does not; which property that is, is not said. How long
    /// the violation is depends on the order in which the checker looks, but it
    /// looks when all states are known.
    Starves {
        /// Distinct states.
        states: u64,
    },
}

/// What every commit has to pass. Those that must fail stand last, module by module.
pub(super) const ALWAYS: &[Configuration] = &[
    holds("n4-p1", 104, 10),
    holds("n4-p1-slow", 860, 16),
    holds("n4-p1-slow-unreduced", 8_818, 16),
    holds("n4-p0-byzantine-first-unreduced", 5_660, 16),
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
    agreement_liveness("live-n4-p1", holds_in(472, 10)),
    agreement_liveness("live-n4-p0", holds_in(5_660, 16)),
    agreement_liveness("stuck-n4-p0-fast-alone", starves_in(464)),
    agreement_liveness("stuck-n4-p1-byzantine-last", starves_in(298)),
    chain("chain-one-value", holds_in(3_040, 20)),
    chain("chain-unreduced", holds_in(5_636, 20)),
    chain("chain-two-values", holds_in(2_655, 14)),
    chain("chain-lost-twice", holds_in(1_107, 16)),
    chain("chain-two-members-lost", holds_in(5_292, 16)),
    chain("chain-one-learner", holds_in(4_060, 16)),
    chain("chain-too-many-lost", holds_in(624, 11)),
    chain("chain-admit-two-values", holds_in(3_389, 20)),
    chain("chain-remove-byzantine", holds_in(2_622, 21)),
    chain_liveness("chain-progress", holds_in(3_098, 18)),
    chain_liveness("chain-progress-byzantine", holds_in(260, 13)),
    chain_liveness("chain-progress-admit", holds_in(6_796, 25)),
    chain("broken-chain-learner-signs", violates("Agreement", 6)),
    chain("broken-chain-nonce-reused", violates("Agreement", 13)),
    chain("broken-chain-vote-volatile", violates("Agreement", 6)),
    chain("broken-chain-decision-volatile", violates("Agreement", 7)),
    chain("broken-chain-signs-ahead", violates("NoResign", 8)),
    chain("broken-chain-notice-twice", violates("Integrity", 8)),
    chain("broken-chain-enters-as-replica", violates("NoResign", 10)),
    chain("broken-chain-strangers-count", violates("Agreement", 5)),
    chain_liveness("broken-chain-payload-volatile", starves_in(330)),
    chain_liveness("broken-chain-work-first", starves_in(3_098)),
    chain_liveness("broken-chain-two-learners", starves_in(886)),
    chain_liveness("broken-chain-learner-byzantine", starves_in(92)),
    chain_liveness("broken-chain-need-not-vote", starves_in(931)),
    chain_liveness("broken-chain-need-not-close", starves_in(931)),
    chain_liveness("broken-chain-need-not-catch-up", starves_in(931)),
    chain_liveness("broken-chain-need-not-enter", starves_in(6_796)),
    chain("witness-chain-stuck", violates("NobodyIsEverStuck", 3)),
    chain("witness-chain-comes-back", violates("NobodyComesBack", 6)),
    chain("witness-chain-skips", violates("NobodySkips", 8)),
    chain("witness-chain-joins", violates("NobodyJoins", 6)),
    inference("inference", holds_in(10_492, 23)),
    inference("inference-liar-in-reserve", holds_in(11_770, 24)),
    inference("inference-restarts", holds_in(7_824, 20)),
    inference_liveness("inference-liveness", holds_in(1_740, 18)),
    inference_liveness("inference-liveness-two-stages", holds_in(700, 17)),
    inference_liveness("inference-liveness-restarts", holds_in(3_300, 20)),
    inference("broken-certificate-of-f", violates("Validity", 2)),
    inference("broken-two-liars", violates("Validity", 2)),
    inference("broken-unchained", violates("Validity", 2)),
    inference("broken-not-continuing", violates("Integrity", 2)),
    inference("broken-copy-cat", violates("Validity", 4)),
    inference("broken-copy-cat-blamed", violates("Accountability", 4)),
    inference("broken-vote-without-payload", violates("Validity", 3)),
    inference("broken-payload-unrecorded", violates("Carried", 6)),
    inference("reached-carried-decision", violates("NothingCarriedIsDecided", 13)),
    inference("reached-only-fetched", violates("NothingOnlyFetched", 6)),
    inference_liveness("stuck-two-assigned", starves_in(19)),
    inference_liveness("stuck-no-escalation", starves_in(19)),
    inference_liveness("stuck-first-arrival", starves_in(1_320)),
    inference_liveness("stuck-no-view-change", starves_in(168)),
    inference_liveness("unfair-escalate", starves_in(108)),
    inference_liveness("unfair-compute", starves_in(108)),
    inference_liveness("unfair-attest", starves_in(108)),
    inference_liveness("unfair-certify", starves_in(108)),
    inference_liveness("unfair-propose", starves_in(108)),
    inference_liveness("unfair-vote", starves_in(108)),
    inference_liveness("unfair-enter-view", starves_in(1_740)),
    inference_liveness("unfair-recover", starves_in(3_300)),
    inference_liveness("unfair-stabilise", starves_in(3_300)),
];

/// What takes tla-checker most of its time, a minute or two each: of these TLC and
/// the transcription have to agree at every commit, tla-checker every night.
pub(super) const SLOW: [&str; 5] = [
    "chain-unreduced",
    "n4-p1-slow-three-views",
    "chain-one-value",
    "chain-two-members-lost",
    "chain-admit-two-values",
];

/// What takes too long for every commit.
pub(super) const NIGHTLY: &[Configuration] = &[
    holds("n4-p0-three-views", 33_724, 25),
    holds("n4-p0-any-strong-three-views", 38_079, 25),
    disagrees("broken-hides-lock-seven", 15),
    chain("chain-four-epochs", holds_in(15_812, 26)),
    chain("chain-equivocation-three-epochs", holds_in(5_282, 20)),
    chain("chain-seven", holds_in(5_652, 22)),
    chain("chain-lost-twice-three-epochs", holds_in(7_539, 22)),
    chain("chain-too-many-lost-two-epochs", holds_in(11_080, 20)),
    chain("chain-admit", holds_in(6_405, 23)),
    chain("chain-remove", holds_in(4_269, 22)),
    chain("chain-admit-lost", holds_in(11_986, 31)),
    chain("chain-replace", holds_in(30_054, 32)),
    chain_liveness("chain-progress-three-epochs", holds_in(24_956, 26)),
    chain_liveness("chain-progress-lost-twice", holds_in(59_355, 28)),
    chain_liveness("chain-progress-replace", holds_in(52_256, 38)),
    inference("inference-byzantine-second", holds_in(9_376, 23)),
    inference("inference-restarts-two-stages", holds_in(9_776, 21)),
    inference_liveness("stuck-vote-without-payload", starves_in(40_644)),
];

// Of `Agreement.tla`.

const fn agreement(name: &'static str, expected: Outcome) -> Configuration {
    Configuration { module: "AgreementCheck", name, temporal: false, expected }
}

const fn agreement_liveness(name: &'static str, expected: Outcome) -> Configuration {
    Configuration { module: "AgreementCheck", name, temporal: true, expected }
}

const fn holds(name: &'static str, states: u64, depth: u64) -> Configuration {
    agreement(name, holds_in(states, depth))
}

const fn disagrees(name: &'static str, length: u64) -> Configuration {
    agreement(name, violates("Agreement", length))
}

// Of `Chain.tla`.

const fn chain(name: &'static str, expected: Outcome) -> Configuration {
    Configuration { module: "ChainCheck", name, temporal: false, expected }
}

const fn chain_liveness(name: &'static str, expected: Outcome) -> Configuration {
    Configuration { module: "ChainCheck", name, temporal: true, expected }
}

// Of `Inference.tla`.

const fn inference(name: &'static str, expected: Outcome) -> Configuration {
    Configuration { module: "InferenceCheck", name, temporal: false, expected }
}

const fn inference_liveness(name: &'static str, expected: Outcome) -> Configuration {
    Configuration { module: "InferenceCheck", name, temporal: true, expected }
}

const fn holds_in(states: u64, depth: u64) -> Outcome {
    Outcome::Holds { states, depth }
}

const fn starves_in(states: u64) -> Outcome {
    Outcome::Starves { states }
}

const fn violates(property: &'static str, length: u64) -> Outcome {
    Outcome::Violates { property: Cow::Borrowed(property), length }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { states, depth } => write!(f, "holds in {states} states, depth {depth}"),
            Self::Violates { property, length } => {
                write!(f, "{property} is violated after {length} states")
            }
            Self::Starves { states } => write!(f, "what must happen does not, in {states} states"),
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
            let fair = !text.lines().any(|line| line.trim() == "SPECIFICATION Spec");
            assert_eq!(fair, configuration.temporal, "{}", configuration.name);
        }
    }
}
