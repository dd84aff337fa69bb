//! Changes of the roster: one member comes or goes, as an operator ordered.
//!
//! A change is good for one cluster, the one whose id its signatures cover,
//! and it is the last thing that this cluster commits. So an order, and a
//! token, can be used once.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::assignment::Profile;
use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::types::{MAX_CONTACT, NodeId, Resilience};

/// How a member is reached: opaque to the protocol, and committed with it.
pub type Contact = Vec<u8, MAX_CONTACT>;

/// What is different in the next roster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
#[allow(clippy::large_enum_variant, reason = "no heap to box into; a node keeps one")]
pub enum Change<C: Scheme> {
    /// Somebody comes.
    Admit {
        /// Who.
        newcomer: Newcomer<C>,
        /// Whether it votes. It stands behind the voters that there are; one
        /// that does not, behind all members.
        votes: bool,
        /// n, f and p of the next roster.
        resilience: Resilience,
    },
    /// A member goes. Those behind it move up.
    Remove {
        /// Which.
        member: NodeId,
        /// n, f and p of the next roster.
        resilience: Resilience,
    },
}

/// Who comes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Newcomer<C: Scheme> {
    /// What it signs with. Nobody in the roster may have it.
    pub key: C::PublicKey,
    /// What it can do.
    pub profile: Profile,
    /// How the others reach it.
    pub contact: Contact,
}

/// A change, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SignedChange<C: Scheme> {
    /// What changes.
    pub change: Change<C>,
    /// Who wants it.
    pub warrant: Warrant<C>,
}

/// By whose word the roster changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Warrant<C: Scheme> {
    /// An operator signed this very change.
    Operator(C::Signature),
    /// An operator signed a token before it knew who would come, and whoever
    /// holds the token's secret key named the newcomer.
    Token {
        /// The token's key.
        token: C::PublicKey,
        /// By an operator, on [`token_statement`].
        operator: C::Signature,
        /// By the token's key, on the change.
        bearer: C::Signature,
    },
}

/// The digest that an operator signs to let the holder of `token` name one
/// member of the next roster.
pub fn token_statement<C: Scheme, const N: usize>(
    cluster: &Cluster<C, N>,
    token: &C::PublicKey,
    votes: bool,
    resilience: Resilience,
) -> C::Digest {
    cluster.statement(Tag::Token, &(token, votes, resilience))
}

impl<C: Scheme> Change<C> {
    /// n, f and p of the next roster.
    pub fn resilience(&self) -> Resilience {
        match self {
            Change::Admit { resilience, .. } | Change::Remove { resilience, .. } => *resilience,
        }
    }

    /// The digest that is signed, and that the header of the epoch names.
    pub fn statement<const N: usize>(&self, cluster: &Cluster<C, N>) -> C::Digest {
        cluster.statement(Tag::Change, self)
    }
}

impl<C: Scheme, const N: usize> Cluster<C, N> {
    /// Whether an operator of this cluster wants the change. What depends on
    /// the decided prefix, is left to the handler.
    pub fn change_is_genuine(&self, signed: &SignedChange<C>) -> bool {
        let ordered = |statement: &C::Digest, signature: &C::Signature| {
            self.roster().operators.iter().any(|key| C::verify(&C::prepare(key), statement, signature))
        };
        let statement = signed.change.statement(self);
        match (&signed.warrant, &signed.change) {
            (Warrant::Operator(signature), _) => ordered(&statement, signature),
            (Warrant::Token { token, operator, bearer }, Change::Admit { votes, resilience, .. }) => {
                C::verify(&C::prepare(token), &statement, bearer)
                    && ordered(&token_statement(self, token, *votes, *resilience), operator)
            }
            (Warrant::Token { .. }, Change::Remove { .. }) => false,
        }
    }
}
