//! The primitive operations of the model, exactly as `ARITHMETIC.md` defines
//! them. Nothing else in the crate rounds, saturates, divides or shifts.
//!
//! The number formats are fixed-point: "Q12" is a number with 12 fractional
//! bits. Sums use wrapping additions because checked ones keep the compiler
//! from vectorising; each states the bound that rules wrapping out.

use core::num::NonZeroU32;

use crate::{CONTEXT, HEAD_WIDTH, HIDDEN, WIDTH};

/// Names this arithmetic in the [`manifest`](crate::manifest()); any change to
/// a result in this module changes it.
pub const ID: &str = "butterfly-int-1";

/// Largest magnitude of an element of the residual row: 128 in Q12.
pub const RESIDUAL_LIMIT: i32 = 1 << 19;
/// Largest magnitude of a logit: 512 in Q14.
pub const LOGIT_LIMIT: i32 = 1 << 23;
/// 1 in Q14: the largest weight that [`power_of_two`] gives.
pub const ONE: u32 = 1 << EXPONENT_BITS;

/// Fractional bits of scores, logits and what [`power_of_two`] gives.
const EXPONENT_BITS: u32 = 14;
/// Fractional bits of a normalised row.
const NORMALISED_BITS: u32 = 11;
/// Binary places from a value in the cache (Q4) to what a head reads (Q11).
const AVERAGE_SHIFT: u32 = 7;

/// The sum of products of a row of activations and a row of weights.
///
/// Takes as many weights as there are activations; N is at most 320. Each product is at most 2^15 * 2^7 in
/// magnitude, so every partial sum stays within 320 * 2^22 < 2^31.
#[inline]
pub fn dot<const N: usize>(activations: &[i16; N], weights: impl IntoIterator<Item = i8>) -> i32 {
    const { assert!(N <= HIDDEN) };
    activations.iter().zip(weights).fold(0, |sum: i32, (&activation, weight)| {
        sum.wrapping_add(i32::from(activation).wrapping_mul(i32::from(weight)))
    })
}

/// The quotient by 2^`shift`, rounded to the nearest; halves round upwards,
/// towards positive infinity, for negative numbers too.
///
/// Needs 1 <= `shift` <= 32 and |`value`| < 2^62, so that the sum below stays
/// within 2^63.
#[inline]
pub const fn rounded_shift(value: i64, shift: u32) -> i64 {
    debug_assert!(1 <= shift && shift <= 32 && value.unsigned_abs() < 1 << 62);
    // Shifting a negative number right rounds downwards in Rust.
    value.wrapping_add(1_i64.wrapping_shl(shift.wrapping_sub(1))).wrapping_shr(shift)
}

