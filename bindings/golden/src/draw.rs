//! Values drawn at random for any type of the wire, driven by the type's own
//! `Deserialize`, so that a new field needs nothing here.
//!
//! Another language that knows the types can draw the same values. One case
//! is drawn from one sequence of 64-bit numbers ([`Random`]), field by field
//! in the order of the wire:
//!
//! | what | drawn as |
//! | --- | --- |
//! | boolean, option | the lowest bit of a number |
//! | variant | a number modulo the count of variants |
//! | integer of w bits | a number modulo w + 2: so many bits, the top bits of another number, the highest of them set; 0 gives 0, w + 1 the largest |
//! | sequence | a number modulo 8: 0 is empty, 1 full, else one element and another number modulo 4; never more than it can hold |
//! | key of a map | the key before and one (at first 0), and a number modulo 3 |
//!
//! Where a type refuses what was drawn, the case is drawn again: attempt a of
//! case c begins in the state 65,536 c + a.

mod coverage;
mod source;

use serde::de::DeserializeOwned;

pub use coverage::{Coverage, Place};
use source::{Refused, Source, Value};

/// Draws of one case that its type may refuse.
const ATTEMPTS: u64 = 65_536;

/// SplitMix64, after Steele, Lea and Flood, "Fast Splittable Pseudorandom
/// Number Generators", OOPSLA 2014.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that begins in `state`.
    pub fn new(state: u64) -> Random {
        Random(state)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Draws the cases of one type.
#[derive(Default)]
pub struct Cases {
    source: Source,
    coverage: Coverage,
}

impl Cases {
    /// The case of this number: the same whatever was drawn before.
    ///
    /// # Panics
    /// When the type refuses every attempt.
    pub fn draw<T: DeserializeOwned>(&mut self, number: u64) -> T {
        for attempt in 0..ATTEMPTS {
            let random = Random::new(number.wrapping_mul(ATTEMPTS).wrapping_add(attempt));
            if let Some(value) = self.attempt(&random) {
                self.coverage.note(self.source.seen());
                return value;
            }
        }
        panic!("case {number} of {} is refused however it is drawn", std::any::type_name::<T>());
    }

    /// What the cases so far have reached.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Draws from `random`, again from its beginning whenever a sequence turns
    /// out to hold less than was drawn for it.
    fn attempt<T: DeserializeOwned>(&mut self, random: &Random) -> Option<T> {
        loop {
            self.source.begin(random.clone());
            match T::deserialize(Value::new(&mut self.source)) {
                Ok(value) => return Some(value),
                Err(Refused::TooLong { capacity }) => self.source.learn(capacity),
                Err(Refused::Other(_)) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests;
