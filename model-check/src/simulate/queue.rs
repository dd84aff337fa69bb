//! What happens next.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Microseconds of virtual time since the run began.
pub type Micros = u64;

/// Events in order of their times; those of one time in the order in which
/// they were put in.
pub(crate) struct Queue<E> {
    waiting: BinaryHeap<Waiting<E>>,
    next: u64,
}

struct Waiting<E> {
    time: Micros,
    number: u64,
    event: E,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Queue<E> {
        Queue { waiting: BinaryHeap::new(), next: 0 }
    }

    pub(crate) fn put(&mut self, time: Micros, event: E) {
        self.waiting.push(Waiting { time, number: self.next, event });
        self.next += 1;
    }

    pub(crate) fn take(&mut self) -> Option<(Micros, E)> {
        self.waiting.pop().map(|first| (first.time, first.event))
    }
}

/// The heap gives out the greatest: the earliest is greatest here.
impl<E> Ord for Waiting<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.number).cmp(&(self.time, self.number))
    }
}

impl<E> PartialOrd for Waiting<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Waiting<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<E> Eq for Waiting<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_by_age() {
        let mut queue = Queue::new();
        for (time, name) in [(5, "c"), (3, "a"), (5, "d"), (3, "b")] {
            queue.put(time, name);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(order, [(3, "a"), (3, "b"), (5, "c"), (5, "d")]);
    }
}
