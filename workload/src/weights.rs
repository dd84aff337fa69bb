//! The weights file: a borrowed, checked view, nothing copied.
//!
//! Layout, all numbers little-endian: an 8-byte magic, a u32 version, six u16
//! dimensions; the embedding; per layer the distance bias and six matrices;
//! the head; the SHA-256 of all that. A matrix is its rows of i8, one row per
//! output, then one i32 multiplier per row. Any bytes between header and
//! digest are a total model: no value can make the arithmetic overflow, so
//! nothing but lengths and the digest needs checking.

use core::fmt;

use sha2::{Digest, Sha256};

use crate::arithmetic::{dot, rescaled};
use crate::{CONTEXT, HEADS, HIDDEN, LAYERS, VOCABULARY, WIDTH};

/// Binary places that a projection's multiplier is scaled up by.
const PROJECTION_SHIFT: u32 = 28;
/// The same for the rows of the embedding.
const EMBEDDING_SHIFT: u32 = 16;

const MAGIC: u64 = u64::from_le_bytes(*b"BFLYWGHT");
const VERSION: u32 = 1;
const DIMENSIONS: [usize; 6] = [VOCABULARY, CONTEXT, LAYERS, WIDTH, HEADS, HIDDEN];

const HEADER_BYTES: usize = 8 + 4 + 2 * DIMENSIONS.len();
const LAYER_BYTES: usize =
    2 * CONTEXT * HEADS + 4 * matrix_bytes(WIDTH, WIDTH) + matrix_bytes(WIDTH, HIDDEN) + matrix_bytes(HIDDEN, WIDTH);
const DIGEST_BYTES: usize = 32;

static EMBEDDED: &[u8] = include_bytes!("../weights/butterfly.weights");

/// The weights of the whole model, borrowed from the bytes of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Weights<'w> {
    bytes: &'w [u8],
    pub(crate) embedding: Matrix<'w, WIDTH, VOCABULARY>,
    pub(crate) layers: [LayerWeights<'w>; LAYERS],
    pub(crate) head: Matrix<'w, WIDTH, VOCABULARY>,
}

impl Weights<'static> {
    /// The weights that come with the crate. Their layout is checked when the
    /// crate is compiled, their digest by a test; so this costs nothing.
    pub fn embedded() -> Self {
        const WEIGHTS: Weights<'static> = match layout(EMBEDDED) {
            Ok(weights) => weights,
            #[allow(clippy::panic, reason = "evaluated by the compiler: it can only fail the build")]
            Err(_) => panic!("weights/butterfly.weights does not have this crate's layout"),
        };
        WEIGHTS
    }
}

impl<'w> Weights<'w> {
    /// Length of a weights file.
    pub const BYTES: usize = HEADER_BYTES + 2 * matrix_bytes(WIDTH, VOCABULARY) + LAYERS * LAYER_BYTES + DIGEST_BYTES;

    /// Checks the layout and the digest of a weights file and borrows it.
    ///
    /// The digest guards against damage. Whether these are the *right* weights
    /// is for the [`manifest`](crate::manifest()) to say.
    ///
    /// # Errors
    /// When the bytes are not an undamaged weights file of this model.
    pub fn parse(bytes: &'w [u8]) -> Result<Self, WeightsError> {
        let weights = layout(bytes)?;
        let (body, digest) = bytes.split_last_chunk::<DIGEST_BYTES>().ok_or(WeightsError::Length)?;
        if Sha256::digest(body)[..] == digest[..] { Ok(weights) } else { Err(WeightsError::Digest) }
    }

    /// The bytes of the file.
    pub const fn bytes(&self) -> &'w [u8] {
        self.bytes
    }
}

impl fmt::Debug for Weights<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weights").finish_non_exhaustive()
    }
}

/// The weights of one layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerWeights<'w> {
    /// Per head and distance what is added to a score, i16 in Q6.
    pub(crate) distance: &'w [[[u8; 2]; CONTEXT]; HEADS],
    pub(crate) query: Matrix<'w, WIDTH, WIDTH>,
    pub(crate) key: Matrix<'w, WIDTH, WIDTH>,
    pub(crate) value: Matrix<'w, WIDTH, WIDTH>,
    pub(crate) mix: Matrix<'w, WIDTH, WIDTH>,
    pub(crate) expand: Matrix<'w, WIDTH, HIDDEN>,
    pub(crate) contract: Matrix<'w, HIDDEN, WIDTH>,
}

/// A linear map with 8-bit weights and a multiplier per output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matrix<'w, const IN: usize, const OUT: usize> {
    rows: &'w [[u8; IN]; OUT],
    multipliers: &'w [[u8; 4]; OUT],
}

impl<const IN: usize, const OUT: usize> Matrix<'_, IN, OUT> {
    /// Each output: the exact sum of products, rescaled with one rounding.
    pub(crate) fn project(&self, input: &[i16; IN]) -> [i32; OUT] {
        let mut output = [0; OUT];
        for ((element, row), multiplier) in output.iter_mut().zip(self.rows).zip(self.multipliers) {
            *element = rescaled(
                dot(input, row.iter().map(|weight| weight.cast_signed())),
                i32::from_le_bytes(*multiplier),
                PROJECTION_SHIFT,
            );
        }
        output
    }

    /// One row of the matrix, rescaled; zeros for a row that does not exist.
    pub(crate) fn row(&self, index: usize) -> [i32; IN] {
        let (Some(row), Some(multiplier)) = (self.rows.get(index), self.multipliers.get(index)) else {
            return [0; IN];
        };
        let multiplier = i32::from_le_bytes(*multiplier);
        row.map(|weight| rescaled(i32::from(weight.cast_signed()), multiplier, EMBEDDING_SHIFT))
    }
}

