//! A fuzzer that never gets past the first check finds nothing: that what it
//! begins with gets to where the work is done.

use std::collections::{BTreeMap, BTreeSet};

use butterfly_kernel::chain::Head;
use butterfly_kernel::message::{Change, Kind, Message, Payload};
use butterfly_kernel::node::Role;
use butterfly_kernel::wire;

use crate::nodes::with_audience;
use crate::pocket::Pocket;
use crate::rehearsal::{Notes, found, play, rehearse};
use crate::{Cluster, Decided, Envelope, Record, read, real, session};

#[test]
fn the_scenes_are_played_whoever_is_placed_where() {
    let drawn: BTreeMap<u8, Cluster> = (0..=u8::MAX).map(found).map(|cluster| (cluster.id(), cluster)).collect();
    assert_eq!(drawn.len(), 16, "each digest is a cluster's id");
    for cluster in drawn.into_values() {
        assert_eq!(payloads(&rehearse(cluster), |_| true), PAYLOADS);
    }
}

#[test]
fn every_kind_of_message_is_said_and_taken_by_somebody() {
    let notes = play();
    for kind in Kind::ALL {
        let said = notes.messages.get(&kind).unwrap_or_else(|| panic!("nobody says {}", kind.name()));
        let heard = |bytes: &Vec<u8>| !read::hear(wire::decode(bytes).unwrap()).is_empty();
        assert!(said.iter().any(heard), "nobody takes {}", kind.name());
    }
}

#[test]
fn every_kind_of_payload_is_taken() {
    let taken = |envelope: &Envelope| !read::hear(envelope.clone()).is_empty();
    assert_eq!(payloads(&play(), taken), PAYLOADS);
}

const PAYLOADS: [&str; 3] = ["a change", "a notice", "work"];

/// The kinds of payload that were sent, of those that are `chosen`.
fn payloads(notes: &Notes, chosen: impl Fn(&Envelope) -> bool) -> Vec<&'static str> {
    let sent = notes.messages[&Kind::Payload].iter().map(|bytes| wire::decode::<Envelope>(bytes).unwrap());
    let kinds: BTreeSet<&str> = sent
        .filter(chosen)
        .map(|envelope| match envelope.message {
            Message::Payload(Payload::Work(_)) => "work",
            Message::Payload(Payload::Notice(_)) => "a notice",
            Message::Payload(Payload::Change(_)) => "a change",
            message => panic!("{message:?} is no payload"),
        })
        .collect();
    kinds.into_iter().collect()
}

#[test]
fn every_moment_is_open_to_messages() {
    let notes = play();
    let mut taken = BTreeSet::new();
    for bytes in notes.messages.values().flatten() {
        taken.extend(read::hear(wire::decode::<Envelope>(bytes).unwrap()));
    }
    let moments: BTreeSet<&str> = notes.moments.iter().map(|moment| moment.name).collect();
    assert_eq!(taken, moments, "messages are taken in every one of them");
    assert_eq!(moments.len(), notes.moments.len(), "each moment has a name of its own");
}

#[test]
fn what_hosts_are_handed_is_taken() {
    let notes = play();
    for kind in [Kind::Forward, Kind::Change] {
        let taken = |bytes: &Vec<u8>| {
            let message = wire::decode::<Envelope>(bytes).unwrap().message;
            !with_audience(|audience| audience.tell(|cluster| read::handed(cluster, &message))).is_empty()
        };
        assert!(notes.messages[&kind].iter().any(taken), "no host takes {}", kind.name());
    }
}

#[test]
fn members_enter_the_next_cluster_behind_endings_of_the_scenes() {
    let notes = play();
    assert_eq!(notes.clusters.len(), 3);
    let endings = notes.endings.iter().map(|bytes| wire::decode::<Decided>(bytes).unwrap());
    let changes: Vec<Change<Pocket>> = endings.clone().filter_map(|ending| ending.state.change).collect();
    let admitted = changes.iter().filter(|change| matches!(change, Change::Admit { .. })).count();
    assert!(admitted >= 2 && admitted + 2 <= changes.len(), "two come, and two go: {changes:?}");
    for ending in endings {
        assert!(read::succeed(&ending), "{ending:?} changes no roster");
    }
    for bytes in &notes.messages[&Kind::Decided] {
        let Message::Decided(decided) = wire::decode::<Envelope>(bytes).unwrap().message else { continue };
        assert_eq!(read::succeed(&decided), decided.state.change.is_some(), "{decided:?}");
    }
}

#[test]
fn nodes_go_on_from_records_of_the_scenes() {
    let notes = play();
    assert!(notes.records.len() > 10);
    let mut entered = false;
    for bytes in &notes.records {
        let record = wire::decode::<Record>(bytes).unwrap();
        entered |= matches!(record.head, Head::Entered(_));
        assert!(read::resume(bytes, record), "its own record");
    }
    assert!(entered, "nobody wrote down that it entered another cluster");
}

#[test]
fn the_real_cluster_is_that_of_the_golden_vectors() {
    let story = butterfly_golden::story::Story::new();
    assert_eq!(real::cluster().id(), story.cluster.id());
    assert!(real::resume(real::Record::first(Role::Replica)).is_some());
}

#[test]
fn scripts_are_taken_to_their_ends() {
    let taken: Vec<usize> =
        session::scripts().iter().map(|script| session::from_peer(script).expect("it is in order")).collect();
    assert!(taken.contains(&0), "frames with nothing in them");
    assert!(taken.contains(&5), "a message in three parts, and two more");
}
