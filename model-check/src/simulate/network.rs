//! What becomes of messages between members.
//!
//! Without faults a link keeps the order of what is sent on it, as a
//! connection does, and each message takes a random time.

use super::faults::{Fault, Kind};
use super::queue::Micros;
use super::random::{Purpose, Random};
use super::tally::Tally;

/// How messages travel now.
pub(crate) struct Network {
    random: Random,
    /// Microseconds that a message takes at least and at most.
    latency: (Micros, Micros),
    members: usize,
    active: Vec<Active>,
    /// When the last message of each link arrives.
    last: Vec<Micros>,
    /// When each link was reset last: what was sent before and is still on its way is lost.
    reset: Vec<Option<Micros>>,
}

/// A fault that lasts.
struct Active {
    fault: Fault,
    /// Its own stream.
    random: Random,
    /// It hit a message.
    felt: bool,
}

/// A copy of a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) time: Micros,
    /// With what its bytes were damaged, if they were.
    pub(crate) damage: Option<u64>,
}

/// The arrivals of one message: none, one or two.
pub(crate) type Arrivals = [Option<Arrival>; 2];

/// What the faults that last do to one message.
struct Fate {
    lost: bool,
    twice: bool,
    overtakes: bool,
    later: Micros,
    not_before: Micros,
    damage: Option<u64>,
}

impl Network {
    pub(crate) fn new(seed: u64, members: usize, latency: (Micros, Micros)) -> Network {
        Network {
            random: Random::new(seed, Purpose::Network),
            latency,
            members,
            active: Vec::new(),
            last: vec![0; members * members],
            reset: vec![None; members * members],
        }
    }

    /// `fault` begins.
    pub(crate) fn begin(&mut self, seed: u64, fault: Fault) {
        let stream = Random::new(seed, Purpose::Fault(fault.number));
        if fault.kind == Kind::Reset {
            let link = self.link(fault.members.trailing_zeros() as usize, fault.member);
            self.reset[link] = Some(fault.from);
        }
        self.active.push(Active { fault, random: stream, felt: false });
    }

    /// The fault with this number is over.
    pub(crate) fn end(&mut self, number: u64) {
        self.active.retain(|active| active.fault.number != number);
    }

    fn link(&self, from: usize, to: usize) -> usize {
        from * self.members + to
    }

    /// Whether what was sent then does not arrive any more.
    pub(crate) fn is_reset(&self, from: usize, to: usize, sent: Micros) -> bool {
        self.reset[self.link(from, to)].is_some_and(|reset| sent <= reset)
    }

    /// When a message that `from` sends `to` now arrives there.
    pub(crate) fn send(&mut self, now: Micros, from: usize, to: usize, tally: &mut Tally) -> Arrivals {
        let fate = self.fate(from, to, tally);
        if fate.lost {
            return [None, None];
        }
        let link = self.link(from, to);
        let mut arrivals = [None, None];
        for arrival in arrivals.iter_mut().take(1 + usize::from(fate.twice)) {
            let (least, most) = self.latency;
            let drawn = (now + self.random.within(least..=most) + fate.later).max(fate.not_before);
            let time = if fate.overtakes { drawn } else { drawn.max(self.last[link]) };
            if fate.overtakes && time < self.last[link] {
                tally.fired(Kind::Reordering);
            }
            self.last[link] = self.last[link].max(time);
            *arrival = Some(Arrival { time, damage: fate.damage });
        }
        arrivals
    }

