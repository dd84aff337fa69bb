//! Names of things, and the one place where n, f and p become thresholds.

mod bounds;

use serde::{Deserialize, Serialize};

pub use bounds::{
    CHECKPOINTS_KEPT, MAX_CLIENTS, MAX_CONTACT, MAX_CONTEXT, MAX_MEMBERS, MAX_NOTICES, MAX_OPEN, MAX_OPERATORS,
    MAX_REVISED, MAX_SIGNAL, MAX_STAGES, MAX_TOKENS_PER_EPOCH, MAX_VOTERS,
};
pub(crate) use bounds::{HAS_SLOW_PATH, bound};

/// A member of the cluster, by its place in the roster: voters stand first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u8);

/// A client admitted to the cluster, by its place in the list of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u8);

/// One unit of agreed output. Epoch 0 is the genesis; the first decided epoch is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// One leader's turn inside an epoch, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct View(pub u32);

/// A contiguous run of layers of the model, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stage(pub u8);

/// A place in a request's sequence of prompt and output tokens, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(pub u16);

/// A number drawn at random by a host for one life of a node, and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 16]);

/// A duration in milliseconds, as asked of the host's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Millis(pub u32);

impl NodeId {
    /// The place in the roster.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Epoch {
    /// The genesis, decided by definition.
    pub const GENESIS: Epoch = Epoch(0);

    /// The epoch after this one.
    pub fn next(self) -> Epoch {
        Epoch(self.0.saturating_add(1))
    }
}

impl View {
    /// The first view of an epoch; its leader proposes without a progress certificate.
    pub const ZERO: View = View(0);

    /// The view after this one.
    pub fn next(self) -> View {
        View(self.0.saturating_add(1))
    }
}

impl Position {
    /// The place after this one.
    pub fn next(self) -> Position {
        Position(self.0.saturating_add(1))
    }

    /// The place in a list of inputs.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Stage {
    /// The place in the list of stages.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The stage that consumes this one's output.
    pub fn next(self) -> Stage {
        Stage(self.0.saturating_add(1))
    }
}

/// A set of members, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeSet(u64);

impl NodeSet {
    /// The set without members.
    pub const EMPTY: NodeSet = NodeSet(0);

    fn bit(node: NodeId) -> u64 {
        1_u64.checked_shl(u32::from(node.0)).unwrap_or(0)
    }

    /// The first `n` members of a roster.
    pub fn first(n: usize) -> NodeSet {
        (0..n).filter_map(|i| u8::try_from(i).ok()).map(NodeId).collect()
    }

    /// This set and `node`.
    #[must_use]
    pub fn with(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 | Self::bit(node))
    }

    /// This set but not `node`.
    #[must_use]
    pub fn without(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 & !Self::bit(node))
    }

    /// Members of either set.
    #[must_use]
    pub fn union(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 | other.0)
    }

    /// Members of this set that are not in the other.
    #[must_use]
    pub fn difference(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & !other.0)
    }

    /// Whether `node` is a member.
    pub fn contains(self, node: NodeId) -> bool {
        self.0 & Self::bit(node) != 0
    }

    /// How many members there are.
    pub fn len(self) -> usize {
        usize::try_from(self.0.count_ones()).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        (0..64).map(NodeId).filter(move |node| self.contains(*node))
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> NodeSet {
        nodes.into_iter().fold(NodeSet::EMPTY, NodeSet::with)
    }
}

/// Why a combination of n, f and p cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResilienceError {
    /// More than [`MAX_VOTERS`] replicas, or none.
    Size {
        /// Replicas asked for.
        n: usize,
    },
    /// n is smaller than 3f + 1: agreement under partial synchrony is impossible.
    TooManyFaults {
        /// Smallest number of replicas that tolerates the faults asked for.
        needed: usize,
    },
    /// n is smaller than 3f + 2p - 1: no fast path can survive p silent replicas.
    TooManyFastPathFaults {
        /// Smallest number of replicas that gives the fast path asked for.
        needed: usize,
    },
}

