//! `butterfly-check list`.

use std::process::ExitCode;

use butterfly_model_check::models::{Entry, Expect, Tier, models};
use serde_json::{Value, json};

/// Prints every model.
pub(crate) fn list(json: bool) -> ExitCode {
    if json {
        let models: Vec<Value> = models().map(describe).collect();
        println!("{}", json!({ "models": models }));
        return ExitCode::SUCCESS;
    }
    let width = models().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in models() {
        let nightly = if entry.tier == Tier::Nightly { " (nightly)" } else { "" };
        println!("{:width$}  {}: {}{nightly}", entry.name, entry.configuration(), expected(entry));
    }
    ExitCode::SUCCESS
}

fn describe(entry: &Entry) -> Value {
    json!({
        "name": entry.name,
        "nightly": entry.tier == Tier::Nightly,
        "parameters": entry.subject.parameters(),
        "properties": entry.subject.properties(),
        "expect": expected(entry),
    })
}

fn expected(entry: &Entry) -> String {
    match entry.expect {
        Expect::Holds { distinct, .. } => format!("holds in {distinct} states"),
        Expect::Open => "holds".to_owned(),
        Expect::Violates { property, steps } => format!("{property} violated in {steps} steps"),
    }
}
