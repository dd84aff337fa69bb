//! A Butterfly node on QEMU's `mps2-an386`: a Cortex-M4F, a LAN9118 network
//! card, flash, and no heap.
//!
//! It reads who it is from its flash, joins its cluster and goes on for ever.
//! What it does it says on the serial line. If it cannot start, or cannot go
//! on, it says why and stands still.
#![no_std]
#![no_main]

mod clock;
mod flash;
#[path = "../../../program/journal.rs"]
mod journal;
mod lan9118;
#[path = "../../../program/life.rs"]
mod life;
mod random;
mod register;
mod serial;
mod stack;

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m_rt::{entry, exception};
use embassy_executor::raw::Executor;
use static_cell::StaticCell;

use flash::Flash;
use lan9118::Lan9118 as Card;
use random::Random;
use serial::Line;
use stack::high_water as stack_used;

static EXECUTOR: StaticCell<Executor> = StaticCell::new();

/// Somebody wants to be polled.
static PENDING: AtomicBool = AtomicBool::new(false);

#[entry]
fn main() -> ! {
    stack::paint();
    serial::start();
    let Some(core) = cortex_m::Peripherals::take() else { stand_still() };
    clock::start(core.SYST);
    let executor = EXECUTOR.init(Executor::new(core::ptr::null_mut()));
    let spawner = executor.spawner();
    // SAFETY: this is the only place, and is passed once.
    let flash = unsafe { Flash::take() };
    match life::live(spawner, flash, Random::find()) {
        Ok(task) => spawner.spawn(task),
        Err(_) => stand_still(),
    }
    loop {
        // SAFETY: the executor is polled here only.
        unsafe { executor.poll() };
        // With interrupts off, one that comes between the question and the
        // sleep still ends the sleep, and is handled when they are on again.
        cortex_m::interrupt::disable();
        if !PENDING.swap(false, Ordering::Acquire) {
            cortex_m::asm::wfi();
        }
        // SAFETY: no critical section is open.
        unsafe { cortex_m::interrupt::enable() };
    }
}

#[unsafe(export_name = "__pender")]
fn pend(_context: *mut ()) {
    PENDING.store(true, Ordering::Release);
}

fn start_card(hardware: [u8; 6]) -> Card {
    Card::start(hardware)
}

fn stand_still() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    if number == lan9118::LINE as i16 {
        lan9118::interrupt();
    }
}

/// A panic is a bug. What the device has said is durable; it says nothing more.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    if cfg!(feature = "panics") {
        journal::tell_failure(&info.message());
        if let Some(place) = info.location() {
            journal::tell_failure(place);
        }
    } else {
        journal::tell_failure(&"a panic; an image with the feature `panics` says which one");
    }
    stand_still()
}
