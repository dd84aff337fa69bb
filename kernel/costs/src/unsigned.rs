//! Ed25519 without its arithmetic: the same sizes and the same digests, but
//! nothing is signed and everything is believed. What a step costs with it is
//! what a step costs besides signatures.

use std::sync::LazyLock;

use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::{Digest, Ed25519, PublicKey, Sha256Hasher, Signature, SignatureMap};
use butterfly_kernel::wire;
use ed25519_dalek::SigningKey;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unsigned<const N: usize> {}

static BLANK: LazyLock<Signature> = LazyLock::new(|| wire::decode(&[0; 64]).expect("any bytes are a signature"));

impl<const N: usize> Scheme for Unsigned<N> {
    type Digest = Digest;
    type Hasher = Sha256Hasher;
    type Signature = Signature;
    type Signatures = SignatureMap<N>;
    type PublicKey = PublicKey;
    type Verifier = ();
    type SecretKey = SigningKey;

    fn number(digest: &Digest) -> u64 {
        Ed25519::<N>::number(digest)
    }

    fn sign(_: &SigningKey, _: &Digest) -> Signature {
        BLANK.clone()
    }

    fn prepare(_: &PublicKey) {}

    fn verify((): &(), _: &Digest, _: &Signature) -> bool {
        true
    }
}