    fn fate(&mut self, from: usize, to: usize, tally: &mut Tally) -> Fate {
        let mut fate = Fate { lost: false, twice: false, overtakes: false, later: 0, not_before: 0, damage: None };
        for Active { fault, random, felt } in &mut self.active {
            let (from_group, to_group) = (fault.hits(from), fault.hits(to));
            let on_link = from_group && to == fault.member;
            let hit = match fault.kind {
                Kind::Loss | Kind::Duplication | Kind::Reordering | Kind::Corruption => {
                    random.in_a_thousand(fault.strength)
                }
                Kind::DelaySpike => true,
                Kind::OneWayLoss | Kind::SlowLink | Kind::ClogThenBurst => on_link,
                Kind::Partition => from_group != to_group,
                Kind::AsymmetricPartition => from_group && !to_group,
                Kind::BridgePartition => from_group != to_group && from != fault.member && to != fault.member,
                _ => false,
            };
            if !hit {
                continue;
            }
            match fault.kind {
                Kind::Duplication => fate.twice = true,
                Kind::Reordering => {
                    fate.overtakes = true;
                    fate.later += random.below(50_000);
                    // Counted when it did overtake another.
                    continue;
                }
                Kind::DelaySpike | Kind::SlowLink => fate.later += random.within(fault.strength / 2..=fault.strength),
                Kind::ClogThenBurst => fate.not_before = fate.not_before.max(fault.until),
                Kind::Corruption => fate.damage = Some(random.draw()),
                _ => fate.lost = true,
            }
            if fault.kind.is_single() || !*felt {
                tally.fired(fault.kind);
            }
            *felt = true;
        }
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: Kind, strength: u64) -> Fault {
        Fault { number: 7, kind, from: 0, until: 1_000_000, members: 0b0011, member: 2, strength }
    }

    /// Which of all pairs hear each other while `fault` lasts.
    fn heard(fault: Fault) -> Vec<(usize, usize)> {
        let mut network = Network::new(1, 4, (10, 20));
        network.begin(1, fault);
        let pairs = (0..4).flat_map(|from| (0..4).map(move |to| (from, to))).filter(|(from, to)| from != to);
        pairs.filter(|(from, to)| network.send(0, *from, *to, &mut Tally::default())[0].is_some()).collect()
    }

    #[test]
    fn partitions_cut_what_they_say() {
        let across = [(0, 2), (0, 3), (1, 2), (1, 3)];
        let back = across.map(|(from, to)| (to, from));
        let cut = |kind| {
            let heard = heard(fault(kind, 0));
            let all = (0..4).flat_map(|from| (0..4).map(move |to| (from, to))).filter(|(from, to)| from != to);
            all.filter(|pair| !heard.contains(pair)).collect::<Vec<_>>()
        };
        let both: Vec<_> = {
            let mut both = [across, back].concat();
            both.sort_unstable();
            both
        };
        assert_eq!(cut(Kind::Partition), both);
        assert_eq!(cut(Kind::AsymmetricPartition), across);
        assert_eq!(cut(Kind::BridgePartition), [(0, 3), (1, 3), (3, 0), (3, 1)]);
        assert_eq!(cut(Kind::OneWayLoss), [(0, 2), (1, 2)]);
    }

    #[test]
    fn a_link_keeps_its_order_but_for_a_fault() {
        let overtakes = |faults: &[Fault]| {
            let mut network = Network::new(1, 4, (10, 1_000));
            faults.iter().for_each(|fault| network.begin(1, fault.clone()));
            let mut tally = Tally::default();
            let times: Vec<_> = (0..100).filter_map(|now| network.send(now, 0, 1, &mut tally)[0]).collect();
            (times.windows(2).any(|pair| pair[1].time < pair[0].time), tally.of(Kind::Reordering))
        };
        assert_eq!(overtakes(&[]), (false, 0));
        let (overtook, counted) = overtakes(&[fault(Kind::Reordering, 500)]);
        assert!(overtook && counted > 0);
    }

    #[test]
    fn a_reset_loses_what_is_on_its_way() {
        let mut network = Network::new(1, 4, (10, 20));
        network.begin(1, Fault { from: 100, members: 0b0001, ..fault(Kind::Reset, 0) });
        assert!(network.is_reset(0, 2, 99) && network.is_reset(0, 2, 100));
        assert!(!network.is_reset(0, 2, 101) && !network.is_reset(2, 0, 99));
    }
}
