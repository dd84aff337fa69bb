//! Seeded bugs: the tables name each once, and what is pinned comes out.

use std::collections::BTreeMap;

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_model_check::models::{Subject, Tier};
use butterfly_model_check::mutants::table::{ELSEWHERE, EQUIVALENT, KILLED};
use butterfly_model_check::mutants::{ALL_PROPERTIES, Fate, Layer, Search, configuration, run, table};

#[test]
fn every_mutant_is_in_one_table_and_once() {
    let killed = KILLED.iter().map(|case| case.mutant);
    let others = [EQUIVALENT, ELSEWHERE].into_iter().flatten().map(|(mutant, _)| *mutant);
    let mut listed: BTreeMap<Mutant, usize> = BTreeMap::new();
    killed.chain(others).for_each(|mutant| *listed.entry(mutant).or_default() += 1);
    for mutant in Mutant::ALL {
        assert_eq!(listed.get(mutant), Some(&1), "{mutant:?}");
    }
    assert!(KILLED.len() >= 40, "only {}", KILLED.len());
}

#[test]
fn every_mutant_is_noticed_as_pinned() {
    for case in KILLED.iter().filter(|case| case.tier == Tier::Always) {
        let row = run(case.mutant, false, &mut |_| {});
        assert_eq!(row.result, Fate::Killed, "{}: {:?}", row.mutant, row.remarks);
        let numbered = |line: &&String| line.trim_start().starts_with(|first: char| first.is_ascii_digit());
        assert_eq!(row.story.iter().filter(numbered).count(), case.steps, "{}: {:?}", row.mutant, row.story);
    }
}

#[test]
fn what_notices_a_mutant_finds_nothing_without_it() {
    for case in KILLED.iter().filter(|case| case.tier == Tier::Always) {
        let found = Search { properties: ALL_PROPERTIES, ..case.search() }.run(None, &mut |_| {});
        assert!(found.failure.is_none(), "{:?}", case.mutant);
    }
}

/// Apart from acknowledgements, which leave no record.
#[test]
fn what_is_proved_to_make_no_difference_changes_no_count() {
    for subject in table::ARENAS.iter().filter(|subject| matches!(subject, Subject::Records { .. })) {
        let search = Search { layer: Layer::Invariant, subject: *subject, script: None, properties: ALL_PROPERTIES };
        if search.subject.agreement().resilience.p() == 0 && search.subject.agreement().schedule.len() > 2 {
            continue;
        }
        let healthy = search.run(None, &mut |_| {}).distinct;
        for (mutant, _) in EQUIVALENT {
            let found = search.run(Some(*mutant), &mut |_| {});
            assert!(found.failure.is_none(), "{mutant:?}");
            assert_eq!(found.distinct, healthy, "{mutant:?} in {}", configuration(*subject));
        }
    }
}
