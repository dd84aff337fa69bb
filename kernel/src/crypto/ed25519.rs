//! Ed25519 with the strict rule, and SHA-256.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Hasher, Scheme};
use crate::assignment::MAX_OWNERS;
use crate::bounded::Map;
use crate::types::NodeId;

/// Ed25519 and SHA-256, with certificates of at most `N` signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ed25519<const N: usize> {}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

/// An Ed25519 signature, 64 bytes on the wire.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signature {
    r: [u8; 32],
    s: [u8; 32],
}

/// An Ed25519 public key in its compressed form. Whether it is a point of the
/// curve shows when it is made ready: a key that is none verifies nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

/// At most `N` signatures, by signer.
pub type SignatureMap<const N: usize> = Map<NodeId, Signature, N>;

/// Incremental SHA-256.
#[derive(Default)]
pub struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    type Digest = Digest;

    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl<const N: usize> Scheme for Ed25519<N> {
    type Digest = Digest;
    type Hasher = Sha256Hasher;
    type Signature = Signature;
    type Signatures = SignatureMap<N>;
    #[cfg(not(feature = "compact-four"))]
    type CommitVotes = SignatureMap<N>;
    #[cfg(feature = "compact-four")]
    type CommitVotes = SignatureMap<0>;
    type WeakCertificate = SignatureMap<MAX_OWNERS>;
    type PublicKey = PublicKey;
    /// The point of the curve, if the key is one: finding it takes a tenth of
    /// a verification, and 200 bytes to keep.
    type Verifier = Option<VerifyingKey>;
    type SecretKey = SigningKey;

    fn number(digest: &Digest) -> u64 {
        digest.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn sign(key: &SigningKey, statement: &Digest) -> Signature {
        let signature = key.sign(&statement.0);
        Signature { r: *signature.r_bytes(), s: *signature.s_bytes() }
    }

    fn prepare(key: &PublicKey) -> Option<VerifyingKey> {
        VerifyingKey::from_bytes(&key.0).ok()
    }

    fn verify(key: &Option<VerifyingKey>, statement: &Digest, signature: &Signature) -> bool {
        let Some(key) = key else {
            return false;
        };
        let signature = ed25519_dalek::Signature::from_components(signature.r, signature.s);
        key.verify_strict(&statement.0, &signature).is_ok()
    }
}

impl core::fmt::Debug for Digest {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, out)
    }
}

impl core::fmt::Display for Digest {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        hex(&self.0, out)
    }
}

impl core::fmt::Debug for Signature {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        hex(&self.r, out)
    }
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        hex(&self.0, out)
    }
}

fn hex(bytes: &[u8], out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}
