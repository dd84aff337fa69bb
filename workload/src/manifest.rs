//! The digest that names a model: two clusters with the same manifest compute
//! the same results.

use sha2::{Digest, Sha256};

use crate::{Weights, arithmetic, decoder, tokenizer};

/// Length of the pieces into which the weights are cut for hashing, so that
/// a part of them can be checked or fetched on its own.
pub const CHUNK_BYTES: usize = 4096;

/// Names the model: a SHA-256 over its weights' [Merkle root](weights_root)
/// and the ids of the arithmetic, the tokenizer and the decoder. Into which
/// stages the layers are cut is no part of it: the result is the same, and a
/// cluster may cut them otherwise for each request.
///
/// The preimage is the text `butterfly manifest`, the root, and each id behind
/// its length as one byte.
pub fn manifest(weights: &Weights<'_>) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"butterfly manifest");
    hash.update(weights_root(weights.bytes()));
    for id in [arithmetic::ID, tokenizer::ID, decoder::ID] {
        hash.update([id.len() as u8]);
        hash.update(id);
    }
    hash.finalize().into()
}

/// Root of the Merkle tree over the bytes in chunks of [`CHUNK_BYTES`].
///
/// The tree has the shape of RFC 9162: a leaf is the digest of 0 and the
/// chunk, a node that of 1 and its two children, and every left subtree is
/// the largest full one that leaves something for the right. The last chunk
/// may be short; no bytes at all have the digest of nothing for a root.
pub fn weights_root(bytes: &[u8]) -> [u8; 32] {
    // Full subtrees that still wait for a right sibling, by height.
    let mut waiting: [Option<[u8; 32]>; HEIGHTS] = [None; HEIGHTS];
    for chunk in bytes.chunks(CHUNK_BYTES) {
        let mut subtree = leaf(chunk);
        for place in &mut waiting {
            match place.take() {
                Some(left) => subtree = node(&left, &subtree),
                None => {
                    *place = Some(subtree);
                    break;
                }
            }
        }
    }
    let mut smaller_first = waiting.into_iter().flatten();
    let Some(right) = smaller_first.next() else {
        return Sha256::digest([]).into();
    };
    smaller_first.fold(right, |right, left| node(&left, &right))
}

/// Enough for as many chunks as an address space can hold.
const HEIGHTS: usize = usize::BITS as usize;

fn leaf(chunk: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix([0]).chain_update(chunk).finalize().into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new_with_prefix([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    /// The definition, read literally.
    fn recursive(bytes: &[u8]) -> [u8; 32] {
        let chunks = bytes.len().div_ceil(CHUNK_BYTES);
        match chunks {
            0 => Sha256::digest([]).into(),
            1 => leaf(bytes),
            _ => {
                let (left, right) = bytes.split_at(CHUNK_BYTES * (chunks.next_power_of_two() / 2));
                node(&recursive(left), &recursive(right))
            }
        }
    }

    #[test]
    fn the_root_follows_its_definition() {
        for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES] {
            assert_eq!(weights_root(&vec![7; length]), recursive(&vec![7; length]), "{length}");
        }
        for chunks in 3..20 {
            let bytes: vec::Vec<u8> = (0..chunks * CHUNK_BYTES - 5).map(|i| (i % 251) as u8).collect();
            assert_eq!(weights_root(&bytes), recursive(&bytes), "{chunks} chunks");
        }
    }
}
