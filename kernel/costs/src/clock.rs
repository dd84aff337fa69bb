//! CPU time of this thread: what others do on the machine is not in it.

use std::time::Duration;

use cpu_time::ThreadTime;

/// The CPU time that `work` takes on this thread.
pub(crate) fn cpu_time(work: impl FnOnce()) -> Duration {
    let begin = ThreadTime::now();
    work();
    begin.elapsed()
}
