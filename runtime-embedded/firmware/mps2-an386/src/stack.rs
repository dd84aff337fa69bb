//! How much of the stack was ever used: memory below it is painted at the
//! start, and what is still painted later was not.

const PAINT: u32 = 0x5AFE_57AC;
/// Below the stack pointer, for the one who paints.
const MARGIN: usize = 512;
/// More than is ever used; looking at all of memory would take long.
const DEPTH: usize = 1024 * 1024;

unsafe extern "C" {
    /// Where the stack begins: the end of memory.
    static mut _stack_start: u32;
    /// Where static memory ends.
    static mut __sheap: u32;
}

/// Paints what is not in use.
pub(crate) fn paint() {
    let (bottom, _) = bounds();
    let top = (cortex_m::register::msp::read() as usize).saturating_sub(MARGIN);
    for at in (bottom..top).step_by(4) {
        // SAFETY: nothing lives between static memory and the stack.
        unsafe { (at as *mut u32).write_volatile(PAINT) };
    }
}

/// Bytes of stack that were ever in use.
pub(crate) fn high_water() -> usize {
    let (bottom, top) = bounds();
    let painted = (bottom..top).step_by(4);
    // SAFETY: memory of the stack may be read, whatever it holds.
    let used = painted.into_iter().find(|at| unsafe { (*at as *const u32).read_volatile() } != PAINT);
    used.map_or(0, |used| top - used)
}

fn bounds() -> (usize, usize) {
    let top = (&raw const _stack_start) as usize;
    (top.saturating_sub(DEPTH).max((&raw const __sheap) as usize), top)
}
