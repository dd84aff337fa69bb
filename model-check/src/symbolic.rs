//! Cryptography without bytes: what nobody may say is never offered, so a
//! signature says no more than whether it is one. A world offers forgeries
//! only where the kernel's verification lets them pass: see
//! [`crate::world::setting::Forgeries`].
//!
//! Certificates that differ only in who signed are equal here, and with them
//! the states that hold them. This is sound where a world offers a certificate
//! only when enough statements for it exist: the kernel never looks at who
//! signed inside a certificate, only at whether it verifies.

pub mod exact;

use butterfly_kernel::crypto::{Hasher, Scheme, Signatures};
use butterfly_kernel::types::{NodeId, NodeSet};
use serde::{Deserialize, Serialize};

/// Unforgeable since unsaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Symbolic {}

/// The name of a value that may be agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Value(pub u8);

impl Value {
    /// The values that every honest node knows to be valid.
    pub const VALID: [Value; 2] = [Value(0), Value(1)];
    /// A value that no honest node ever finds valid; only faulty ones speak of it.
    pub const INVALID: Value = Value(2);
    /// Everything that a faulty node may name.
    pub const ALL: [Value; 3] = [Value(0), Value(1), Value::INVALID];
    /// A value for which no message exists: what a blank question names.
    pub const UNSAID: Value = Value(u8::MAX);
}

impl std::fmt::Display for Value {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Value::INVALID => out.write_str("the invalid value"),
            Value::UNSAID => out.write_str("nothing"),
            Value(name) => write!(out, "value {name}"),
        }
    }
}

/// Statements need no digest, since signatures do not cover one.
#[derive(Default)]
pub struct Unread;

impl Hasher for Unread {
    type Digest = Value;

    fn update(&mut self, _: &[u8]) {}

    fn finish(self) -> Value {
        Value::UNSAID
    }
}

/// A signature: of whoever it claims to be of, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Signature {
    /// It is.
    Genuine,
    /// It is not.
    Forged,
}

/// So many signatures in a certificate; whose, does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quorum(pub u8);

impl Quorum {
    /// Of `count` signatures.
    pub fn of(count: usize) -> Quorum {
        Quorum(u8::try_from(count).expect("few members"))
    }
}

impl Signatures<Signature> for Quorum {
    fn collect<'s>(signed: impl Iterator<Item = (NodeId, &'s Signature)>) -> Quorum {
        Quorum::of(signed.count())
    }

    fn get(&self, _: NodeId) -> Option<&Signature> {
        Some(&Signature::Genuine)
    }

    fn signers(&self) -> NodeSet {
        NodeSet::EMPTY
    }

    fn is_quorum(&self, quorum: usize, _: impl Fn(NodeId, &Signature) -> bool) -> bool {
        *self == Quorum::of(quorum)
    }
}

impl Scheme for Symbolic {
    type Digest = Value;
    type Hasher = Unread;
    type Signature = Signature;
    type Signatures = Quorum;
    type CommitVotes = Self::Signatures;
    type WeakCertificate = Quorum;
    type PublicKey = u8;
    type Verifier = u8;
    type SecretKey = ();

    fn number(digest: &Value) -> u64 {
        u64::from(digest.0)
    }

    fn sign((): &(), _: &Value) -> Signature {
        Signature::Genuine
    }

    fn prepare(key: &u8) -> u8 {
        *key
    }

    fn verify(_: &u8, _: &Value, signature: &Signature) -> bool {
        *signature == Signature::Genuine
    }
}
