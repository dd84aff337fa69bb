//! The simulator as a whole: equal runs, crash points, bugs.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::Resilience;
use butterfly_model_check::simulate::kept::KEPT;
use butterfly_model_check::simulate::profile::{Profile, find};
use butterfly_model_check::simulate::shrink::shrink;
use butterfly_model_check::simulate::{hunt, oracles, run, run_crash_points};

fn nodes(n: usize) -> Resilience {
    Resilience::largest(n).unwrap()
}

fn profile(name: &str) -> &'static Profile {
    find(name).unwrap()
}

#[test]
fn kept_seeds_run_twice_alike_and_as_pinned() {
    let mut surprises = Vec::new();
    for kept in KEPT {
        let once = || run(kept.seed, nodes(kept.nodes), profile(kept.profile));
        let (first, second) = (once(), once());
        assert_eq!(first.violation, None, "{kept:?}");
        assert_eq!(first.digest, second.digest, "{kept:?}");
        if first.digest != kept.digest {
            surprises.push(format!("{} {} {}: 0x{:016x}", kept.seed, kept.nodes, kept.profile, first.digest));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}

#[test]
fn another_seed_is_another_run() {
    let digest = |seed| run(seed, nodes(4), profile("network")).digest;
    assert_ne!(digest(1), digest(2));
}

#[test]
fn every_crash_point_is_survived_and_lies_of_the_disk_are_not() {
    let outcome = run_crash_points(0, nodes(4), profile("process"));
    assert_eq!(outcome.violation, None);
    let images = outcome.images;
    assert!(images.total() > 10_000, "{images:?}");
    assert!(images.forgotten > 0, "whoever is lied to forgets: else these images show nothing");
    for count in [images.none, images.all, images.prefix, images.suffix, images.subset, images.tear] {
        assert!(count > 100, "{images:?}");
    }
}

#[test]
fn a_record_that_leaves_something_out_is_noticed_at_a_crash_point() {
    use butterfly_model_check::simulate::run_crash_points_mutated as run;
    let bugs = [Mutant::VoteUnrecorded, Mutant::ViewUnrecorded, Mutant::PayloadUnrecorded, Mutant::DecisionUnrecorded];
    for mutant in bugs {
        let violation = (0..3).find_map(|seed| run(seed, nodes(4), profile("process"), mutant).violation);
        assert!(violation.is_some(), "{mutant:?}");
    }
}

#[test]
fn bugs_are_noticed_within_a_few_seeds() {
    let sizes = [nodes(4), nodes(7)];
    for (mutant, property) in [
        (Mutant::SmallFastQuorum, oracles::CERTIFICATE),
        (Mutant::VoteUnrecorded, oracles::RECORD),
        (Mutant::LargeViewChangeQuorum, oracles::RECOVERY),
        (Mutant::BlameRepetition, oracles::ACCOUNTABILITY),
    ] {
        let found = hunt::hunt(mutant, &sizes, profile("chaos"), 20).unwrap_or_else(|| panic!("{mutant:?}"));
        assert_eq!(found.violation.property, property, "{mutant:?}: {found:?}");
    }
}

#[test]
fn a_failing_run_is_shrunk_to_the_faults_that_it_needs() {
    let (nodes, profile, bug) = (nodes(4), profile("process"), Some(Mutant::VoteUnrecorded));
    let failing = (0..10).find_map(|seed| shrink(seed, nodes, profile, bug)).expect("votes are forgotten");
    assert!(failing.outcome.violation.is_some());
    assert!((1..5).contains(&failing.faults.len()) && failing.before > 50, "{failing:?}");
    assert!(failing.faults.iter().any(|fault| fault.contains("crash")), "{failing:?}");
    assert!(shrink(0, nodes, profile, None).is_none(), "without the bug there is nothing to shrink");
}
