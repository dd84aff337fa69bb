//! Random numbers that are the same on every machine, one stream for each
//! purpose: a draw that is added to one shifts no other.

use std::ops::RangeInclusive;

/// What a stream is for. The numbers are part of what a seed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The cluster and the lengths of its phases.
    Setting,
    /// Which faults happen, when, and to whom.
    Faults,
    /// How long messages take.
    Network,
    /// What clients ask, and whom.
    Workload,
    /// What hosts draw: numbers of new lives, outputs of a step that a crash lets through.
    Hosts,
    /// What survives in the images of crash points.
    CrashPoints,
    /// What becomes of messages while this fault lasts. Each has its own, so
    /// that a run without one of them draws the same for the others.
    Fault(u64),
}

impl Purpose {
    fn number(self) -> u64 {
        match self {
            Purpose::Setting => 1,
            Purpose::Faults => 2,
            Purpose::Network => 3,
            Purpose::Workload => 4,
            Purpose::Hosts => 5,
            Purpose::CrashPoints => 6,
            Purpose::Fault(number) => 1_000 + number,
        }
    }
}

/// SplitMix64: eight bytes of state, a few instructions for each number, and
/// as good as a simulation needs.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

/// A bijection of 64 bits in which each bit of the input changes half of the output.
pub(crate) fn scramble(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Random {
    /// The stream of `seed` for `purpose`.
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Random {
        Random { state: scramble(scramble(seed).wrapping_add(purpose.number())) }
    }

    /// The next number.
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.state)
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.draw()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the upper half")
    }

    /// A place in a list of `length`, which is at least 1.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        let below = self.below(u64::try_from(length).expect("a length"));
        usize::try_from(below).expect("less than a length")
    }

    /// A number in `range`, ends included.
    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True in so many of a thousand draws.
    pub(crate) fn in_a_thousand(&mut self, times: u64) -> bool {
        self.below(1_000) < times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_split_mix() {
        let mut random = Random { state: 1_234_567 };
        let drawn: Vec<u64> = (0..3).map(|_| random.draw()).collect();
        // As others publish them for this state.
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn streams_differ() {
        let purposes =
            [Purpose::Setting, Purpose::Faults, Purpose::Network, Purpose::Workload, Purpose::Hosts, Purpose::Fault(0)];
        let firsts = (0..50).flat_map(|seed| purposes.map(|purpose| Random::new(seed, purpose).draw()));
        let distinct: std::collections::BTreeSet<u64> = firsts.collect();
        assert_eq!(distinct.len(), 50 * purposes.len());
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut random = Random::new(2, Purpose::Network);
        let drawn: std::collections::BTreeSet<u64> = (0..1_000).map(|_| random.within(3..=7)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        assert!((0..100).all(|_| !random.in_a_thousand(0) && random.in_a_thousand(1_000)));
    }
}
