use proptest::prelude::*;

use super::*;

fn divisor(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).unwrap()
}

#[test]
fn shifts_round_halves_upwards() {
    for (value, shift, result) in [
        (0, 1, 0),
        (1, 1, 1),
        (-1, 1, 0),
        (3, 1, 2),
        (-3, 1, -1),
        (2, 2, 1),
        (-2, 2, 0),
        (-3, 2, -1),
        (5, 2, 1),
        (6, 2, 2),
        (-6, 2, -1),
        (-7, 2, -2),
        (1 << 27, 28, 1),
        ((1 << 27) - 1, 28, 0),
        (-(1 << 27), 28, 0),
        (-(1 << 27) - 1, 28, -1),
        ((1 << 62) - 1, 32, 1 << 30),
        (-(1 << 62) + 1, 32, -(1 << 30)),
    ] {
        assert_eq!(rounded_shift(value, shift), result, "{value} >> {shift}");
    }
}

#[test]
fn rescaling_saturates_at_32_bits() {
    for (value, multiplier, shift, result) in [
        (3, 1 << 27, 28, 2),
        (-3, 1 << 27, 28, -1),
        (-1, 1, 28, 0),
        (i32::MAX, i32::MAX, 28, i32::MAX),
        (i32::MAX, -i32::MAX, 28, i32::MIN),
        (i32::MAX, i32::MIN, 28, i32::MIN),
        (-i32::MAX, i32::MIN, 28, i32::MAX),
        (127, 8_000_000, 16, 15_503),
        (-127, 8_000_000, 16, -15_503),
    ] {
        assert_eq!(rescaled(value, multiplier, shift), result, "{value} * {multiplier} >> {shift}");
    }
}

#[test]
fn saturation() {
    for (value, sixteen, eight, rectify) in [
        (0, 0, 0, 0),
        (-1, -1, -1, 0),
        (127, 127, 127, 127),
        (128, 128, 127, 128),
        (-128, -128, -128, 0),
        (-129, -129, -128, 0),
        (32_767, 32_767, 127, 32_767),
        (32_768, 32_767, 127, 32_767),
        (-32_769, -32_768, -128, 0),
        (i32::MAX, 32_767, 127, 32_767),
        (i32::MIN, -32_768, -128, 0),
    ] {
        assert_eq!(saturated_16(value), sixteen, "{value}");
        assert_eq!(saturated_8(value), eight, "{value}");
        assert_eq!(rectified(value), rectify, "{value}");
    }
}

#[test]
fn the_residual_stops_at_its_limit() {
    for (residual, change, sum) in [
        (1, -3, -2),
        (RESIDUAL_LIMIT, 1, RESIDUAL_LIMIT),
        (RESIDUAL_LIMIT - 1, 1, RESIDUAL_LIMIT),
        (-RESIDUAL_LIMIT, -1, -RESIDUAL_LIMIT),
        (5, i32::MIN, 5 - RESIDUAL_LIMIT),
        (i32::MAX, i32::MIN, 0),
    ] {
        assert_eq!(accumulated(residual, change), sum, "{residual} + {change}");
    }
    assert_eq!(bounded(i32::MIN, LOGIT_LIMIT), -LOGIT_LIMIT);
    assert_eq!(bounded(i32::MAX, LOGIT_LIMIT), LOGIT_LIMIT);
}

#[test]
fn divisions_round_down_or_to_the_nearest() {
    for (dividend, by, floor, nearest) in [
        (7, 2, 3, 4),
        (-7, 2, -4, -3),
        (1, 3, 0, 0),
        (2, 3, 0, 1),
        (-1, 3, -1, 0),
        (-2, 3, -1, -1),
        (-4, 3, -2, -1),
        (6, 4, 1, 2),
        (-6, 4, -2, -1),
        (0, 5, 0, 0),
        (1 << 30, 1, 1 << 30, 1 << 30),
        (-(1 << 30), 3, -357_913_942, -357_913_941),
    ] {
        assert_eq!(floor_quotient(dividend, divisor(by)), floor, "{dividend} / {by}");
        assert_eq!(rounded_quotient(dividend.into(), divisor(by)), nearest, "{dividend} / {by}");
    }
    assert_eq!(rounded_quotient(-(1 << 36), divisor(1 << 22)), -(1 << 14));
}

#[test]
fn powers_of_two() {
    for (exponent, power) in [
        (0, 16_384),
        (1, 16_384),
        (2, 16_383),
        (4_096, 13_809),
        (8_192, 11_586),
        (12_288, 9_713),
        (16_383, 8_193),
        (16_384, 8_192),
        (24_576, 5_793),
        (14 << 14, 1),
        ((14 << 14) + 1, 1),
        ((14 << 14) + 2, 0),
        (15 << 14, 0),
        (40 << 14, 0),
        (u32::MAX, 0),
    ] {
        assert_eq!(power_of_two(exponent), power, "2^-({exponent} / 2^14)");
    }
}