impl core::fmt::Display for ResilienceError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ResilienceError::Size { n } => {
                write!(out, "{n} replicas: a cluster has 1 to {MAX_VOTERS}")
            }
            ResilienceError::TooManyFaults { needed } => {
                write!(out, "n >= 3f + 1 does not hold: these faults need {needed} replicas")
            }
            ResilienceError::TooManyFastPathFaults { needed } => {
                write!(out, "n >= 3f + 2p - 1 does not hold: this fast path needs {needed} replicas")
            }
        }
    }
}

impl core::error::Error for ResilienceError {}

/// How many replicas there are, how many may be faulty, and how many may be
/// silent with the two-delay path still open. Source of the bounds and of the
/// quorums: Kuznetsov, Tonkikh, Zhang, "Revisiting Optimal Resilience of Fast
/// Byzantine Consensus", PODC 2021.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u8, u8, u8)", into = "(u8, u8, u8)")]
pub struct Resilience {
    n: u8,
    f: u8,
    p: u8,
}

impl Resilience {
    /// `n` replicas of which `f` may be faulty; decisions take two message
    /// delays while at most `p` replicas are silent.
    ///
    /// # Errors
    /// When n < 3f + 1, n < 3f + 2p - 1, or n is not in 1..=[`MAX_VOTERS`].
    pub fn new(n: usize, f: usize, p: usize) -> Result<Resilience, ResilienceError> {
        let small = |count: usize| u8::try_from(count).map_err(|_| ResilienceError::Size { n });
        if n == 0 || n > MAX_VOTERS {
            return Err(ResilienceError::Size { n });
        }
        let needed = f.saturating_mul(3).saturating_add(1);
        if n < needed {
            return Err(ResilienceError::TooManyFaults { needed });
        }
        // The second bound matters only for f = 0: two fast quorums must intersect.
        let silent = p.saturating_mul(2);
        let needed = f.saturating_mul(3).saturating_add(silent).saturating_sub(1);
        let needed = needed.max(f.saturating_add(silent).saturating_add(1));
        if n < needed {
            return Err(ResilienceError::TooManyFastPathFaults { needed });
        }
        Ok(Resilience { n: small(n)?, f: small(f)?, p: small(p)? })
    }

    /// Largest f for `n` replicas, then the largest p that is not above it.
    ///
    /// # Errors
    /// When n is not in 1..=[`MAX_VOTERS`].
    pub fn largest(n: usize) -> Result<Resilience, ResilienceError> {
        let f = n.saturating_sub(1).checked_div(3).unwrap_or(0);
        Resilience::with_faults(n, f)
    }

    /// The faults asked for, with the largest p that is not above f.
    ///
    /// # Errors
    /// As [`Resilience::new`].
    pub fn with_faults(n: usize, f: usize) -> Result<Resilience, ResilienceError> {
        let mut best = Resilience::new(n, f, 0);
        for p in 1..=f {
            best = Resilience::new(n, f, p).or(best);
        }
        best
    }

    /// Any numbers at all, for negative controls in a checker.
    #[cfg(feature = "checker")]
    pub const fn outside_the_bounds(n: u8, f: u8, p: u8) -> Resilience {
        Resilience { n, f, p }
    }

    /// Replicas.
    pub fn n(self) -> usize {
        usize::from(self.n)
    }

    /// Replicas that may be Byzantine.
    pub fn f(self) -> usize {
        usize::from(self.f)
    }

    /// Silent replicas that the fast path survives.
    pub fn p(self) -> usize {
        usize::from(self.p)
    }

    /// Votes in one view that decide: n - p.
    pub fn fast_quorum(self) -> usize {
        self.n().saturating_sub(self.p())
    }

    /// Votes that make a commit certificate, and commits that decide: ceil((n + f + 1) / 2).
    pub fn slow_quorum(self) -> usize {
        self.n().saturating_add(self.f()).saturating_add(1).div_ceil(2)
    }

    /// View changes that a leader needs before it may propose: n - f.
    pub fn view_change_quorum(self) -> usize {
        self.n().saturating_sub(self.f())
    }

    /// Votes that bind a new leader after the old one equivocated: f + p.
    pub fn equivocation_threshold(self) -> usize {
        self.f().saturating_add(self.p())
    }

