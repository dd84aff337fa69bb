//! The simulator as a whole: equal runs, crash points, bugs.

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_kernel::types::Resilience;
use butterfly_model_check::simulate::kept::KEPT;
use butterfly_model_check::simulate::profile::find;
use butterfly_model_check::simulate::shrink::shrink;
use butterfly_model_check::simulate::{Scenario, hunt, oracles, workload};

fn scenario(nodes: usize, profile: &str) -> Scenario {
    Scenario::new(Resilience::largest(nodes).unwrap(), find(profile).unwrap())
}

#[test]
fn kept_seeds_run_twice_alike_and_as_pinned() {
    let mut surprises = Vec::new();
    for kept in KEPT {
        let workload = workload::find(kept.workload).unwrap();
        let once = || Scenario { workload, ..scenario(kept.nodes, kept.profile) }.run(kept.seed);
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
    let digest = |seed| scenario(4, "network").run(seed).digest;
    assert_ne!(digest(1), digest(2));
    let long = Scenario { workload: workload::find("long").unwrap(), ..scenario(4, "network") };
    assert_ne!(digest(1), long.run(1).digest);
}

#[test]
fn every_crash_point_is_survived_and_lies_of_the_disk_are_not() {
    let outcome = scenario(4, "process").run_crash_points(0);
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
    let bugs = [Mutant::VoteUnrecorded, Mutant::ViewUnrecorded, Mutant::PayloadUnrecorded, Mutant::DecisionUnrecorded];
    for mutant in bugs {
        let violation = (0..3).find_map(|seed| scenario(4, "process").mutated(mutant).run_crash_points(seed).violation);
        assert!(violation.is_some(), "{mutant:?}");
    }
}

#[test]
fn bugs_are_noticed_within_a_few_seeds() {
    let scenarios = [scenario(4, "chaos"), scenario(7, "chaos")];
    for (mutant, property) in [
        (Mutant::SmallFastQuorum, oracles::CERTIFICATE),
        (Mutant::VoteUnrecorded, oracles::RECORD),
        (Mutant::LargeViewChangeQuorum, oracles::RECOVERY),
        (Mutant::BlameRepetition, oracles::ACCOUNTABILITY),
    ] {
        let found = hunt::hunt(mutant, &scenarios, 20).unwrap_or_else(|| panic!("{mutant:?}"));
        assert_eq!(found.violation.property, property, "{mutant:?}: {found:?}");
    }
}

#[test]
fn a_failing_run_is_shrunk_to_the_faults_that_it_needs() {
    let healthy = scenario(4, "process");
    let bug = healthy.mutated(Mutant::VoteUnrecorded);
    let failing = (0..10).find_map(|seed| shrink(seed, &bug)).expect("votes are forgotten");
    assert!(failing.outcome.violation.is_some());
    let left = failing.faults.len();
    assert!(left > 0 && left * 10 < failing.before, "{left} of {}: {:?}", failing.before, failing.faults);
    assert!(failing.faults.iter().any(|fault| fault.contains("crash")), "{failing:?}");
    assert!(shrink(0, &healthy).is_none(), "without the bug there is nothing to shrink");
}
