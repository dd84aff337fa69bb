//! What a planner must know of the model: the work of each layer, what flows
//! between layers, and which neighbours may not be parted.

use core::ops::Range;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::types::bound;

/// Most layers of a model.
pub const MAX_LAYERS: usize = bound(64, 16, 16);
/// Most dependencies between layers: a chain, and as many that skip layers.
pub const MAX_FLOWS: usize = 2 * MAX_LAYERS;
/// Most bytes that one dependency carries for one token: 16 MiB.
pub const MAX_FLOW_BYTES: u32 = 1 << 24;

/// A set of layers, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LayerSet(u64);

impl LayerSet {
    /// The set without layers.
    pub const EMPTY: LayerSet = LayerSet(0);
    /// Every layer that a model may have.
    pub const ALL: LayerSet = LayerSet(u64::MAX);

    /// The layers `start..end`. Those from 64 on do not exist.
    pub fn run(run: Range<u8>) -> LayerSet {
        let below = |layer: u8| 1_u64.checked_shl(u32::from(layer)).map_or(u64::MAX, |bit| bit.wrapping_sub(1));
        LayerSet(below(run.end) & !below(run.start))
    }

    /// This set and `other`.
    #[must_use]
    pub fn union(self, other: LayerSet) -> LayerSet {
        LayerSet(self.0 | other.0)
    }

    /// The layers of this set that `other` has as well.
    #[must_use]
    pub fn common(self, other: LayerSet) -> LayerSet {
        LayerSet(self.0 & other.0)
    }

    /// The layers that are not in this set.
    #[must_use]
    pub fn complement(self) -> LayerSet {
        LayerSet(!self.0)
    }

    /// Whether every layer of `other` is in this set.
    pub fn covers(self, other: LayerSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether `layer` is in this set.
    pub fn contains(self, layer: u8) -> bool {
        1_u64.checked_shl(u32::from(layer)).is_some_and(|bit| self.0 & bit != 0)
    }

    /// How many layers there are.
    pub fn count(self) -> usize {
        usize::try_from(self.0.count_ones()).unwrap_or(0)
    }

    /// The first layer from `start` on that is not in this set, or 64.
    pub fn first_missing(self, start: u8) -> u8 {
        let missing = self.complement().common(LayerSet(u64::MAX.checked_shl(u32::from(start)).unwrap_or(0)));
        u8::try_from(missing.0.trailing_zeros()).unwrap_or(u8::MAX)
    }

    /// The layers, in order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let next = u8::try_from(left.trailing_zeros()).ok().filter(|_| left != 0)?;
            left &= left.wrapping_sub(1);
            Some(next)
        })
    }
}

/// One layer's output is another's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The layer that computes it.
    pub from: u8,
    /// The layer that needs it; it stands behind `from`, so there are no cycles.
    pub to: u8,
    /// Its size for one token, 1 to [`MAX_FLOW_BYTES`].
    pub bytes: u32,
}

/// The layers of a model, in an order in which they can be computed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Layers {
    /// The work of each layer for one token, in units of the model's choosing.
    pub work: Vec<u32, MAX_LAYERS>,
    /// The dependencies, sorted by `from`, then `to`; no pair twice.
    pub flows: Vec<Flow, MAX_FLOWS>,
    /// The layers that stay in the stage of the layer before them, for example
    /// because they share weights. Runs that overlap are one run.
    pub joined: LayerSet,
}

/// Why layers cannot be planned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayersError {
    /// There are no layers, or more than [`MAX_LAYERS`].
    Count,
    /// A dependency names a layer that does not exist.
    NoSuchLayer {
        /// The dependency's place in the list.
        flow: usize,
    },
    /// A dependency does not lead forward.
    NotForward {
        /// The dependency's place in the list.
        flow: usize,
    },
    /// A dependency carries nothing, or more than [`MAX_FLOW_BYTES`].
    Bytes {
        /// The dependency's place in the list.
        flow: usize,
    },
    /// A dependency does not stand behind the one that is smaller.
    NotSorted {
        /// The dependency's place in the list.
        flow: usize,
    },
    /// Nothing flows from the layers before this one to it or those behind it:
    /// these are two models.
    Apart {
        /// The layer.
        layer: u8,
    },
    /// A layer that does not exist, or the first one, is joined to the one before it.
    Joined,
}

