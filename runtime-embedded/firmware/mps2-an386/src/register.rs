//! Registers of devices, by their addresses.

/// One register of 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Register(usize);

impl Register {
    /// The register at `address`.
    ///
    /// # Safety
    /// There must be one, which may be read and written at any time, and only
    /// through this value's owner.
    pub(crate) const unsafe fn new(address: usize) -> Register {
        Register(address)
    }

    /// What it holds.
    pub(crate) fn read(self) -> u32 {
        // SAFETY: by the contract of `new`.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    /// Changes it.
    pub(crate) fn write(self, value: u32) {
        // SAFETY: by the contract of `new`.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}
