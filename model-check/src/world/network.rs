//! The set of everything that honest nodes ever said. It only grows, so a
//! message can arrive late, twice or never, and in any order.

use std::collections::BTreeSet;

use butterfly_kernel::message::agreement::ViewChange as AnyViewChange;
use butterfly_kernel::types::{NodeId, NodeSet, View};

use super::setting::{Ballot, Message, Report, Setting};
use crate::symbolic::{Symbolic, Value};

/// One thing that is true from some moment on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::large_enum_variant, reason = "nearly all are statements")]
pub enum Fact {
    /// An honest node said this.
    Said {
        /// Who.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// So many honest nodes acknowledged the ballot to its faulty leader that
    /// the faulty nodes complete a progress certificate. Stands in place of
    /// the acknowledgements: it does not matter whose they were.
    Certified(Ballot),
    /// The kernel broke its contract.
    Breach(Breach),
}

/// How a kernel can break its contract. None may ever be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Breach {
    /// An input was rejected, yet the state is another one.
    RejectionChangedState,
    /// A quorum for a known value arrived and did not decide.
    QuorumIgnored,
    /// A node that has decided took in a message or a time-out.
    DecidedNodeActed,
    /// Evidence names an honest node.
    HonestBlamed,
    /// A statement that must be durable left before it was.
    SentBeforePersist,
    /// The same messages in another order had another effect.
    OrderMatters,
    /// A node attested what it did not compute.
    AttestedUncomputed,
    /// Earlier inputs were taken that are not those that were committed.
    FalseHistory,
    /// It made a difference whether a liar lied or said nothing.
    LieMatters,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Breach::RejectionChangedState => "an input was rejected, yet the state changed",
            Breach::QuorumIgnored => "a quorum for a known value did not decide",
            Breach::DecidedNodeActed => "a node that had decided took in more",
            Breach::HonestBlamed => "evidence names an honest node",
            Breach::SentBeforePersist => "a statement left before it was durable",
            Breach::AttestedUncomputed => "a node attested what it did not compute",
            Breach::FalseHistory => "earlier inputs were taken that are not those that were committed",
            Breach::LieMatters => "it made a difference whether a liar lied or said nothing",
            Breach::OrderMatters => "the order of messages mattered",
        })
    }
}

/// Which statements a quorum is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Count {
    /// Votes.
    Votes,
    /// Commits: the slow path.
    Commits,
}

/// Everything that is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Network {
    facts: BTreeSet<Fact>,
}

impl Network {
    /// This network and `news`.
    pub fn with(&self, setting: &Setting, news: &BTreeSet<Fact>) -> Network {
        let mut facts: BTreeSet<Fact> = self.facts.union(news).cloned().collect();
        let needed = setting.cluster.progress_quorum().saturating_sub(setting.faulty().len());
        let to_faulty = |fact: &Fact| match fact {
            Fact::Said { message: Message::CertAck(ballot), .. } => {
                setting.is_led_by_faulty(ballot.view).then_some(*ballot)
            }
            _ => None,
        };
        let acknowledged: BTreeSet<Ballot> = facts.iter().filter_map(to_faulty).collect();
        for ballot in acknowledged {
            let acks = facts.iter().filter(|fact| to_faulty(fact) == Some(ballot)).count();
            if acks >= needed || facts.contains(&Fact::Certified(ballot)) {
                facts.retain(|fact| to_faulty(fact) != Some(ballot));
                facts.insert(Fact::Certified(ballot));
            }
        }
        Network { facts }
    }

    /// Everything that is true.
    pub fn facts(&self) -> &BTreeSet<Fact> {
        &self.facts
    }

    /// What honest nodes said.
    pub fn said(&self) -> impl Iterator<Item = (NodeId, &Message)> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Said { from, message } => Some((*from, message)),
            _ => None,
        })
    }

    /// Contracts that were broken.
    pub fn breaches(&self) -> impl Iterator<Item = Breach> {
        self.facts.iter().filter_map(|fact| match fact {
            Fact::Breach(breach) => Some(*breach),
            _ => None,
        })
    }

    /// Whether the faulty leader of the ballot's view can show a progress certificate.
    pub fn is_certified(&self, ballot: Ballot) -> bool {
        self.facts.contains(&Fact::Certified(ballot))
    }

    /// The honest nodes that voted for, or committed to, `ballot`.
    pub fn supporters(&self, count: Count, ballot: Ballot) -> NodeSet {
        let supports = |message: &Message| match (count, message) {
            (Count::Votes, Message::Vote(other)) | (Count::Commits, Message::Commit(other)) => *other == ballot,
            _ => false,
        };
        self.said().filter(|(_, message)| supports(message)).map(|(from, _)| from).collect()
    }

    /// Whether an honest leader proposed `ballot`.
    pub fn is_proposed(&self, ballot: Ballot) -> bool {
        self.said().any(|(_, message)| matches!(message, Message::Propose { ballot: other, .. } if *other == ballot))
    }

    /// What honest nodes reported when they entered `view`.
    pub fn reports(&self, view: View) -> impl Iterator<Item = (NodeId, Report)> {
        self.said().filter_map(move |(from, message)| match message {
            Message::ViewChange(change) if change.view == view => {
                Some((from, AnyViewChange::<Symbolic>::report(change)))
            }
            _ => None,
        })
    }

    /// Values for which a decision certificate could be put together now, if
    /// every faulty node helps: whether or not anybody has seen it.
    pub fn decidable(&self, setting: &Setting) -> BTreeSet<Value> {
        let helpers = setting.faulty().len();
        let quorum = |count: Count| match count {
            Count::Votes => setting.cluster.fast_quorum(),
            Count::Commits => setting.cluster.commit_quorum(),
        };
        let ballots = self.said().filter_map(|(_, message)| match message {
            Message::Vote(ballot) => Some((Count::Votes, *ballot)),
            Message::Commit(ballot) => Some((Count::Commits, *ballot)),
            _ => None,
        });
        ballots
            .filter(|(count, ballot)| self.supporters(*count, *ballot).len().saturating_add(helpers) >= quorum(*count))
            .map(|(_, ballot)| ballot.value)
            .collect()
    }
}
