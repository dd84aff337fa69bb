//! From the last residual row to the next token.

use core::num::NonZeroU16;

use sha2::{Digest, Sha256};

use crate::arithmetic::{LOGIT_LIMIT, ONE, bounded, normalised, power_of_two};
use crate::weights::Weights;
use crate::{Token, VOCABULARY, WIDTH};

/// Names these rules in the [`manifest`](crate::manifest()).
pub(crate) const ID: &str = "butterfly-decoder-1";

/// How the last stage chooses the next token. Part of the client's request,
/// never of a node's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// The token with the highest logit; of equal ones the lowest id.
    Greedy,
    /// A token drawn with the model's probabilities at a temperature. The
    /// draw depends on the seed and the position alone.
    Seeded {
        /// Chosen by the client.
        seed: u64,
        /// How far the probabilities are evened out.
        temperature: Temperature,
    },
}

/// A temperature in 1/256: 256 leaves the model's probabilities as they are,
/// less sharpens them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Temperature(NonZeroU16);

impl Temperature {
    /// The model's own probabilities.
    pub const NEUTRAL: Self = Self(NonZeroU16::MIN.saturating_add(255));

    /// A temperature of `parts` / 256, or `None` for zero, which is
    /// [`Sampling::Greedy`].
    pub const fn from_256ths(parts: u16) -> Option<Self> {
        match NonZeroU16::new(parts) {
            Some(parts) => Some(Self(parts)),
            None => None,
        }
    }

    /// The numerator over 256; never zero.
    pub const fn in_256ths(self) -> u16 {
        self.0.get()
    }
}

/// The logits of every token as exponents of two in Q14, within
/// ±[`LOGIT_LIMIT`].
pub(crate) fn logits(weights: &Weights<'_>, residual: &[i32; WIDTH]) -> [i32; VOCABULARY] {
    weights.head.project(&normalised(residual)).map(|logit| bounded(logit, LOGIT_LIMIT))
}

/// The token that follows `position`, the last one that the logits know of.
pub(crate) fn choose(logits: &[i32; VOCABULARY], sampling: &Sampling, position: usize) -> Token {
    match *sampling {
        Sampling::Greedy => most_likely(logits),
        Sampling::Seeded { seed, temperature } => drawn(logits, temperature, draw(seed, position)),
    }
}

fn most_likely(logits: &[i32; VOCABULARY]) -> Token {
    let highest = highest(logits);
    first(logits.iter().map(|logit| *logit == highest))
}

/// The lowest token whose cumulative weight exceeds the drawn fraction of the
/// total weight.
fn drawn(logits: &[i32; VOCABULARY], temperature: Temperature, draw: u64) -> Token {
    let highest = highest(logits);
    let weights = logits.map(|logit| weight(highest.abs_diff(logit), temperature));
    // At most 96 * 2^14 < 2^21.
    let total = weights.iter().fold(0_u32, |sum, weight| sum.wrapping_add(*weight));
    // The high half of a 64 by 64 bit product: below the total.
    let point = (u128::from(draw).wrapping_mul(total.into()) >> 64) as u32;
    let mut cumulative = 0_u32;
    first(weights.iter().map(|weight| {
        cumulative = cumulative.wrapping_add(*weight);
        cumulative > point
    }))
}

/// Two to the power of minus `distance` over the temperature.
fn weight(distance: u32, temperature: Temperature) -> u32 {
    // A distance is at most 2^24, so the product is at most 2^32.
    let scaled = u64::from(distance).wrapping_mul(256);
    let exponent = scaled.checked_div(temperature.in_256ths().into()).unwrap_or_default();
    // Far more than enough for a weight of zero.
    const FARTHEST: u64 = 64 * ONE as u64;
    power_of_two(exponent.min(FARTHEST) as u32)
}

