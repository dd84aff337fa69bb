//! `top`, on a cluster with a node that is gone.

use butterfly_runtime_std::top::{Palette, Report, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::Value;

use crate::events::equivocate;
use crate::operated::{Operated, wait_until};

fn report(cluster: &Operated) -> Report {
    let output = cluster.run("top", &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a terminal of 80 by 20 shows.
fn shown(report: &Report) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(80, 20)).unwrap();
    terminal.draw(|frame| draw(frame, report, &[1, 2, 3], Palette::Coloured)).unwrap();
    terminal.backend().to_string().lines().map(|line| line.trim_matches('"').trim_end().to_owned()).collect()
}

#[test]
fn every_node_has_a_row_and_one_that_is_gone_is_missed() {
    let mut cluster = Operated::start(4);
    cluster.submit(&["--tokens", "40"]);
    wait_until("every node has all of it", || report(&cluster).nodes.iter().all(|node| node.epoch == Some(11)));
    wait_until("all have sessions with all", || report(&cluster).nodes.iter().all(|node| node.sessions == 3));
    let whole = report(&cluster);
    let status: Value = cluster.status();
    assert_eq!(
        (whole.epoch, whole.view, whole.leader),
        (Some(11), Some(0), status["leader"].as_u64().map(|node| node as u8))
    );
    assert_eq!((whole.answering, whole.voters, whole.f), (4, 4, 1));
    assert_eq!(whole.cluster.as_deref(), status["cluster"].as_str());
    let lines = shown(&whole);
    assert_eq!(lines[1], "every node answers");
    assert_eq!(lines[2], format!("epoch 11, view 0, led by node {}; 1 of 4 may be faulty", status["leader"]));
    for node in &whole.nodes {
        let row = &lines[5 + usize::from(node.id)];
        let cells: Vec<&str> = row.split_whitespace().filter(|cell| *cell != "*").collect();
        assert_eq!(cells[..6], [&node.id.to_string(), "ready", "11", "0", "replica", "3"], "{row}");
    }
    assert!(whole.nodes.iter().any(|node| node.latency.is_some_and(|latency| latency.p50_us > 0)));

    cluster.kill(2);
    cluster.wait_for_line("node 2 has ended");
    equivocate(&cluster, 2, 0, 11);
    wait_until("node 0 has proof", || !report(&cluster).proven().is_empty());
    let degraded = report(&cluster);
    assert_eq!((degraded.answering, degraded.nodes[2].answers, degraded.epoch), (3, false, Some(11)));
    let lines = shown(&degraded);
    assert_eq!(lines[1], "3 of 4 nodes answer");
    assert_eq!(lines[7].split_whitespace().collect::<Vec<_>>(), ["2", "no", "answer"]);
    assert!(lines.contains(&"node 2 is proven faulty: votes".to_owned()), "{lines:?}");

    for node in [0, 1, 3] {
        cluster.kill(node);
        cluster.wait_for_line(&format!("node {node} has ended"));
    }
    let silent = report(&cluster);
    assert_eq!((silent.answering, silent.cluster.as_deref(), silent.nodes.len()), (0, None, 4));
    assert_eq!(shown(&silent)[1], "0 of 4 nodes answer, which is too few for a decision");
}

#[test]
fn without_a_terminal_it_says_what_would_do() {
    let cluster = Operated::start(1);
    let output = cluster.run("top", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no terminal; `--json` prints one document"));
    assert_eq!(cluster.end(), Some(0));
}