    /// Acknowledgements in a progress certificate: f + 1.
    pub fn progress_quorum(self) -> usize {
        self.f().saturating_add(1)
    }

    /// Equal attestations in a stage certificate: f + 1.
    pub fn attestation_quorum(self) -> usize {
        self.f().saturating_add(1)
    }

    /// Members assigned to a stage, reserves included: 2f + 1.
    pub fn stage_set(self) -> usize {
        self.f().saturating_mul(2).saturating_add(1)
    }

    /// Whether commits are sent at all. With p >= f the fast quorum is always
    /// reachable and the slow path would be redundant.
    pub fn slow_path(self) -> bool {
        self.p < self.f
    }
}

impl TryFrom<(u8, u8, u8)> for Resilience {
    type Error = ResilienceError;

    fn try_from((n, f, p): (u8, u8, u8)) -> Result<Resilience, ResilienceError> {
        Resilience::new(usize::from(n), usize::from(f), usize::from(p))
    }
}

impl From<Resilience> for (u8, u8, u8) {
    fn from(resilience: Resilience) -> (u8, u8, u8) {
        (resilience.n, resilience.f, resilience.p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_agrees_with_the_published_table() {
        let rows = [
            (4, 1, 1, 3, 3, 3, 2),
            (5, 1, 1, 4, 4, 4, 2),
            (6, 1, 1, 5, 4, 5, 2),
            (7, 2, 1, 6, 5, 5, 3),
            (8, 2, 1, 7, 6, 6, 3),
            (9, 2, 2, 7, 6, 7, 4),
            (10, 3, 1, 9, 7, 7, 4),
            (13, 4, 1, 12, 9, 9, 5),
            (15, 4, 2, 13, 10, 11, 6),
            (16, 5, 1, 15, 11, 11, 6),
        ];
        for (n, f, p, fast, slow, change, threshold) in rows {
            let r = Resilience::largest(n).unwrap();
            assert_eq!((r.f(), r.p()), (f, p), "n = {n}");
            assert_eq!(
                (r.fast_quorum(), r.slow_quorum(), r.view_change_quorum(), r.equivocation_threshold()),
                (fast, slow, change, threshold),
                "n = {n}"
            );
            assert_eq!(r.slow_path(), p < f);
        }
    }

    #[test]
    fn what_goes_out_as_three_numbers_comes_back() {
        let r = Resilience::new(7, 2, 1).unwrap();
        assert_eq!(<(u8, u8, u8)>::from(r), (7, 2, 1));
        assert_eq!(Resilience::try_from((7, 2, 1)), Ok(r));
    }

    #[test]
    fn bounds_are_refused_with_the_smallest_cluster_that_would_do() {
        assert_eq!(Resilience::new(3, 1, 0), Err(ResilienceError::TooManyFaults { needed: 4 }));
        assert_eq!(Resilience::new(6, 2, 0), Err(ResilienceError::TooManyFaults { needed: 7 }));
        assert_eq!(Resilience::new(5, 1, 2), Err(ResilienceError::TooManyFastPathFaults { needed: 6 }));
        assert_eq!(Resilience::new(17, 1, 1), Err(ResilienceError::Size { n: 17 }));
        assert_eq!(Resilience::new(0, 0, 0), Err(ResilienceError::Size { n: 0 }));
        assert!(Resilience::new(6, 1, 2).is_ok());
    }

    #[test]
    fn quorums_intersect_as_the_safety_argument_needs() {
        for n in 1..=MAX_VOTERS {
            for f in 0..=n {
                for p in 0..=n {
                    let Ok(r) = Resilience::new(n, f, p) else { continue };
                    let (fast, slow) = (r.fast_quorum(), r.slow_quorum());
                    assert!(2 * fast > n + f && 2 * slow > n + f && slow + fast > n + f, "{r:?}");
                    // One honest fast voter is left in every view-change quorum.
                    assert!(fast + r.view_change_quorum() > n + f, "{r:?}");
                    assert!(r.equivocation_threshold() <= n + 1 - p - 2 * f, "{r:?}");
                }
            }
        }
    }
}
