//! Seeded bugs: the tables name each once, and what is pinned comes out.

use std::collections::BTreeMap;

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_model_check::models::{Subject, Tier};
use butterfly_model_check::mutants::table::{EQUIVALENT, KILLED};
use butterfly_model_check::mutants::{Case, Fate, Layer, Search, run, table};

#[test]
fn every_mutant_is_in_one_table_and_once() {
    let killed = KILLED.iter().map(|case| case.mutant);
    let others = EQUIVALENT.iter().map(|(mutant, _)| *mutant);
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

/// The page is for people; what it says is the table's.
#[test]
fn the_page_has_a_line_for_every_mutant() {
    let page = include_str!("../../MUTANTS.md");
    for case in KILLED {
        let (mutant, layer) = (case.mutant, case.layer.name());
        let script = if case.script.is_some() { ", by a script" } else { "" };
        let place = case.killed_in.configuration() + script;
        let line =
            format!("| `{mutant:?}` | {} | {layer} | {place} | {} | {} |", mutant.about(), case.property, case.steps);
        assert!(page.contains(&line), "MUTANTS.md lacks: {line}");
    }
    for (mutant, proof) in EQUIVALENT {
        assert!(page.contains(&format!("- `{mutant:?}`: {} {proof}", mutant.about())), "MUTANTS.md lacks {mutant:?}");
    }
    assert!(page.contains(&format!("{0} of {0} are killed", KILLED.len())));
}

#[test]
fn what_notices_a_mutant_finds_nothing_without_it() {
    for case in KILLED.iter().filter(|case| case.tier == Tier::Always) {
        let found = Search { property: None, ..case.search() }.run(None, &mut |_| {});
        assert!(found.failure.is_none(), "{:?}", case.mutant);
    }
}

/// A record that lacks something does no harm until somebody goes on from it.
#[test]
fn what_a_record_lacks_shows_in_restarts_alone() {
    let from_disk = |case: &&Case| case.layer == Layer::Restart && matches!(case.killed_in, Subject::Chain(_));
    let cases: Vec<&Case> = KILLED.iter().filter(from_disk).collect();
    assert!(cases.len() >= 2);
    for case in cases {
        let without = Search { layer: Layer::Invariant, ..case.search() };
        assert!(without.run(Some(case.mutant), &mut |_| {}).failure.is_none(), "{:?}", case.mutant);
    }
}

/// Apart from acknowledgements, which leave no record.
#[test]
fn what_is_proved_to_make_no_difference_changes_no_count() {
    for subject in table::ARENAS {
        let Subject::Records { agreement, .. } = subject else { continue };
        if agreement.resilience.p() == 0 && agreement.schedule.len() > 2 {
            continue;
        }
        let search = Search { layer: Layer::Invariant, subject: *subject, script: None, property: None };
        let healthy = search.run(None, &mut |_| {}).distinct;
        for (mutant, _) in EQUIVALENT {
            let found = search.run(Some(*mutant), &mut |_| {});
            assert!(found.failure.is_none(), "{mutant:?}");
            assert_eq!(found.distinct, healthy, "{mutant:?} in {}", subject.configuration());
        }
    }
}
