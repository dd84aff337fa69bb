//! A cluster, what goes wrong in it, and what must hold all the same.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use butterfly_runtime_std::faults::{FaultKind, Severity};
use serde_json::Value;

use crate::harness::{Outcome, demo, progress, reference, verify};

/// Kinds that sign what they should not. No other may be blamed.
const MAY_BE_BLAMED: [&str; 4] = ["rollback", "copycat", "lie", "equivocate"];
/// Cases under way at once; what runs at the same time is up to the harness.
const AT_ONCE: usize = 3;

/// One demonstration with faults.
pub(crate) struct Case {
    pub(crate) nodes: usize,
    pub(crate) tokens: usize,
    /// In milliseconds.
    pub(crate) view_timeout: u32,
    /// Whose, which, from which epoch on.
    pub(crate) faults: Vec<(usize, FaultKind, u64)>,
}

impl Case {
    /// What `demo` is told.
    fn arguments(&self) -> String {
        let Case { nodes, tokens, view_timeout, .. } = self;
        let faults = self.faults.iter().map(|(node, kind, epoch)| format!(" --fault {node}:{kind}@{epoch}"));
        format!("--nodes {nodes} --tokens {tokens} --view-timeout-ms {view_timeout}{}", faults.collect::<String>())
    }

    /// Runs it, and says what is wrong, if anything.
    fn run(&self, expected: &str, further: impl Fn(&Case, &Value) -> Option<String>) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let (proof, evidence) = (folder.path().join("proof"), folder.path().join("evidence"));
        let files = format!(" --proof {} --evidence {}", proof.display(), evidence.display());
        let outcome = demo(&(self.arguments() + &files));
        let wrong = self.what_is_wrong(&outcome, expected, &proof, &evidence);
        let wrong = wrong.or_else(|| further(self, &outcome.report));
        let verdict = if wrong.is_none() { "ok" } else { "FAILED" };
        progress(&format!("{verdict:6} {:5.1} s  demo {}", outcome.took.as_secs_f64(), self.arguments()));
        wrong.map(|wrong| format!("{wrong}\n{} {}", outcome.report, outcome.errors))
    }

    fn what_is_wrong(&self, outcome: &Outcome, expected: &str, proof: &Path, evidence: &Path) -> Option<String> {
        let report = &outcome.report;
        if outcome.code != Some(0) {
            return Some(format!("it ended with code {:?}: {}", outcome.code, report["stalled"]));
        }
        if report["text"] != expected || report["matches_reference"] != true {
            return Some("the text is not that of a single machine".into());
        }
        if report["behind"] != Value::Array(Vec::new()) {
            return Some(format!("honest nodes did not reach the end: {}", report["behind"]));
        }
        let wiped = |node: &Value| self.kind_of(node).is_some_and(|kind| kind.name() == "wipe");
        if !report["learners"].as_array()?.iter().all(wiped) {
            return Some(format!("nodes lost their records that kept them: {}", report["learners"]));
        }
        let cluster = report["cluster"].as_str()?;
        match verify(proof, &["--cluster", cluster]) {
            Ok(proven) if proven["text"] == expected && proven["complete"] == true => {}
            Ok(proven) => return Some(format!("the proof is about something else: {proven}")),
            Err(refused) => return Some(format!("the proof is refused: {refused}")),
        }
        let mut blamed = report["blamed"].as_array()?.iter();
        blamed.find_map(|blame| self.what_is_wrong_with(blame, cluster, evidence))
    }

    fn what_is_wrong_with(&self, blame: &Value, cluster: &str, evidence: &Path) -> Option<String> {
        let kind = self.kind_of(&blame["node"]);
        let deserved = |kind: FaultKind| MAY_BE_BLAMED.contains(&kind.name());
        if !kind.is_some_and(deserved) {
            return Some(format!("blamed without a reason: {blame}"));
        }
        let file = evidence.join(format!("node-{}-{}.evidence", blame["node"], blame["kind"].as_str()?));
        match verify(&file, &["--cluster", cluster]) {
            Ok(proven) if (&proven["accused"], &proven["kind"]) == (&blame["node"], &blame["kind"]) => None,
            Ok(proven) => Some(format!("the evidence is about something else: {proven}")),
            Err(refused) => Some(format!("the evidence is refused: {refused}")),
        }
    }

    fn kind_of(&self, node: &Value) -> Option<FaultKind> {
        let node = usize::try_from(node.as_u64()?).ok()?;
        self.faults.iter().find(|(at, ..)| *at == node).map(|(_, kind, _)| *kind)
    }
}

/// Runs every case, shows which, and names the failing ones with the command
/// that repeats each. `further` says what else is wrong with a report.
pub(crate) fn run_all(cases: &[Case], further: impl Fn(&Case, &Value) -> Option<String> + Sync) {
    let longest = cases.iter().map(|case| case.tokens).max().unwrap();
    let text = reference(longest);
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(wrong) = case.run(&text[..case.tokens], &further) {
                let again = format!("cargo run --release -- demo {}", case.arguments());
                failed.lock().unwrap().push(format!("{again}\n{wrong}"));
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n\n"));
}

/// Kinds after which a node counts towards f, and those after which it comes back.
pub(crate) fn kinds_by_severity() -> (Vec<FaultKind>, Vec<FaultKind>) {
    FaultKind::ALL.into_iter().partition(|kind| kind.severity() != Severity::Passing)
}
