//! What travels between stages, and its one encoding in bytes.

use core::fmt;

use crate::arithmetic::RESIDUAL_LIMIT;
use crate::{Token, WIDTH};

/// The input or output of a stage for one position of the sequence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the larger one on")]
pub enum Signal {
    /// What the first stage takes and the last one gives.
    Token(Token),
    /// What passes from a stage to the next.
    Activation(Activation),
}

/// The residual row of one position: fixed-point numbers with 12 fractional
/// bits, each within ±[`RESIDUAL_LIMIT`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Activation([i32; WIDTH]);

impl Activation {
    /// # Errors
    /// [`SignalError::OutOfRange`] if an element is beyond ±[`RESIDUAL_LIMIT`].
    pub fn new(elements: [i32; WIDTH]) -> Result<Self, SignalError> {
        let bounds = -RESIDUAL_LIMIT..=RESIDUAL_LIMIT;
        if elements.iter().all(|element| bounds.contains(element)) {
            Ok(Self(elements))
        } else {
            Err(SignalError::OutOfRange)
        }
    }

    /// For rows that come out of [`accumulated`](crate::arithmetic::accumulated).
    pub(crate) const fn within_limits(elements: [i32; WIDTH]) -> Self {
        Self(elements)
    }

    /// The elements of the row.
    pub const fn elements(&self) -> &[i32; WIDTH] {
        &self.0
    }
}

const TOKEN_TAG: u8 = 0;
const ACTIVATION_TAG: u8 = 1;
/// An element needs 21 bits.
const ELEMENT_BYTES: usize = 3;

impl Signal {
    /// Length of the longest encoding, that of an activation.
    pub const MAX_BYTES: usize = 1 + ELEMENT_BYTES * WIDTH;

    /// Writes the signal and returns the part of the buffer that it fills.
    ///
    /// A token is the byte 0 and its id. An activation is the byte 1 and then
    /// each element as three bytes, two's complement, least significant first.
    /// Every signal has exactly one encoding, and none is a prefix of another.
    pub fn write<'b>(&self, buffer: &'b mut [u8; Self::MAX_BYTES]) -> &'b [u8] {
        let [tag, body @ ..] = buffer;
        let used = match self {
            Self::Token(token) => {
                *tag = TOKEN_TAG;
                let [id, ..] = body;
                *id = token.id();
                2
            }
            Self::Activation(Activation(elements)) => {
                *tag = ACTIVATION_TAG;
                let (cells, _) = body.as_chunks_mut::<ELEMENT_BYTES>();
                for (cell, element) in cells.iter_mut().zip(elements) {
                    let [low, middle, high, _] = element.to_le_bytes();
                    *cell = [low, middle, high];
                }
                Self::MAX_BYTES
            }
        };
        buffer.get(..used).unwrap_or_default()
    }

    /// Reads what [`write`](Self::write) wrote; exactly that, with nothing after it.
    ///
    /// # Errors
    /// When the bytes are not the encoding of any signal.
    pub fn read(bytes: &[u8]) -> Result<Self, SignalError> {
        match bytes.split_first().ok_or(SignalError::Length)? {
            (&TOKEN_TAG, &[id]) => Token::try_from(id).map(Self::Token).map_err(|_| SignalError::OutOfRange),
            (&ACTIVATION_TAG, body) => {
                let (cells, &[]) = body.as_chunks::<ELEMENT_BYTES>() else {
                    return Err(SignalError::Length);
                };
                let cells: &[[u8; ELEMENT_BYTES]; WIDTH] = cells.try_into().map_err(|_| SignalError::Length)?;
                // The shift brings the three bytes down with their sign.
                let elements = cells.map(|[low, middle, high]| i32::from_le_bytes([0, low, middle, high]) >> 8);
                Activation::new(elements).map(Self::Activation)
            }
            (&TOKEN_TAG, _) => Err(SignalError::Length),
            _ => Err(SignalError::Kind),
        }
    }
}

/// Why bytes or numbers are not a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalError {
    /// The first byte names no kind of signal.
    Kind,
    /// Too few or too many bytes for the kind.
    Length,
    /// A token id or an element beyond its bounds.
    OutOfRange,
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "unknown kind of signal",
            Self::Length => "wrong length for this kind of signal",
            Self::OutOfRange => "a token or an element of the activation is out of range",
        })
    }
}

impl core::error::Error for SignalError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    #[test]
    fn a_token_is_two_bytes() {
        let mut buffer = [0xAA; Signal::MAX_BYTES];
        let token = Signal::Token(Token::try_from(95).unwrap());
        assert_eq!(token.write(&mut buffer), [0, 95]);
    }

    #[test]
    fn an_activation_is_three_bytes_per_element() {
        let mut elements = [0; WIDTH];
        elements[0] = -1;
        elements[1] = RESIDUAL_LIMIT;
        elements[95] = -RESIDUAL_LIMIT;
        let mut buffer = [0xAA; Signal::MAX_BYTES];
        let signal = Signal::Activation(Activation::new(elements).unwrap());
        let bytes = signal.write(&mut buffer);
        assert_eq!(bytes[..10], [1, 0xFF, 0xFF, 0xFF, 0, 0, 8, 0, 0, 0]);
        assert_eq!(bytes[286..], [0, 0, 0xF8]);
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        let mut too_large = vec![1; 1];
        too_large.extend([1, 0, 8].repeat(WIDTH));
        for (bytes, error) in [
            (vec![], SignalError::Length),
            (vec![0], SignalError::Length),
            (vec![0, 1, 2], SignalError::Length),
            (vec![0, 96], SignalError::OutOfRange),
            (vec![2, 0], SignalError::Kind),
            (vec![1; 1], SignalError::Length),
            (vec![1; Signal::MAX_BYTES - 1], SignalError::Length),
            (vec![1; Signal::MAX_BYTES - 3], SignalError::Length),
            (vec![1; Signal::MAX_BYTES + 3], SignalError::Length),
            (too_large, SignalError::OutOfRange),
        ] {
            assert_eq!(Signal::read(&bytes), Err(error), "{bytes:?}");
        }
        assert_eq!(Activation::new([RESIDUAL_LIMIT + 1; WIDTH]), Err(SignalError::OutOfRange));
        assert_eq!(Activation::new([i32::MIN; WIDTH]), Err(SignalError::OutOfRange));
    }

    proptest! {
        #[test]
        fn activations_survive_the_round_trip(elements in prop::array::uniform32(-RESIDUAL_LIMIT..=RESIDUAL_LIMIT)) {
            let row: [i32; WIDTH] = core::array::from_fn(|i| elements[i % 32]);
            let signal = Signal::Activation(Activation::new(row).unwrap());
            let mut buffer = [0; Signal::MAX_BYTES];
            prop_assert_eq!(Signal::read(signal.write(&mut buffer)), Ok(signal));
        }

        #[test]
        fn accepted_bytes_are_the_canonical_ones(bytes in prop::collection::vec(any::<u8>(), 0..=300)) {
            if let Ok(signal) = Signal::read(&bytes) {
                let mut buffer = [0; Signal::MAX_BYTES];
                prop_assert_eq!(signal.write(&mut buffer), &bytes[..]);
            }
        }
    }
}
