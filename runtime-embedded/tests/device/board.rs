//! A board in memory: flash that may fail, and a voice that remembers.

use std::cell::RefCell;
use std::rc::Rc;

use butterfly_runtime_embedded::board::{Event, NoRandomness, RandomSource, Signed, Voice};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Flash in memory that outlives a device.
#[derive(Clone)]
pub(crate) struct Flash {
    pub(crate) bytes: Rc<RefCell<Vec<u8>>>,
    /// It fails from now on.
    pub(crate) broken: Rc<RefCell<bool>>,
}

impl Flash {
    pub(crate) fn new(bytes: usize) -> Flash {
        Flash { bytes: Rc::new(RefCell::new(vec![0xFF; bytes])), broken: Rc::default() }
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(&self.bytes.borrow()[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.borrow().len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        if *self.broken.borrow() {
            return Err(NorFlashErrorKind::Other);
        }
        self.bytes.borrow_mut()[from as usize..to as usize].fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        for (place, byte) in self.bytes.borrow_mut()[offset as usize..].iter_mut().zip(bytes) {
            *place &= byte;
        }
        Ok(())
    }
}

/// Numbers that are different each time, and secret to nobody.
pub(crate) struct Counting(pub(crate) u8);

impl RandomSource for Counting {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.0 += 1;
        bytes.fill(self.0);
        Ok(())
    }
}

/// A board without a random source.
pub(crate) struct Nothing;

impl RandomSource for Nothing {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), NoRandomness> {
        Err(NoRandomness)
    }
}

/// What a device said.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) text: Vec<u8>,
    pub(crate) signed: Signed,
    pub(crate) evidence: usize,
    pub(crate) abstained: usize,
    pub(crate) learner: Option<bool>,
}

/// Tells it.
pub(crate) struct Teller(pub(crate) Rc<RefCell<Memory>>);

impl<const N: usize> Voice<N> for Teller {
    fn say(&mut self, event: Event<'_, N>) {
        let mut memory = self.0.borrow_mut();
        match event {
            Event::Ready { learner, .. } => memory.learner = Some(learner),
            Event::Commit { tokens, signed, .. } => {
                memory.text.extend(tokens);
                memory.signed = signed;
            }
            Event::Evidence(_) => memory.evidence += 1,
            Event::Abstained => memory.abstained += 1,
            Event::EnterView { .. } | Event::Blocked(_) => {}
        }
    }
}
