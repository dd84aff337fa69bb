//! The keys of a member or a client.
//!
//! There are two: the *identity*, Ed25519, stands in the roster and signs what
//! others must believe; the *exchange key*, X25519, makes sessions and nothing
//! else. A key record, signed by the identity, binds one to the other.

use std::sync::Arc;

use butterfly_session::{ClusterId, ExchangeSecret, KeyRecord};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::Error;
use crate::roster::Roster;
use crate::surface::Digest;

/// The serial of the first exchange key of an identity.
const FIRST_SERIAL: u32 = 0;

/// Both secrets of one party. Erased when the object is freed; they cannot be
/// printed.
#[derive(uniffi::Object)]
pub struct Keys {
    identity: SigningKey,
    exchange: Zeroizing<[u8; 32]>,
}

/// Secrets as bytes, to be written where nobody else can read.
#[derive(uniffi::Record)]
pub struct Secrets {
    /// The seed of the identity.
    pub identity: Digest,
    /// The exchange secret.
    pub exchange: Digest,
}

#[uniffi::export]
impl Keys {
    /// New keys, from the system's source of randomness.
    #[uniffi::constructor]
    pub fn generate() -> Result<Arc<Keys>, Error> {
        let (identity, exchange) = (Zeroizing::new(random()?), Zeroizing::new(random()?));
        Ok(Arc::new(Keys { identity: SigningKey::from_bytes(&identity), exchange }))
    }

    /// The keys with these secrets, as `secrets` gave them.
    #[uniffi::constructor]
    pub fn from_secrets(secrets: Secrets) -> Result<Arc<Keys>, Error> {
        let identity = Zeroizing::new(secrets.identity.0);
        Ok(Arc::new(Keys { identity: SigningKey::from_bytes(&identity), exchange: Zeroizing::new(secrets.exchange.0) }))
    }

    /// What the roster names this party by.
    pub fn public_key(&self) -> Result<Digest, Error> {
        Ok(Digest(self.identity.verifying_key().to_bytes()))
    }

    /// The secrets, to be kept.
    pub fn secrets(&self) -> Result<Secrets, Error> {
        Ok(Secrets { identity: Digest(self.identity.to_bytes()), exchange: Digest(*self.exchange) })
    }

    /// The identity's word that the exchange key is its own, in the cluster of
    /// `roster`: what others need to have sessions with this party.
    pub fn key_record(&self, roster: Arc<Roster>) -> Result<Vec<u8>, Error> {
        Ok(self.record(&roster).to_bytes().to_vec())
    }
}

impl Keys {
    pub(crate) fn identity(&self) -> &SigningKey {
        &self.identity
    }

    pub(crate) fn exchange(&self) -> ExchangeSecret {
        ExchangeSecret::from_random(*self.exchange)
    }

    pub(crate) fn record(&self, roster: &Roster) -> KeyRecord {
        let cluster = ClusterId(roster.cluster().id().0);
        KeyRecord::sign(&self.identity, cluster, self.exchange().public(), FIRST_SERIAL)
    }

    /// Keys that everybody can make: for simulations.
    pub(crate) fn of_seed(seed: u64, party: u8) -> Keys {
        let mut secret = [party; 32];
        secret.iter_mut().zip(seed.to_le_bytes()).for_each(|(place, byte)| *place = byte);
        Keys { identity: SigningKey::from_bytes(&secret), exchange: Zeroizing::new(secret) }
    }
}

/// Bytes that were never used before.
pub(crate) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], Error> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::Keys { reason: format!("the system gives no random numbers: {error}") })?;
    Ok(bytes)
}
