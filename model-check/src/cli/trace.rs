//! `butterfly-check trace`.

use std::path::Path;
use std::process::ExitCode;

use butterfly_model_check::simulate::trace::check::{Checked, Refused, check};
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
        Ok(checked) => {
            println!(" lines        {}", checked.lines);
            println!(
                " epochs       {}, {} of them beyond the specification's views or values",
                checked.epochs, checked.beyond
            );
            checked.actions.iter().for_each(|(action, times)| println!(" {action:<12} {times}"));
            println!(" Decide       {}", checked.decisions);
            println!(" other steps  {}", checked.stutters);
        }
        Err(Refused { line, rule, seen }) => println!("! line {line} breaks {rule}: {seen}"),
    }
}
