//! The board's flash: a model of NOR flash in memory that QEMU maps to a file.
//!
//! The machine has no flash that outlives it, but 16 MB of memory that can be
//! a file. Over that lie the rules of flash: only whole sectors can be erased,
//! programming can only clear bits, and is checked. A machine that is killed in
//! the middle of it leaves a torn sector behind, as a real one does.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

const BASE: usize = 0x2100_0000;
const BYTES: usize = 16 * 1024 * 1024;
const SECTOR: usize = 4 * 1024;

/// The flash.
pub(crate) struct Flash(());

impl Flash {
    /// The flash of this board.
    ///
    /// # Safety
    /// To be called once: two would overlap.
    pub(crate) unsafe fn take() -> Flash {
        Flash(())
    }

    fn byte(&self, at: usize) -> u8 {
        // SAFETY: callers stay within the memory, which is this value's.
        unsafe { ((BASE + at) as *const u8).read_volatile() }
    }

    fn word(&self, at: usize) -> *mut u32 {
        (BASE + at) as *mut u32
    }
}

/// Why the flash refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlashError(NorFlashErrorKind);

impl From<NorFlashErrorKind> for FlashError {
    fn from(kind: NorFlashErrorKind) -> Self {
        FlashError(kind)
    }
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len())?;
        for (at, byte) in (offset as usize..).zip(bytes) {
            *byte = self.byte(at);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to)?;
        for at in (from as usize..to as usize).step_by(4) {
            // SAFETY: the range was checked, and the memory is this value's.
            unsafe { self.word(at).write_volatile(u32::MAX) };
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len())?;
        for (at, word) in (offset as usize..).step_by(4).zip(bytes.as_chunks::<4>().0) {
            let (place, wanted) = (self.word(at), u32::from_le_bytes(*word));
            // SAFETY: the range was checked, and the memory is this value's.
            let written = unsafe {
                place.write_volatile(place.read_volatile() & wanted);
                place.read_volatile()
            };
            if written != wanted {
                return Err(FlashError(NorFlashErrorKind::Other));
            }
        }
        Ok(())
    }
}
