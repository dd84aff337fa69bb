//! `butterfly-check run` and `butterfly-check explore`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use butterfly_model_check::chart;
use butterfly_model_check::explore::{Engine, Shared, stateright};
use butterfly_model_check::models::{Entry, Visit};
use butterfly_model_check::run::{Outcome, run_with};
use serde_json::json;

use super::{Meter, Row, model, refuse, status, table};

/// Explores one model.
pub(crate) fn run(name: &str, engine: Engine, views: Option<usize>, chart: Option<&Path>, json: bool) -> ExitCode {
    let entry = match model(name) {
        Ok(entry) => entry,
        Err(refused) => return refused,
    };
    let most = entry.subject.views();
    let Some(entry) = entry.with_views(views.unwrap_or(most)) else {
        let what = format!("{name} cannot have {} views", views.unwrap_or(0));
        return refuse(&what, (1..=most).map(|views| format!("--views {views}")));
    };
    let outcomes = explored(&entry, &[engine], "");
    if let (Some(path), Some(violation)) = (chart, outcomes.iter().flat_map(|outcome| &outcome.violations).next()) {
        let title = format!("{name}: {} is violated", violation.property);
        if let Err(error) = std::fs::write(path, chart::draw(&title, &violation.told)) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if chart.is_some() && outcomes.iter().all(|outcome| outcome.violations.is_empty()) {
        eprintln!("nothing to draw: no property is violated");
    }
    let expected = outcomes.iter().all(Outcome::is_expected);
    if json {
        outcomes.iter().for_each(|outcome| println!("{}", json!(outcome)));
    } else {
        outcomes.iter().for_each(tell);
        println!();
        table(&outcomes.iter().map(row).collect::<Vec<_>>());
    }
    status(expected)
}

/// Serves one model to a browser.
pub(crate) fn explore(name: &str, address: SocketAddr) -> ExitCode {
    let entry = match model(name) {
        Ok(entry) => entry,
        Err(refused) => return refused,
    };
    // The server would panic.
    if let Err(error) = std::net::TcpListener::bind(address) {
        eprintln!("cannot listen on {address}: {error}");
        return ExitCode::FAILURE;
    }
    entry.subject.visit(Serve(address));
    ExitCode::SUCCESS
}

/// Shows a world in the browser.
struct Serve(SocketAddr);

impl Visit for Serve {
    type Output = ();

    fn visit<S: Shared>(self, system: S) {
        stateright::serve(system, self.0);
    }
}

/// Runs a model and says on standard error how far it is.
pub(crate) fn explored(entry: &Entry, engines: &[Engine], place: &str) -> Vec<Outcome> {
    let mut meter: Option<(Engine, Meter)> = None;
    run_with(entry, engines, &mut |engine, states| match &mut meter {
        Some((under_way, meter)) if *under_way == engine => meter.states(states),
        _ => {
            let what = format!("{place}{} by {}", entry.name, engine.name());
            if let Some((_, before)) = meter.replace((engine, Meter::new(what))) {
                before.end();
            }
        }
    })
}

/// Prints what a model went through, or how it failed.
pub(crate) fn tell(outcome: &Outcome) {
    for violation in &outcome.violations {
        println!("{}: {} is violated in {} steps", outcome.model, violation.property, violation.steps);
        violation.story.iter().for_each(|line| println!("{line}"));
        println!();
    }
    if !outcome.through.is_empty() && outcome.violations.is_empty() {
        println!("{}: went through {}", outcome.model, outcome.through.join("; "));
    }
}

/// A model's line in the closing table.
pub(crate) fn row(outcome: &Outcome) -> Row {
    let complete = if outcome.complete { "complete, " } else { "" };
    Row {
        model: outcome.model.to_owned(),
        configuration: outcome.configuration.clone(),
        engine: outcome.engine.to_owned(),
        distinct: outcome.distinct,
        transitions: outcome.transitions,
        depth: Some(outcome.depth),
        seconds: outcome.seconds,
        result: format!("{complete}{}", outcome.result()),
        surprises: outcome.surprises.clone(),
    }
}
