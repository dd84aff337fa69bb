//! The mutants, as a table and as a document.

use std::time::Instant;

use butterfly_kernel::agreement::rules::Mutant;
use serde_json::{Value, json};

use crate::models::Subject;

use super::{ALL_PROPERTIES, Fate, Layer, Row, configuration, search, table};

/// The rows, and how many there are of each kind.
pub fn document(rows: &[Row]) -> Value {
    json!({
        "ok": rows.iter().all(Row::is_expected),
        "total": counted(rows),
        "killed": number(rows, Fate::Killed),
        "equivalent": number(rows, Fate::Equivalent),
        "elsewhere": number(rows, Fate::Elsewhere),
        "skipped": number(rows, Fate::Skipped),
        "rows": rows,
    })
}

/// Prints the rows as a table, with their counterexamples if asked for.
pub fn print(rows: &[Row], with_stories: bool) {
    if with_stories {
        rows.iter().flat_map(|row| &row.story).for_each(|line| println!("{line}"));
        println!();
    }
    let wide = |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).len()).max().unwrap_or(0);
    let mutant = wide(|row| &row.mutant);
    let model = wide(|row| row.model.as_deref().unwrap_or_default());
    println!(
        "{:mutant$}  {:9}  {:model$}  {:9}  {:>5}  {:>7}  result",
        "mutant", "layer", "model", "property", "steps", "seconds"
    );
    for row in rows {
        println!(
            "{:mutant$}  {:9}  {:model$}  {:9}  {:>5}  {:>7.1}  {}",
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
    println!("{} of {} mutants killed", number(rows, Fate::Killed), counted(rows));
}

/// Prints what each configuration and layer makes of `mutant`: the property
/// that fails first, and then the others.
pub fn survey(mutant: Mutant) {
    println!("{mutant:?}: {}", mutant.about());
    for subject in table::ARENAS {
        let crashes = matches!(subject, Subject::Records { .. });
        for layer in Layer::ALL.into_iter().filter(|layer| crashes || *layer != Layer::Restart) {
            let place = format!("{}, {}", layer.name(), configuration(*subject));
            let looked_for = |properties| {
                let started = Instant::now();
                let found = search(layer, *subject, mutant, properties, &mut |_| {});
                let seconds = started.elapsed().as_secs_f64();
                match &found {
                    Some(found) => {
                        println!("  {place}: {} fails in {} steps, {seconds:.1} s", found.property, found.steps)
                    }
                    None => println!("  {place}: {} cannot fail, {seconds:.1} s", properties.join(", ")),
                }
                found.map(|found| found.property)
            };
            if let Some(first) = looked_for(ALL_PROPERTIES) {
                for property in ALL_PROPERTIES.iter().filter(|property| **property != first) {
                    looked_for(super::only(property));
                }
            }
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
