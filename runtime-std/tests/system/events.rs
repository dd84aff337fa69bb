//! The stream of events: what a node tells those who look on.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use butterfly_kernel::cluster::Timing;
use butterfly_kernel::crypto::ed25519::Digest;
use butterfly_kernel::message::agreement::{AgreementMessage, Ballot};
use butterfly_kernel::types::{Epoch, View};
use butterfly_runtime_std::folder::Member;
use butterfly_runtime_std::protocol::Message;
use serde_json::{Value, json};

use crate::intruder::{Intruder, connect};
use crate::operated::{Operated, PATIENCE, wait_until};

pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// An open stream of events.
pub(crate) struct Events {
    head: String,
    chunks: BufReader<TcpStream>,
    text: String,
}

impl Events {
    pub(crate) fn open(address: SocketAddr, last: Option<&str>) -> Events {
        let mut stream = connect(address);
        let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\n{last}\r\n").unwrap();
        let mut chunks = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(chunks.read_line(&mut head).unwrap() > 0, "no answer: {head}");
        }
        Events { head: head.to_lowercase(), chunks, text: String::new() }
    }

    fn read_chunk(&mut self) {
        let mut length = String::new();
        self.chunks.read_line(&mut length).unwrap();
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or_else(|_| panic!("the stream ended: {length}"));
        let mut chunk = vec![0; length + 2];
        self.chunks.read_exact(&mut chunk).unwrap();
        self.text += std::str::from_utf8(&chunk[..length]).unwrap();
    }

    pub(crate) fn next(&mut self) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Whatever happens, the stream says now and then that it is there.
            assert!(Instant::now() < deadline, "nothing is told");
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, name, data) = (field("id: "), field("event: "), field("data: "));
                self.text = rest.to_owned();
                if let Some(name) = name {
                    return Event { id, name, data: serde_json::from_str(&data.unwrap()).unwrap() };
                }
            } else {
                self.read_chunk();
            }
        }
    }

    /// Reads on until something is as it should be; that is the last that is returned.
    pub(crate) fn until(&mut self, holds: impl Fn(&Event) -> bool) -> Vec<Event> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "not in time; {} others were told", seen.len());
            seen.push(self.next());
            if holds(&seen[seen.len() - 1]) {
                return seen;
            }
        }
    }
}

pub(crate) fn document(address: SocketAddr, path: &str) -> Value {
    let mut stream = connect(address);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn numbers(value: &Value) -> BTreeSet<u64> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect()
}

/// Two votes of `node` in `epoch`, which is open, to node 0.
pub(crate) fn equivocate(cluster: &Operated, node: u16, to: u16, epoch: u64) {
    let folder = cluster.dir.join(format!("node-{node}"));
    let member = Member::open(&folder, Timing::default()).unwrap();
    let intruder = Intruder::of(&folder);
    let mut talk = intruder.dial(cluster.address(to), &intruder.peers[usize::from(to)]).unwrap();
    for value in [Digest([1; 32]), Digest([2; 32])] {
        let message = AgreementMessage::Vote(Ballot { view: View(0), value });
        let said = member.seat().envelope(Message::Agreement { epoch: Epoch(epoch), message });
        let frame = talk.frame(&said);
        talk.send(&frame);
    }
}

