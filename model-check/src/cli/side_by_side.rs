//! Independent tasks, on as many threads as there are processors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

/// As the main thread has it.
const STACK: usize = 8 * 1024 * 1024;

/// What `work` makes of each of `items` and its place, in their order.
pub(crate) fn side_by_side<I: Sync, R: Send>(items: &[I], work: impl Fn(usize, &I) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let take = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return };
            let result = work(place, item);
            done.lock().expect("nobody panics while it is held").push((place, result));
        }
    };
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            Builder::new().stack_size(STACK).spawn_scoped(scope, take).expect("a thread can be started");
        }
    });
    let mut done = done.into_inner().expect("nobody panicked");
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}
