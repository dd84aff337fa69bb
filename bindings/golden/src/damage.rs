//! Bytes that are almost right: one change to the encoding of something
//! accepted.

use butterfly_kernel::crypto::Signatures as _;
use butterfly_kernel::crypto::ed25519::SignatureMap;
use butterfly_kernel::types::NodeId;
use serde::Serialize;

use crate::judge::judge;
use crate::vector::{Reason, Vector, Verdict};
use crate::{Cluster, Signature};

/// Bytes of a signature.
const SIGNATURE: usize = 64;
/// The order of Ed25519's group, little-endian: 2^252 + 27742317777372353535851937790883648493.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The encoding of `value`.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("every type of the wire can be encoded")
}

/// What every type of the wire has in common: `accepted`, cut short, made
/// longer, and with its first and its last integer written in one byte more
/// than they need.
pub fn encodings(accepted: &Vector, cluster: &Cluster) -> Vec<Vector> {
    let (name, shape, bytes) = (&accepted.name, accepted.shape, &accepted.bytes);
    let refused = |what: &str, about: &str, reason, verdict, bytes| {
        Vector::refused(&format!("{name}_{what}"), shape, about, (reason, verdict), bytes)
    };
    let overlong = |at: usize| [&bytes[..at], &[bytes[at] | 0x80, 0], &bytes[at + 1..]].concat();
    let integers = (0..bytes.len())
        .filter(|at| bytes[*at] < 0x80)
        .filter(|at| judge(cluster, shape, &overlong(*at)) == Verdict::NotCanonical);
    let integers: Vec<usize> = integers.collect();
    let mut vectors = vec![
        refused(
            "truncated",
            "The last byte is missing.",
            Reason::Truncated,
            Verdict::Malformed,
            bytes[..bytes.len() - 1].to_vec(),
        ),
        refused(
            "trailing_byte",
            "A zero stands behind the end.",
            Reason::TrailingByte,
            Verdict::TrailingBytes,
            [bytes, &[0][..]].concat(),
        ),
    ];
    let first = integers.first().map(|at| ("overlong_first", "The first integer takes two bytes.", *at));
    let last =
        integers.iter().skip(1).last().map(|at| ("overlong_last", "The last small integer takes two bytes.", *at));
    vectors.extend(
        first.into_iter().chain(last).map(|(what, about, at)| {
            refused(what, about, Reason::OverlongInteger, Verdict::NotCanonical, overlong(at))
        }),
    );
    vectors
}

/// `bytes` with the one place where `from` stands holding `to`.
///
/// # Panics
/// When `from` does not stand there exactly once.
pub fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut places = bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from);
    let (at, _) = places.next().expect("the part stands in the encoding");
    assert!(places.next().is_none(), "the part stands in the encoding once");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// `bytes`, which end with a signature, with one bit of it changed.
pub fn flip_signature(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    let at = flipped.len() - SIGNATURE;
    flipped[at] ^= 1;
    flipped
}

/// `bytes`, which end with a signature, with s + L in place of its s. Lax
/// verifiers accept that, and one statement would have two signatures.
pub fn add_group_order(bytes: &[u8]) -> Vec<u8> {
    let (front, s) = bytes.split_at(bytes.len() - SIGNATURE / 2);
    let mut carry = 0;
    let sum = s.iter().zip(GROUP_ORDER).map(|(byte, order)| {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        carry = sum >> 8;
        sum as u8
    });
    let mut altered = front.to_vec();
    altered.extend(sum);
    assert_eq!(carry, 0, "s is below L, so s + L takes no more than 253 bits");
    altered
}

/// The first two signatures under each other's names.
pub fn swap_signers<const CAPACITY: usize>(signatures: &SignatureMap<CAPACITY>) -> SignatureMap<CAPACITY> {
    let mut entries: Vec<(NodeId, Signature)> = signatures.iter().map(|(node, made)| (*node, made.clone())).collect();
    let (first, second) = (entries[0].0, entries[1].0);
    entries[0].0 = second;
    entries[1].0 = first;
    entries.sort();
    SignatureMap::collect(entries.iter().map(|(node, signature)| (*node, signature)))
}
