//! What a node tells a log and a collector of traces.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::Value;

use crate::harness::reference;
use crate::nodes::{Began, Process};
use crate::operated::{Folder, Operated, PATIENCE};

/// A collector that takes every document and hands it on.
struct Collector {
    address: SocketAddr,
    documents: Receiver<Value>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, documents) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut lines = Vec::new();
                while lines.last().is_none_or(|line: &String| line != "\r\n") {
                    let mut line = String::new();
                    assert_ne!(stream.read_line(&mut line).unwrap(), 0, "a request without an end: {lines:?}");
                    lines.push(line);
                }
                assert_eq!(lines[0], "POST /v1/traces HTTP/1.1\r\n");
                let header = |name: &str| {
                    let found = lines.iter().find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_owned));
                    found.unwrap_or_else(|| panic!("no {name} in {lines:?}")).trim().to_owned()
                };
                assert_eq!(header("content-type:"), "application/json");
                let mut body = vec![0; header("content-length:").parse().unwrap()];
                stream.read_exact(&mut body).unwrap();
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
                if sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                    return;
                }
            }
        });
        Collector { address, documents }
    }

    /// Waits until it has as many spans called `epoch` of each of `epochs`, and
    /// gives every span by its id, each with the node that told it.
    fn wait_for(&self, epochs: u64, nodes: usize) -> BTreeMap<String, (u64, Value)> {
        let deadline = Instant::now() + PATIENCE;
        let mut spans = BTreeMap::new();
        let count = |spans: &BTreeMap<String, (u64, Value)>, epoch: u64| {
            spans.values().filter(|(_, span)| span["name"] == "epoch" && attribute(span, "epoch") == epoch).count()
        };
        while (1..=epochs).any(|epoch| count(&spans, epoch) < nodes) {
            let left = deadline.saturating_duration_since(Instant::now());
            let document = self.documents.recv_timeout(left).expect("not in time: a span of each node for each epoch");
            let told = &document["resourceSpans"][0];
            let node = attribute(&told["resource"], "node");
            for span in told["scopeSpans"][0]["spans"].as_array().unwrap() {
                spans.insert(span["spanId"].as_str().unwrap().to_owned(), (node, span.clone()));
            }
        }
        spans
    }
}

/// The value of a number among the attributes.
fn attribute(of: &Value, key: &str) -> u64 {
    let found = of["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {of}"))["value"]["intValue"].as_str().unwrap().parse().unwrap()
}

fn time(span: &Value, name: &str) -> u64 {
    span[name].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_collector_gets_one_tree_of_spans_for_each_epoch() {
    let collector = Collector::start();
    let cluster = Operated::start_with(4, &[("BUTTERFLY_TRACES", &collector.address.to_string())]);
    assert_eq!(cluster.submit(&["--tokens", "8"])["text"], reference(8));
    // A node that is behind may have caught up with an epoch: it tells of it all the same.
    let spans = collector.wait_for(2, 4);
    for epoch in 1..=2 {
        let of_epoch: Vec<&(u64, Value)> =
            spans.values().filter(|(_, span)| attribute(span, "epoch") == epoch).collect();
        let traces: BTreeSet<&str> = of_epoch.iter().map(|(_, span)| span["traceId"].as_str().unwrap()).collect();
        assert_eq!(traces.len(), 1, "{traces:?}");
        let roots: Vec<u64> =
            of_epoch.iter().filter(|(_, span)| span["parentSpanId"].is_null()).map(|(node, _)| *node).collect();
        assert_eq!(roots, [epoch % 4], "the leader's is the root");
        for (node, span) in of_epoch {
            assert!(time(span, "startTimeUnixNano") <= time(span, "endTimeUnixNano"), "{span}");
            assert_eq!(attribute(span, "node"), *node);
            if span["name"] == "epoch" {
                let phases: BTreeSet<&str> = spans
                    .values()
                    .filter(|(_, phase)| phase["parentSpanId"] == span["spanId"] && phase["name"] != "epoch")
                    .map(|(_, phase)| phase["name"].as_str().unwrap())
                    .collect();
                assert!(phases.contains("committing") || phases.contains("recovering"), "{phases:?}");
            }
        }
    }
    let names: BTreeSet<&str> = spans.values().map(|(_, span)| span["name"].as_str().unwrap()).collect();
    assert!(["epoch", "computing", "committing"].iter().all(|name| names.contains(name)), "{names:?}");
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn a_collector_that_is_not_there_is_missed_by_nobody() {
    let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let cluster = Operated::start_with(4, &[("BUTTERFLY_TRACES", &nobody.to_string())]);
    assert_eq!(cluster.submit(&["--tokens", "8"])["text"], reference(8));
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn a_log_for_programs_says_where_the_node_was() {
    let folder = Folder::found(1);
    let mut command = Command::new(env!("CARGO_BIN_EXE_butterfly"));
    command.envs([("BUTTERFLY_LOG_FORMAT", "json"), ("BUTTERFLY_LOG_LEVEL", "debug"), ("BUTTERFLY_ADMIN", "off")]);
    let (node, event) = match Process::of(command, &folder, 0).begin() {
        Began::Ready(node, event) => (node, event),
        Began::Refused(errors) => panic!("{errors}"),
    };
    assert_eq!(event["admin"], Value::Null, "operators are answered nowhere");
    assert_eq!(folder.submit(&["--tokens", "8"])["text"], reference(8));
    let said = node.stop();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let decided: Vec<&Value> = lines.iter().filter(|line| line["event"] == "decided").collect();
    assert_eq!(decided.iter().map(|line| line["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    for line in &lines {
        assert!(line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string(), "{line}");
        assert_eq!(line["node"], 0, "{line}");
        assert!(line["epoch"].is_u64() && line["view"].is_u64(), "{line}");
    }
    assert_eq!((&decided[0]["path"], &decided[0]["tokens"]), (&"fast".into(), &4.into()));
    assert!(!said.contains("Return"), "no text of anybody is in a log");
}