/// The value times its channel's multiplier, over 2^`shift`, rounded as
/// [`rounded_shift`] does, saturated to 32 bits.
///
/// The product is at most 2^31 * 2^31 in magnitude, and that only if the
/// first factor is -2^31, which [`dot`] never gives: below 2^62.
#[inline]
pub fn rescaled(value: i32, multiplier: i32, shift: u32) -> i32 {
    let product = i64::from(value).wrapping_mul(i64::from(multiplier));
    let rounded = rounded_shift(product, shift);
    rounded.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// The nearest 16-bit number.
#[inline]
pub fn saturated_16(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// The nearest 8-bit number.
#[inline]
pub fn saturated_8(value: i32) -> i8 {
    value.clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

/// Zero for a negative number, else the nearest 16-bit number.
#[inline]
pub fn rectified(value: i32) -> i16 {
    value.clamp(0, i16::MAX.into()) as i16
}

/// The sum of an element of the residual row and a change, each limited to
/// ±[`RESIDUAL_LIMIT`] before and after. Within 2^20 in between.
#[inline]
pub fn accumulated(residual: i32, change: i32) -> i32 {
    bounded(bounded(residual, RESIDUAL_LIMIT).wrapping_add(bounded(change, RESIDUAL_LIMIT)), RESIDUAL_LIMIT)
}

/// The nearest number in ±`limit`; the limit is not negative.
#[inline]
pub fn bounded(value: i32, limit: i32) -> i32 {
    value.clamp(limit.wrapping_neg(), limit)
}

/// The residual row (Q12) over its root mean square, in Q11.
///
/// The mean of the squares is rounded down, so is its root, which counts as 1
/// when it is 0, and so is each quotient, towards negative infinity; then it
/// is saturated. Elements must be within ±[`RESIDUAL_LIMIT`].
pub fn normalised(residual: &[i32; WIDTH]) -> [i16; WIDTH] {
    let root = root_mean_square(residual);
    // At most 2^30 in magnitude, since an element is at most 2^19.
    residual.map(|element| saturated_16(floor_quotient(element.wrapping_shl(NORMALISED_BITS), root)))
}

/// At most 2^19, the largest element.
fn root_mean_square(residual: &[i32; WIDTH]) -> NonZeroU32 {
    // At most 96 * 2^38 < 2^45.
    let squares = residual.iter().fold(0_u64, |sum, element| {
        let magnitude = u64::from(element.unsigned_abs());
        sum.wrapping_add(magnitude.wrapping_mul(magnitude))
    });
    let mean = squares.checked_div(WIDTH as u64).unwrap_or_default();
    NonZeroU32::new(mean.isqrt() as u32).unwrap_or(NonZeroU32::MIN)
}

/// The quotient rounded towards negative infinity. Needs a divisor below 2^31.
fn floor_quotient(dividend: i32, divisor: NonZeroU32) -> i32 {
    dividend.checked_div_euclid(divisor.get() as i32).unwrap_or_default()
}

/// The quotient rounded to the nearest; halves round upwards, towards
/// positive infinity. Needs |`dividend`| < 2^61.
pub fn rounded_quotient(dividend: i64, divisor: NonZeroU32) -> i64 {
    let divisor = i64::from(divisor.get());
    let doubled = dividend.wrapping_mul(2).wrapping_add(divisor);
    // With a positive divisor the Euclidean quotient is the floor.
    doubled.checked_div_euclid(divisor.wrapping_mul(2)).unwrap_or_default()
}

/// 2 to the power of minus `exponent`; both in Q14.
///
/// The fractional part f goes through the quadratic 1 - f (b - a f) with
/// a = 2811 / 2^14 and b = 11003 / 2^14, which meets 2^-f at 0, at 1/2 and at 1
/// and lies within 0.0021 in between; what is taken from 1 is rounded down.
/// The integer part shifts the result down; from 15 on nothing is left.
#[inline]
pub fn power_of_two(exponent: u32) -> u32 {
    const CURVATURE: u32 = 2811;
    const SLOPE: u32 = 11003;
    const { assert!(SLOPE - CURVATURE == ONE / 2) };

    let fraction = exponent & (ONE - 1);
    let whole = (exponent >> EXPONENT_BITS).min(EXPONENT_BITS + 1);
    // In Q28, between 2^27 and 11003 * 2^14; times the fraction below 2^42.
    let slope = (SLOPE << EXPONENT_BITS).wrapping_sub(CURVATURE.wrapping_mul(fraction));
    let taken = u64::from(slope).wrapping_mul(fraction.into()) >> (2 * EXPONENT_BITS);
    // At most 2^13.
    ONE.wrapping_sub(taken as u32).wrapping_shr(whole)
}

/// What one head reads: the average (Q11) of the cached values (Q4), weighted
/// by two to the power of each score (Q14) and rounded as [`rounded_quotient`]
/// does, once per element.
///
/// Scores must be within ±2^30. There are as many as cached values, from 1 to
/// [`CONTEXT`]; a surplus of either is ignored.
pub fn weighted_average(scores: &[i32], values: &[[i8; HEAD_WIDTH]]) -> [i16; HEAD_WIDTH] {
    let highest = scores.iter().copied().max().unwrap_or_default();
    let mut total = 0_u32;
    let mut sums = [0_i32; HEAD_WIDTH];
    for (score, value) in scores.iter().zip(values).take(CONTEXT) {
        let weight = power_of_two(highest.abs_diff(*score));
        // At most 256 * 2^14 = 2^22.
        total = total.wrapping_add(weight);
        for (sum, element) in sums.iter_mut().zip(value) {
            // At most 256 * 2^14 * 2^7 = 2^29 in magnitude.
            *sum = sum.wrapping_add((weight as i32).wrapping_mul(i32::from(*element)));
        }
    }
    // The highest score has weight one, so the total is zero only for no scores.
    let total = NonZeroU32::new(total).unwrap_or(NonZeroU32::MIN);
    // An average is within ±2^7, so its Q11 form is within ±2^14.
    sums.map(|sum| rounded_quotient(i64::from(sum).wrapping_shl(AVERAGE_SHIFT), total) as i16)
}

#[cfg(test)]
mod tests;
