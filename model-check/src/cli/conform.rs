//! `butterfly-check conform`.

use std::process::ExitCode;

use butterfly_model_check::conform::agreement::{EXEMPTION, from_receivers, from_records};
use butterfly_model_check::conform::{self, Conformance};
use butterfly_model_check::models::{Entry, Expect, Subject, Tier, models};
use butterfly_model_check::world::World;
use serde_json::{Value, json};

use super::side_by_side::side_by_side;
use super::{Meter, Row, model, status, table};

/// A model that was held against the specification.
pub(crate) struct Held {
    entry: &'static Entry,
    found: Conformance,
    seconds: f64,
}

/// The command.
pub(crate) fn conform(names: &[String], nightly: bool, json: bool) -> ExitCode {
    let mut entries = Vec::new();
    for name in names {
        match model(name) {
            Ok(entry) => entries.push(entry),
            Err(refused) => return refused,
        }
    }
    let held = if names.is_empty() { every(nightly) } else { hold(&entries) };
    // Some models alone need not go through everything.
    let missing = if names.is_empty() { missing(&held) } else { Vec::new() };
    let ok = held.iter().all(|held| held.found.departure.is_none()) && missing.is_empty();
    if json {
        let runs: Vec<Value> = held.iter().map(document).collect();
        println!("{}", json!({ "ok": ok, "exemption": EXEMPTION, "missing": missing, "runs": runs }));
    } else {
        tell(&held);
        println!();
        table(&held.iter().map(row).collect::<Vec<_>>());
        missing.iter().for_each(|what| println!("! {what}"));
    }
    status(ok)
}

/// Every model that is small enough.
pub(crate) fn every(nightly: bool) -> Vec<Held> {
    let chosen = |entry: &&Entry| {
        let shipped = matches!(entry.expect, Expect::Holds { .. });
        let large = matches!(entry.subject, Subject::Receivers { .. }) && entry.size() > 1_000_000;
        shipped && (nightly || entry.tier == Tier::Always && !large)
    };
    hold(&models().filter(chosen).collect::<Vec<_>>())
}

fn hold(entries: &[&'static Entry]) -> Vec<Held> {
    side_by_side(entries, |number, entry| {
        let place = format!("[{}/{}] ", number + 1, entries.len());
        let mut meter = Meter::new(format!("{place}{} against the specification", entry.name));
        let progress = &mut |states| meter.states(states);
        let found = match entry.subject {
            Subject::Receivers { agreement, delivery, reports } => {
                from_receivers(&World::new(agreement.parameters(delivery, reports)), progress)
            }
            Subject::Records { agreement, options } => from_records(agreement.setting(), options, progress),
            Subject::Chain(parameters) => conform::chain::check(parameters, progress),
            Subject::Inference(parameters) => conform::inference::check(parameters, progress),
        };
        Held { entry, found, seconds: meter.end() }
    })
}

/// What no model went through: a check of nothing passes.
pub(crate) fn missing(held: &[Held]) -> Vec<String> {
    let mut missing = Vec::new();
    let modules = [
        ("Agreement", conform::agreement::ACTIONS),
        ("Chain", conform::chain::ACTIONS),
        ("Inference", conform::inference::ACTIONS),
    ];
    for (module, actions) in modules {
        let of_module = || held.iter().filter(|held| held.entry.subject.module() == module);
        let taken = |action: &str| of_module().any(|held| held.found.actions.contains_key(action));
        let never = actions.iter().filter(|action| !taken(action));
        missing.extend(never.map(|action| format!("the kernel never takes {action} of {module}.tla")));
    }
    if held.iter().all(|held| held.found.exempt == 0) {
        missing.push("the exemption is never needed: take it away".to_owned());
    }
    if held.iter().all(|held| held.found.questions == 0) {
        missing.push("no question of a faulty leader was put".to_owned());
    }
    missing
}

/// Prints where a model leaves the specification, and what was exempt.
pub(crate) fn tell(held: &[Held]) {
    for Held { entry, found, .. } in held {
        if let Some(departure) = &found.departure {
            println!("{}: {:?} fails: {}", entry.name, departure.direction, departure.step);
            departure.story.iter().for_each(|line| println!("{line}"));
            println!();
        }
    }
    let exempt: usize = held.iter().map(|held| held.found.exempt).sum();
    if exempt > 0 {
        println!("exempt from completeness, {exempt} steps: {EXEMPTION}");
    }
}

/// A model's line in the closing table.
pub(crate) fn row(Held { entry, found, seconds }: &Held) -> Row {
    let direction = match entry.subject {
        Subject::Receivers { .. } => "refines",
        Subject::Records { .. } | Subject::Chain(_) | Subject::Inference(_) => "refines, and is refined",
    };
    let departure = found.departure.as_ref();
    Row {
        model: entry.name.to_owned(),
        configuration: entry.configuration(),
        engine: "specification".to_owned(),
        distinct: found.states,
        transitions: found.transitions,
        depth: None,
        seconds: *seconds,
        result: departure.map_or(direction.to_owned(), |_| "NOT AS EXPECTED".to_owned()),
        surprises: departure.iter().map(|gone| format!("{:?}: {}", gone.direction, gone.step)).collect(),
    }
}

/// A model's part of the document.
pub(crate) fn document(Held { entry, found, seconds }: &Held) -> Value {
    json!({ "model": entry.name, "configuration": entry.configuration(), "seconds": seconds, "found": found })
}
