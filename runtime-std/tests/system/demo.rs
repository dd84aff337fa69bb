//! Clusters of real processes: the fast path, its counts, and stopping.

use crate::harness::{butterfly, demo, progress, reference};
use serde_json::Value;

fn epochs(report: &Value) -> &Vec<Value> {
    report["epochs"].as_array().unwrap()
}

#[test]
fn without_faults_every_epoch_is_fast_with_no_message_too_many() {
    let outcome = demo("--tokens 32");
    let report = &outcome.report;
    assert_eq!(outcome.code, Some(0), "{report} {}", outcome.errors);
    assert_eq!(report["ok"], true);
    assert_eq!(report["text"], reference(32));
    assert_eq!((&report["epochs_committed"], &report["fast"]), (&8.into(), &8.into()));
    assert_eq!((&report["slow"], &report["view_changes"]), (&0.into(), &0.into()));
    // n - 1 proposals and n (n - 1) votes in each of the 8 epochs.
    assert_eq!(report["messages"]["propose"]["first"], 8 * 3);
    assert_eq!(report["messages"]["vote"]["first"], 8 * 12);
    // Two of the three that reach a node are enough.
    let unread = report["messages"]["vote"]["unread"].as_u64();
    assert!(unread.is_some_and(|votes| votes > 0), "{report}");
    assert_eq!(report["blamed"], Value::Array(Vec::new()));
    assert_eq!(report["behind"], Value::Array(Vec::new()));
}

#[test]
fn one_silent_node_slows_down_no_epoch_that_it_does_not_lead() {
    let outcome = demo("--tokens 16 --fault 3:silent");
    assert_eq!(outcome.code, Some(0), "{} {}", outcome.report, outcome.errors);
    for epoch in epochs(&outcome.report) {
        let fast = epoch["view"] == 0 && epoch["path"] == "fast";
        assert_eq!(fast, epoch["leader"] != 3, "{epoch}");
    }
}

/// In larger clusters a slow quorum is smaller than a fast one. On a machine
/// with other things to do, its commits may overtake the last vote that a fast
/// decision needs; so one run out of a few will do.
#[test]
fn larger_clusters_are_as_fast() {
    for nodes in [7, 10, 16] {
        let all_fast = || {
            let outcome = demo(&format!("--nodes {nodes} --tokens 12"));
            assert_eq!(outcome.code, Some(0), "{nodes}: {} {}", outcome.report, outcome.errors);
            let report = &outcome.report;
            let (fast, slow) = (&report["fast"], &report["slow"]);
            progress(&format!("{:5.1} s  demo --nodes {nodes}: {fast} fast, {slow} slow", outcome.took.as_secs_f64()));
            (fast, slow, &report["view_changes"]) == (&3.into(), &0.into(), &0.into())
        };
        assert!((0..8).any(|_| all_fast()), "with {nodes} nodes no run was fast throughout");
    }
}

#[test]
fn more_silent_nodes_than_the_fast_path_survives_are_decided_slowly() {
    // p = 1: a silent node counts its own vote, and nobody else's claim of it.
    for nodes in [7, 10, 16] {
        let (silent, too) = (nodes - 1, nodes - 2);
        let faults = format!("--fault {silent}:silent --fault {too}:silent");
        let outcome = demo(&format!("--nodes {nodes} --tokens 8 --view-timeout-ms 1000 {faults}"));
        assert_eq!(outcome.code, Some(0), "{nodes}: {} {}", outcome.report, outcome.errors);
        assert_eq!((&outcome.report["fast"], &outcome.report["slow"]), (&0.into(), &2.into()), "{nodes}");
    }
}

#[test]
fn two_crashes_of_four_stop_the_cluster_and_it_says_so() {
    let outcome = demo("--tokens 16 --view-timeout-ms 300 --fault 1:crash@2 --fault 2:crash@2");
    assert_eq!(outcome.code, Some(3), "{} {}", outcome.report, outcome.errors);
    assert_eq!(outcome.report["ok"], false);
    let reason = outcome.report["stalled"].as_str().unwrap();
    assert!(reason.contains("more than 1 of 4 nodes failed (node 1: crash, node 2: crash)"), "{reason}");
    let text = outcome.report["text"].as_str().unwrap();
    assert!(reference(16).starts_with(text));
}

#[test]
fn a_wiped_node_is_shown_as_a_learner_and_follows_to_the_end() {
    let outcome = demo("--tokens 16 --view-timeout-ms 300 --fault 2:wipe@2");
    assert_eq!(outcome.code, Some(0), "{} {}", outcome.report, outcome.errors);
    assert_eq!(outcome.report["behind"], Value::Array(Vec::new()));
    assert!(outcome.errors.contains("the vote record is lost"), "{}", outcome.errors);
    assert!(outcome.errors.contains("node=2"), "{}", outcome.errors);
    let output = butterfly(&["demo", "--tokens", "16", "--view-timeout-ms", "300", "--fault", "2:wipe@2"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("epoch 2: node 2 begins to fail: wipe"), "{shown}");
    assert!(shown.contains("node 2 lost its vote record: it is a learner"), "{shown}");
}

#[test]
fn two_wiped_nodes_of_four_stop_the_cluster_and_it_says_who_they_are() {
    let outcome = demo("--tokens 32 --view-timeout-ms 300 --fault 1:wipe@2 --fault 2:wipe@2");
    assert_eq!(outcome.code, Some(3), "{} {}", outcome.report, outcome.errors);
    let reason = outcome.report["stalled"].as_str().unwrap();
    assert!(reason.contains("more than 1 of 4 nodes failed (node 1: wipe, node 2: wipe)"), "{reason}");
    assert_eq!(outcome.report["learners"], Value::from(vec![1, 2]));
    assert_eq!(outcome.report["matches_reference"], true);
}

#[test]
fn clusters_of_other_sizes_say_the_same() {
    let expected = reference(8);
    for nodes in ["1", "2", "5", "7 --faults-tolerated 2 --fast-path-faults 1", "6 --fast-path-faults 2"] {
        let outcome = demo(&format!("--tokens 8 --nodes {nodes}"));
        assert_eq!(outcome.code, Some(0), "{nodes}: {} {}", outcome.report, outcome.errors);
        assert_eq!(outcome.report["text"], expected, "{nodes}");
    }
}

#[test]
fn an_epoch_may_commit_one_token_or_many() {
    let expected = reference(16);
    for per_epoch in [1, 5, 16] {
        let outcome = demo(&format!("--tokens 16 --tokens-per-epoch {per_epoch}"));
        assert_eq!(outcome.report["text"], expected, "{per_epoch}");
        assert_eq!(outcome.report["epochs_committed"], 16_u64.div_ceil(per_epoch));
    }
}

#[test]
fn people_see_the_text_and_the_tables() {
    let output = butterfly(&["demo", "--tokens", "8"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains(&format!("Return the {}", reference(8))), "{shown}");
    assert!(shown.contains("equal, bit for bit"), "{shown}");
    assert!(!shown.contains('\x1b'), "no colour where there is no terminal");
}
