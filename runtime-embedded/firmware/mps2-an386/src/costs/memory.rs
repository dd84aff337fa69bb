//! Flash in memory, for one vote record, and a voice that only counts tokens.

use core::cell::Cell;

use butterfly_runtime_embedded::board::{Event, Voice};
use critical_section::Mutex;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

use crate::cluster::{COPY, MEMBERS};

/// Four copies.
pub(crate) const BYTES: usize = 4 * COPY;

/// The flash of one host.
pub(crate) struct Flash(pub(crate) &'static mut [u8; BYTES]);

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let from = self.0.get(offset as usize..).ok_or(NorFlashErrorKind::OutOfBounds)?;
        bytes.iter_mut().zip(from).for_each(|(place, byte)| *place = *byte);
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.0.get_mut(from as usize..to as usize).ok_or(NorFlashErrorKind::OutOfBounds)?.fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let place = self.0.get_mut(offset as usize..).ok_or(NorFlashErrorKind::OutOfBounds)?;
        place.iter_mut().zip(bytes).for_each(|(place, byte)| *place &= byte);
        Ok(())
    }
}

/// How much of the text the first host has seen committed.
pub(crate) static TEXT: Mutex<Cell<usize>> = Mutex::new(Cell::new(0));

/// Whether it is the first host that speaks.
pub(crate) struct Teller(pub(crate) bool);

impl Voice<MEMBERS> for Teller {
    fn say(&mut self, event: Event<'_, MEMBERS>) {
        if let (Event::Commit { tokens, .. }, true) = (event, self.0) {
            critical_section::with(|token| {
                let text = TEXT.borrow(token);
                text.set(text.get() + tokens.len());
            });
        }
    }
}
