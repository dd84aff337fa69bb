//! tla-checker, an independent checker written in Rust.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::configurations::{Configuration, Outcome};
use super::{Checker, folder, tools};
use crate::process;

/// Far above every configuration. The defaults, a million states and a depth of
/// 100, would be met sooner or later.
const LIMIT: &str = "1000000000";

pub(super) struct TlaChecker {
    program: PathBuf,
}

impl Checker for TlaChecker {
    const NAME: &'static str = "tla-checker";

    /// It does not know fairness, and what must happen under it.
    fn reads(configuration: &Configuration) -> bool {
        !configuration.temporal
    }

    fn prepare() -> Result<Self> {
        Ok(Self { program: tools::tla_checker()? })
    }

    fn check(&self, configuration: &Configuration) -> Result<Outcome> {
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder())
            .arg(format!("{}.tla", configuration.module))
            .arg("--config")
            .arg(format!("{}.cfg", configuration.name))
            .args(["--max-states", LIMIT, "--max-depth", LIMIT])
            .args(["--allow-deadlock", "--json"]);
        let finished = process::finish(&mut command)?;
        outcome(&finished.stdout).map_err(|error| anyhow!("{error:#}\n{}", finished.tail()))
    }
}

/// Reads the JSON document, which is the last line of the output.
fn outcome(output: &str) -> Result<Outcome> {
    let line = output.lines().last().unwrap_or_default();
    let report: Value = serde_json::from_str(line).context("tla-checker printed no report")?;
    let number = |key: &str| {
        let number = report["stats"][key].as_u64();
        number.with_context(|| format!("tla-checker reported no {key}"))
    };
    match report["status"].as_str() {
        Some("ok") => Ok(Outcome::Holds { states: number("states_explored")?, depth: number("max_depth")? }),
        Some(violation @ ("invariant_violation" | "property_violation")) => {
            let key = match violation {
                "invariant_violation" => "invariant_name",
                _ => "property",
            };
            let property = report[key].as_str().context("no property")?;
            let trace = report["trace"].as_array().context("no trace")?;
            Ok(Outcome::Violates { property: property.to_owned().into(), length: trace.len() as u64 })
        }
        Some(limit) if limit.ends_with("_exceeded") => {
            bail!("tla-checker stopped at a limit ({limit}), so nothing is known of the rest")
        }
        status => bail!("tla-checker did not complete: {status:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_search_holds() {
        let output = "Checking spec\n\n{\"status\": \"ok\", \"stats\": {\"states_explored\": 860, \
                      \"transitions\": 2258, \"max_depth\": 16, \"elapsed_secs\": 0.9}}\n";
        let expected = Outcome::Holds { states: 860, depth: 16 };
        assert_eq!(outcome(output).unwrap(), expected);
    }

    #[test]
    fn a_violation_counts_the_states_of_its_trace() {
        let output = "{\"status\": \"invariant_violation\", \"invariant_name\": \"Agreement\", \
                      \"trace\": [{}, {}, {}], \"stats\": {}}";
        let expected = Outcome::Violates { property: "Agreement".into(), length: 3 };
        assert_eq!(outcome(output).unwrap(), expected);
    }

    #[test]
    fn a_limit_is_an_error() {
        let output = "{\"status\": \"max_states_exceeded\", \"stats\": {\"states_explored\": 51}}";
        assert!(outcome(output).unwrap_err().to_string().contains("limit"));
        assert!(outcome("").is_err());
    }
}
