//! The vote record on NOR flash.
//!
//! The scheme is [`butterfly_record`]'s: two slots written in turn, each of two
//! copies. Here its medium is flash: both copies are erased and then programmed
//! together, so a device that loses power in between has lost that slot, and the
//! other one is complete. Nothing was sent then, since the write did not return.
//!
//! There is no room for a whole record in memory. The node's is encoded each
//! time that the store goes over it ([`Encoded`]): for its length, for its
//! digest, and once more to program both copies of a slot word by word.
//!
//! Each record costs two erasures of each sector of a slot, and slots take
//! turns. A request of 64 tokens is some fifty records; a sector that stands
//! 100,000 erasures lasts for four thousand of them.

#[cfg(test)]
mod tests;

use butterfly_kernel::wire;
use butterfly_record::{Medium, Source};
use embedded_storage::nor_flash::NorFlash;
use serde::Serialize;

/// The longest unit in which flash may be read or written, in bytes.
const WORD: usize = 32;

/// What is encoded as often as it is asked for: a record, or a message on its
/// way into a queue.
pub struct Encoded<T>(pub T);

impl<T: Serialize> Source for Encoded<T> {
    fn feed(&self, sink: &mut dyn FnMut(&[u8])) {
        wire::encode_to(&self.0, sink);
    }
}

/// A part of a flash, from `base` on.
pub struct Region<F> {
    flash: F,
    base: u32,
    /// Where the next word is programmed.
    next: [u32; 2],
    /// That word, as far as it has come: `filled` bytes. The others stay erased.
    word: [u8; WORD],
    filled: usize,
}

/// Why a region cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionError<E> {
    /// The flash failed.
    Flash(E),
    /// It is beyond the end, or the flash is read or written in other units
    /// than this code can use.
    Bounds,
}

impl<E> From<E> for RegionError<E> {
    fn from(error: E) -> Self {
        RegionError::Flash(error)
    }
}

impl<F: NorFlash> Region<F> {
    const FITS: () = assert!(
        WORD.is_multiple_of(F::READ_SIZE) && WORD.is_multiple_of(F::WRITE_SIZE) && F::ERASE_SIZE.is_multiple_of(WORD),
        "flash is read and written in units of at most 32 bytes"
    );

    /// The part of `flash` that begins at `base`, where a sector begins.
    pub fn new(flash: F, base: u32) -> Self {
        let () = Self::FITS;
        Region { flash, base, next: [base; 2], word: [0xFF; WORD], filled: 0 }
    }

    /// Programs the word in both copies.
    fn program(&mut self) -> Result<(), RegionError<F::Error>> {
        for next in &mut self.next {
            self.flash.write(*next, &self.word)?;
            *next = next.checked_add(WORD as u32).ok_or(RegionError::Bounds)?;
        }
        (self.word, self.filled) = ([0xFF; WORD], 0);
        Ok(())
    }
}

fn address<E>(base: u32, at: usize) -> Result<u32, RegionError<E>> {
    u32::try_from(at).ok().and_then(|at| base.checked_add(at)).ok_or(RegionError::Bounds)
}

impl<F: NorFlash> Medium for Region<F> {
    type Error = RegionError<F::Error>;

    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let mut at = address(self.base, at)?;
        for part in bytes.chunks_mut(WORD) {
            let mut word = [0; WORD];
            self.flash.read(at, &mut word)?;
            part.iter_mut().zip(word).for_each(|(place, byte)| *place = byte);
            at = at.checked_add(WORD as u32).ok_or(RegionError::Bounds)?;
        }
        Ok(())
    }

    fn begin(&mut self, places: [usize; 2], length: usize) -> Result<(), Self::Error> {
        (self.word, self.filled) = ([0xFF; WORD], 0);
        for (next, at) in self.next.iter_mut().zip(places) {
            let end = at.saturating_add(length.next_multiple_of(F::ERASE_SIZE));
            *next = address(self.base, at)?;
            self.flash.erase(*next, address(self.base, end)?)?;
        }
        Ok(())
    }

    fn put(&mut self, piece: &[u8]) -> Result<(), Self::Error> {
        for byte in piece {
            if let Some(place) = self.word.get_mut(self.filled) {
                *place = *byte;
            }
            self.filled = self.filled.saturating_add(1);
            if self.filled >= WORD {
                self.program()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        // A word that was programmed is durable.
        if self.filled > 0 { self.program() } else { Ok(()) }
    }
}
