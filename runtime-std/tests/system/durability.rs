//! What is left of a cluster whose processes are killed, again and again, while
//! clients ask it things.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::admin::document;
use crate::harness::{StopAtEnd, butterfly, progress, verify};
use crate::nodes::{Draws, Nodes, epochs, last};
use crate::operated::{Folder, PATIENCE, wait_until};

const NODES: u16 = 4;
/// Processes that are killed, half of them one at a time, half all at once.
const KILLS: usize = 500;
/// Tokens that take some 30 epochs.
const LONG: &str = "120";
const PROMPTS: [&str; 3] = ["Return the ", "if x == ", "def main("];

/// What one client asked for, and what it was given.
pub(crate) struct Answered {
    pub(crate) tokens: u64,
    first: u64,
    last: u64,
}

/// Asks for one thing after the other until it is told to stop. A command that
/// fails is given again, as it says that one should.
pub(crate) fn ask_again_and_again(folder: &Folder, client: &str, stop: &AtomicBool) -> Vec<Answered> {
    let mut draws = Draws(client.parse().unwrap());
    let mut answered = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let prompt = PROMPTS[usize::try_from(draws.below(3)).unwrap()];
        let tokens = (1 + draws.below(60)).to_string();
        let file = folder.dir.join(format!("proof-{client}"));
        let asked = ["--client", client, "--prompt", prompt, "--tokens", &tokens];
        let further = ["--json", "--patience", "5", "--proof", file.to_str().unwrap()];
        let deadline = Instant::now() + PATIENCE;
        let output = loop {
            let output = folder.run("submit", &[&asked[..], &further].concat());
            if output.status.success() {
                break output;
            }
            assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&output.stderr));
        };
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let reference = butterfly(&["reference", "--json", "--prompt", prompt, "--tokens", &tokens]);
        let reference: Value = serde_json::from_slice(&reference.stdout).unwrap();
        assert_eq!(answer["text"], reference["text"]);
        let proven = verify(&file, &["--cluster", answer["cluster"].as_str().unwrap()]).unwrap();
        assert_eq!((&proven["text"], &proven["complete"]), (&answer["text"], &true.into()));
        let epoch = |name: &str| proven[name].as_u64().unwrap();
        answered.push(Answered {
            tokens: tokens.parse().unwrap(),
            first: epoch("first_epoch"),
            last: epoch("last_epoch"),
        });
    }
    answered
}

/// Epochs that were decided before are decided afterwards; each has one value
/// with everybody; nobody was seen to contradict himself; every token that was
/// committed is one that a client asked for, once.
#[test]
fn five_hundred_kills_lose_and_repeat_nothing() {
    let folder = Folder::found(usize::from(NODES));
    let mut nodes = Nodes::start(&folder);
    let stop = AtomicBool::new(false);
    let answered = scope(|scope| {
        let over = StopAtEnd(&stop);
        let clients = ["0", "1"].map(|client| scope.spawn(|| ask_again_and_again(&folder, client, &stop)));
        let mut draws = Draws(500);
        let (mut killed, mut strikes) = (0, 0_u32);
        while killed < KILLS {
            sleep(Duration::from_millis(draws.below(300)));
            if clients.iter().any(|client| client.is_finished()) {
                break;
            }
            let before = nodes.last();
            if killed < KILLS / 2 {
                let node = u16::try_from(draws.below(u64::from(NODES))).unwrap();
                nodes.kill(node);
                sleep(Duration::from_millis(draws.below(30)));
                nodes.restart(node);
                killed += 1;
            } else {
                nodes.kill_all();
                nodes.start_all();
                killed += usize::from(NODES);
            }
            assert!(nodes.last() >= before, "epoch {before} had been decided");
            strikes += 1;
            // Several strike one epoch; but a view that is never given its time decides nothing.
            if strikes.is_multiple_of(4) {
                wait_until("another epoch is decided", || nodes.last() > before);
            }
            if killed.is_multiple_of(50) {
                progress(&format!("{killed} of {KILLS} killed, {} epochs", nodes.last()));
            }
        }
        drop(over);
        clients.map(|client| client.join().unwrap())
    });
    let requests = answered.iter().flatten().collect();
    let (committed, last) = nothing_is_lost_or_repeated(&nodes, requests);
    assert!(answered.iter().all(|answered| answered.len() > 20), "there was load all the time");
    let requests: usize = answered.iter().map(Vec::len).sum();
    progress(&format!("{requests} requests, {committed} tokens, {last} epochs"));
}

