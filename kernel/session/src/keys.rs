//! Who a member is, and with which key it talks.
//!
//! A member has two keys. Its Ed25519 key is its *identity*: it stands in the
//! roster and signs what third parties must believe. Its X25519 key, the
//! *exchange key*, makes sessions and nothing else. A [`KeyRecord`] binds one
//! to the other; the identity's secret is needed to sign it, and never again
//! by a session.

use clatter::bytearray::ByteArray;
use core::fmt::{Debug, Formatter};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroize;

use crate::error::Closed;
use crate::suite::{Secret, pair};
use crate::wire::{CREDENTIAL, KEY, Reader, SIGNATURE, Writer};

/// The digest of the roster with which the cluster began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub [u8; KEY]);

/// An Ed25519 public key in its compressed form: a member, as the roster names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityKey(pub [u8; KEY]);

/// An X25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeKey(pub [u8; KEY]);

impl IdentityKey {
    /// The public key of `identity`.
    pub fn of(identity: &SigningKey) -> IdentityKey {
        IdentityKey(identity.verifying_key().to_bytes())
    }

    /// Whether the holder of this key signed `text`. The strict rule: a
    /// signature that some verifiers take and others refuse is refused.
    pub(crate) fn signed(&self, text: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        #[cfg(feature = "count")]
        crate::count::VERIFICATIONS.add(1);
        let Ok(key) = VerifyingKey::from_bytes(&self.0) else { return false };
        key.verify_strict(text, &Signature::from_bytes(signature)).is_ok()
    }
}

impl Debug for IdentityKey {
    fn fmt(&self, out: &mut Formatter<'_>) -> core::fmt::Result {
        hex(&self.0, out)
    }
}

impl Debug for ExchangeKey {
    fn fmt(&self, out: &mut Formatter<'_>) -> core::fmt::Result {
        hex(&self.0, out)
    }
}

fn hex(bytes: &[u8], out: &mut Formatter<'_>) -> core::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

/// The secret of an exchange key. Erased when dropped; it cannot be printed,
/// copied or read back.
pub struct ExchangeSecret(Secret);

impl ExchangeSecret {
    /// A secret of 32 bytes from a source of randomness fit for keys.
    pub fn from_random(mut bytes: [u8; KEY]) -> ExchangeSecret {
        let secret = Secret::from_slice(&bytes);
        bytes.zeroize();
        ExchangeSecret(secret)
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> ExchangeKey {
        ExchangeKey(pair(self.0.clone()).public)
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }
}

/// Randomness for one handshake. Used up by it; drawn anew for the next.
pub struct Ephemeral(Secret);

impl Ephemeral {
    /// 32 bytes from a source of randomness fit for keys, never used before.
    pub fn from_random(mut bytes: [u8; KEY]) -> Ephemeral {
        let secret = Secret::from_slice(&bytes);
        bytes.zeroize();
        Ephemeral(secret)
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }
}

/// An identity's word that an exchange key is its own. Not yet checked:
/// [`KeyRecord::verify`] makes a [`Peer`] of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyRecord {
    /// Whose key it is.
    pub identity: IdentityKey,
    /// The key.
    pub exchange: ExchangeKey,
    /// Rises with each new exchange key of an identity, from 0, so that an old
    /// key can be given up: see [`Members::admits`](crate::Members::admits).
    pub serial: u32,
    /// The identity's signature on all of this, in one cluster.
    pub signature: [u8; SIGNATURE],
}

/// Bytes of a key record.
pub const RECORD: usize = CREDENTIAL + KEY;
/// No statement of the kernel begins like this: those are digests of 32 bytes.
const RECORD_LABEL: &[u8; 31] = b"butterfly: this exchange key is";
/// Bytes that are signed.
const RECORD_TEXT: usize = RECORD_LABEL.len() + 3 * KEY + 4;

impl KeyRecord {
    /// `identity`'s word, in `cluster`, that `exchange` is its key from now on.
    pub fn sign(identity: &SigningKey, cluster: ClusterId, exchange: ExchangeKey, serial: u32) -> KeyRecord {
        let unsigned = KeyRecord { identity: IdentityKey::of(identity), exchange, serial, signature: [0; SIGNATURE] };
        let signature = identity.sign(&unsigned.text(cluster)).to_bytes();
        KeyRecord { signature, ..unsigned }
    }

    /// The peer that it names.
    ///
    /// # Errors
    /// [`Closed::Record`] when its identity did not sign it in this cluster.
    pub fn verify(&self, cluster: ClusterId) -> Result<Peer, Closed> {
        if !self.identity.signed(&self.text(cluster), &self.signature) {
            return Err(Closed::Record);
        }
        Ok(Peer { identity: self.identity, exchange: self.exchange, serial: self.serial })
    }

    /// For a file or a message.
    pub fn to_bytes(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        let mut out = Writer(&mut bytes);
        // The array is as long as its fields together.
        let _ = out.put(&self.exchange.0).and_then(|()| out.put(&self.credential()));
        bytes
    }

    /// What [`KeyRecord::to_bytes`] made.
    pub fn from_bytes(bytes: &[u8; RECORD]) -> Option<KeyRecord> {
        let mut reader = Reader(bytes);
        let exchange = ExchangeKey(reader.array()?);
        KeyRecord::read(&mut reader, exchange)
    }

    /// The record without its exchange key.
    pub(crate) fn credential(&self) -> [u8; CREDENTIAL] {
        let mut bytes = [0; CREDENTIAL];
        let mut out = Writer(&mut bytes);
        let fields: [&[u8]; 3] = [&self.identity.0, &self.serial.to_le_bytes(), &self.signature];
        // The array is as long as its fields together.
        let _ = fields.iter().try_for_each(|field| out.put(field));
        bytes
    }

    /// The record of `exchange`, the rest of which is a credential.
    pub(crate) fn read(reader: &mut Reader<'_>, exchange: ExchangeKey) -> Option<KeyRecord> {
        let identity = IdentityKey(reader.array()?);
        let serial = u32::from_le_bytes(reader.array()?);
        Some(KeyRecord { identity, exchange, serial, signature: reader.array()? })
    }

    fn text(&self, cluster: ClusterId) -> [u8; RECORD_TEXT] {
        let mut text = [0; RECORD_TEXT];
        let mut out = Writer(&mut text);
        let fields: [&[u8]; 5] =
            [RECORD_LABEL, &cluster.0, &self.identity.0, &self.exchange.0, &self.serial.to_le_bytes()];
        // The array is as long as its fields together.
        let _ = fields.iter().try_for_each(|field| out.put(field));
        text
    }
}

/// An identity with its exchange key, checked. Only [`KeyRecord::verify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    identity: IdentityKey,
    exchange: ExchangeKey,
    serial: u32,
}

impl Peer {
    /// Who it is.
    pub fn identity(&self) -> IdentityKey {
        self.identity
    }

    /// With which key it talks.
    pub fn exchange(&self) -> ExchangeKey {
        self.exchange
    }

    /// Which of its keys that is.
    pub fn serial(&self) -> u32 {
        self.serial
    }
}
