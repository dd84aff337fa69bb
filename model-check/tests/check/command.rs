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