/// 64 uniform bits: the first eight bytes, little-endian, of a SHA-256.
fn draw(seed: u64, position: usize) -> u64 {
    let mut hash = Sha256::new_with_prefix(b"butterfly draw");
    hash.update(seed.to_le_bytes());
    hash.update((position as u32).to_le_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn highest(logits: &[i32; VOCABULARY]) -> i32 {
    logits.iter().copied().max().unwrap_or_default()
}

/// The first token for which the condition holds.
fn first(conditions: impl Iterator<Item = bool>) -> Token {
    // The highest logit always exists and always has a weight of its own.
    Token::all().zip(conditions).find(|(_, holds)| *holds).map_or(Token::NEWLINE, |(token, _)| token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(peaks: &[(usize, i32)]) -> [i32; VOCABULARY] {
        let mut logits = [-LOGIT_LIMIT; VOCABULARY];
        for (index, logit) in peaks {
            logits[*index] = *logit;
        }
        logits
    }

    fn temperature(parts: u16) -> Temperature {
        Temperature::from_256ths(parts).unwrap()
    }

    #[test]
    fn greedy_takes_the_lowest_of_equals() {
        assert_eq!(most_likely(&with(&[(7, 5), (3, 5), (90, 4)])).id(), 3);
        assert_eq!(most_likely(&[0; VOCABULARY]).id(), 0);
        assert_eq!(most_likely(&with(&[(95, -LOGIT_LIMIT + 1)])).id(), 95);
    }

    #[test]
    fn a_draw_splits_the_total_in_order_of_the_tokens() {
        // Weights 1/2, 1 and 1/2: boundaries at one and three quarters.
        let logits = with(&[(10, 0), (20, 1 << 14), (30, 0)]);
        for (draw, token) in
            [(0, 10), ((1 << 62) - 1, 10), (1 << 62, 20), ((3 << 62) - 1, 20), (3 << 62, 30), (u64::MAX, 30)]
        {
            assert_eq!(drawn(&logits, Temperature::NEUTRAL, draw).id(), token, "{draw:#x}");
        }
    }

    #[test]
    fn temperature_scales_the_distance() {
        assert_eq!(weight(1 << 14, temperature(128)), 4096);
        assert_eq!(weight(1 << 14, temperature(256)), 8192);
        assert_eq!(weight(1 << 14, temperature(512)), 11_586);
        assert_eq!(weight(1 << 24, temperature(1)), 0);
        assert_eq!(weight(0, temperature(1)), 16_384);
        assert_eq!(weight(u32::MAX, temperature(u16::MAX)), 0);
        assert_eq!(Temperature::from_256ths(0), None);
        assert_eq!(Temperature::NEUTRAL, temperature(256));
    }

    #[test]
    fn draws_are_fixed() {
        assert_eq!(draw(0, 0), 0x7172_7931_6cb5_1cfa);
        assert_eq!(draw(1, 0), 0xf361_d29c_b441_67ae);
        assert_eq!(draw(0, 1), 0x9e62_6b01_e9fb_2e45);
        assert_eq!(draw(u64::MAX, 255), 0xf544_6864_c99c_ee9a);
    }

    proptest! {
        #[test]
        fn a_cold_draw_is_greedy(peak in 0..VOCABULARY, height in 1_i32..1 << 20, seed: u64, position in 0_usize..256) {
            let logits = with(&[(peak, -LOGIT_LIMIT + (15 << 14) + height)]);
            let cold = Sampling::Seeded { seed, temperature: temperature(256) };
            prop_assert_eq!(choose(&logits, &cold, position), choose(&logits, &Sampling::Greedy, position));
        }

        #[test]
        fn every_draw_hits_a_token_with_weight(
            logits in prop::collection::vec(-LOGIT_LIMIT..=LOGIT_LIMIT, VOCABULARY),
            parts in 1_u16..,
            draw: u64,
        ) {
            let logits: [i32; VOCABULARY] = logits.try_into().unwrap();
            let token = drawn(&logits, temperature(parts), draw);
            let distance = highest(&logits).abs_diff(logits[usize::from(token.id())]);
            prop_assert!(weight(distance, temperature(parts)) > 0);
        }
    }
}
