//! Nodes with addresses of their own, and a network that falls apart and is
//! mended. Links do not end when that happens: what is sent is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{self, StopAtEnd, progress, reference};
use crate::net::Net;
use crate::nodes::{Process, VIEW_TIMEOUT_MS};
use crate::operated::{Folder, PATIENCE};

const NODES: u16 = 4;
const TOKENS: usize = 60;

/// A cluster in namespaces, and what its nodes say.
struct Spread {
    net: Net,
    folder: Folder,
    running: BTreeMap<u16, Process>,
    said: Vec<Said>,
}

/// One event of one node.
struct Said {
    node: u16,
    at: Instant,
    event: Value,
}

impl Said {
    fn is(&self, name: &str) -> bool {
        self.event["event"] == name
    }

    /// A leader that is waited for in vain, or too many that are not heard of.
    fn is_alarm(&self) -> bool {
        self.is("enter_view") || self.is("blocked") && !self.event["by"].is_null()
    }

    fn epoch(&self) -> u64 {
        self.event["epoch"].as_u64().unwrap()
    }

    fn view(&self) -> u64 {
        self.event["view"].as_u64().unwrap()
    }
}

impl Spread {
    fn start() -> Spread {
        let folder = Folder::found(usize::from(NODES));
        let nodes = (0..NODES).map(|node| folder.dir.join(format!("node-{node}/node.toml")));
        for file in nodes.chain([folder.dir.join("client-0/client.toml")]) {
            let moved = (0..NODES).fold(fs::read_to_string(&file).unwrap(), |text, node| {
                text.replace(&format!("\"{}\"", folder.address(node)), &format!("\"{}\"", Net::address(node)))
            });
            fs::write(&file, moved).unwrap();
        }
        let mut spread = Spread { net: Net::new(NODES), folder, running: BTreeMap::new(), said: Vec::new() };
        (0..NODES).for_each(|node| spread.begin(node));
        spread
    }

    fn begin(&mut self, node: u16) {
        let command = Net::command(&self.net.namespace(node), env!("CARGO_BIN_EXE_butterfly"));
        self.running.insert(node, Process::of(command, &self.folder, node).replica());
    }

    /// Waits until something was said that `holds`, from `begin` on.
    fn wait_for(&mut self, what: &str, begin: Instant, holds: impl Fn(&Said) -> bool) -> &Said {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.listen();
            if let Some(place) = self.said.iter().position(|said| said.at >= begin && holds(said)) {
                return &self.said[place];
            }
            assert!(Instant::now() < deadline, "not in time: {what}");
            sleep(Duration::from_millis(2));
        }
    }

    fn listen(&mut self) {
        for (node, process) in &self.running {
            self.said.extend(process.events().map(|(at, event)| Said { node: *node, at, event }));
        }
        self.said.sort_by_key(|said| said.at);
    }

    fn commits(&self) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(|said| said.is("commit"))
    }
}

/// What a client asks in its own namespace. One that begins while too few nodes
/// can be reached says so at once, and asks again.
struct Asking {
    namespace: String,
    dir: PathBuf,
}

impl Asking {
    fn once(&self, tokens: usize) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut command = Net::command(&self.namespace, env!("CARGO_BIN_EXE_butterfly"));
            command.args(["submit", "--patience", "100", "--tokens", &tokens.to_string(), "--dir"]).arg(&self.dir);
            let output = harness::run(&mut command);
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap();
            }
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(errors.contains("nodes answer, and") && Instant::now() < deadline, "{errors}");
            sleep(Duration::from_millis(50));
        }
    }

    /// How often it was answered until it was told to stop.
    fn until(&self, stop: &AtomicBool) -> usize {
        let text = format!("{}\n", reference(TOKENS));
        let mut answered = 0;
        while !stop.load(Ordering::Relaxed) {
            assert_eq!(self.once(TOKENS), text);
            answered += 1;
        }
        answered
    }
}

/// One row of the table.
struct Row {
    name: &'static str,
    apart: &'static [u16],
    /// Whether a quorum is left on the client's side.
    goes_on: bool,
}

const ROWS: [Row; 4] = [
    Row { name: "a node", apart: &[3], goes_on: true },
    Row { name: "the one that is asked first", apart: &[0], goes_on: true },
    Row { name: "halves", apart: &[2, 3], goes_on: false },
    Row { name: "most", apart: &[1, 2, 3], goes_on: false },
];

