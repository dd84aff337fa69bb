//! The command line, from outside.

use std::process::{Command, Output};

use serde_json::Value;

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_butterfly-check")).args(arguments).output().unwrap()
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn one_document_on_standard_output() {
    let output = check(&["run", "control-three-nodes", "--json"]);
    assert!(output.status.success());
    let outcome = document(&output);
    assert_eq!(outcome["model"], "control-three-nodes");
    assert_eq!(outcome["violations"][0]["property"], "Agreement");
    for number in ["distinct", "transitions", "depth", "seconds"] {
        assert!(outcome[number].is_number(), "{number}");
    }
    assert!(outcome["complete"].is_boolean());
}

#[test]
fn the_list_names_what_must_come_out() {
    let list = document(&check(&["list", "--json"]));
    let models = list["models"].as_array().unwrap();
    assert!(models.iter().any(|model| model["name"] == "p1-faulty-leads-both"));
    assert!(models.iter().all(|model| model["expect"].is_string() && model["properties"].is_array()));
}

#[test]
fn an_unknown_model_is_refused_with_the_list() {
    let output = check(&["run", "paxos"]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("`paxos`") && message.contains("p1-faulty-follows"), "{message}");
}

#[test]
fn a_seeded_bug_is_one_document_too() {
    let output = check(&["mutants", "VoteTwice", "--json"]);
    assert!(output.status.success());
    let found = document(&output);
    assert_eq!((&found["total"], &found["killed"], &found["equivalent"]), (&1.into(), &1.into(), &0.into()));
    let row = &found["rows"][0];
    assert_eq!((&row["mutant"], &row["layer"]), (&"VoteTwice".into(), &"invariant".into()));
    assert_eq!((&row["property"], &row["steps"], &row["result"]), (&"Agreement".into(), &4.into(), &"killed".into()));
    assert!(row["about"].is_string() && row["model"].is_string());
}

#[test]
fn an_unknown_bug_is_refused_with_the_list() {
    let output = check(&["mutants", "VoteNever"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("VoteTwice: "));
}

#[test]
fn a_specification_of_each_module_is_explored() {
    for (name, property, states) in [
        ("broken-three-replicas", "Agreement", 3),
        ("witness-chain-skips", "NobodySkips", 8),
        ("reached-only-fetched", "NothingOnlyFetched", 6),
    ] {
        let output = check(&["spec", name, "--json"]);
        assert!(output.status.success(), "{name}");
        let runs = &document(&output)["runs"];
        assert_eq!(runs[0]["violations"], serde_json::json!([[property, states]]), "{name}");
    }
}

#[test]
fn what_assumes_fairness_is_refused() {
    let output = check(&["spec", "chain-progress"]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("fairness") && message.contains("  chain-one-value\n"), "{message}");
    assert!(!message.contains("  chain-progress\n"), "{message}");
}