#[test]
fn normalising_rounds_down_and_saturates() {
    let mut row = [0; WIDTH];
    assert_eq!(normalised(&row), [0; WIDTH]);

    // The mean of the squares is 0, and its root counts as 1.
    row[0] = 9;
    row[1] = -1;
    assert_eq!(normalised(&row)[..3], [9 * 2048, -2048, 0]);

    // 17^2 / 96 is 3, whose root is 1: 17 is beyond what 16 bits of Q11 hold.
    row[0] = 17;
    row[1] = -17;
    row[2] = 0;
    assert_eq!(normalised(&row)[..3], [17_408, -17_408, 0]);
    row[1] = 0;
    assert_eq!(normalised(&row)[..3], [32_767, 0, 0]);
    row[0] = -17;
    assert_eq!(normalised(&row)[..3], [-32_768, 0, 0]);

    let row = core::array::from_fn(|i| if i % 2 == 0 { RESIDUAL_LIMIT } else { -RESIDUAL_LIMIT });
    let result = normalised(&row);
    assert_eq!(result[..2], [2048, -2048]);

    let row = core::array::from_fn(|i| [4096, -1000, 333, -7][i % 4]);
    assert_eq!(normalised(&row)[..4], [3968, -969, 322, -7]);
}

#[test]
fn averages() {
    let values = [[16; HEAD_WIDTH], [-16; HEAD_WIDTH], [127; HEAD_WIDTH]];
    assert_eq!(weighted_average(&[], &values), [0; HEAD_WIDTH]);
    assert_eq!(weighted_average(&[-5], &values), [2048; HEAD_WIDTH]);
    assert_eq!(weighted_average(&[7, 7], &values), [0; HEAD_WIDTH]);
    // Weights 1 and 1/2: (16 - 8) / 1.5 * 128 = 682.67.
    assert_eq!(weighted_average(&[1 << 14, 0], &values), [683; HEAD_WIDTH]);
    assert_eq!(weighted_average(&[0, 1 << 14], &values), [-683; HEAD_WIDTH]);
    // The third outweighs the others so far that they vanish.
    assert_eq!(weighted_average(&[0, 0, 1 << 19], &values), [127 * 128; HEAD_WIDTH]);
}

#[test]
fn the_longest_rows_of_extremes_do_not_overflow() {
    assert_eq!(dot(&[i16::MIN; HIDDEN], [i8::MIN; HIDDEN]), 1_342_177_280);
    assert_eq!(dot(&[i16::MIN; HIDDEN], [i8::MAX; HIDDEN]), -1_331_691_520);
    for element in [i8::MIN, i8::MAX] {
        let average = weighted_average(&[1 << 30; CONTEXT], &[[element; HEAD_WIDTH]; CONTEXT]);
        assert_eq!(average, [i16::from(element) * 128; HEAD_WIDTH]);
    }
}

proptest! {
    #[test]
    fn dot_is_the_exact_sum(pairs in prop::array::uniform32(any::<(i16, i8)>())) {
        let exact: i64 = pairs.iter().map(|(a, w)| i64::from(*a) * i64::from(*w)).sum();
        prop_assert_eq!(i64::from(dot(&pairs.map(|p| p.0), pairs.map(|p| p.1))), exact);
    }

    #[test]
    fn a_shift_is_the_quotient_by_its_power(value in -(1_i64 << 60)..1 << 60, shift in 1_u32..=31) {
        prop_assert_eq!(rounded_shift(value, shift), rounded_quotient(value, divisor(1 << shift)));
    }

    #[test]
    fn a_rounded_quotient_is_off_by_half_at_most(dividend in -(1_i64 << 40)..1 << 40, by in 1_u32..1 << 31) {
        let difference = 2 * (dividend - rounded_quotient(dividend, divisor(by)) * i64::from(by));
        prop_assert!(-i64::from(by) <= difference && difference < i64::from(by));
    }

    #[test]
    fn powers_of_two_fall_and_stay_close(exponent in 0_u32..20 << 14) {
        let exact = 16_384.0 * (-f64::from(exponent) / 16_384.0).exp2();
        prop_assert!((f64::from(power_of_two(exponent)) - exact).abs() <= 34.0);
        prop_assert!(power_of_two(exponent + 1) <= power_of_two(exponent));
    }

    #[test]
    fn a_normalised_row_has_unit_size(row in prop::collection::vec(-RESIDUAL_LIMIT..=RESIDUAL_LIMIT, WIDTH)) {
        let row: [i32; WIDTH] = row.try_into().unwrap();
        let squares: i64 = normalised(&row).iter().map(|y| i64::from(*y).pow(2)).sum();
        let root = (squares as f64 / WIDTH as f64).sqrt();
        prop_assert!((root - 2048.0).abs() < 2.0, "{root}");
    }

    #[test]
    fn an_average_lies_between_its_values(
        cached in prop::collection::vec((-(1_i32 << 20)..1 << 20, any::<i8>()), 1..=CONTEXT),
    ) {
        let scores: std::vec::Vec<i32> = cached.iter().map(|c| c.0).collect();
        let values: std::vec::Vec<[i8; HEAD_WIDTH]> = cached.iter().map(|c| [c.1; HEAD_WIDTH]).collect();
        let low = i16::from(cached.iter().map(|c| c.1).min().unwrap()) * 128;
        let high = i16::from(cached.iter().map(|c| c.1).max().unwrap()) * 128;
        let average = weighted_average(&scores, &values);
        prop_assert!(average.iter().all(|element| (low..=high).contains(element)));
    }
}
