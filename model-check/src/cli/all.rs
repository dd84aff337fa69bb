//! `butterfly-check all`: what CI runs.

use std::process::ExitCode;

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_model_check::models::{Entry, Tier, models};
use butterfly_model_check::mutants::report;
use butterfly_model_check::run::Outcome;
use serde_json::json;

use super::run::{explored, row, tell};
use super::side_by_side::side_by_side;
use super::{Row, conform, liveness, mutants, status, table};

/// Every model with every engine, then conformance, liveness and mutants.
pub(crate) fn all(nightly: bool, json: bool) -> ExitCode {
    let entries: Vec<&Entry> = models().filter(|entry| nightly || entry.tier == Tier::Always).collect();
    let place = |number: usize| format!("[{}/{}] ", number + 1, entries.len());
    let explore = |number, entry: &&Entry| explored(entry, entry.engines(), &place(number));
    let outcomes: Vec<Outcome> = side_by_side(&entries, explore).into_iter().flatten().collect();
    let conformance = conform::every(nightly);
    let liveness = liveness::every(nightly);
    let mutants = mutants::every(Mutant::ALL, nightly);
    let rows: Vec<Row> = outcomes
        .iter()
        .map(row)
        .chain(conformance.iter().map(conform::row))
        .chain(liveness.iter().map(liveness::row))
        .collect();
    let missing = conform::missing(&conformance);
    let noticed = mutants.iter().all(|row| row.is_expected());
    let ok = rows.iter().all(|row| row.surprises.is_empty()) && missing.is_empty() && noticed;
    if json {
        let conformance: Vec<_> = conformance.iter().map(conform::document).collect();
        let liveness: Vec<_> = liveness.iter().map(liveness::document).collect();
        let mutants = report::document(&mutants);
        let all = json!({
            "ok": ok,
            "runs": outcomes,
            "conformance": conformance,
            "liveness": liveness,
            "mutants": mutants,
        });
        println!("{all}");
    } else {
        outcomes.iter().for_each(tell);
        conform::tell(&conformance);
        liveness::tell(&liveness);
        println!();
        table(&rows);
        println!();
        report::print(&mutants, false);
        missing.iter().for_each(|what| println!("! {what}"));
    }
    status(ok)
}
