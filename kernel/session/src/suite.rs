//! `25519_ChaChaPoly_BLAKE2s`: what the Noise library computes with.

use clatter::bytearray::{ByteArray, SensitiveByteArray};
use clatter::error::{DhError, DhResult};
use clatter::rand_core::{self, CryptoRng, RngCore};
use clatter::traits::{CryptoComponent, Dh, Rng};
use clatter::{KeyPair, NqHandshakeCore};
use x25519_dalek::{PublicKey, StaticSecret};

#[cfg(feature = "count")]
pub(crate) use crate::count::{Blake2s, ChaChaPoly};
#[cfg(not(feature = "count"))]
pub(crate) use clatter::crypto::{cipher::ChaChaPoly, hash::Blake2s};

/// A handshake of the Noise library. The ephemeral key is always given to it.
pub(crate) type Noise = NqHandshakeCore<X25519, ChaChaPoly, Blake2s, NoRandomness>;
/// One direction of a finished handshake.
pub(crate) type Cipher = clatter::cipherstate::CipherState<ChaChaPoly>;
/// A secret that is erased when it is dropped.
pub(crate) type Secret = SensitiveByteArray<[u8; 32]>;
/// A public key and its secret.
pub(crate) type Pair = KeyPair<[u8; 32], Secret>;

/// The pair of a secret.
pub(crate) fn pair(secret: Secret) -> Pair {
    KeyPair::new(X25519::pubkey(&secret), secret)
}

/// X25519 on the curve arithmetic that Ed25519 brings along, so that firmware
/// holds it once. Unlike the library's own it refuses points of small order,
/// which give the same secret whatever the other key is.
#[derive(Clone)]
pub(crate) struct X25519;

impl CryptoComponent for X25519 {
    fn name() -> &'static str {
        "25519"
    }
}

impl Dh for X25519 {
    type PrivateKey = Secret;
    type PubKey = [u8; 32];
    type Output = Secret;

    /// Randomness is the host's: without an ephemeral key there is no handshake.
    fn genkey_rng<R: Rng>(_: &mut R) -> DhResult<Pair> {
        Err(DhError::KeyGeneration)
    }

    fn pubkey(secret: &Secret) -> [u8; 32] {
        #[cfg(feature = "count")]
        crate::count::BASE_MULTIPLICATIONS.add(1);
        PublicKey::from(&StaticSecret::from(**secret)).to_bytes()
    }

    fn dh(secret: &Secret, public: &[u8; 32]) -> DhResult<Secret> {
        #[cfg(feature = "count")]
        crate::count::DIFFIE_HELLMAN.add(1);
        let shared = StaticSecret::from(**secret).diffie_hellman(&PublicKey::from(*public));
        // The library has no error for this; the session names it `Handshake`.
        if shared.was_contributory() { Ok(Secret::from_slice(shared.as_bytes())) } else { Err(DhError::KeyGeneration) }
    }
}

/// Stands where the library wants a generator. It is never asked, since the
/// only thing that would ask it is [`X25519::genkey_rng`].
#[derive(Clone, Default)]
pub(crate) struct NoRandomness;

impl RngCore for NoRandomness {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), rand_core::Error> {
        Err(rand_core::Error::from(core::num::NonZeroU32::MIN))
    }
}

impl CryptoRng for NoRandomness {}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_small_order_give_no_secret() {
        let secret = Secret::from_slice(&[7; 32]);
        let order_1 = [0; 32];
        let mut order_4 = [0; 32];
        order_4[0] = 1;
        let honest = X25519::pubkey(&Secret::from_slice(&[8; 32]));
        assert!(X25519::dh(&secret, &honest).is_ok());
        assert!(X25519::dh(&secret, &order_1).is_err());
        assert!(X25519::dh(&secret, &order_4).is_err());
    }

    #[test]
    fn without_an_ephemeral_key_there_is_no_handshake() {
        assert!(X25519::genkey_rng(&mut NoRandomness).is_err());
    }
}
