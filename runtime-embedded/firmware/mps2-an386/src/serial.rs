//! The serial line.

use core::fmt::{self, Write};

use crate::register::Register;

// SAFETY: the first UART of the board, which nobody else uses.
const DATA: Register = unsafe { Register::new(0x4000_4000) };
// SAFETY: as above.
const STATE: Register = unsafe { Register::new(0x4000_4004) };
// SAFETY: as above.
const CONTROL: Register = unsafe { Register::new(0x4000_4008) };
// SAFETY: as above.
const DIVIDER: Register = unsafe { Register::new(0x4000_4010) };

const TRANSMIT_ENABLE: u32 = 1;
const TRANSMIT_FULL: u32 = 1;
/// The least that the UART takes.
const FASTEST: u32 = 16;

/// Switches the line on.
pub(crate) fn start() {
    DIVIDER.write(FASTEST);
    CONTROL.write(TRANSMIT_ENABLE);
}

/// The line.
pub(crate) struct Line;

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(put);
        Ok(())
    }
}

fn put(byte: u8) {
    while STATE.read() & TRANSMIT_FULL != 0 {}
    DATA.write(u32::from(byte));
}
