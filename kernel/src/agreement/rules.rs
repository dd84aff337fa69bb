//! Seeded departures from the protocol, for the checking crates only.
//!
//! Without the feature `checker` no departure can be chosen, and every test
//! for one is a constant `false`. Thresholds are asked for here, so that each
//! can be bent by one, for everybody at once.

mod mutant;

pub use mutant::Mutant;

use crate::cluster::Cluster;
use crate::crypto::Scheme;

#[cfg(feature = "checker")]
use crate::types::{NodeId, View};

/// What a checker may change: the schedule of leaders and one guard.
#[cfg(feature = "checker")]
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The guard that is bent, if any.
    pub mutant: Option<Mutant>,
    /// Who leads each view, from view 0; later views follow the static rule.
    pub schedule: heapless::Vec<NodeId, 8>,
}

#[cfg(feature = "checker")]
impl Rules {
    /// The injected leader of `view`.
    pub fn leader(&self, view: View) -> Option<NodeId> {
        self.schedule.get(usize::try_from(view.0).ok()?).copied()
    }
}

impl<C: Scheme, const N: usize> Cluster<C, N> {
    /// Whether this cluster runs with `mutant` on purpose.
    #[cfg(feature = "checker")]
    pub(crate) fn mutated(&self, mutant: Mutant) -> bool {
        self.rules.mutant == Some(mutant)
    }

    /// A shipped build has no mutants.
    #[cfg(not(feature = "checker"))]
    pub(crate) const fn mutated(&self, _: Mutant) -> bool {
        false
    }
}

/// The thresholds of [`crate::types::Resilience`] as this cluster applies them.
impl<C: Scheme, const N: usize> Cluster<C, N> {
    /// Votes in one view that decide: n - p.
    pub fn fast_quorum(&self) -> usize {
        self.bent(self.resilience().fast_quorum(), Mutant::SmallFastQuorum, Mutant::LargeFastQuorum)
    }

    /// Votes that make a commit certificate.
    pub fn slow_quorum(&self) -> usize {
        self.bent(self.resilience().slow_quorum(), Mutant::SmallSlowQuorum, Mutant::LargeSlowQuorum)
    }

    /// Commits that decide.
    pub fn commit_quorum(&self) -> usize {
        self.bent(self.slow_quorum(), Mutant::SmallCommitQuorum, Mutant::LargeCommitQuorum)
    }

    /// View changes that a leader needs before it may propose: n - f.
    pub fn view_change_quorum(&self) -> usize {
        let quorum = self.resilience().view_change_quorum();
        self.bent(quorum, Mutant::SmallViewChangeQuorum, Mutant::LargeViewChangeQuorum)
    }

    /// Votes that bind a new leader after the old one equivocated: f + p.
    pub fn equivocation_threshold(&self) -> usize {
        let threshold = self.resilience().equivocation_threshold();
        self.bent(threshold, Mutant::SmallEquivocationThreshold, Mutant::LargeEquivocationThreshold)
    }

    /// Acknowledgements in a progress certificate: f + 1.
    pub fn progress_quorum(&self) -> usize {
        self.bent(self.resilience().progress_quorum(), Mutant::SmallProgressQuorum, Mutant::LargeProgressQuorum)
    }

    /// Equal attestations that make a stage certificate: f + 1.
    pub fn attestation_quorum(&self) -> usize {
        let quorum = self.resilience().attestation_quorum();
        self.bent(quorum, Mutant::SmallAttestationQuorum, Mutant::LargeAttestationQuorum)
    }

    /// Equal reports that make a signal certain: f + 1.
    pub fn signal_quorum(&self) -> usize {
        let quorum = self.resilience().attestation_quorum();
        self.bent(quorum, Mutant::SmallSignalQuorum, Mutant::LargeSignalQuorum)
    }

    fn bent(&self, threshold: usize, smaller: Mutant, larger: Mutant) -> usize {
        let less = usize::from(self.mutated(smaller));
        let more = usize::from(self.mutated(larger));
        threshold.saturating_sub(less).saturating_add(more)
    }
}
