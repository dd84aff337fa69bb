//! Which layers each stage runs.

use core::fmt;
use core::ops::Range;

use crate::LAYERS;

/// The model's layers cut into contiguous stages, each of at least one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Partition {
    /// For each stage the layer after its last one; ascending, the last used
    /// entry being LAYERS. Unused entries are 0, so equal cuts are equal values.
    ends: [u8; LAYERS],
    stages: u8,
}

impl Partition {
    /// Cuts the layers into stages whose sizes differ by at most one; the
    /// larger ones come first.
    ///
    /// # Errors
    /// When `stages` is not in `1..=LAYERS`.
    pub const fn even(stages: usize) -> Result<Self, PartitionError> {
        if stages == 0 || stages > LAYERS {
            return Err(PartitionError { stages });
        }
        let mut ends = [0; LAYERS];
        let mut rest: &mut [u8] = &mut ends;
        let mut end: usize = 0;
        let mut remaining = stages;
        while remaining > 0 {
            let Some((entry, after)) = rest.split_first_mut() else {
                break;
            };
            // Below LAYERS each, and `remaining` is not zero.
            end = end.wrapping_add(LAYERS.wrapping_sub(end).div_ceil(remaining));
            remaining = remaining.wrapping_sub(1);
            *entry = end as u8;
            rest = after;
        }
        Ok(Self { ends, stages: stages as u8 })
    }

    /// Cuts the layers behind each of `ends`, the last of which is [`LAYERS`].
    ///
    /// # Errors
    /// When the ends do not rise from above 0 to LAYERS; the error counts them.
    pub fn behind(ends: impl IntoIterator<Item = u8>) -> Result<Self, PartitionError> {
        let mut partition = Self { ends: [0; LAYERS], stages: 0 };
        let mut last = 0;
        let mut rising = true;
        for end in ends {
            rising &= end > last;
            last = end;
            if let Some(entry) = partition.ends.get_mut(usize::from(partition.stages)) {
                *entry = end;
            }
            partition.stages = partition.stages.saturating_add(1);
        }
        if rising && usize::from(last) == LAYERS {
            Ok(partition)
        } else {
            Err(PartitionError { stages: usize::from(partition.stages) })
        }
    }

    /// Number of stages, in `1..=LAYERS`.
    pub const fn stages(&self) -> usize {
        self.stages as usize
    }

    /// The layers of a stage, or `None` if there is no such stage.
    pub fn layers(&self, stage: usize) -> Option<Range<usize>> {
        if stage >= self.stages() {
            return None;
        }
        let end = *self.ends.get(stage)?;
        let start = match stage.checked_sub(1) {
            Some(previous) => *self.ends.get(previous)?,
            None => 0,
        };
        Some(usize::from(start)..usize::from(end))
    }

    /// One byte per stage, the layer after its last one.
    pub fn ends(&self) -> impl Iterator<Item = u8> + '_ {
        self.ends.iter().copied().take(self.stages())
    }
}

/// A number of stages into which the layers cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionError {
    /// The number asked for.
    pub stages: usize,
}

impl fmt::Display for PartitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LAYERS} layers cannot be cut into {} stages", self.stages)
    }
}

impl core::error::Error for PartitionError {}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// First and last layer of each stage.
    fn cut(stages: usize) -> Vec<(usize, usize)> {
        let partition = Partition::even(stages).unwrap();
        let layers = (0..partition.stages()).map(|stage| partition.layers(stage).unwrap());
        layers.map(|range| (range.start, range.end - 1)).collect()
    }

    #[test]
    fn even_cuts() {
        assert_eq!(cut(1), [(0, 3)]);
        assert_eq!(cut(2), [(0, 1), (2, 3)]);
        assert_eq!(cut(3), [(0, 1), (2, 2), (3, 3)]);
        assert_eq!(cut(4), [(0, 0), (1, 1), (2, 2), (3, 3)]);
    }

    #[test]
    fn cuts_behind_given_layers() {
        let partition = Partition::behind([1, 4]).unwrap();
        assert_eq!((partition.stages(), partition.layers(0), partition.layers(1)), (2, Some(0..1), Some(1..4)));
        assert_eq!(Partition::behind(partition.ends()), Ok(partition));
        assert_eq!(Partition::behind([1, 2, 3, 4]), Partition::even(4));
        for ends in [&[][..], &[3], &[2, 2, 4], &[0, 4], &[4, 2], &[1, 2, 3, 4, 5], &[5]] {
            assert_eq!(Partition::behind(ends.iter().copied()), Err(PartitionError { stages: ends.len() }), "{ends:?}");
        }
    }

    #[test]
    fn impossible_cuts_and_stages() {
        assert_eq!(Partition::even(0), Err(PartitionError { stages: 0 }));
        assert_eq!(Partition::even(LAYERS + 1), Err(PartitionError { stages: LAYERS + 1 }));
        assert_eq!(Partition::even(2).unwrap().layers(2), None);
        assert_eq!(Partition::even(2).unwrap().layers(usize::MAX), None);
    }
}
