//! The board's network card, a LAN9118, as a driver for `embassy-net`.
//!
//! One frame at a time is copied out of the card's receive buffer and into its
//! transmit buffer. The card interrupts when a frame has come; the handler
//! masks that until the frame was looked for.

use core::task::Context;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use static_cell::ConstStaticCell;

use crate::register::Register;

const BASE: usize = 0x4020_0000;

const fn register(offset: usize) -> Register {
    // SAFETY: the card's registers, which only this module uses.
    unsafe { Register::new(BASE + offset) }
}

const RX_DATA: Register = register(0x00);
const TX_DATA: Register = register(0x20);
const RX_STATUS: Register = register(0x40);
const TX_STATUS: Register = register(0x48);
const IRQ_CFG: Register = register(0x54);
const INT_STS: Register = register(0x58);
const INT_EN: Register = register(0x5C);
const FIFO_INT: Register = register(0x68);
const TX_CFG: Register = register(0x70);
const HW_CFG: Register = register(0x74);
const RX_FIFO_INF: Register = register(0x7C);
const TX_FIFO_INF: Register = register(0x80);
const MAC_CSR_CMD: Register = register(0xA4);
const MAC_CSR_DATA: Register = register(0xA8);

/// Active high, push-pull, enabled: otherwise the line is the wrong way round.
const IRQ_ENABLED: u32 = 0x111;
/// A frame has been received.
const RX_STATUS_LEVEL: u32 = 1 << 3;
/// Interrupt at the first frame.
const FIRST_FRAME: u32 = 0x4800_0000;
const SOFT_RESET: u32 = 1;
const TRANSMIT_ON: u32 = 1 << 1;
const MAC_BUSY: u32 = 1 << 31;
const MAC_CONTROL: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;
/// Full duplex, transmitter, receiver.
const MAC_ON: u32 = 1 << 20 | 1 << 3 | 1 << 2;
/// The only buffer of its frame.
const WHOLE_FRAME: u32 = 1 << 13 | 1 << 12;

/// The longest frame, without its checksum: with an IP packet of 576 bytes, which
/// every host takes. A segment of 536 bytes fits in it, and a session's frame in
/// the segment. Others learn it from TCP and send no longer ones.
const FRAME: usize = 14 + 576;
const CHECKSUM: usize = 4;

static RECEIVED: AtomicWaker = AtomicWaker::new();
static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames { received: [0; FRAME], sent: [0; FRAME] });

/// The card's line of interrupts.
#[derive(Clone, Copy)]
struct Line;

// SAFETY: 13 is the line of the Ethernet controller on this board.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        LINE
    }
}

/// The number of the card's interrupt.
pub(crate) const LINE: u16 = 13;

/// The card. Its frames are elsewhere: a task holds it in several places.
pub(crate) struct Lan9118 {
    hardware: [u8; 6],
    frames: &'static mut Frames,
}

struct Frames {
    received: [u8; FRAME],
    sent: [u8; FRAME],
}

impl Lan9118 {
    /// Resets the card and gives it an address.
    pub(crate) fn start(hardware: [u8; 6]) -> Lan9118 {
        HW_CFG.write(SOFT_RESET);
        while HW_CFG.read() & SOFT_RESET != 0 {}
        let [a, b, c, d, e, f] = hardware;
        write_mac(MAC_ADDRESS_LOW, u32::from_le_bytes([a, b, c, d]));
        write_mac(MAC_ADDRESS_HIGH, u32::from_le_bytes([e, f, 0, 0]));
        write_mac(MAC_CONTROL, MAC_ON);
        TX_CFG.write(TRANSMIT_ON);
        FIFO_INT.write(FIRST_FRAME);
        IRQ_CFG.write(IRQ_ENABLED);
        listen();
        // SAFETY: the handler only masks the card's interrupt and wakes.
        unsafe { NVIC::unmask(Line) };
        Lan9118 { hardware, frames: FRAMES.take() }
    }
}

/// Handles the card's interrupt: no more of them until somebody has looked.
pub(crate) fn interrupt() {
    INT_EN.write(0);
    RECEIVED.wake();
}

fn listen() {
    INT_STS.write(RX_STATUS_LEVEL);
    INT_EN.write(RX_STATUS_LEVEL);
}

fn write_mac(register: u32, value: u32) {
    MAC_CSR_DATA.write(value);
    MAC_CSR_CMD.write(MAC_BUSY | register);
    while MAC_CSR_CMD.read() & MAC_BUSY != 0 {}
}

/// A frame that was received.
pub(crate) struct Received<'c>(&'c mut [u8]);
/// Room for one to be sent.
pub(crate) struct ToSend<'c>(&'c mut [u8; FRAME]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

impl TxToken for ToSend<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let length = length.min(FRAME);
        let outcome = fill(&mut self.0[..length]);
        TX_DATA.write(WHOLE_FRAME | length as u32);
        TX_DATA.write(length as u32);
        for word in self.0[..length.next_multiple_of(4).min(FRAME)].chunks(4) {
            let mut bytes = [0; 4];
            bytes[..word.len()].copy_from_slice(word);
            TX_DATA.write(u32::from_le_bytes(bytes));
        }
        // What became of it is for TCP to find out; but the card stops when nobody asks.
        while TX_FIFO_INF.read() >> 16 & 0xFF != 0 {
            TX_STATUS.read();
        }
        outcome
    }
}

impl Driver for Lan9118 {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = ToSend<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, ToSend<'_>)> {
        RECEIVED.register(context.waker());
        listen();
        if RX_FIFO_INF.read() >> 16 & 0xFF == 0 {
            return None;
        }
        let length = (RX_STATUS.read() >> 16 & 0x3FFF) as usize;
        for (at, word) in (0..length.div_ceil(4)).map(|word| (word * 4, RX_DATA.read())) {
            // Longer frames are none of ours; the rest of them is dropped.
            for (place, byte) in self.frames.received.iter_mut().skip(at).zip(word.to_le_bytes()) {
                *place = byte;
            }
        }
        let length = length.saturating_sub(CHECKSUM).min(FRAME);
        Some((Received(&mut self.frames.received[..length]), ToSend(&mut self.frames.sent)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<ToSend<'_>> {
        // The card sends at once.
        Some(ToSend(&mut self.frames.sent))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.hardware)
    }
}
