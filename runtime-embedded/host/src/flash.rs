//! A file with the rules of NOR flash: whole sectors are erased, programming
//! only clears bits.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

const SECTOR: usize = 4 * 1024;

pub(crate) struct Flash {
    file: File,
    capacity: usize,
}

impl Flash {
    pub(crate) fn open(path: &Path) -> io::Result<Flash> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let capacity = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Flash { file, capacity })
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

impl From<io::Error> for FlashError {
    fn from(_: io::Error) -> Self {
        FlashError(NorFlashErrorKind::Other)
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
        Ok(self.file.read_exact_at(bytes, u64::from(offset))?)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to)?;
        for sector in (from..to).step_by(SECTOR) {
            self.file.write_all_at(&[0xFF; SECTOR], u64::from(sector))?;
        }
        Ok(self.file.sync_data()?)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len())?;
        let mut held = vec![0; bytes.len()];
        self.file.read_exact_at(&mut held, u64::from(offset))?;
        if held.iter().zip(bytes).any(|(held, wanted)| held & wanted != *wanted) {
            return Err(FlashError(NorFlashErrorKind::Other));
        }
        self.file.write_all_at(bytes, u64::from(offset))?;
        Ok(self.file.sync_data()?)
    }
}
