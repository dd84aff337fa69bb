//! Canonical encoding: one value, one sequence of bytes.
//!
//! postcard accepts trailing bytes and overlong integers, so decoding encodes
//! the result again and compares, piece by piece as they are produced, without
//! a second buffer.

use serde::{Serialize, de::DeserializeOwned};

use crate::crypto::Hasher;

/// Bytes of an encoding that are told at a time.
const PIECE: usize = 64;

/// Why bytes were not taken for a value. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireError {
    /// The bytes do not describe a value of this type within its bounds.
    Malformed,
    /// Bytes are left over behind the value.
    TrailingBytes,
    /// The bytes describe a value, but are not the encoding that we would give it.
    NotCanonical,
    /// The buffer is too short for the encoding.
    NoRoom,
}

impl core::fmt::Display for WireError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            WireError::Malformed => "the bytes are not a value of this type",
            WireError::TrailingBytes => "bytes are left over behind the value",
            WireError::NotCanonical => "the bytes are not the canonical encoding of their value",
            WireError::NoRoom => "the buffer is too short for the encoding",
        })
    }
}

impl core::error::Error for WireError {}

/// Writes the canonical encoding of `value` to the front of `buffer` and
/// returns that part of it.
///
/// # Errors
/// [`WireError::NoRoom`].
pub fn encode<'b, T: Serialize + ?Sized>(value: &T, buffer: &'b mut [u8]) -> Result<&'b [u8], WireError> {
    let mut length: usize = 0;
    let told = tell(value, &mut |piece| {
        let end = length.saturating_add(piece.len());
        if let Some(place) = buffer.get_mut(length..end) {
            place.copy_from_slice(piece);
        }
        length = end;
    });
    told.ok().and_then(|()| buffer.get(..length)).ok_or(WireError::NoRoom)
}

/// Says the canonical encoding of `value`, the bytes that [`encode`] writes, to
/// `sink`: piece by piece, so that it need not be anywhere as a whole.
pub fn encode_to<T: Serialize + ?Sized>(value: &T, sink: &mut dyn FnMut(&[u8])) {
    // A sink has no capacity to exceed, and no type here fails to serialise.
    let _told = tell(value, sink);
}

/// All that is encoded goes through here, lest a microcontroller has the code
/// for each message several times.
fn tell<T: Serialize + ?Sized>(value: &T, sink: &mut dyn FnMut(&[u8])) -> postcard::Result<()> {
    postcard::serialize_with_flavor(value, Tell { sink, piece: [0; PIECE], filled: 0 })
}

/// The number of bytes that [`encode`] writes.
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> usize {
    postcard::experimental::serialized_size(value).unwrap_or(usize::MAX)
}

/// The value of which `bytes` are the canonical encoding, all of them.
///
/// # Errors
/// Every other sequence of bytes is refused, with the reason.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let mut reader = postcard::Deserializer::from_bytes(bytes);
    // Messages are large: each value bound to a name here is one more copy.
    match T::deserialize(&mut reader) {
        Ok(value) => is_canonical(&value, reader, bytes).map(|()| value),
        Err(_) => Err(WireError::Malformed),
    }
}

fn is_canonical<T: Serialize>(value: &T, reader: Reader<'_>, bytes: &[u8]) -> Result<(), WireError> {
    if !matches!(reader.finalize(), Ok([])) {
        return Err(WireError::TrailingBytes);
    }
    let mut expected = Some(bytes);
    let told = tell(value, &mut |piece| expected = expected.and_then(|expected| expected.strip_prefix(piece)));
    if told.is_ok() && expected == Some(&[]) { Ok(()) } else { Err(WireError::NotCanonical) }
}

type Reader<'b> = postcard::Deserializer<'b, postcard::de_flavors::Slice<'b>>;

/// The digest of the canonical encoding of `value`, behind `tag`.
pub fn digest_of<H: Hasher, T: Serialize + ?Sized>(tag: u8, value: &T) -> H::Digest {
    let mut hasher = H::default();
    hasher.update(&[tag]);
    // Hashing has no capacity to exceed, and no type here fails to serialise.
    match postcard::serialize_with_flavor(value, Absorb { hasher }) {
        Ok(hasher) => hasher.finish(),
        Err(_) => H::default().finish(),
    }
}

struct Tell<'s> {
    sink: &'s mut dyn FnMut(&[u8]),
    /// What was not told yet: `filled` bytes.
    piece: [u8; PIECE],
    filled: usize,
}

impl Tell<'_> {
    #[inline(never)]
    fn tell(&mut self) {
        (self.sink)(self.piece.get(..self.filled).unwrap_or_default());
    }
}

impl postcard::ser_flavors::Flavor for Tell<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.filled >= PIECE {
            self.tell();
            self.filled = 0;
        }
        if let Some(place) = self.piece.get_mut(self.filled) {
            *place = byte;
        }
        self.filled = self.filled.saturating_add(1);
        Ok(())
    }

    fn finalize(mut self) -> postcard::Result<()> {
        self.tell();
        Ok(())
    }
}

struct Absorb<H> {
    hasher: H,
}

impl<H: Hasher> postcard::ser_flavors::Flavor for Absorb<H> {
    type Output = H;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.hasher.update(&[byte]);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.hasher.update(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<H> {
        Ok(self.hasher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_piece_by_piece_is_the_encoding() {
        for count in 0..3 * PIECE as u16 {
            let value: heapless::Vec<u16, 256> = (0..count).collect();
            let (mut whole, mut told, mut length) = ([0; 512], [0; 512], 0);
            encode_to(&value, &mut |piece| {
                told[length..length + piece.len()].copy_from_slice(piece);
                length += piece.len();
            });
            assert_eq!(postcard::to_slice(&value, &mut whole).as_deref(), Ok(&told[..length]));
            assert_eq!(encode(&value, &mut whole), Ok(&told[..length]));
            assert_eq!(encode(&value, &mut whole[..length]), Ok(&told[..length]));
            assert_eq!(encode(&value, &mut whole[..length - 1]), Err(WireError::NoRoom));
            assert_eq!(encoded_len(&value), length);
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_not_taken_for_short() {
        struct Unsayable;
        impl Serialize for Unsayable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("nothing"))
            }
        }
        assert_eq!(encode(&(1_u8, Unsayable), &mut [0; 8]), Err(WireError::NoRoom));
    }

    #[test]
    fn overlong_and_trailing_are_refused() {
        assert_eq!(decode::<u32>(&[1]), Ok(1));
        assert_eq!(decode::<u32>(&[0x81, 0x00]), Err(WireError::NotCanonical));
        assert_eq!(decode::<u32>(&[1, 0]), Err(WireError::TrailingBytes));
        assert_eq!(decode::<u32>(&[0x81]), Err(WireError::Malformed));
        assert_eq!(decode::<Option<bool>>(&[1, 2]), Err(WireError::Malformed));
    }
}
