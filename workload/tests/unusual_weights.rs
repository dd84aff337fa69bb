//! Any bytes are a total model: weights full of extremes neither panic nor
//! leave the bounds of a signal, in builds with overflow checks as well.

use butterfly_workload::{LAYERS, Partition, Sampling, Signal, Stage, Temperature, Token, Weights, WeightsError};
use sha2::{Digest, Sha256};

const HEADER_BYTES: usize = 24;
const DIGEST_BYTES: usize = 32;

/// A weights file with the model's header and the given bytes over and over.
fn file(pattern: &[u8]) -> Vec<u8> {
    let mut bytes = Weights::embedded().bytes()[..Weights::BYTES - DIGEST_BYTES].to_vec();
    for (byte, value) in bytes[HEADER_BYTES..].iter_mut().zip(pattern.iter().cycle()) {
        *byte = *value;
    }
    bytes.extend_from_slice(&Sha256::digest(&bytes));
    bytes
}

#[test]
fn extreme_weights_stay_within_the_bounds() {
    let mixed: Vec<u8> = (0..=u8::MAX).map(|byte| byte.wrapping_mul(167).rotate_left(3)).collect();
    for pattern in [&[0x00][..], &[0x7F], &[0x80], &[0xFF], &[0x7F, 0x80], &[0x80, 0x80, 0x80, 0x7F], &mixed] {
        let bytes = file(pattern);
        let weights = Weights::parse(&bytes).unwrap();
        let partition = Partition::even(LAYERS).unwrap();
        let mut stages: Vec<Stage<'_, 1>> =
            (0..LAYERS).map(|index| Stage::new(weights, partition, index).unwrap()).collect();
        let sampling = Sampling::Seeded { seed: 3, temperature: Temperature::NEUTRAL };
        let mut buffer = [0; Signal::MAX_BYTES];
        for token in Token::all().take(12) {
            let mut signal = Signal::Token(token);
            for stage in &mut stages {
                signal = stage.advance(&signal, &sampling).unwrap();
                assert_eq!(Signal::read(signal.write(&mut buffer)).as_ref(), Ok(&signal), "{pattern:x?}");
            }
        }
    }
}

#[test]
fn a_pattern_without_its_digest_is_refused() {
    let mut bytes = file(&[1]);
    bytes[HEADER_BYTES] = 2;
    assert_eq!(Weights::parse(&bytes), Err(WeightsError::Digest));
}
