//! Runs that must fail, so that those which hold mean something.

use butterfly_model_check::explore::Engine;
use butterfly_model_check::models::{Entry, Expect, find};
use butterfly_model_check::run::run;
use butterfly_model_check::world::AGREEMENT;

fn explore(entry: &Entry, engine: Engine) -> butterfly_model_check::run::Outcome {
    run(entry, engine, &mut |_| {})
}

fn story_of(model: &str) -> Vec<String> {
    let [first, second] = Engine::BOTH.map(|engine| explore(find(model).unwrap(), engine));
    let outcome = first;
    for found in [&outcome, &second] {
        assert!(found.is_expected(), "{:?}", found.surprises);
    }
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
    let honest = find("p1-single-votes-faulty-follows").unwrap();
    let entry = Entry { expect: Expect::Holds { distinct: 1, transitions: 2, depth: 3, through: &[] }, ..*honest };
    for engine in Engine::BOTH {
        let outcome = explore(&entry, engine);
        assert!(outcome.complete && outcome.violations.is_empty());
        let expected = [
            format!("distinct states: {}, pinned at 1", outcome.distinct),
            format!("transitions: {}, pinned at 2", outcome.transitions),
            format!("depth: {}, pinned at 3", outcome.depth),
        ];
        assert_eq!(outcome.surprises, expected);
    }
}

#[test]
fn a_branch_that_is_never_taken_fails_the_run() {
    let honest = find("p1-single-votes-faulty-follows").unwrap();
    let Expect::Holds { distinct, transitions, depth, .. } = honest.expect else { panic!("it should hold") };
    let through = &["join by f + 1 reports"];
    let entry = Entry { expect: Expect::Holds { distinct, transitions, depth, through }, ..*honest };
    assert_eq!(explore(&entry, Engine::Graph).surprises, ["never reached: join by f + 1 reports"]);
}