#[test]
fn the_phases_of_an_epoch_are_told_in_order_and_agree_with_the_documents() {
    let cluster = Operated::start(4);
    let admin = cluster.admin(0);
    let mut events = Events::open(admin, None);
    assert!(events.head.contains("content-type: text/event-stream"), "{}", events.head);
    let hello = events.next();
    assert_eq!((&*hello.name, &hello.data), ("hello", &json!({"version": 1, "node": 0, "start": "anew"})));
    // Of three epochs each is led by another node; node 0 may catch up with some.
    cluster.submit(&["--tokens", "200"]);
    let seen = events.until(|event| event.name == "decided" && event.data["epoch"] == 50);
    let all = |name: &'static str| seen.iter().filter(move |event| event.name == name).map(|event| &event.data);

    let assigned = all("assigned").next().expect("a request was assigned");
    let stages: Vec<BTreeSet<u64>> = assigned["stages"].as_array().unwrap().iter().map(numbers).collect();
    assert_eq!((&assigned["client"], &assigned["sequence"], stages.len()), (&0.into(), &1.into(), 4));
    assert!(stages.iter().all(|owners| owners.len() == 2), "f + 1 owners each: {stages:?}");
    // On a busy machine a reserve may step in for an owner that is slow.
    let owns = |told: &&Value| {
        let stage = usize::try_from(told["stage"].as_u64().unwrap()).unwrap();
        stages[stage].contains(&told["member"].as_u64().unwrap())
    };
    assert!(all("attested").filter(owns).count() > all("attested").count() / 2, "owners compute");
    let attested: BTreeSet<_> =
        all("attested").map(|told| (told["epoch"].as_u64(), told["member"].as_u64(), told["stage"].as_u64())).collect();
    assert!(attested.len() > 100, "eight in each epoch, as far as they came in time: {}", attested.len());

    let decided: Vec<&Value> = all("decided").collect();
    assert_eq!(
        decided.iter().map(|told| told["epoch"].as_u64().unwrap()).collect::<Vec<_>>(),
        (1..=50).collect::<Vec<_>>()
    );
    let epochs = document(admin, "/api/v1/epochs?from=1&limit=100");
    for (told, kept) in decided.iter().zip(epochs["epochs"].as_array().unwrap()) {
        for field in ["epoch", "view", "path", "tokens", "latency_us"] {
            assert_eq!(told[field], kept[field], "{field} of {told}");
        }
    }
    // In the order of the phases, and with this node's own steps.
    let at = |holds: &dyn Fn(&Event) -> bool| seen.iter().position(holds);
    let own_vote = at(&|event| event.name == "voted" && event.data["member"] == 0).expect("it votes");
    let epoch = &seen[own_vote].data["epoch"];
    let of_it = |name: &'static str| at(&|event| event.name == name && event.data["epoch"] == *epoch);
    assert!(of_it("attested").unwrap() < own_vote && own_vote < of_it("decided").unwrap());
    let times: Vec<u64> = seen.iter().map(|event| event.data["at_us"].as_u64().unwrap()).collect();
    assert!(times.is_sorted());
    let states: BTreeSet<&str> = all("state").map(|told| told["coordinator"].as_str().unwrap()).collect();
    assert!(states.contains("computing") && states.contains("committing"), "{states:?}");
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn who_comes_back_misses_nothing_and_who_cannot_is_told() {
    let cluster = Operated::start(4);
    let admin = cluster.admin(0);
    let mut events = Events::open(admin, None);
    cluster.submit(&["--tokens", "8"]);
    let seen = events.until(|event| event.name == "decided");
    let last = seen[seen.len() - 1].id.clone().unwrap();
    drop(events);
    cluster.submit(&["--tokens", "8"]);
    let mut events = Events::open(admin, Some(&last));
    assert_eq!(events.next().data["start"], "resumed");
    let rest = events.until(|event| event.name == "decided" && event.data["epoch"] == 4);
    let number = |id: &str| id.rsplit('-').next().unwrap().parse::<u64>().unwrap();
    let numbers: Vec<u64> = rest.iter().map(|event| number(event.id.as_ref().unwrap())).collect();
    let first = number(&last) + 1;
    assert_eq!(numbers, (first..first + numbers.len() as u64).collect::<Vec<_>>(), "without a gap");
    for id in ["0-1", "nonsense", &format!("{}9", last)] {
        assert_eq!(Events::open(admin, Some(id)).next().data["start"], "anew", "{id}");
    }
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn what_goes_wrong_is_told() {
    let mut cluster = Operated::start(4);
    let mut events = Events::open(cluster.admin(1), None);
    let is_session =
        |event: &Event, open: bool| event.name == "session" && event.data["member"] == 3 && event.data["open"] == open;
    wait_until("node 1 has sessions with all", || {
        let members = document(cluster.admin(1), "/api/v1/members");
        members["members"].as_array().unwrap().iter().all(|member| member["connected"] != false)
    });
    cluster.kill(3);
    cluster.wait_for_line("node 3 has ended");
    events.until(|event| is_session(event, false));

    // Somebody with its keys says two things.
    equivocate(&cluster, 3, 1, 1);
    let seen = events.until(|event| event.name == "evidence");
    let told = &seen[seen.len() - 1].data;
    assert_eq!((&told["accused"], &told["fault"]), (&3.into(), &"votes".into()));

    // Node 3 leads the third epoch, and is missed as an owner of stages.
    cluster.submit(&["--tokens", "16"]);
    let seen = events.until(|event| event.name == "decided" && event.data["epoch"] == 4);
    let view = seen.iter().find(|event| event.name == "view").expect("node 3 leads an epoch");
    assert_eq!((&view.data["epoch"], &view.data["view"]), (&3.into(), &1.into()));
    let decided = seen.iter().find(|event| event.name == "decided" && event.data["epoch"] == 3).unwrap();
    assert_eq!(decided.data["view"], 1);
    // Whether node 1 must wait for node 3's stages depends on who is how fast; it suspects nobody else.
    for event in seen.iter().filter(|event| event.name == "suspects") {
        assert_eq!(event.data["members"], json!([3]));
    }

    let mut again = cluster.spawn("start", &["--node", "3"]);
    events.until(|event| is_session(event, true));

    // Two more are too many.
    again.terminate();
    assert_eq!(again.code(), Some(0));
    cluster.kill(2);
    cluster.wait_for_line("node 2 has ended");
    let asking = cluster.spawn("submit", &["--tokens", "4"]);
    let seen = events.until(|event| event.name == "blocked");
    assert_eq!(seen[seen.len() - 1].data["by"]["silent"], json!([2, 3]));
    asking.kill();
}

#[test]
fn streams_are_counted_and_other_sites_have_none() {
    let cluster = Operated::start(1);
    let admin = cluster.admin(0);
    let mut open: Vec<Events> = (0..8).map(|_| Events::open(admin, None)).collect();
    assert!(open.iter_mut().all(|events| events.next().name == "hello"));
    let refused = Events::open(admin, None).head;
    assert!(refused.starts_with("http/1.1 503") && refused.contains("retry-after: 10"), "{refused}");
    // Documents are answered all the same.
    assert_eq!(document(admin, "/api/v1/state")["node"], 0);
    open.pop();
    wait_until("its place is free", || Events::open(admin, None).head.starts_with("http/1.1 200"));
    for (site, mode, status) in [
        ("cross-site", "cors", "403"),
        ("same-site", "no-cors", "403"),
        ("cross-site", "navigate", "200"),
        ("same-origin", "cors", "200"),
        ("none", "navigate", "200"),
    ] {
        let mut stream = connect(admin);
        let fields = format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}");
        write!(stream, "GET /api/v1/state HTTP/1.1\r\nHost: {admin}\r\n{fields}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{site} {mode}: {answer}");
    }
    assert_eq!(cluster.end(), Some(0));
}
