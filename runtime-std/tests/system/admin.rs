//! What an operator sees of the nodes of a working cluster, and who is refused.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use butterfly_kernel::cluster::Timing;
use butterfly_kernel::crypto::ed25519::Digest;
use butterfly_kernel::message::agreement::{AgreementMessage, Ballot};
use butterfly_kernel::types::{Epoch, NodeId, View};
use butterfly_kernel::wire;
use butterfly_runtime_std::folder::Member;
use butterfly_runtime_std::protocol::{Evidence, Message};
use serde_json::{Value, json};

use crate::harness::butterfly;
use crate::intruder::{Intruder, connect, read_until_closed};
use crate::nodes::{Began, spawn};
use crate::operated::{Folder, Operated, wait_until};

/// As a node answers: the status, and what follows the header fields.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Sends `request` as it is and reads until the node closes the connection.
fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // It need not read on when it refuses what comes.
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => {}
    }
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
}

pub(crate) fn document(address: SocketAddr, path: &str) -> Value {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(document["version"], 1, "{path}");
    document
}

/// The samples of one scrape.
struct Scrape(String);

impl Scrape {
    fn of(address: SocketAddr) -> Scrape {
        let answer = get(address, "/metrics");
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("application/openmetrics-text"), "{}", answer.head);
        assert!(answer.body.ends_with("# EOF\n"));
        Scrape(answer.body)
    }

    fn samples<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s str> {
        self.0.lines().filter(move |line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
        })
    }

    /// Over all series of `name` in which each of `labels` is.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let samples: Vec<f64> = self
            .samples(name)
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(!samples.is_empty(), "no {name} {labels:?}");
        samples.into_iter().sum()
    }

    /// As the type lines name them.
    fn families(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
    }
}

/// Every word that is a metric's name.
fn names_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("butterfly_") && !word.starts_with("butterfly_runtime")).collect()
}

