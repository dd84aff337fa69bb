//! The vote record on NOR flash.
//!
//! The scheme is [`butterfly_record`]'s: two slots written in turn, each of two
//! copies. Here its medium is flash: a copy is erased and then programmed, so a
//! device that loses power in between has lost that copy, and the other slot is
//! complete. Nothing was sent then, since the write did not return.
//!
//! Each record costs two erasures of each sector of a slot, and slots take
//! turns. A request of 64 tokens is some fifty records; a sector that stands
//! 100,000 erasures lasts for four thousand of them.

#[cfg(test)]
mod tests;

use butterfly_record::Medium;
use embedded_storage::nor_flash::NorFlash;

/// The longest unit in which flash may be read or written, in bytes.
const WORD: usize = 32;

/// A part of a flash, from `base` on.
pub struct Region<F> {
    flash: F,
    base: u32,
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
        Region { flash, base }
    }

    fn address(&self, at: usize) -> Result<u32, RegionError<F::Error>> {
        u32::try_from(at).ok().and_then(|at| self.base.checked_add(at)).ok_or(RegionError::Bounds)
    }
}

impl<F: NorFlash> Medium for Region<F> {
    type Error = RegionError<F::Error>;

    fn read(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let mut at = self.address(at)?;
        for part in bytes.chunks_mut(WORD) {
            let mut word = [0; WORD];
            self.flash.read(at, &mut word)?;
            part.iter_mut().zip(word).for_each(|(place, byte)| *place = byte);
            at = at.checked_add(WORD as u32).ok_or(RegionError::Bounds)?;
        }
        Ok(())
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Self::Error> {
        let begin = self.address(at)?;
        let end = self.address(at.saturating_add(bytes.len().next_multiple_of(F::ERASE_SIZE)))?;
        self.flash.erase(begin, end)?;
        let mut at = begin;
        for part in bytes.chunks(WORD) {
            // What is left over stays erased.
            let mut word = [0xFF; WORD];
            word.iter_mut().zip(part).for_each(|(place, byte)| *place = *byte);
            self.flash.write(at, &word)?;
            at = at.checked_add(WORD as u32).ok_or(RegionError::Bounds)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        // A word that was programmed is.
        Ok(())
    }
}
