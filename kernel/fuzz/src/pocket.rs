//! Cryptography that anybody can break in his pocket: there are sixteen
//! digests, and a signature is its signer's number, whatever was signed.
//!
//! With genuine signatures a fuzzer gets nowhere: it cannot sign, so all that
//! it makes up is refused at the door. Here it can say anything in anybody's
//! name, and two digests that must fit do so in one of 256 attempts. A kernel
//! that stands that without a panic stands what is possible with genuine ones,
//! where a digest may be anything and faulty members sign whatever they like.

use butterfly_kernel::bounded::Map;
use butterfly_kernel::crypto::{Hasher, Scheme};
use butterfly_kernel::types::NodeId;
use serde::{Deserialize, Serialize};

use crate::VOTERS;

/// Half a byte for a digest, the signer's number for a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Pocket {}

/// FNV-1a, folded into half a byte at the end.
pub struct Fold(u64);

impl Default for Fold {
    fn default() -> Fold {
        Fold(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fold {
    type Digest = u8;

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(self) -> u8 {
        self.0.to_le_bytes().into_iter().fold(0, |folded, byte| folded ^ byte ^ (byte >> 4)) & 0x0f
    }
}

impl Scheme for Pocket {
    type Digest = u8;
    type Hasher = Fold;
    type Signature = NodeId;
    type Signatures = Map<NodeId, NodeId, VOTERS>;
    type CommitVotes = Self::Signatures;
    type WeakCertificate = Self::Signatures;
    type PublicKey = NodeId;
    type Verifier = NodeId;
    type SecretKey = NodeId;

    fn number(digest: &u8) -> u64 {
        u64::from(*digest)
    }

    fn sign(key: &NodeId, _: &u8) -> NodeId {
        *key
    }

    fn prepare(key: &NodeId) -> NodeId {
        *key
    }

    fn verify(key: &NodeId, _: &u8, signature: &NodeId) -> bool {
        signature == key
    }
}
