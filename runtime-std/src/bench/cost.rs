//! What a process used of the processors, as Linux counts it.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::micros;

/// Since the process began. Zero where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Microseconds of processor time.
    pub(crate) used_us: u64,
    /// Of those, in the system on its behalf; in steps of some milliseconds.
    pub(crate) system_us: u64,
    /// How often one of its threads went to sleep.
    pub(crate) sleeps: u64,
}

impl Cost {
    /// Of this process, with all its threads.
    pub(crate) fn now() -> Cost {
        let used_us = micros(processor_time());
        Cost { used_us, system_us: system_us().unwrap_or_default(), sleeps: sleeps().unwrap_or_default() }
    }

    pub(crate) fn since(self, before: Cost) -> Cost {
        Cost {
            used_us: self.used_us.saturating_sub(before.used_us),
            system_us: self.system_us.saturating_sub(before.system_us),
            sleeps: self.sleeps.saturating_sub(before.sleeps),
        }
    }
}

/// Of this process since it began.
pub(super) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Field 15 of `/proc/self/stat`, in ticks of the clock. The name in field 2
/// may contain anything, and ends with the last parenthesis.
fn system_us() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(12)?.parse().ok()?;
    Some(ticks * (1_000_000 / rustix::param::clock_ticks_per_second().max(1)))
}

fn sleeps() -> Option<u64> {
    let of_thread = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    };
    Some(fs::read_dir("/proc/self/task").ok()?.flatten().filter_map(of_thread).sum())
}
