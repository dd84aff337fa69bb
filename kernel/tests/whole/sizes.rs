//! Every size of a cluster, with every f and p that the bounds allow: without
//! faults and with p silent members decisions are fast, with more, up to f,
//! they are slow.

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::{reference, reference_digest};
use crate::cluster::{Network, Plan, World, request};
use butterfly_kernel::message::Kind;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::{MAX_VOTERS, Resilience};

const PROMPT: [u8; 2] = [5, 6];
const STAGES: u8 = 2;
const TOKENS: u16 = 4;
/// Two tokens each.
const EPOCHS: u64 = 2;
const SECOND: u64 = 1_000_000;

/// A request beside `silent` silent members that lead none of its epochs.
fn answer(resilience: Resilience, silent: usize) -> World {
    let n = resilience.n();
    let plan = Plan { resilience, stages: STAGES, tokens_per_epoch: 2, ..Plan::of(n) };
    let mut world = World::with(plan.cluster(), n as u64, Network::CALM);
    // Members 1 and 2 lead the first two epochs.
    (n - silent..n).for_each(|member| world.behave(member, Behaviour::Silent));
    assert!(n - silent > 2, "{resilience:?}");
    let honest: Vec<usize> = world.honest().collect();
    let asked = request(&world.cluster, 1, &PROMPT, TOKENS);
    world.submit(0, asked.clone());
    assert!(world.run(60 * SECOND, |world| world.finished(&honest, 0, 1)), "{resilience:?}, {silent} silent");
    world.assert_agreement();
    assert_eq!(world.text(), reference(STAGES, &PROMPT, usize::from(TOKENS)), "{resilience:?}");
    for member in honest {
        let state = world.node(member).head().state();
        assert_eq!(state.computed, Some(reference_digest(&world.cluster, &asked)), "{resilience:?}");
    }
    assert_eq!(world.first_transmissions(Kind::ViewChange), 0, "{resilience:?}, {silent} silent");
    assert!(world.accused().is_empty());
    world
}

/// How each epoch was decided, as members saw it that did not catch up.
fn paths(world: &World) -> Vec<Path> {
    let commits = world.honest().flat_map(|member| &world.members[member].commits);
    commits.filter(|commit| !commit.tokens.is_empty()).map(|commit| commit.path).collect()
}

fn all_resiliences(sizes: std::ops::RangeInclusive<usize>) -> impl Iterator<Item = Resilience> {
    sizes.flat_map(|n| (0..n).flat_map(move |f| (0..n).filter_map(move |p| Resilience::new(n, f, p).ok())))
}

fn every_f_and_p(sizes: std::ops::RangeInclusive<usize>) {
    let mut count = [0; 3];
    for resilience in all_resiliences(sizes) {
        let (n, f, p) = (resilience.n() as u64, resilience.f(), resilience.p());
        let world = answer(resilience, 0);
        assert!(paths(&world).iter().all(|path| *path == Path::Fast), "{resilience:?}");
        assert_eq!(world.first_transmissions(Kind::Propose), EPOCHS * (n - 1), "{resilience:?}");
        assert_eq!(world.first_transmissions(Kind::Vote), EPOCHS * n * (n - 1), "{resilience:?}");
        let commits = world.first_transmissions(Kind::Commit);
        assert!(commits == 0 || resilience.slow_path() && commits <= EPOCHS * n * (n - 1), "{resilience:?}");
        count[0] += 1;
        // p beyond f is a faster path, not more faults.
        let survived = p.min(f);
        if survived > 0 {
            let world = answer(resilience, survived);
            assert!(paths(&world).iter().all(|path| *path == Path::Fast), "{resilience:?}, {survived} silent");
            count[1] += 1;
        }
        if p < f {
            let world = answer(resilience, p + 1);
            let paths = paths(&world);
            assert!(!paths.is_empty() && paths.iter().all(|path| *path == Path::Slow), "{resilience:?}: {paths:?}");
            assert!(world.first_transmissions(Kind::Commit) > 0);
            count[2] += 1;
        }
    }
    println!(
        "{} without faults, {} with as many silent as the fast path survives, {} with one more",
        count[0], count[1], count[2]
    );
}

#[test]
fn four_to_eleven_members_with_every_f_and_p() {
    every_f_and_p(4..=11);
}

#[test]
fn twelve_to_fourteen_members_with_every_f_and_p() {
    every_f_and_p(12..=14);
}

#[test]
fn fifteen_and_sixteen_members_with_every_f_and_p() {
    every_f_and_p(15..=MAX_VOTERS);
}
