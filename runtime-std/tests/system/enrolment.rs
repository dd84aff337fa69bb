//! Somebody comes into the roster with a token, which is used once.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::AtomicBool;
use std::thread::scope;

use serde_json::Value;

use crate::durability::{Answered, ask_again_and_again, nothing_is_lost_or_repeated};
use crate::harness::{StopAtEnd, butterfly, progress, reference};
use crate::nodes::{Nodes, spawn};
use crate::operated::Folder;

/// `token`, into a file beside the cluster's folders.
fn token(folder: &Folder, name: &str, further: &[&str]) -> PathBuf {
    let file = folder.dir.join(name);
    let output = folder.run("token", &[&["--json", "--out", file.to_str().unwrap()][..], further].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

/// `join` into `dir`, as the node that has the number `node` by where it listens.
fn join(folder: &Folder, dir: &Path, token: &Path, node: u16, patience: u32) -> Output {
    let (listen, admin) = (folder.spare_address(node).to_string(), folder.admin(node).to_string());
    let (dir, token, patience) = (dir.to_str().unwrap(), token.to_str().unwrap(), patience.to_string());
    let addresses = ["--listen", &listen, "--admin", &admin, "--patience", &patience, "--json"];
    butterfly(&[&["join", "--dir", dir, "--token", token][..], &addresses].concat())
}

fn joined(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The keys that were drawn in a folder.
fn keys(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("key")).unwrap()
}

#[test]
fn somebody_joins_votes_and_is_the_only_one_with_this_token() {
    let folder = Folder::found(4);
    let mut nodes = Nodes::start(&folder);
    assert_eq!(folder.submit(&["--tokens", "8"])["text"], reference(8));
    let invitation = token(&folder, "token", &[]);

    // Nobody is there; the same command goes on, with the keys that it drew.
    nodes.kill_all();
    let why = refused(&join(&folder, &folder.dir, &invitation, 4, 1));
    assert!(why.contains("no member has taken the application within 1 s"), "{why}");
    let names = std::fs::read_dir(&folder.dir).unwrap().map(|entry| entry.unwrap().path());
    let begun = names.into_iter().find(|path| path.to_str().unwrap().contains("/joining-")).unwrap();
    let drawn = keys(&begun);
    nodes.start_all();
    let report = joined(&join(&folder, &folder.dir, &invitation, 4, 60));
    assert_eq!((&report["node"], &report["member"], &report["members"]), (&4.into(), &4.into(), &5.into()));
    assert_eq!((&report["votes"], &report["f"]), (&true.into(), &1.into()));
    assert_eq!(keys(&folder.dir.join("node-4")), drawn);
    assert!(!begun.exists());
    // Once more changes nothing.
    assert_eq!(joined(&join(&folder, &folder.dir, &invitation, 4, 60)), report);

    let elsewhere = folder.dir.join("elsewhere");
    let why = refused(&join(&folder, &elsewhere, &invitation, 5, 60));
    let epoch = &report["epoch"];
    assert!(why.contains(&format!("the roster changed in epoch {epoch}, without this newcomer")), "{why}");
    assert!(why.contains("somebody else has used the token"), "{why}");

    nodes.add(4, spawn(&folder, 4).replica());
    let status = folder.wait_for_status("five vote", |status| {
        let members = status["members"].as_array().unwrap();
        status["state"] == "whole" && members.iter().filter(|member| member["state"] == "replica").count() == 5
    });
    assert_eq!(status["f"], 1, "{status}");
    // Each of five leads one of so many epochs, and nobody is waited for.
    assert_eq!(folder.submit(&["--tokens", "24"])["text"], reference(24));
    // Four of five decide without one of the founders: the newcomer's vote counts.
    nodes.kill(0);
    assert_eq!(folder.submit(&["--tokens", "16"])["text"], reference(16));
    nodes.restart(0);
    nodes.kill(4);
    nodes.restart(4);
    folder.wait_for_status("all vote again", |status| status["state"] == "whole");
    assert_eq!(folder.submit(&["--tokens", "8"])["text"], reference(8));
    progress(&format!("joined with epoch {epoch}"));

    // An earlier token is spent, a new one is for six; a worker changes nothing about who votes.
    let worker = token(&folder, "for-a-worker", &["--worker"]);
    let report = joined(&join(&folder, &folder.dir, &worker, 5, 60));
    assert_eq!((&report["member"], &report["members"], &report["votes"]), (&5.into(), &6.into(), &false.into()));
    nodes.add(5, spawn(&folder, 5).replica());
    folder.wait_for_status("the worker works", |status| {
        status["state"] == "whole" && status["members"][5]["state"] == "worker"
    });
    assert_eq!(folder.submit(&["--tokens", "8"])["text"], reference(8));
}

/// Somebody comes while requests are worked on and a member is down, which
/// finds out when it is back.
#[test]
fn somebody_joins_under_load_while_a_member_is_down() {
    let folder = Folder::found(4);
    let mut nodes = Nodes::start(&folder);
    let stop = AtomicBool::new(false);
    let answered: [Vec<Answered>; 2] = scope(|scope| {
        let over = StopAtEnd(&stop);
        let clients = ["0", "1"].map(|client| scope.spawn(|| ask_again_and_again(&folder, client, &stop)));
        folder.wait_for_status("requests are worked on", |status| status["epoch"].as_u64().unwrap() > 8);
        nodes.kill(0);
        let invitation = token(&folder, "token", &[]);
        let report = joined(&join(&folder, &folder.dir, &invitation, 4, 60));
        progress(&format!("a member came with epoch {}", report["epoch"]));
        nodes.add(4, spawn(&folder, 4).replica());
        let votes = |status: &Value, member: usize| status["members"][member]["state"] == "replica";
        folder.wait_for_status("four of five vote", |status| (1..5).all(|member| votes(status, member)));
        nodes.restart(0);
        folder.wait_for_status("five vote", |status| (0..5).all(|member| votes(status, member)));
        drop(over);
        clients.map(|client| client.join().unwrap())
    });
    let (committed, last) = nothing_is_lost_or_repeated(&nodes, answered.iter().flatten().collect());
    progress(&format!("{committed} tokens, {last} epochs"));
}