/// Every epoch has one value with everybody who runs, nobody is seen to have
/// contradicted himself, and what was committed is what was asked for, once. The
/// tokens that were committed, and the last epoch.
pub(crate) fn nothing_is_lost_or_repeated(nodes: &Nodes<'_>, mut requests: Vec<&Answered>) -> (u64, u64) {
    let last = nodes.last();
    wait_until("every node has the last epoch", || nodes.admins().all(|admin| epochs(admin).contains_key(&last)));
    let histories = nodes.histories();
    let mut committed = 0;
    for epoch in 1..=last {
        let told: Vec<&Value> = histories.iter().filter_map(|history| history.get(&epoch)).collect();
        let values: BTreeSet<&str> = told.iter().map(|told| told["value"].as_str().unwrap()).collect();
        assert_eq!(values.len(), 1, "epoch {epoch}: {values:?}");
        committed += told.iter().map(|told| told["tokens"].as_u64().unwrap()).max().unwrap();
    }
    for admin in nodes.admins() {
        assert_eq!(document(admin, "/api/v1/evidence")["evidence"], Value::Array(Vec::new()));
    }
    requests.sort_by_key(|answered| answered.first);
    assert_eq!(committed, requests.iter().map(|answered| answered.tokens).sum::<u64>());
    assert!(requests.is_sorted_by(|one, next| one.last < next.first), "each has epochs of its own");
    (committed, last)
}

/// Every member of every stage but the last comes back from a checkpoint, and
/// those of the last have nothing: they are told what is before it.
#[test]
fn who_came_back_from_a_checkpoint_tells_others_what_is_before_it() {
    let folder = Folder::found(usize::from(NODES));
    let mut nodes = Nodes::start(&folder);
    catch_in_the_middle(&folder, &mut nodes);
    let homes = (0..NODES).map(|node| folder.dir.join(format!("node-{node}/checkpoints")));
    let homes: Vec<PathBuf> = homes.collect();
    let files = homes.iter().flat_map(|home| fs::read_dir(home).unwrap());
    let paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    let place = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        let (stage, position) = name.split_once('-')?;
        Some((stage.parse::<u8>().ok()?, position.parse::<u16>().ok()?))
    };
    // Everybody is beyond the first of them, which is the same for all.
    let first = paths.iter().filter_map(|path| place(path)).map(|(_, position)| position).min().unwrap();
    let last_stage = paths.iter().filter_map(|path| place(path)).map(|(stage, _)| stage).max().unwrap();
    for stage in 0..last_stage {
        let kept = paths.iter().find(|path| place(path) == Some((stage, first))).unwrap();
        let kept = fs::read(kept).unwrap();
        homes.iter().for_each(|home| fs::write(home.join(format!("{stage}-{first}")), &kept).unwrap());
    }
    for path in paths.iter().filter(|path| place(path).is_none_or(|(stage, at)| stage == last_stage || at > first)) {
        fs::remove_file(path).unwrap();
    }
    nodes.start_all();
    let answer = folder.submit(&["--prompt", PROMPTS[0], "--tokens", LONG]);
    let reference = butterfly(&["reference", "--json", "--prompt", PROMPTS[0], "--tokens", LONG]);
    let reference: Value = serde_json::from_slice(&reference.stdout).unwrap();
    assert_eq!(answer["text"], reference["text"]);
}

/// All nodes are killed at once, when each is behind a checkpoint of a request
/// that is not finished.
fn catch_in_the_middle(folder: &Folder, nodes: &mut Nodes<'_>) {
    for _ in 0..20 {
        let begun = nodes.last();
        let asked = ["--json", "--patience", "1", "--prompt", PROMPTS[0], "--tokens", LONG];
        let mut asked = folder.spawn("submit", &asked);
        wait_until("everybody is behind a checkpoint", || nodes.admins().all(|admin| last(admin) > begun + 5));
        nodes.kill_all();
        if asked.code() != Some(0) {
            return;
        }
        nodes.start_all();
    }
    panic!("each time the request was finished");
}

/// What was decided before is told by nodes that were not there.
#[test]
fn a_cluster_that_was_killed_tells_of_everything_it_decided() {
    let folder = Folder::found(usize::from(NODES));
    let mut nodes = Nodes::start(&folder);
    folder.submit(&["--tokens", "40"]);
    let last = nodes.last();
    wait_until("every node has the last epoch", || {
        (0..NODES).all(|node| epochs(folder.admin(node)).contains_key(&last))
    });
    let before = nodes.histories();
    nodes.kill_all();
    nodes.start_all();
    assert_eq!(nodes.histories(), before);
    assert_eq!(before[0].len(), 10);
}
