//! A fuzzer that never gets past the first check finds nothing: that what it
//! begins with gets to where the work is done.

use std::collections::BTreeSet;

use butterfly_kernel::message::{Kind, Message, Payload};
use butterfly_kernel::node::Role;
use butterfly_kernel::wire;

use crate::rehearsal::play;
use crate::{Envelope, Record, read, real, session};

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
fn both_kinds_of_payload_are_taken() {
    let notes = play();
    let envelopes = notes.messages[&Kind::Payload].iter().map(|bytes| wire::decode::<Envelope>(bytes).unwrap());
    let (of_members, of_requests): (Vec<_>, Vec<_>) =
        envelopes.partition(|envelope| matches!(envelope.message, Message::Payload(Payload::Notice(_))));
    for payloads in [of_members, of_requests] {
        assert!(payloads.into_iter().any(|payload| !read::hear(payload).is_empty()));
    }
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
fn nodes_go_on_from_records_of_the_scenes() {
    let notes = play();
    assert!(notes.records.len() > 10);
    for bytes in &notes.records {
        let record = wire::decode::<Record>(bytes).unwrap();
        assert!(read::resume(bytes, record), "its own record");
    }
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
