//! `bench`: that it measures what it says. How fast anything is, is asserted nowhere.

use serde_json::Value;

use crate::harness::butterfly;

#[test]
fn butterfly_does_no_less_than_its_floor() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let output = butterfly(&["bench", "--epochs", "40", "--rounds", "1", "--json", "--dir", dir]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |of: &str, name: &str| report[of][name].as_f64().unwrap_or_else(|| panic!("no {of} {name}: {report}"));
    // Of four members each leads every fourth epoch: it signs the value, a proposal
    // and a vote. The others check the first two, and everybody two votes of others.
    assert_eq!(number("floor", "signed"), 1.5);
    assert_eq!(number("floor", "checked"), 3.5);
    assert_eq!(number("floor", "sent"), 4.5);
    for name in ["signed", "checked", "sent", "flushes"] {
        assert!(number("butterfly", name) >= number("floor", name), "{name}: {report}");
    }
    assert!(number("butterfly", "epochs_per_second") > 0.0);
    let latencies = report["latency"].as_array().unwrap();
    assert_eq!(latencies.len(), 5);
    assert!(latencies.iter().all(|latency| latency["p50_us"].as_u64() <= latency["p99_us"].as_u64()));
    assert_eq!(report["ratios"], serde_json::json!([report["ratio"]]));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}
