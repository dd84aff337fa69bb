//! Which faults a seed has, when, and how hard they hit.

use super::{Family, Fault, Kind};
use crate::simulate::queue::Micros;
use crate::simulate::random::{Purpose, Random};

const MILLISECOND: Micros = 1_000;

/// The faults of a run, in order of their numbers: between 0 and `end`, of
/// those of `kinds` that the seed does not switch off. Half of the kinds are
/// off in each run, so that what hides one fault behind another is off in some.
///
/// What takes more from a member than it can bear happens to `suspects` only.
pub(crate) fn draw(
    seed: u64,
    kinds: &[Kind],
    (members, suspects): (usize, &[usize]),
    end: Micros,
    gap: Micros,
) -> Vec<Fault> {
    let mut random = Random::new(seed, Purpose::Faults);
    let on: Vec<Kind> = kinds.iter().copied().filter(|_| random.in_a_thousand(500)).collect();
    let mut faults = Vec::new();
    if on.is_empty() {
        return faults;
    }
    let mut from = random.below(gap);
    while from < end {
        let kind = on[random.place(on.len())];
        let member =
            if kind.counts_towards_f() { suspects[random.place(suspects.len())] } else { random.place(members) };
        faults.push(one(&mut random, kind, faults.len(), (members, member), from, end));
        from += random.within(1..=2 * gap);
    }
    faults
}

fn one(
    random: &mut Random,
    kind: Kind,
    number: usize,
    (members, member): (usize, usize),
    from: Micros,
    end: Micros,
) -> Fault {
    let lasts = random.within(length(kind));
    let strength = random.within(strength(kind));
    Fault {
        number: u64::try_from(number).expect("a count"),
        kind,
        from,
        // Who misbehaves does so to the end, through the calm phase as well.
        until: if kind.family() == Family::Byzantine { Micros::MAX } else { (from + lasts * MILLISECOND).min(end) },
        members: group(random, kind, members, member),
        member,
        strength,
    }
}

/// How long it lasts, in milliseconds.
fn length(kind: Kind) -> std::ops::RangeInclusive<u64> {
    match kind {
        Kind::Reset => 1..=400,
        Kind::Crash => 1..=2_000,
        kind if kind.family() == Family::Disk => 20..=2_000,
        Kind::ClockJump => 1..=1,
        Kind::Pause => 5..=1_500,
        Kind::CrashLoop => 200..=2_000,
        kind if kind.family() == Family::Network => 50..=2_500,
        _ => 200..=4_000,
    }
}

/// How hard it hits: see [`Fault::strength`].
fn strength(kind: Kind) -> std::ops::RangeInclusive<u64> {
    match kind {
        // In a thousand messages.
        Kind::Loss => 10..=500,
        Kind::Duplication | Kind::Reordering => 50..=500,
        Kind::Corruption => 10..=300,
        // Microseconds.
        Kind::DelaySpike => 10_000..=400_000,
        Kind::SlowLink => 20_000..=800_000,
        Kind::SlowProcessor => 200..=8_000,
        // Milliseconds: below the middle it jumps back.
        Kind::ClockJump => 0..=6_000,
        // Percent of the time that passes.
        Kind::ClockDrift => 40..=250,
        // Outputs of its last step that a crash lets through.
        Kind::Crash | Kind::CrashLoop => 0..=6,
        // Even: to nobody.
        Kind::Silence => 0..=1,
        _ => 0..=0,
    }
}

/// Some members, at least one and not all; where one is between two groups or
/// one does not hear, it is not among them.
fn group(random: &mut Random, kind: Kind, members: usize, member: usize) -> u64 {
    let all = u64::MAX >> (64 - members);
    let outside = match kind {
        kind if kind.family() == Family::Byzantine => 1 << member,
        Kind::BridgePartition | Kind::OneWayLoss | Kind::SlowLink | Kind::ClogThenBurst | Kind::Reset => 1 << member,
        _ => 0,
    };
    match kind {
        Kind::OneWayLoss | Kind::SlowLink | Kind::ClogThenBurst | Kind::Reset => {
            let other = (member + 1 + random.place(members - 1)) % members;
            1 << other
        }
        _ => loop {
            let drawn = random.draw() & all & !outside;
            if drawn != 0 && drawn != all & !outside {
                return drawn;
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Micros = 60_000_000;

    fn drawn(seed: u64) -> Vec<Fault> {
        draw(seed, Kind::ALL, (4, &[2]), MINUTE, 300_000)
    }

    #[test]
    fn each_seed_switches_other_kinds_off_and_all_kinds_come_in_some() {
        let kinds = |seed| drawn(seed).iter().map(|fault| fault.kind).collect::<std::collections::BTreeSet<_>>();
        let each: Vec<_> = (0..40).map(kinds).collect();
        assert!(each.iter().all(|kinds| kinds.len() < Kind::ALL.len()));
        let union: std::collections::BTreeSet<_> = each.into_iter().flatten().collect();
        assert_eq!(union.len(), Kind::ALL.len());
    }

    #[test]
    fn faults_are_over_when_their_phase_is() {
        let over = |fault: &Fault| fault.until <= MINUTE || fault.kind.family() == Family::Byzantine;
        assert!((0..40).flat_map(drawn).all(|fault| fault.from < fault.until && over(&fault)));
    }

    #[test]
    fn only_suspects_lose_more_than_they_can_bear() {
        let beyond = (0..40).flat_map(drawn).filter(|fault| fault.kind.counts_towards_f());
        let hit: std::collections::BTreeSet<usize> = beyond.map(|fault| fault.member).collect();
        assert_eq!(hit, std::collections::BTreeSet::from([2]));
    }

    #[test]
    fn groups_leave_somebody_outside() {
        for fault in (0..40).flat_map(drawn) {
            assert!(fault.members != 0 && fault.members != 0b1111, "{fault:?}");
        }
    }
}
