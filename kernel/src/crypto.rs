//! Digests, signatures and sets of signatures, as associated types, so that a
//! checked world can make them a byte or two and a server makes them real.
//!
//! Every signature is over the digest of `(tag, cluster, statement)` with a
//! [`Tag`] of its own for each kind of statement: no signature is valid for a
//! statement of another kind or of another cluster. A client's request names
//! the first cluster of a chain, whoever its members are later.

pub mod ed25519;
pub mod ideal;

use core::fmt::Debug;
use core::hash::Hash;

use serde::{Serialize, de::DeserializeOwned};

use crate::bounded::Map;
use crate::types::{NodeId, NodeSet};

/// What a digest or a signature is about. The numbers are part of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is named after the statement that it marks")]
pub enum Tag {
    Cluster = 1,
    Request = 2,
    Propose = 3,
    Vote = 4,
    Commit = 5,
    ViewChange = 6,
    CertRequest = 7,
    CertAck = 8,
    Attest = 9,
    StageOutput = 10,
    Pull = 11,
    Fetch = 12,
    Payload = 13,
    Decided = 14,
    Forward = 15,
    Value = 16,
    State = 17,
    Link = 18,
    Plan = 19,
    Placement = 20,
    Output = 21,
    Links = 22,
    Recall = 23,
    History = 24,
    Notice = 25,
    Change = 26,
    Token = 27,
    Order = 28,
    Descent = 29,
}

impl Tag {
    /// The byte that stands first in the preimage.
    #[allow(clippy::as_conversions, reason = "the discriminant of a fieldless repr(u8) enum")]
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// An incremental digest.
pub trait Hasher: Default {
    /// What comes out.
    type Digest;
    /// Takes more bytes in.
    fn update(&mut self, bytes: &[u8]);
    /// The digest of all bytes taken in.
    fn finish(self) -> Self::Digest;
}

/// Signatures by distinct members on one statement.
pub trait Signatures<S>: Clone + Debug + Eq + Ord + Hash + Serialize + DeserializeOwned {
    /// The signatures given, each with its signer, in rising order of signers.
    /// Those beyond the capacity are dropped.
    fn collect<'s>(signatures: impl Iterator<Item = (NodeId, &'s S)>) -> Self
    where
        S: 's;
    /// What `signer` signed with, if it is among them.
    fn get(&self, signer: NodeId) -> Option<&S>;
    /// Who signed.
    fn signers(&self) -> NodeSet;
    /// Whether there are exactly `quorum` of them, all of which `genuine` accepts.
    fn is_quorum(&self, quorum: usize, genuine: impl Fn(NodeId, &S) -> bool) -> bool;
}

impl<S, const N: usize> Signatures<S> for Map<NodeId, S, N>
where
    S: Clone + Debug + Eq + Ord + Hash + Serialize + DeserializeOwned,
{
    fn collect<'s>(signatures: impl Iterator<Item = (NodeId, &'s S)>) -> Self
    where
        S: 's,
    {
        let mut map = Map::new();
        for (signer, signature) in signatures {
            if map.insert(signer, signature.clone()).is_err() {
                break;
            }
        }
        map
    }

    fn get(&self, signer: NodeId) -> Option<&S> {
        Map::get(self, &signer)
    }

    fn signers(&self) -> NodeSet {
        self.iter().map(|(signer, _)| *signer).collect()
    }

    fn is_quorum(&self, quorum: usize, genuine: impl Fn(NodeId, &S) -> bool) -> bool {
        self.len() == quorum && self.iter().all(|(signer, signature)| genuine(*signer, signature))
    }
}

/// A way to sign and to digest.
pub trait Scheme: Copy + Debug + Eq + Ord + Hash + 'static {
    /// A collision-resistant digest.
    type Digest: Copy + Debug + Eq + Ord + Hash + Serialize + DeserializeOwned;
    /// How digests are computed.
    type Hasher: Hasher<Digest = Self::Digest>;
    /// One signature.
    type Signature: Clone + Debug + Eq + Ord + Hash + Serialize + DeserializeOwned;
    /// Signatures of distinct members on one statement, up to all voters.
    type Signatures: Signatures<Self::Signature>;
    /// The same of the voters that a commit certificate names: none where this
    /// build has no room for the slow path.
    type CommitVotes: Signatures<Self::Signature>;
    /// The same of f + 1 members, one of whom is honest.
    type WeakCertificate: Signatures<Self::Signature>;
    /// What names a signer.
    type PublicKey: Clone + Debug + Eq + Ord + Hash + Serialize + DeserializeOwned;
    /// A public key made ready to check many signatures. Part of no roster and
    /// of no message: everybody makes it from the key.
    type Verifier: Clone + Debug;
    /// What signs. It has no `Debug`: it must not reach a log.
    type SecretKey;

    /// A number drawn from a digest: the same for everyone, not chosen by anyone.
    fn number(digest: &Self::Digest) -> u64;

    /// Signs the digest of a statement.
    fn sign(key: &Self::SecretKey, statement: &Self::Digest) -> Self::Signature;

    /// Makes `key` ready. One that is no key verifies nothing.
    fn prepare(key: &Self::PublicKey) -> Self::Verifier;

    /// Whether `signature` on `statement` was made by the holder of `key`.
    fn verify(key: &Self::Verifier, statement: &Self::Digest, signature: &Self::Signature) -> bool;
}

/// Something whose signatures were checked. Only [`crate::cluster::Cluster`]
/// can make one, so a handler that takes it cannot be given a forgery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn vouch(checked: T) -> Verified<T> {
        Verified(checked)
    }

    /// What was checked.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was checked, by value.
    pub fn into_inner(self) -> T {
        self.0
    }
}
