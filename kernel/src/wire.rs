//! Canonical encoding: one value, one sequence of bytes.
//!
//! postcard accepts trailing bytes and overlong integers, so decoding encodes
//! the result again and compares, byte by byte as they are produced, without a
//! second buffer.

use serde::{Serialize, de::DeserializeOwned};

use crate::crypto::Hasher;

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
    postcard::to_slice(value, buffer).map(|used| &*used).map_err(|_| WireError::NoRoom)
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
    match postcard::serialize_with_flavor(value, Compare { expected: bytes }) {
        Ok([]) => Ok(()),
        _ => Err(WireError::NotCanonical),
    }
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

struct Compare<'b> {
    expected: &'b [u8],
}

impl<'b> postcard::ser_flavors::Flavor for Compare<'b> {
    type Output = &'b [u8];

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.expected = self.expected.strip_prefix(bytes).ok_or(postcard::Error::SerializeBufferFull)?;
        Ok(())
    }

    fn finalize(self) -> postcard::Result<&'b [u8]> {
        Ok(self.expected)
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
    fn overlong_and_trailing_are_refused() {
        assert_eq!(decode::<u32>(&[1]), Ok(1));
        assert_eq!(decode::<u32>(&[0x81, 0x00]), Err(WireError::NotCanonical));
        assert_eq!(decode::<u32>(&[1, 0]), Err(WireError::TrailingBytes));
        assert_eq!(decode::<u32>(&[0x81]), Err(WireError::Malformed));
        assert_eq!(decode::<Option<bool>>(&[1, 2]), Err(WireError::Malformed));
    }
}
