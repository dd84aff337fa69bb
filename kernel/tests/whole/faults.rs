//! The table of faults: each kind on every member of four, every pair of kinds
//! in every place among seven, three at a time among ten. Whatever happens to
//! f members, the others answer as one machine would, within a bound, blame
//! nobody who is honest, and contradict nothing that they signed.
//!
//! `BUTTERFLY_TRIPLES=count` names another number of samples among ten.

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::{reference, reference_digest};
use crate::cluster::{Action, Network, Plan, World, request};

const PROMPT: [u8; 3] = [11, 22, 33];
/// One for each epoch, so that most members lead once.
const TOKENS: u16 = 6;
const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// Late evidence may still arrive for this long.
const AFTERMATH: u64 = SECOND;

/// What can go wrong with one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Stops for good.
    Crash,
    /// Stops, and goes on from its disk.
    Restart,
    /// Says nothing.
    Silent,
    /// Gives wrong results and attests to them.
    Lie,
    /// Proposes and votes differently to one peer.
    Equivocate,
    /// Hears and does nothing for three seconds.
    Pause,
    /// Stands by the wrong results of a fellow.
    CopyCat,
    /// Says old things again, its own and others'.
    Replay,
    /// Hides proposals, questions, payloads and decisions.
    Withhold,
    /// Its stages' outputs are half a second late.
    Slow,
    /// Stops, and goes on with an empty disk.
    Wipe,
    /// Stops, and goes on from an older disk.
    RollBack,
}

impl Fault {
    const ALL: [Fault; 12] = [
        Fault::Crash,
        Fault::Restart,
        Fault::Silent,
        Fault::Lie,
        Fault::Equivocate,
        Fault::Pause,
        Fault::CopyCat,
        Fault::Replay,
        Fault::Withhold,
        Fault::Slow,
        Fault::Wipe,
        Fault::RollBack,
    ];

    /// What the member sends from the beginning.
    fn behaviour(self, fellow: usize) -> Behaviour {
        match self {
            Fault::Silent => Behaviour::Silent,
            Fault::Lie => Behaviour::Lie,
            Fault::Equivocate => Behaviour::Equivocate,
            Fault::CopyCat => Behaviour::CopyCat(fellow),
            Fault::Replay => Behaviour::Replay,
            Fault::Withhold => Behaviour::Withhold,
            Fault::Slow => Behaviour::Slow,
            Fault::Crash | Fault::Restart | Fault::Pause | Fault::Wipe | Fault::RollBack => Behaviour::Honest,
        }
    }

    /// What happens to the member `now`, in the middle of the run; it is away for `rest`.
    fn strike(self, world: &mut World, member: usize, now: u64, rest: u64) {
        match self {
            Fault::Crash => world.at(now, member, Action::Crash),
            Fault::Pause => world.at(now, member, Action::Pause(now + 3 * SECOND)),
            Fault::Restart => {
                world.at(now, member, Action::Crash);
                world.at(now + rest, member, Action::Restart);
            }
            Fault::Wipe => {
                world.at(now, member, Action::Wipe);
                world.at(now + rest, member, Action::Restart);
            }
            Fault::RollBack => {
                world.at(world.now, member, Action::Snapshot);
                world.at(now, member, Action::Crash);
                world.at(now + rest, member, Action::RollBack);
            }
            _ => {}
        }
    }

    /// The member does as the protocol says, is there in the end, and so must finish.
    fn finishes(self) -> bool {
        matches!(self, Fault::Restart | Fault::Pause | Fault::Slow | Fault::Wipe | Fault::RollBack)
    }

    /// The member may sign statements that contradict each other, or the truth.
    fn is_guilty(self) -> bool {
        matches!(self, Fault::Lie | Fault::Equivocate | Fault::CopyCat | Fault::RollBack)
    }
}

