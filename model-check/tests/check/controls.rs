//! Runs that must fail, so that those which hold mean something.

use butterfly_kernel::types::Resilience;
use butterfly_model_check::models::{Entry, Expect, Tier, find};
use butterfly_model_check::run::run;
use butterfly_model_check::world::AGREEMENT;
use butterfly_model_check::world::setting::{Delivery, Reports};

fn story_of(model: &str) -> Vec<String> {
    let outcome = run(find(model).unwrap());
    assert!(outcome.is_expected(), "{:?}", outcome.surprises);
    let violation = &outcome.violations[0];
    assert_eq!(violation.property, AGREEMENT);
    let numbered = |line: &&String| line.trim_start().starts_with(|first: char| first.is_ascii_digit());
    assert_eq!(violation.story.iter().filter(numbered).count(), violation.steps);
    violation.story.clone()
}

#[test]
fn without_the_exclusion_of_an_equivocating_leader_two_values_are_decided() {
    let story = story_of("mutant-keep-equivocator").join("\n");
    for value in ["votes for value 0 in view 0 exist", "votes for value 1 in view 1 exist"] {
        assert!(story.contains(value), "{story}");
    }
}

#[test]
fn three_nodes_cannot_tolerate_a_fault() {
    story_of("control-three-nodes");
}

#[test]
fn a_changed_count_is_named_with_the_pinned_one() {
    static ENTRY: Entry = Entry {
        name: "wrong-pin",
        tier: Tier::Always,
        resilience: Resilience::outside_the_bounds(4, 1, 1),
        schedule: &[0],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds { distinct: 1, transitions: 2, depth: 3, through: &[] },
    };
    let outcome = run(&ENTRY);
    assert!(outcome.complete && outcome.violations.is_empty());
    let expected = [
        format!("distinct states: {}, pinned at 1", outcome.distinct),
        format!("transitions: {}, pinned at 2", outcome.transitions),
        format!("depth: {}, pinned at 3", outcome.depth),
    ];
    assert_eq!(outcome.surprises, expected);
}

#[test]
fn a_branch_that_is_never_taken_fails_the_run() {
    use butterfly_model_check::world::replica::Witness;

    static ENTRY: Entry = Entry {
        name: "one-view",
        tier: Tier::Always,
        resilience: Resilience::outside_the_bounds(4, 1, 1),
        schedule: &[0],
        delivery: Delivery::Quorum,
        reports: Reports::Single,
        mutant: None,
        expect: Expect::Holds { distinct: 0, transitions: 0, depth: 0, through: &[Witness::Joined] },
    };
    let surprises = run(&ENTRY).surprises;
    assert!(surprises.iter().any(|surprise| surprise == "never reached: join by f + 1 reports"), "{surprises:?}");
}
