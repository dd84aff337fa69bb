//! The digest of a run: every event with its time, in order. Two runs of a
//! seed are the same run if their digests are equal.

use std::hash::Hasher;

use super::random::scramble;

/// Folds whatever is written into 64 bits. The same on every machine: nothing
/// depends on the order of bytes in memory or on the size of a pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fold(u64);

impl Fold {
    pub(crate) fn add(&mut self, number: u64) {
        self.0 = scramble(self.0 ^ number).wrapping_add(self.0 << 1);
    }

    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            self.add(chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.add(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.add(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.add(u64::try_from(number).expect("at most 64 bits"));
    }

    fn write_isize(&mut self, number: isize) {
        self.add(i64::try_from(number).expect("at most 64 bits").cast_unsigned());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
