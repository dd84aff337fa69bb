//! The mutants, as a table and as a document.

use std::time::Instant;

use butterfly_kernel::agreement::rules::Mutant;
use serde_json::{Value, json};

use crate::models::Subject;
use crate::world::AGREEMENT;

use super::{ALL_PROPERTIES, Fate, Layer, Row, Search, configuration, table};

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

/// Prints what each configuration and layer makes of `mutant`: what fails
/// first, and whether agreement fails.
pub fn survey(mutant: Mutant) {
    println!("{mutant:?}: {}", mutant.about());
    for subject in table::ARENAS {
        let restarts = matches!(subject, Subject::Records { .. });
        for layer in Layer::ALL.into_iter().filter(|layer| restarts || *layer != Layer::Restart) {
            let started = Instant::now();
            let look_for =
                |properties| Search { layer, subject: *subject, script: None, properties }.run(mutant, &mut |_| {});
            let first = look_for(ALL_PROPERTIES);
            let also = first.as_ref().filter(|first| first.property != AGREEMENT);
            let also = also.and_then(|_| look_for(super::only(AGREEMENT)));
            let found = [first, also].into_iter().flatten();
            let found: Vec<String> = found.map(|found| format!("{} in {}", found.property, found.steps)).collect();
            let found = if found.is_empty() { "survives".to_owned() } else { found.join(", ") };
            let seconds = started.elapsed().as_secs_f64();
            println!("  {:9}  {:50}  {seconds:>5.1} s  {found}", layer.name(), configuration(*subject));
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