/// Whoever is cut off costs at most two views of an epoch; where no quorum is
/// left nothing is decided, until it is. Prints what that cost in this run.
#[test]
fn a_network_falls_apart_and_is_mended() {
    let mut spread = Spread::start();
    let asking = Asking { namespace: spread.net.client(), dir: spread.folder.dir.clone() };
    let begin = Instant::now();
    // The newcomer's way, with addresses of their own.
    assert_eq!(asking.once(TOKENS), format!("{}\n", reference(TOKENS)));
    let before = spread.wait_for("an epoch", begin, |said| said.is("commit")).epoch();
    spread.running.remove(&1).unwrap().kill();
    assert_eq!(asking.once(TOKENS), format!("{}\n", reference(TOKENS)));
    let begin = Instant::now();
    spread.begin(1);
    spread.wait_for("it catches up", begin, |said| said.node == 1 && said.is("commit") && said.epoch() > before);

    let stop = AtomicBool::new(false);
    progress(&format!("view time-out {VIEW_TIMEOUT_MS} ms; milliseconds from the cut, and from the mending"));
    progress("apart                        | noticed | decided || decided | all level");
    scope(|scope| {
        let over = StopAtEnd(&stop);
        let client = scope.spawn(|| asking.until(&stop));
        for row in ROWS {
            one_row(&mut spread, &row);
        }
        drop(over);
        assert!(client.join().unwrap() > 0);
    });
    let mut values = BTreeMap::new();
    for said in spread.commits() {
        let decided = said.event["decided"].as_str().unwrap();
        let header = &decided[..200];
        assert_eq!(values.entry(said.epoch()).or_insert(header), &header, "epoch {}", said.epoch());
    }
    assert!(!spread.said.iter().any(|said| said.is("evidence")), "nobody was seen to contradict itself");
}

fn one_row(spread: &mut Spread, Row { name, apart, goes_on }: &Row) {
    let begin = Instant::now();
    spread.wait_for("there is load", begin, |said| said.is("commit"));
    let cut = Instant::now();
    spread.net.part(apart);
    let parted = Instant::now();
    let since = |then: Instant, at: Instant| at.duration_since(then).as_millis();
    let is_there = |said: &Said| !apart.contains(&said.node);
    let newest = |spread: &Spread, until: Instant| {
        spread.commits().filter(|said| said.at <= until && is_there(said)).map(Said::epoch).max().unwrap()
    };
    // Somebody waits for a leader in vain, on the client's side.
    let noticed = spread.wait_for("somebody notices", cut, |said| said.is_alarm() && is_there(said)).at;
    let decided = goes_on.then(|| {
        let left = newest(spread, noticed) + 1;
        let first = spread
            .wait_for("an epoch without them", cut, |said| is_there(said) && said.is("commit") && said.epoch() >= left);
        assert!(first.view() <= 2, "{name}: view {}", first.view());
        since(cut, first.at)
    });
    if !goes_on {
        spread.wait_for("it says who is missing", cut, |said| {
            let silent = said.event["by"]["silent"].as_array().map_or(0, Vec::len);
            said.is("blocked") && is_there(said) && silent > 1
        });
        // What was on its way decides the epoch that was open, and it is told of a little later.
        let last = newest(spread, parted) + 2;
        // Three of four are a quorum, with or without the client.
        let could = |said: &Said| !is_there(said) && apart.len() > 2;
        assert!(!spread.commits().any(|said| said.epoch() > last && !could(said)), "{name}: nobody has a quorum");
    }
    let mended = Instant::now();
    let left = newest(spread, mended) + 1;
    spread.net.part(&[]);
    let first = spread
        .wait_for("an epoch with all", mended, |said| is_there(said) && said.is("commit") && said.epoch() >= left);
    let (first, epoch) = (since(mended, first.at), first.epoch());
    let mut level = 0;
    for node in 0..NODES {
        let said = spread
            .wait_for("all are level", mended, |said| said.node == node && said.is("commit") && said.epoch() >= epoch);
        level = level.max(since(mended, said.at));
    }
    // Where a quorum was left, epochs are decided all the time.
    let (decided, first) = match decided {
        Some(decided) => (decided.to_string(), "-".into()),
        None => ("-".into(), first.to_string()),
    };
    let noticed = since(cut, noticed);
    progress(&format!("{name:<28} | {noticed:>7} | {decided:>7} || {first:>7} | {level:>9}"));
}
