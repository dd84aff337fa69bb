//! Ed25519 without its arithmetic: the same sizes and the same digests, but
//! nothing is signed and everything is believed. What a step costs with it is
//! what a step costs besides signatures.

use std::cell::Cell;
use std::sync::LazyLock;

use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::crypto::ed25519::{Digest, Ed25519, PublicKey, Sha256Hasher, Signature, SignatureMap};
use butterfly_kernel::wire;
use ed25519_dalek::SigningKey;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unsigned<const N: usize> {}

/// Signatures that would have been made and checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Spared {
    made: u32,
    checked: u32,
}

thread_local! {
    static SPARED: Cell<Spared> = const { Cell::new(Spared { made: 0, checked: 0 }) };
}

/// The signatures that `work` would have made and checked.
pub(crate) fn count<T>(work: impl FnOnce() -> T) -> (T, Spared) {
    SPARED.set(Spared::default());
    let result = work();
    (result, SPARED.get())
}

static BLANK: LazyLock<Signature> = LazyLock::new(|| wire::decode(&[0; 64]).expect("any bytes are a signature"));

impl<const N: usize> Scheme for Unsigned<N> {
    type Digest = Digest;
    type Hasher = Sha256Hasher;
    type Signature = Signature;
    type Signatures = SignatureMap<N>;
    type CommitVotes = Self::Signatures;
    type WeakCertificate = <Ed25519<N> as Scheme>::WeakCertificate;
    type PublicKey = PublicKey;
    type Verifier = ();
    type SecretKey = SigningKey;

    fn number(digest: &Digest) -> u64 {
        Ed25519::<N>::number(digest)
    }

    fn sign(_: &SigningKey, _: &Digest) -> Signature {
        SPARED.with(|spared| spared.set(Spared { made: spared.get().made + 1, ..spared.get() }));
        BLANK.clone()
    }

    fn prepare(_: &PublicKey) {}

    fn verify((): &(), _: &Digest, _: &Signature) -> bool {
        SPARED.with(|spared| spared.set(Spared { checked: spared.get().checked + 1, ..spared.get() }));
        true
    }
}
