//! Time: a tick each millisecond, by the core's own timer.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// Cycles of the core in a millisecond: it runs at 25 MHz.
const CYCLES: u32 = 25_000;

struct Clock {
    now: Mutex<Cell<u64>>,
    /// When the next waker must be woken.
    next: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    now: Mutex::new(Cell::new(0)),
    next: Mutex::new(Cell::new(u64::MAX)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|token| self.now.borrow(token).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|token| {
            let mut queue = self.queue.borrow_ref_mut(token);
            if queue.schedule_wake(at, waker) {
                self.next.borrow(token).set(queue.next_expiration(self.now.borrow(token).get()));
            }
        });
    }
}

/// Starts the ticks.
pub(crate) fn start(mut timer: SYST) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CYCLES - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
}

#[exception]
fn SysTick() {
    critical_section::with(|token| {
        let now = CLOCK.now.borrow(token).get() + 1;
        CLOCK.now.borrow(token).set(now);
        if now >= CLOCK.next.borrow(token).get() {
            let next = CLOCK.queue.borrow_ref_mut(token).next_expiration(now);
            CLOCK.next.borrow(token).set(next);
        }
    });
}
