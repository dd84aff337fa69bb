//! The mutants, as a table and as a document.

use butterfly_kernel::agreement::rules::Mutant;
use serde_json::{Value, json};

use crate::models::Subject;
use crate::world::AGREEMENT;

use super::{Failure, Fate, Layer, Row, Search, table};

/// The rows, and how many there are of each kind.
pub fn document(rows: &[Row]) -> Value {
    json!({
        "ok": rows.iter().all(Row::is_expected),
        "total": counted(rows),
        "killed": number(rows, Fate::Killed),
        "equivalent": number(rows, Fate::Equivalent),
        "skipped": number(rows, Fate::Skipped),
        "rows": rows,
    })
}

/// Prints the rows as a table, with their counterexamples if asked for. Those
/// that are not counted come last, with the reason.
pub fn print(rows: &[Row], with_stories: bool) {
    if with_stories {
        rows.iter().flat_map(|row| &row.story).for_each(|line| println!("{line}"));
        println!();
    }
    let wide = |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).len()).max().unwrap_or(0);
    let mutant = wide(|row| &row.mutant);
    let model = wide(|row| row.model.as_deref().unwrap_or_default());
    println!(
        "{:mutant$}  {:12}  {:model$}  {:12}  {:>5}  {:>7}  result",
        "mutant", "layer", "model", "property", "steps", "seconds"
    );
    let (tried, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.layer.is_some());
    for row in tried {
        println!(
            "{:mutant$}  {:12}  {:model$}  {:12}  {:>5}  {:>7.1}  {}",
            row.mutant,
            row.layer.map_or("", Layer::name),
            row.model.as_deref().unwrap_or_default(),
            row.property.unwrap_or_default(),
            row.steps.map(|steps| steps.to_string()).unwrap_or_default(),
            row.seconds,
            row.result.name()
        );
        row.remarks.iter().for_each(|remark| println!("{:mutant$}  ! {remark}", ""));
    }
    println!();
    for row in others {
        println!("{:mutant$}  {:10}  {}", row.mutant, row.result.name(), row.remarks.join("; "));
    }
    println!();
    println!("{} of {} mutants killed", number(rows, Fate::Killed), counted(rows));
}

/// Prints what each configuration and layer makes of `mutant`: what fails
/// first, and whether agreement fails. Where nothing does, whether there are as
/// many states as without it. In the configurations of `module` only, if one is
/// given.
pub fn survey(mutant: Mutant, module: Option<&str>) {
    println!("{mutant:?}: {}", mutant.about());
    for subject in table::ARENAS.iter().filter(|subject| module.is_none_or(|module| subject.module() == module)) {
        let layers: &[Layer] = match subject {
            Subject::Receivers { .. } => &[Layer::Invariant],
            Subject::Records { .. } => &Layer::ALL,
            Subject::Chain(_) | Subject::Inference(_) => {
                &[Layer::Invariant, Layer::Restart, Layer::Refinement, Layer::Completeness]
            }
        };
        for layer in layers {
            println!("  {:12}  {:50}  {}", layer.name(), subject.configuration(), verdict(mutant, *layer, *subject));
        }
    }
}

fn verdict(mutant: Mutant, layer: Layer, subject: Subject) -> String {
    let look_for = |mutant, property| Search { layer, subject, script: None, property }.run(mutant, &mut |_| {});
    let found = look_for(Some(mutant), None);
    let say = |failure: &Failure| format!("{} fails in {} steps", failure.property, failure.steps);
    match found.failure {
        // Conformance and liveness look for one thing only, and on one part of
        // a run what is wrong shows long before two values are decided.
        Some(first)
            if first.property == AGREEMENT
                || !matches!(layer, Layer::Invariant | Layer::Restart)
                || subject.module() == "Inference" =>
        {
            say(&first)
        }
        Some(first) => match look_for(Some(mutant), Some(AGREEMENT)).failure {
            Some(second) => format!("{}, {}", say(&first), say(&second)),
            None => say(&first),
        },
        None => {
            let healthy = look_for(None, None).distinct;
            format!("survives: {} states, {healthy} without it", found.distinct)
        }
    }
}

/// Those that must be noticed.
fn counted(rows: &[Row]) -> usize {
    number(rows, Fate::Killed) + number(rows, Fate::Survived)
}

fn number(rows: &[Row], fate: Fate) -> usize {
    rows.iter().filter(|row| row.result == fate).count()
}