#[test]
fn what_dashboards_alerts_and_documentation_name_is_in_a_scrape() {
    let cluster = Operated::start(4);
    let scrape = Scrape::of(cluster.admin(0));
    for (file, text, least) in [
        ("grafana.json", include_str!("../../dashboards/grafana.json"), 20),
        ("alerts.yml", include_str!("../../dashboards/alerts.yml"), 9),
    ] {
        let names = names_in(text);
        assert!(names.len() >= least, "{file} names {names:?}");
        let missing: Vec<_> = names.iter().filter(|name| scrape.samples(name).next().is_none()).collect();
        assert!(missing.is_empty(), "{file} uses what no scrape has: {missing:?}");
    }
    let described = include_str!("../../src/metrics.rs").lines().take_while(|line| line.starts_with("//!"));
    let described: String = described.collect();
    let described = names_in(&described);
    let suffixes = ["", "_total", "_info"];
    let families: BTreeSet<&str> = scrape.families().collect();
    let undescribed: Vec<_> = families
        .iter()
        .filter(|family| !suffixes.iter().any(|suffix| described.contains(&*format!("{family}{suffix}"))))
        .collect();
    assert!(undescribed.is_empty(), "not described: {undescribed:?}");
    assert_eq!(described.len(), families.len(), "described, but not there: {described:?} {families:?}");
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn counts_rise_with_what_a_cluster_does() {
    let cluster = Operated::start(4);
    let scrape = |node| Scrape::of(cluster.admin(node));
    let is_whole = |seen: Scrape| {
        seen.sum("butterfly_peer_connected", &[]) == 3.0 && seen.sum("butterfly_sessions", &["\"member\""]) == 3.0
    };
    wait_until("all have sessions with all", || (0..4).all(|node| is_whole(scrape(node))));
    let before = scrape(0);
    assert_eq!(before.sum("butterfly_coordinator_state", &["\"ready\""]), 1.0);
    assert_eq!(before.sum("butterfly_coordinator_state", &[]), 1.0);
    cluster.submit(&["--tokens", "12"]);
    wait_until("two nodes have all of it", || {
        [0, 1].iter().all(|node| scrape(*node).sum("butterfly_epoch", &[]) == 4.0)
    });
    let after = scrape(0);
    let rise = |name: &str, labels: &[&str]| after.sum(name, labels) - before.sum(name, labels);
    assert_eq!(rise("butterfly_epochs_total", &[]), 3.0);
    // Not those of epochs that it caught up with.
    let tokens = rise("butterfly_tokens_total", &[]);
    assert!(tokens <= 12.0 && tokens % 4.0 == 0.0, "{tokens}");
    assert_eq!(rise("butterfly_commit_latency_seconds_count", &[]), tokens / 4.0);
    for (name, labels) in [
        ("butterfly_messages_sent_total", &["\"vote\"", "\"first\""][..]),
        ("butterfly_sent_bytes_total", &["\"vote\""]),
        ("butterfly_messages_received_total", &["\"vote\""]),
        ("butterfly_received_bytes_total", &["\"vote\""]),
        ("butterfly_record_flush_seconds_count", &[]),
        ("butterfly_record_flush_seconds_sum", &[]),
        ("butterfly_sessions_opened_total", &["\"client\""]),
    ] {
        assert!(rise(name, labels) > 0.0, "{name} {labels:?}");
    }
    assert_eq!(after.sum("butterfly_evidence_total", &[]), 0.0);

    let state = document(cluster.admin(0), "/api/v1/state");
    let expected = (&4.into(), &1.into(), &4.into(), &"replica".into(), &Value::Null);
    assert_eq!(state["last_epoch"], 3);
    assert_eq!((&state["voters"], &state["f"], &state["epoch"], &state["role"], &state["blocked"]), expected);
    let page = document(cluster.admin(0), "/api/v1/epochs?from=2&limit=1");
    assert_eq!((&page["epochs"][0]["epoch"], &page["next"]), (&2.into(), &3.into()));
    assert_eq!(page["epochs"].as_array().unwrap().len(), 1);
    let all = document(cluster.admin(0), "/api/v1/epochs");
    assert_eq!((all["epochs"].as_array().unwrap().len(), &all["next"]), (3, &4.into()));
    let values = |all: &Value| all["epochs"].as_array().unwrap().iter().map(|epoch| epoch["value"].clone()).collect();
    let other: Vec<Value> = values(&document(cluster.admin(1), "/api/v1/epochs"));
    assert_eq!(values(&all), other, "nodes decided the same");
    for query in ["limit=0", "limit=101", "from=x", "further=1"] {
        assert_eq!(get(cluster.admin(0), &format!("/api/v1/epochs?{query}")).status, 400, "{query}");
    }
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn a_node_that_can_decide_nothing_is_alive_and_not_ready() {
    let mut cluster = Operated::start(4);
    let ready = |node| get(cluster.admin(node), "/readyz?verbose");
    wait_until("node 0 has sessions with all", || ready(0).body.contains("ok peers: 3 other voters are connected"));
    assert_eq!(ready(0).status, 200);
    assert_eq!(ready(0).body.lines().filter(|line| line.starts_with("ok ")).count(), 4);
    for node in [1, 2] {
        cluster.kill(node);
        cluster.wait_for_line(&format!("node {node} has ended"));
    }
    let ready = |node| get(cluster.admin(node), "/readyz?verbose");
    let missed = "no peers: 1 other voters are connected, 2 are needed";
    wait_until("node 0 misses them", || ready(0).body.contains(missed));
    let answer = ready(0);
    assert_eq!((answer.status, answer.body.ends_with("not ready\n")), (503, true), "{}", answer.body);
    assert_eq!(get(cluster.admin(0), "/livez").body, "alive\n");
    let members = document(cluster.admin(0), "/api/v1/members");
    let connected: Vec<_> = (0..4).map(|node| members["members"][node]["connected"].as_bool()).collect();
    assert_eq!(connected, [None, Some(false), Some(false), Some(true)]);
    assert_eq!(members["members"][2]["address"], cluster.address(2).to_string());
    // A request that cannot be decided makes it say so.
    let _given_up = cluster.run("submit", &["--tokens", "4", "--patience", "1"]);
    let state = || document(cluster.admin(0), "/api/v1/state");
    wait_until("node 0 is blocked", || state()["coordinator"] == "failed");
    assert_eq!(state()["blocked"]["silent"], serde_json::json!([1, 2]));
    assert_eq!(Scrape::of(cluster.admin(0)).sum("butterfly_blocked", &[]), 1.0);
}

#[test]
fn evidence_is_shown_and_can_be_checked() {
    let mut cluster = Operated::start(4);
    cluster.kill(3);
    cluster.wait_for_line("node 3 has ended");
    let folder = cluster.dir.join("node-3");
    let member = Member::open(&folder, Timing::default()).unwrap();
    let intruder = Intruder::of(&folder);
    let mut talk = intruder.dial(cluster.address(0), &intruder.peers[0]).unwrap();
    for value in [Digest([1; 32]), Digest([2; 32])] {
        let message = AgreementMessage::Vote(Ballot { view: View(0), value });
        let said = member.seat().envelope(Message::Agreement { epoch: Epoch(1), message });
        let frame = talk.frame(&said);
        talk.send(&frame);
    }
    let admin = cluster.admin(0);
    let shown = || document(admin, "/api/v1/evidence")["evidence"].as_array().unwrap().clone();
    wait_until("node 0 has noticed", || !shown().is_empty());
    let shown = shown();
    assert_eq!(shown.len(), 1);
    assert_eq!((&shown[0]["accused"], &shown[0]["fault"]), (&3.into(), &"votes".into()));
    let evidence = hex::decode(shown[0]["evidence"].as_str().unwrap()).unwrap();
    let evidence: Evidence = wire::decode(&evidence).unwrap();
    assert_eq!(evidence.accused, NodeId(3));
    evidence.verify(&member.cluster).unwrap();
    assert_eq!(Scrape::of(admin).sum("butterfly_evidence_total", &["accused=\"3\""]), 1.0);
    assert_eq!(document(admin, "/api/v1/members")["members"][3]["faults"][0], "votes");
    // Clients are shown the proof as well, and check it.
    let faults = |node: usize| cluster.status()["members"][node]["faults"].clone();
    assert_eq!((faults(3), faults(0)), (json!(["votes"]), json!([])));
    let told = String::from_utf8(cluster.run("status", &[]).stdout).unwrap();
    assert!(told.contains("node 3 is proven faulty: votes"), "{told}");
    assert_eq!(cluster.end(), Some(0));
}

/// Nobody is there who could admit it again.
#[test]
fn a_node_that_lost_its_record_is_alive_and_not_ready() {
    let folder = Folder::found(4);
    std::fs::remove_file(folder.dir.join("node-2/vote-record")).unwrap();
    let Began::Ready(node, event) = spawn(&folder, 2).begin() else { panic!("it starts without a record") };
    assert_eq!(event["learner"], true);
    assert_eq!(get(folder.admin(2), "/livez").status, 200);
    let ready = get(folder.admin(2), "/readyz?verbose");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("no vote record: lost"), "{}", ready.body);
    node.stop();
}

#[test]
fn what_is_not_asked_in_the_one_way_is_refused_and_the_node_works_on() {
    let cluster = Operated::start(4);
    let admin = cluster.admin(0);
    let mut asking = cluster.spawn("submit", &["--tokens", "100"]);
    let status = |request: String| ask(admin, &request).status;
    let port = admin.port();
    // A name of somebody's own that points here, none, two.
    for (host, expected) in [
        (format!("Host: {admin}\r\n"), 200),
        (format!("host: LocalHost:{port}\r\n"), 200),
        (format!("Host: example.org:{port}\r\n"), 421),
        ("Host: 127.0.0.1\r\n".into(), 421),
        (String::new(), 421),
        (format!("Host: {admin}\r\nHost: example.org\r\n"), 421),
    ] {
        assert_eq!(status(format!("GET /livez HTTP/1.1\r\n{host}\r\n")), expected, "{host}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"] {
        let answer = ask(admin, &format!("{method} /metrics HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: get"), "{}", answer.head);
    }
    assert_eq!(status(format!("GET /api/v2/state HTTP/1.1\r\nHost: {admin}\r\n\r\n")), 404);
    let long = |length| format!("GET /livez HTTP/1.1\r\nHost: {admin}\r\nX: {}\r\n\r\n", "x".repeat(length));
    assert_eq!(status(long(7_000)), 200);
    assert_eq!(status(long(9_000)), 431);
    let answer = ask(admin, &format!("GET /livez HTTP/1.1\r\nHost: {admin}\r\nOrigin: http://{admin}\r\n\r\n"));
    assert!(!answer.head.contains("access-control"), "{}", answer.head);
    assert!(answer.head.contains("default-src 'none'"), "{}", answer.head);

    // Whoever says nothing has a place for a while; one too many has none.
    let silent: Vec<TcpStream> = (0..16).map(|_| connect(admin)).collect();
    assert!(!is_answered(admin), "a place too many");
    drop(silent);
    wait_until("there is room again", || is_answered(admin));
    asking.read_to_end();
    assert_eq!(asking.code(), Some(0), "a request under way came to its end");
    assert_eq!(cluster.end(), Some(0));
}

/// Whether a question gets an answer, or a closed connection.
fn is_answered(admin: SocketAddr) -> bool {
    let mut stream = connect(admin);
    // It may be closed before anything was said.
    let _closed = write!(stream, "GET /livez HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    read_until_closed(&mut stream) > 0
}

#[test]
fn who_may_not_reach_it_is_not_left_to_chance() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("c");
    let dir = dir.to_str().unwrap();
    assert!(butterfly(&["init", "--dir", dir]).status.success());
    let check = |admin: &str| butterfly(&["config", "check", "--dir", dir, "--node", "1", "--json", "--admin", admin]);
    let shown: Value = serde_json::from_slice(&check("[::1]:7501").stdout).unwrap();
    assert_eq!(shown["nodes"][0]["admin"], serde_json::json!({"value": "[::1]:7501", "source": "flag"}));
    for elsewhere in ["0.0.0.0:7501", "[::]:7501", "192.0.2.1:7501"] {
        let refused = check(elsewhere);
        assert_eq!(refused.status.code(), Some(1));
        let why = String::from_utf8(refused.stderr).unwrap();
        assert!(why.contains("it must be on loopback: 127.0.0.1:7501"), "{why}");
    }
    let config = format!("{dir}/node-1/node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("admin = \"127.0.0.1:7501\""), "{text}");
    let without: String =
        text.lines().filter(|line| !line.starts_with("admin")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&config, without).unwrap();
    let shown = butterfly(&["config", "check", "--dir", dir, "--node", "1", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["nodes"][0]["admin"], serde_json::json!({"value": null, "source": "default"}));
}