/// One run; says how much time it took, in microseconds.
fn run(n: usize, faults: &[(Fault, usize)], seed: u64, bound: u64) -> u64 {
    let mut rng = fastrand::Rng::with_seed(seed);
    let plan = Plan { stages: 3, tokens_per_epoch: 1, ..Plan::of(n) };
    let mut world = World::with(plan.cluster(), seed, Network { delay: (80, 400), ..Network::CALM });
    for (at, (fault, member)) in faults.iter().enumerate() {
        let fellow = faults[(at + 1) % faults.len()].1;
        let fellow = if fellow == *member { (member + 1) % n } else { fellow };
        world.behave(*member, fault.behaviour(fellow));
    }
    let healthy = |member: &usize| faults.iter().all(|(_, faulty)| faulty != member);
    let asked = request(&world.cluster, 1, &PROMPT, TOKENS);
    world.submit((0..n).find(healthy).unwrap(), asked.clone());
    // What happens once happens in the middle of one of the first epochs.
    let epoch = rng.u64(0..3);
    let under_way = world.run(bound, |world| (0..n).any(|member| world.head(member) >= epoch));
    assert!(under_way, "{faults:?}, seed {seed}: epoch {epoch} is not decided");
    let mut struck = world.now;
    for (fault, member) in faults {
        let now = world.now + rng.u64(0..2 * MILLISECOND);
        struck = struck.max(now);
        let rest = if rng.bool() { rng.u64(1..MILLISECOND) } else { rng.u64(1..SECOND) };
        fault.strike(&mut world, *member, now, rest);
    }
    let finishing = |member: &usize| faults.iter().all(|(fault, faulty)| faulty != member || fault.finishes());
    let members: Vec<usize> = (0..n).filter(finishing).collect();
    let done = world.run(bound, |world| world.now > struck && world.finished(&members, 0, 1));
    let heads: Vec<u64> = (0..n).map(|member| world.head(member)).collect();
    assert!(done, "{faults:?}, seed {seed}: not done after {} us, heads {heads:?}", world.now);
    let time = world.now;
    world.run(time + AFTERMATH, |_| false);
    world.assert_agreement();
    let computed = Some(reference_digest(&world.cluster, &asked));
    for member in members {
        let state = world.node(member).head().state();
        assert_eq!(state.computed, computed, "{faults:?}, seed {seed}: what {member} holds is wrong");
    }
    assert_eq!(world.text(), reference(3, &PROMPT, usize::from(TOKENS)), "{faults:?}, seed {seed}");
    for (accused, reason) in world.accused() {
        let guilty = faults.iter().any(|(fault, member)| *member == accused && fault.is_guilty());
        assert!(guilty, "{faults:?}, seed {seed}: {accused} is blamed for {reason}");
    }
    time
}

#[test]
fn each_kind_on_every_member_of_four() {
    for fault in Fault::ALL {
        let times = (0..4).flat_map(|member| (0..8).map(move |seed| run(4, &[(fault, member)], seed, 60 * SECOND)));
        println!("{fault:?}: at most {} ms", times.max().unwrap() / MILLISECOND);
    }
}

/// `first` with itself and with every kind behind it, in every place.
fn pairs_with(first: Fault) {
    let from = Fault::ALL.iter().position(|fault| *fault == first).unwrap();
    for second in &Fault::ALL[from..] {
        let mut slowest = (0, 0, 0);
        let mut count = 0;
        for one in 0..7 {
            for other in 0..7 {
                if one == other || first == *second && other < one {
                    continue;
                }
                let seed = (one * 7 + other) as u64;
                let time = run(7, &[(first, one), (*second, other)], seed, 120 * SECOND);
                slowest = slowest.max((time, one, other));
                count += 1;
            }
        }
        println!("{first:?} and {second:?}: {count} placements, at most {} ms {:?}", slowest.0 / MILLISECOND, slowest);
    }
}

macro_rules! pairs {
    ($($name:ident: $first:ident,)*) => {
        $(#[test] fn $name() { pairs_with(Fault::$first); })*
    };
}

pairs! {
    a_crash_and_another_fault_among_seven: Crash,
    a_restart_and_another_fault_among_seven: Restart,
    a_silent_member_and_another_fault_among_seven: Silent,
    a_lie_and_another_fault_among_seven: Lie,
    an_equivocation_and_another_fault_among_seven: Equivocate,
    a_pause_and_another_fault_among_seven: Pause,
    a_copy_cat_and_another_fault_among_seven: CopyCat,
    a_replay_and_another_fault_among_seven: Replay,
    a_withholding_member_and_another_fault_among_seven: Withhold,
    a_slow_member_and_another_fault_among_seven: Slow,
    a_wiped_member_and_another_fault_among_seven: Wipe,
    two_members_rolled_back_among_seven: RollBack,
}

#[test]
fn three_kinds_mixed_among_ten() {
    let samples = std::env::var("BUTTERFLY_TRIPLES").map_or(60, |count| count.parse().expect("a number"));
    let mut slowest = 0;
    for seed in 0..samples {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x0074_7269_706c_6573);
        let mut members: Vec<usize> = (0..10).collect();
        rng.shuffle(&mut members);
        let faults: Vec<_> = members[..3].iter().map(|member| (Fault::ALL[rng.usize(..12)], *member)).collect();
        let time = run(10, &faults, seed, 240 * SECOND);
        slowest = slowest.max(time);
    }
    println!("{samples} samples, at most {} ms", slowest / MILLISECOND);
}
