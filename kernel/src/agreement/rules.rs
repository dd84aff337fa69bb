//! Seeded departures from the protocol, for the checking crates only.
//!
//! Without the feature `checker` no departure can be chosen, and every test
//! for one is a constant `false`.

use crate::cluster::Cluster;
use crate::crypto::Scheme;

#[cfg(feature = "checker")]
use crate::types::{NodeId, View};

/// A single guard taken out or bent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(not(feature = "checker"), allow(dead_code, reason = "only a checker can choose one"))]
pub enum Mutant {
    /// A leader that equivocated is not left out when a new leader selects.
    KeepEquivocator,
    /// A view change does not report the vote.
    ForgetVote,
    /// A vote is sent before it is durable.
    VoteUnrecorded,
    /// The record does not hold the payload of the value voted for.
    PayloadUnrecorded,
    /// The record holds proposals without their progress certificates.
    ProgressUnrecorded,
    /// A commit is sent before its certificate is durable.
    CommitUnrecorded,
    /// A view is left before the next one is durable.
    ViewUnrecorded,
    /// A proposal is sent before it is durable.
    ProposalUnrecorded,
    /// The record does not hold the decision of the epoch before.
    HeadUnrecorded,
    /// A decision is handed out before it is durable.
    DecisionUnrecorded,
}

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
