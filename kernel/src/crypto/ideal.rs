//! Ideal cryptography for checked and simulated worlds: a signature is the
//! name of its signer, and the world never lets anyone sign for another.

use serde::{Deserialize, Serialize};

use super::{Hasher, Scheme};
use crate::bounded::Map;
use crate::types::NodeId;

/// Signatures that cannot be forged because the world has no action for it.
/// Digests are 64 bits, so that whole nodes can be run with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ideal<const N: usize> {}

/// The signer and what it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdealSignature {
    signer: NodeId,
    statement: u64,
}

/// FNV-1a over 64 bits with a final mix: short and fixed, and nobody in an
/// ideal world seeks collisions.
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    type Digest = u64;

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(self) -> u64 {
        // FNV's low bits follow the input's low bits; draws need them mixed.
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }
}

impl<const N: usize> Scheme for Ideal<N> {
    type Digest = u64;
    type Hasher = Fnv;
    type Signature = IdealSignature;
    type Signatures = Map<NodeId, IdealSignature, N>;
    type CommitVotes = Self::Signatures;
    type WeakCertificate = Self::Signatures;
    type PublicKey = NodeId;
    type Verifier = NodeId;
    type SecretKey = NodeId;

    fn number(digest: &u64) -> u64 {
        *digest
    }

    fn sign(key: &NodeId, statement: &u64) -> IdealSignature {
        IdealSignature { signer: *key, statement: *statement }
    }

    fn prepare(key: &NodeId) -> NodeId {
        *key
    }

    fn verify(key: &NodeId, statement: &u64, signature: &IdealSignature) -> bool {
        signature.signer == *key && signature.statement == *statement
    }
}
