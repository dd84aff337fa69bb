//! Counts of what is computed, for the table of costs.

use core::sync::atomic::{AtomicUsize, Ordering};

use clatter::error::CipherResult;
use clatter::traits::{Cipher, CryptoComponent, Hash};

/// A number that rises.
pub struct Counter(AtomicUsize);

impl Counter {
    const fn new() -> Counter {
        Counter(AtomicUsize::new(0))
    }

    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What was counted since the last call.
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// X25519 of a secret and a peer's key.
pub static DIFFIE_HELLMAN: Counter = Counter::new();
/// X25519 of a secret and the base point: public keys.
pub static BASE_MULTIPLICATIONS: Counter = Counter::new();
/// Ed25519 signatures that were checked.
pub static VERIFICATIONS: Counter = Counter::new();
/// Digests of BLAKE2s.
pub static HASHES: Counter = Counter::new();
/// Bytes that went into them.
pub static HASHED: Counter = Counter::new();
/// ChaCha20-Poly1305, sealing and opening.
pub static CIPHERS: Counter = Counter::new();

/// BLAKE2s, counted.
#[derive(Clone, Default)]
pub(crate) struct Blake2s(clatter::crypto::hash::Blake2s);

impl CryptoComponent for Blake2s {
    fn name() -> &'static str {
        clatter::crypto::hash::Blake2s::name()
    }
}

impl Hash for Blake2s {
    type Block = <clatter::crypto::hash::Blake2s as Hash>::Block;
    type Output = <clatter::crypto::hash::Blake2s as Hash>::Output;

    fn input(&mut self, data: &[u8]) {
        HASHED.add(data.len());
        self.0.input(data);
    }

    fn result(self) -> Self::Output {
        HASHES.add(1);
        self.0.result()
    }
}

/// ChaCha20-Poly1305, counted.
#[derive(Clone)]
pub(crate) struct ChaChaPoly;

type Shipped = clatter::crypto::cipher::ChaChaPoly;

impl CryptoComponent for ChaChaPoly {
    fn name() -> &'static str {
        Shipped::name()
    }
}

impl Cipher for ChaChaPoly {
    type Key = <Shipped as Cipher>::Key;

    fn encrypt(k: &Self::Key, nonce: u64, ad: &[u8], plaintext: &[u8], out: &mut [u8]) -> CipherResult<()> {
        CIPHERS.add(1);
        Shipped::encrypt(k, nonce, ad, plaintext, out)
    }

    fn encrypt_in_place(k: &Self::Key, nonce: u64, ad: &[u8], in_out: &mut [u8], length: usize) -> CipherResult<usize> {
        CIPHERS.add(1);
        Shipped::encrypt_in_place(k, nonce, ad, in_out, length)
    }

    fn decrypt(k: &Self::Key, nonce: u64, ad: &[u8], ciphertext: &[u8], out: &mut [u8]) -> CipherResult<()> {
        CIPHERS.add(1);
        Shipped::decrypt(k, nonce, ad, ciphertext, out)
    }

    fn decrypt_in_place(k: &Self::Key, nonce: u64, ad: &[u8], in_out: &mut [u8], length: usize) -> CipherResult<usize> {
        CIPHERS.add(1);
        Shipped::decrypt_in_place(k, nonce, ad, in_out, length)
    }

    fn tag_len() -> usize {
        Shipped::tag_len()
    }
}
