//! How many handshakes are answered: a bucket for all, and one for each source
//! that came lately.

use super::{Moment, Patience, Source};

/// Thousandths of a handshake, so that a millisecond's share is a whole number.
const WHOLE: u64 = 1_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: u64,
    filled: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Size {
    capacity: u64,
    /// Thousandths in each millisecond: handshakes in each second.
    rate: u64,
}

impl Size {
    /// Never less than one handshake and one a second.
    const fn of(burst: u64, per_second: u64) -> Size {
        let burst = if burst == 0 { 1 } else { burst };
        Size { capacity: burst.saturating_mul(WHOLE), rate: if per_second == 0 { 1 } else { per_second } }
    }
}

impl Bucket {
    fn fill(&mut self, size: Size, now: Moment) {
        let passed = now.0.saturating_sub(self.filled.0);
        self.level = self.level.saturating_add(passed.saturating_mul(size.rate)).min(size.capacity);
        self.filled = self.filled.max(now);
    }
}

/// Remembers as many sources as there are seats. A source that is forgotten
/// starts with a full bucket of its own, but not with a full one for all.
#[derive(Clone, Debug)]
pub(super) struct Rations<const SOURCES: usize> {
    all: Bucket,
    each: [Option<(Source, Bucket)>; SOURCES],
    size_of_all: Size,
    size_of_each: Size,
}

impl<const SOURCES: usize> Rations<SOURCES> {
    pub(super) const fn new(patience: Patience) -> Self {
        // `From` is not to be had in a constant function.
        let [b0, b1] = patience.burst.to_le_bytes();
        let [r0, r1] = patience.per_second.to_le_bytes();
        let burst = u64::from_le_bytes([b0, b1, 0, 0, 0, 0, 0, 0]);
        let per_second = u64::from_le_bytes([r0, r1, 0, 0, 0, 0, 0, 0]);
        let size_of_all = Size::of(burst, per_second);
        let size_of_each = Size::of(burst >> 1, per_second >> 1);
        let all = Bucket { level: size_of_all.capacity, filled: Moment(0) };
        Rations { all, each: [None; SOURCES], size_of_all, size_of_each }
    }

    /// Takes a handshake for `source`, if there is one for it and one for all.
    pub(super) fn take(&mut self, source: Source, now: Moment) -> bool {
        self.all.fill(self.size_of_all, now);
        let (all, size) = (self.all.level.checked_sub(WHOLE), self.size_of_each);
        let Some(own) = self.bucket(source, now) else { return false };
        own.fill(size, now);
        let (Some(rest), Some(rest_of_own)) = (all, own.level.checked_sub(WHOLE)) else { return false };
        own.level = rest_of_own;
        self.all.level = rest;
        true
    }

    /// The bucket of `source`: its own, a free one, or that of whoever was
    /// away the longest.
    fn bucket(&mut self, source: Source, now: Moment) -> Option<&mut Bucket> {
        let full = Bucket { level: self.size_of_each.capacity, filled: now };
        let known = self.each.iter().position(|entry| entry.is_some_and(|(owner, _)| owner == source));
        let age = |entry: &Option<(Source, Bucket)>| entry.map(|(_, bucket)| bucket.filled);
        let oldest = self.each.iter().enumerate().min_by_key(|(_, entry)| age(entry)).map(|(at, _)| at);
        let entry = self.each.get_mut(known.or(oldest)?)?;
        if known.is_none() {
            *entry = Some((source, full));
        }
        entry.as_mut().map(|(_, bucket)| bucket)
    }
}