const fn matrix_bytes(inputs: usize, outputs: usize) -> usize {
    // Only evaluated by the compiler, on the constants above.
    outputs.saturating_mul(inputs.saturating_add(4))
}

/// Everything about a file but its digest.
const fn layout(bytes: &[u8]) -> Result<Weights<'_>, WeightsError> {
    if bytes.len() != Weights::BYTES {
        return Err(WeightsError::Length);
    }
    let mut rest = Rest(bytes);
    if !rest.header_matches() {
        return Err(WeightsError::Header);
    }
    // The length is right, so there is something to take each time.
    let (Some(embedding), [Some(first), Some(second), Some(third), Some(fourth)], Some(head)) =
        (rest.matrix(), [rest.layer(), rest.layer(), rest.layer(), rest.layer()], rest.matrix())
    else {
        return Err(WeightsError::Length);
    };
    Ok(Weights { bytes, embedding, layers: [first, second, third, fourth], head })
}

/// The part of a file that is not yet read.
struct Rest<'w>(&'w [u8]);

impl<'w> Rest<'w> {
    const fn header_matches(&mut self) -> bool {
        let (Some(magic), Some(version)) = (self.chunk(), self.chunk()) else {
            return false;
        };
        let mut matches = u64::from_le_bytes(*magic) == MAGIC && u32::from_le_bytes(*version) == VERSION;
        let mut dimensions: &[usize] = &DIMENSIONS;
        while let [dimension, others @ ..] = dimensions {
            let Some(written) = self.chunk() else {
                return false;
            };
            matches &= u16::from_le_bytes(*written) as usize == *dimension;
            dimensions = others;
        }
        matches
    }

    const fn layer(&mut self) -> Option<LayerWeights<'w>> {
        let (Some(distance), Some(query), Some(key), Some(value), Some(mix), Some(expand), Some(contract)) =
            (self.distance(), self.matrix(), self.matrix(), self.matrix(), self.matrix(), self.matrix(), self.matrix())
        else {
            return None;
        };
        Some(LayerWeights { distance, query, key, value, mix, expand, contract })
    }

    const fn distance(&mut self) -> Option<&'w [[[u8; 2]; CONTEXT]; HEADS]> {
        let Some(bytes) = self.bytes(2 * CONTEXT * HEADS) else {
            return None;
        };
        bytes.as_chunks().0.as_chunks().0.first_chunk()
    }

    const fn matrix<const IN: usize, const OUT: usize>(&mut self) -> Option<Matrix<'w, IN, OUT>> {
        let (Some(rows), Some(multipliers)) = (self.bytes(IN.saturating_mul(OUT)), self.bytes(OUT.saturating_mul(4)))
        else {
            return None;
        };
        let (Some(rows), Some(multipliers)) =
            (rows.as_chunks().0.first_chunk(), multipliers.as_chunks().0.first_chunk())
        else {
            return None;
        };
        Some(Matrix { rows, multipliers })
    }

    const fn chunk<const N: usize>(&mut self) -> Option<&'w [u8; N]> {
        let Some((chunk, after)) = self.0.split_first_chunk() else {
            return None;
        };
        self.0 = after;
        Some(chunk)
    }

    const fn bytes(&mut self, count: usize) -> Option<&'w [u8]> {
        let Some((bytes, after)) = self.0.split_at_checked(count) else {
            return None;
        };
        self.0 = after;
        Some(bytes)
    }
}

/// Why bytes are not a weights file of this model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsError {
    /// Not [`Weights::BYTES`] long.
    Length,
    /// The magic, version or dimensions are not this model's.
    Header,
    /// The SHA-256 at the end is not that of the bytes before it.
    Digest,
}

impl fmt::Display for WeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "wrong length for a weights file",
            Self::Header => "not a weights file, or one of another model or version",
            Self::Digest => "the weights file is damaged",
        })
    }
}

impl core::error::Error for WeightsError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn file() -> Vec<u8> {
        EMBEDDED.to_vec()
    }

    #[test]
    fn the_embedded_file_is_undamaged() {
        assert_eq!(Weights::parse(EMBEDDED), Ok(Weights::embedded()));
        assert_eq!(Weights::embedded().bytes().len(), Weights::BYTES);
    }

    #[test]
    fn any_other_length_is_refused() {
        let mut longer = file();
        longer.push(0);
        assert_eq!(Weights::parse(&longer), Err(WeightsError::Length));
        assert_eq!(Weights::parse(&longer[..Weights::BYTES - 1]), Err(WeightsError::Length));
        assert_eq!(Weights::parse(&[]), Err(WeightsError::Length));
    }

    #[test]
    fn any_other_header_is_refused() {
        for index in 0..HEADER_BYTES {
            let mut changed = file();
            changed[index] ^= 1;
            assert_eq!(Weights::parse(&changed), Err(WeightsError::Header), "byte {index}");
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        for index in [HEADER_BYTES, Weights::BYTES / 2, Weights::BYTES - DIGEST_BYTES, Weights::BYTES - 1] {
            let mut changed = file();
            changed[index] ^= 0x10;
            assert_eq!(Weights::parse(&changed), Err(WeightsError::Digest), "byte {index}");
        }
    }
}
