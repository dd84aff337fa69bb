//! One layer of the transformer, for one position of the sequence.

use core::fmt;

use crate::arithmetic::{accumulated, dot, normalised, rectified, saturated_8, saturated_16, weighted_average};
use crate::weights::LayerWeights;
use crate::{CONTEXT, HEAD_WIDTH, HEADS, WIDTH};

/// Binary places from the distance bias (Q6) to a score (Q14).
const DISTANCE_SHIFT: u32 = 8;

/// The keys and values that a layer has computed so far: 48 KiB.
///
/// Rows from the current position on are zero, so that equal histories are
/// equal values.
///
/// `Copy`, so that an array of them is cloned as one block: element by element,
/// builds without optimisation put several more copies on the stack.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cache {
    heads: [HeadCache; HEADS],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct HeadCache {
    /// Elements in Q4.
    keys: [[i8; HEAD_WIDTH]; CONTEXT],
    values: [[i8; HEAD_WIDTH]; CONTEXT],
}

impl Cache {
    /// The cache before the first position.
    pub const EMPTY: Self = Self {
        heads: [const { HeadCache { keys: [[0; HEAD_WIDTH]; CONTEXT], values: [[0; HEAD_WIDTH]; CONTEXT] } }; HEADS],
    };

    /// The rows of the first `positions`, in a fixed order.
    pub(crate) fn rows(&self, positions: usize) -> impl Iterator<Item = &[i8; HEAD_WIDTH]> {
        let tables = self.heads.iter().flat_map(|head| [&head.keys, &head.values]);
        tables.flat_map(move |table| table.iter().take(positions))
    }

    /// The same, to be written to.
    pub(crate) fn rows_mut(&mut self, positions: usize) -> impl Iterator<Item = &mut [i8; HEAD_WIDTH]> {
        let tables = self.heads.iter_mut().flat_map(|head| [&mut head.keys, &mut head.values]);
        tables.flat_map(move |table| table.iter_mut().take(positions))
    }

    /// Forgets every row from `position` on.
    pub(crate) fn truncate(&mut self, position: usize) {
        for head in &mut self.heads {
            for row in head.keys.iter_mut().skip(position).chain(head.values.iter_mut().skip(position)) {
                *row = [0; HEAD_WIDTH];
            }
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

/// Takes the residual row of `position` through the layer and adds the
/// position's keys and values to the cache.
///
/// The cache must hold the positions before; `position` is below [`CONTEXT`].
pub(crate) fn run(weights: &LayerWeights<'_>, cache: &mut Cache, position: usize, residual: &mut [i32; WIDTH]) {
    let mixed = attention(weights, cache, position, &normalised(residual));
    add(residual, &weights.mix.project(&mixed));

    let hidden = weights.expand.project(&normalised(residual)).map(rectified);
    add(residual, &weights.contract.project(&hidden));
}

fn attention(weights: &LayerWeights<'_>, cache: &mut Cache, position: usize, input: &[i16; WIDTH]) -> [i16; WIDTH] {
    let query = weights.query.project(input).map(saturated_16);
    let key = weights.key.project(input).map(saturated_8);
    let value = weights.value.project(input).map(saturated_8);

    let mut mixed = [0; WIDTH];
    let heads = cache.heads.iter_mut().zip(weights.distance);
    let parts = query.as_chunks().0.iter().zip(key.as_chunks().0).zip(value.as_chunks().0);
    let outputs = mixed.as_chunks_mut::<HEAD_WIDTH>().0;
    for (((cache, distance), ((query, key), value)), output) in heads.zip(parts).zip(outputs) {
        if let (Some(key_row), Some(value_row)) = (cache.keys.get_mut(position), cache.values.get_mut(position)) {
            *key_row = *key;
            *value_row = *value;
        }
        *output = attend(cache, distance, position, query);
    }
    mixed
}

fn attend(
    cache: &HeadCache,
    distance: &[[u8; 2]; CONTEXT],
    position: usize,
    query: &[i16; HEAD_WIDTH],
) -> [i16; HEAD_WIDTH] {
    let length = position.saturating_add(1);
    let mut scores = [0; CONTEXT];
    let scores = scores.get_mut(..length).unwrap_or_default();
    // The first key is the farthest away.
    let biases = distance.iter().take(length).rev();
    for ((score, key), bias) in scores.iter_mut().zip(&cache.keys).zip(biases) {
        let bias = i32::from(i16::from_le_bytes(*bias)).wrapping_shl(DISTANCE_SHIFT);
        // At most 24 * 2^15 * 2^7 + 2^23 < 2^27 in magnitude.
        *score = dot(query, key.iter().copied()).wrapping_add(bias);
    }
    weighted_average(scores, &cache.values)
}

/// Adds a change to the residual row.
fn add(residual: &mut [i32; WIDTH], change: &[i32; WIDTH]) {
    for (element, change) in residual.iter_mut().zip(change) {
        *element = accumulated(*element, *change);
    }
}
