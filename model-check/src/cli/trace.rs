//! `butterfly-check trace`.

use std::path::Path;
use std::process::ExitCode;

use butterfly_model_check::trace::{Checked, Refused, check};
use serde_json::json;

use super::status;

/// Holds a trace against the specification.
pub(crate) fn trace(path: &Path, json: bool) -> ExitCode {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("cannot read {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    let outcome = check(&text);
    if json {
        match &outcome {
            Ok(checked) => println!("{}", json!({ "ok": true, "checked": checked })),
            Err(refused) => println!("{}", json!({ "ok": false, "refused": refused })),
        }
    } else {
        tell(&outcome);
    }
    status(outcome.is_ok())
}

fn tell(outcome: &Result<Checked, Refused>) {
    match outcome {
        Ok(Checked { steps, taken, stutters, left, actions, decisions, epochs, beyond }) => {
            println!(
                " steps        {steps}: {taken} in the specification, {stutters} of which it does not speak, \
                 {left} left unchecked"
            );
            println!(" epochs       {epochs}, {beyond} of them left where they went beyond its views or values");
            actions.iter().for_each(|(action, times)| println!(" {action:<12} {times}"));
            println!(" {:<12} {decisions}", "Decide");
        }
        Err(Refused { line, rule, seen }) => println!("! line {line} breaks {rule}: {seen}"),
    }
}
