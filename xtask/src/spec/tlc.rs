//! TLC, the checker of the authors of TLA+, written in Java.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::configurations::{Configuration, Outcome};
use super::{Checker, folder, tools};
use crate::{process, workspace};

pub(super) struct Tlc {
    jar: PathBuf,
}

impl Checker for Tlc {
    const NAME: &'static str = "TLC";

    fn reads(_: &Configuration) -> bool {
        true
    }

    fn prepare() -> Result<Self> {
        tools::java()?;
        Ok(Self { jar: tools::tlc_jar()? })
    }

    fn check(&self, configuration: &Configuration) -> Result<Outcome> {
        let scratch = workspace::target().join("spec").join(configuration.name);
        std::fs::create_dir_all(&scratch).context("cannot make TLC's scratch folder")?;
        let mut command = Command::new("java");
        command
            .current_dir(folder())
            // The standard modules are unpacked to the temporary folder.
            .arg(format!("-Djava.io.tmpdir={}", scratch.display()))
            .args(["-XX:+UseSerialGC", "-Xmx1g", "-cp"])
            .arg(&self.jar)
            .arg("tlc2.TLC")
            // One worker searches strictly breadth first, so a violation is
            // found on a shortest path.
            .args(["-workers", "1", "-fp", "0"])
            // Temporal properties are looked at once, when all states are known:
            // in between it would depend on how fast the machine is.
            .args(["-lncheck", "final"])
            // A state without successors is the end of an epoch, not an error.
            .args(["-deadlock", "-cleanup", "-metadir"])
            .arg(&scratch)
            .args(["-config", &format!("{}.cfg", configuration.name)]);
        if configuration.writes_states() {
            command.arg("-dump").arg(states_of(configuration));
        }
        command.arg(configuration.module);
        let finished = process::finish(&mut command)?;
        let Some(outcome) = outcome(&finished.stdout) else {
            bail!("TLC did not complete:\n{}", finished.tail());
        };
        Ok(outcome)
    }
}

/// Where TLC writes the states that it finds.
pub(super) fn states_of(configuration: &Configuration) -> PathBuf {
    workspace::target().join("spec").join(configuration.name).join("states.dump")
}

/// Reads TLC's report. None unless the search is complete.
fn outcome(report: &str) -> Option<Outcome> {
    if !report.contains(&format!("TLC2 Version {}", tools::TLC_VERSION)) {
        return None;
    }
    let violated = |line: &str| {
        let property =
            line.strip_prefix("Error: Invariant ").or_else(|| line.strip_prefix("Error: Action property "))?;
        Some(property.split_once(" is violated")?.0.to_owned())
    };
    if let Some(property) = report.lines().find_map(violated) {
        let length = report.lines().filter(|line| is_state(line)).count();
        return Some(Outcome::Violates { property: property.into(), length: length as u64 });
    }
    let starves = report.lines().any(|line| line == "Error: Temporal properties were violated.");
    if !starves && !report.contains("Model checking completed. No error has been found.") {
        return None;
    }
    let (states, queued) = report.lines().find_map(totals)?;
    if starves {
        return (queued == 0).then_some(Outcome::Starves { states });
    }
    let depth = report.lines().find_map(|line| {
        line.strip_prefix("The depth of the complete state graph search is ")?.strip_suffix('.')?.parse().ok()
    })?;
    (queued == 0).then_some(Outcome::Holds { states, depth })
}

/// `State 3: <Vote line 12 ...>`, a state of a counterexample.
fn is_state(line: &str) -> bool {
    line.strip_prefix("State ")
        .and_then(|rest| rest.split_once(": "))
        .is_some_and(|(number, _)| number.parse::<u64>().is_ok())
}

/// `12 states generated, 7 distinct states found, 0 states left on queue.`:
/// the distinct states and those left.
fn totals(line: &str) -> Option<(u64, u64)> {
    let (generated, rest) = line.split_once(" states generated, ")?;
    let (distinct, rest) = rest.split_once(" distinct states found, ")?;
    let (left, _) = rest.split_once(" states left on queue.")?;
    // A line of progress starts with words and does not count.
    generated.parse::<u64>().ok()?;
    Some((distinct.parse().ok()?, left.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &str = "TLC2 Version 2.15 of Day Month 20?? (rev: d5b5a7f)\n\
        Progress(11) at 17:08: 6,112 states generated (6 s/min), 529 distinct states found (5 ds/min), 143 states left on queue.\n\
        Model checking completed. No error has been found.\n\
        2259 states generated, 860 distinct states found, 0 states left on queue.\n\
        The depth of the complete state graph search is 16.\n";

    #[test]
    fn a_complete_search_holds() {
        let states = Outcome::Holds { states: 860, depth: 16 };
        assert_eq!(outcome(COMPLETE), Some(states));
    }

    #[test]
    fn a_search_that_was_cut_short_says_nothing() {
        assert_eq!(outcome(&COMPLETE.replace("completed", "stopped")), None);
        assert_eq!(outcome(&COMPLETE.replace(" 0 states", " 3 states")), None);
        assert_eq!(outcome(&COMPLETE.replace("2.15", "2.14")), None);
    }

    #[test]
    fn a_violation_counts_the_states_of_its_trace() {
        let report = "TLC2 Version 2.15 of Day Month 20?? (rev: d5b5a7f)\n\
            Error: Invariant Agreement is violated.\n\
            State 1: <Initial predicate>\n/\\ view = 0\n\
            State 2: <Vote line 1, col 5 to line 2, col 45 of module Agreement>\n\
            7 states generated, 4 distinct states found, 1 states left on queue.\n";
        let expected = Outcome::Violates { property: "Agreement".into(), length: 2 };
        assert_eq!(outcome(report), Some(expected));
    }
    #[test]
    fn what_does_not_happen_is_known_of_all_states() {
        let report = "TLC2 Version 2.15 of Day Month 20?? (rev: d5b5a7f)\n\
            Error: Temporal properties were violated.\n\
            State 1: <Initial predicate>\n/\\ view = 0\n\
            State 2: Stuttering\n\
            7 states generated, 4 distinct states found, 0 states left on queue.\n";
        assert_eq!(outcome(report), Some(Outcome::Starves { states: 4 }));
        assert_eq!(outcome(&report.replace(" 0 states", " 1 states")), None);
    }
}