impl core::fmt::Display for LayersError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            LayersError::Count => write!(out, "a model has 1 to {MAX_LAYERS} layers"),
            LayersError::NoSuchLayer { flow } => write!(out, "dependency {flow} names a layer that does not exist"),
            LayersError::NotForward { flow } => write!(out, "dependency {flow} does not lead to a later layer"),
            LayersError::Bytes { flow } => write!(out, "dependency {flow} must carry 1 to {MAX_FLOW_BYTES} bytes"),
            LayersError::NotSorted { flow } => {
                write!(
                    out,
                    "dependency {flow} is not greater than the one before it: sort them and name each pair once"
                )
            }
            LayersError::Apart { layer } => {
                write!(out, "nothing flows into layer {layer} and those behind it from the layers before")
            }
            LayersError::Joined => {
                write!(out, "only layers from the second to the last can be joined to the one before")
            }
        }
    }
}

impl core::error::Error for LayersError {}

impl Layers {
    /// A plain transformer: `count` layers of equal work, each of which hands
    /// `bytes` to the next.
    ///
    /// # Errors
    /// When `count` is not in 1..=[`MAX_LAYERS`] or `bytes` not in 1..=[`MAX_FLOW_BYTES`].
    pub fn even(count: u8, bytes: u32) -> Result<Layers, LayersError> {
        if usize::from(count) > MAX_LAYERS {
            return Err(LayersError::Count);
        }
        let layers = Layers {
            work: (0..count).map(|_| 1).collect(),
            flows: (1..count).map(|to| Flow { from: to.saturating_sub(1), to, bytes }).collect(),
            joined: LayerSet::EMPTY,
        };
        layers.check()?;
        Ok(layers)
    }

    /// How many layers there are.
    pub fn count(&self) -> u8 {
        u8::try_from(self.work.len()).unwrap_or(0)
    }

    /// Whether these layers can be planned for: at least one, dependencies
    /// that lead forward, sorted and within bounds, and none apart.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), LayersError> {
        let count = self.count();
        if count == 0 {
            return Err(LayersError::Count);
        }
        let mut before = None;
        let mut bridged = LayerSet::EMPTY;
        for (flow, &Flow { from, to, bytes }) in self.flows.iter().enumerate() {
            if to >= count {
                return Err(LayersError::NoSuchLayer { flow });
            }
            if from >= to {
                return Err(LayersError::NotForward { flow });
            }
            if bytes == 0 || bytes > MAX_FLOW_BYTES {
                return Err(LayersError::Bytes { flow });
            }
            if before >= Some((from, to)) {
                return Err(LayersError::NotSorted { flow });
            }
            before = Some((from, to));
            bridged = bridged.union(LayerSet::run(from.saturating_add(1)..to.saturating_add(1)));
        }
        let behind_the_first = LayerSet::run(1..count);
        if let Some(layer) = behind_the_first.common(bridged.complement()).iter().next() {
            return Err(LayersError::Apart { layer });
        }
        if behind_the_first.covers(self.joined) { Ok(()) } else { Err(LayersError::Joined) }
    }

    /// The layers before which a stage may end, in other words the cuts.
    pub fn cuts(&self) -> LayerSet {
        LayerSet::run(1..self.count()).common(self.joined.complement())
    }

    /// The work of the layers `run`, at most 2^38.
    pub fn work_of(&self, run: Range<u8>) -> u64 {
        let layers = self.work.iter().take(usize::from(run.end)).skip(usize::from(run.start));
        layers.fold(0, |sum: u64, work| sum.saturating_add(u64::from(*work)))
    }

    /// The bytes for one token that pass from the layers before `cut` to those
    /// from it on, at most 2^31. What skips a stage is handed on by that
    /// stage, since each stage speaks to the next one only.
    pub fn bytes_across(&self, cut: u8) -> u64 {
        let crossing = self.flows.iter().filter(|flow| flow.from < cut && cut <= flow.to);
        crossing.fold(0, |sum: u64, flow| sum.saturating_add(u64::from(flow.bytes)))
    }
}

#[cfg(test)]
mod tests;
