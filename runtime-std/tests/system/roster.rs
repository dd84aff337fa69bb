//! The roster changes while clients ask things: nothing is lost, and nothing
//! stops.

use std::sync::atomic::AtomicBool;
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::durability::{Answered, ask_again_and_again, nothing_is_lost_or_repeated};
use crate::harness::{StopAtEnd, progress, reference, verify};
use crate::nodes::{Began, Draws, Nodes, spawn};
use crate::operated::{Folder, wait_until};

/// The numbers that the nodes with these folders have in the roster now, by
/// where they listen.
fn number(folder: &Folder, node: u16) -> u16 {
    let address = folder.address(node).to_string();
    let status = folder.status();
    let members = status["members"].as_array().unwrap();
    let member = members.iter().find(|member| member["address"] == *address).unwrap_or_else(|| panic!("{status}"));
    u16::try_from(member["id"].as_u64().unwrap()).unwrap()
}

/// Which folder is that of the member who leads the open epoch.
fn leader(folder: &Folder) -> u16 {
    let status = folder.status();
    let leader = &status["members"][usize::try_from(status["leader"].as_u64().unwrap()).unwrap()];
    (0..folder.nodes).find(|node| leader["address"] == *folder.address(*node).to_string()).unwrap()
}

/// What was answered since the last look, by any client.
fn wait_for_answers(folder: &Folder, before: u64) {
    let epoch = || folder.status()["epoch"].as_u64().unwrap();
    wait_until("requests are answered", || epoch() > before + 4);
}

/// A member goes, then the one that leads, then one while another is down,
/// which finds out when it is back.
#[test]
fn members_go_under_load() {
    let folder = Folder::found(7);
    let mut nodes = Nodes::start(&folder);
    let stop = AtomicBool::new(false);
    let mut stay = Vec::new();
    let answered: [Vec<Answered>; 2] = scope(|scope| {
        let over = StopAtEnd(&stop);
        let clients = ["0", "1"].map(|client| scope.spawn(|| ask_again_and_again(&folder, client, &stop)));
        let remove = |nodes: &mut Nodes<'_>, node: u16| {
            wait_for_answers(&folder, nodes.last());
            let removal = folder.remove(number(&folder, node));
            progress(&format!("node {node} went with epoch {}, {} are left", removal["epoch"], removal["members"]));
            nodes.leave(node);
        };
        remove(&mut nodes, 3);
        let leads = leader(&folder);
        remove(&mut nodes, leads);
        stay.extend((0..7).filter(|node| ![3, leads].contains(node)));
        let (down, goes) = (stay[0], stay.remove(1));
        nodes.kill(down);
        remove(&mut nodes, goes);
        wait_for_answers(&folder, nodes.last());
        nodes.restart(down);
        folder.wait_for_status("the one that was down votes again", |status| status["state"] == "whole");
        drop(over);
        clients.map(|client| client.join().unwrap())
    });
    let status = folder.status();
    assert_eq!((status["members"].as_array().unwrap().len(), &status["f"]), (4, &1.into()));
    let (committed, last) = nothing_is_lost_or_repeated(&nodes, answered.iter().flatten().collect());
    assert!(answered.iter().all(|answered| answered.len() > 5), "there was load all the time");
    progress(&format!("{committed} tokens, {last} epochs, three changes"));

    // A proof is good for whoever knows how the cluster began.
    let file = folder.dir.join("late-proof");
    let answer = folder.submit(&["--tokens", "8", "--proof", file.to_str().unwrap()]);
    assert_eq!(answer["text"], reference(8));
    let proven = verify(&file, &["--cluster", answer["cluster"].as_str().unwrap()]).unwrap();
    assert_eq!((&proven["roster_changes"], &proven["complete"]), (&3.into(), &true.into()));

    // Whoever went does not come back, and those who are left begin again where they were.
    nodes.kill_all();
    match spawn(&folder, 3).begin() {
        Began::Refused(errors) => assert!(errors.contains("was removed from the roster in epoch"), "{errors}"),
        Began::Ready(_, event) => panic!("{event}"),
    }
    stay.iter().for_each(|node| nodes.restart(*node));
    assert_eq!(folder.submit(&["--tokens", "8"])["text"], reference(8));
}

/// All processes are killed again and again while the roster changes: at any
/// moment it has changed for all of them or for none.
#[test]
fn a_change_is_whole_or_was_not_made_whenever_the_nodes_are_killed() {
    let folder = Folder::found(7);
    let mut nodes = Nodes::start(&folder);
    let mut draws = Draws(7);
    let mut killed_early = 0;
    for members in (4..7).rev() {
        let goes = u16::try_from(members).unwrap();
        scope(|scope| {
            let ordered =
                scope.spawn(|| folder.run("remove", &["--json", "--patience", "10", "--node", &goes.to_string()]));
            for _ in 0..4 {
                sleep(Duration::from_millis(draws.below(120)));
                nodes.kill_all();
                for node in 0..=goes {
                    match spawn(&folder, node).begin() {
                        Began::Ready(process, _) => nodes.add(node, process),
                        Began::Refused(errors) => {
                            assert!(node == goes && errors.contains("was removed from the roster"), "{errors}");
                        }
                    }
                }
            }
            ordered.join().unwrap();
        });
        // Whoever heard of it may all have been killed before any of them told another.
        if folder.status()["members"].as_array().unwrap().len() > members {
            killed_early += 1;
            folder.remove(goes);
        }
        folder.wait_for_status("the change is made", |status| {
            status["members"].as_array().unwrap().len() == members && status["state"] == "whole"
        });
        assert_eq!(folder.submit(&["--tokens", "8"])["text"], reference(8));
    }
    progress(&format!("three changes, {killed_early} of them ordered twice"));
}
