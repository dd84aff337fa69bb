//! CPU time of this thread: what others do on the machine is not in it.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;

/// The CPU time that `work` takes on this thread, `depth` frames down the stack.
///
/// Where the stack happens to lie makes a tenth of difference to arithmetic
/// that spills vectors, and the system chooses that place once for each
/// process. Who measures at many depths measures the work and not the place.
pub(crate) fn cpu_time(depth: usize, work: impl FnOnce()) -> Duration {
    let mut work = Some(work);
    let mut time = Duration::ZERO;
    descend(depth, &mut || {
        if let Some(work) = work.take() {
            let begin = ThreadTime::now();
            work();
            time = begin.elapsed();
        }
    });
    time
}

/// Frames of some three hundred bytes: sixteen of them reach into every part
/// of a page, and their places in a cache line differ.
#[inline(never)]
fn descend(depth: usize, work: &mut dyn FnMut()) {
    let room = black_box([0_u8; 240]);
    match depth.checked_sub(1) {
        Some(left) => descend(left, work),
        None => work(),
    }
    black_box(room);
}
