//! Links: who may open one, and what ends it for good.

use std::sync::Arc;

use butterfly_ffi::Error;
use butterfly_ffi::roster::Roster;
use butterfly_ffi::session::{Party, Received, Session, SessionEvent, Who};
use butterfly_session::{ClusterId, Ephemeral, ExchangeSecret, KeyRecord, Local, ServerSession};
use ed25519_dalek::SigningKey;

use crate::table::{CLIENTS, MEMBERS, keys, model, public, roster};

const RECORD: usize = butterfly_session::keys::RECORD;

fn key_records() -> Vec<u8> {
    (0..MEMBERS).flat_map(|member| keys(member).key_record(roster()).unwrap()).collect()
}

fn party(party: u8) -> Arc<Party> {
    Party::new(roster(), keys(party), &key_records()).unwrap()
}

fn session(of: u8) -> Arc<Session> {
    Session::new(party(of)).unwrap()
}

fn nothing(events: Vec<SessionEvent>) -> Received {
    Received { reply: Vec::new(), events }
}

/// One that `dialler` began with `member`, at both ends.
fn opened(dialler: u8, member: u8) -> (Arc<Session>, Arc<Session>) {
    let (dialling, listening) = (session(dialler), session(member));
    let first = dialling.dial(member).unwrap();
    assert_eq!(listening.receive(&first).unwrap(), nothing(vec![SessionEvent::Knock]));
    let Received { reply, events } = dialling.receive(&listening.answer().unwrap()).unwrap();
    assert_eq!(events, [SessionEvent::Established { who: Who::Member { number: member } }]);
    let who = match CLIENTS.iter().position(|client| *client == dialler) {
        Some(place) => Who::Client { number: u8::try_from(place).unwrap() },
        None => Who::Member { number: dialler },
    };
    assert_eq!(listening.receive(&reply).unwrap(), nothing(vec![SessionEvent::Established { who }]));
    (dialling, listening)
}

fn is_closed(session: &Session) -> bool {
    let refused = |outcome: Result<Vec<u8>, Error>| matches!(outcome, Err(Error::Session { .. }));
    refused(session.seal(b"a"))
        && refused(session.answer())
        && refused(session.dial(1))
        && session.receive(b"a").is_err()
}

#[test]
fn key_records_are_one_of_each_member_in_order() {
    let records = key_records();
    let swapped = [&records[RECORD..2 * RECORD], &records[..RECORD], &records[2 * RECORD..]].concat();
    let other = Roster::found(public(0..MEMBERS), MEMBERS, public([CLIENTS[0]]), model(), None, None, 2_000).unwrap();
    let elsewhere = (0..MEMBERS).flat_map(|member| keys(member).key_record(other.clone()).unwrap()).collect();
    let short = records[RECORD..].to_vec();
    let mut forged = records.clone();
    forged[RECORD / 2] ^= 1;
    for wrong in [vec![], short, [&records[..], &[0]].concat(), swapped, elsewhere, forged] {
        assert!(matches!(Party::new(roster(), keys(0), &wrong), Err(Error::Keys { .. })));
    }
    assert!(matches!(Party::new(roster(), keys(50), &records), Err(Error::Keys { .. })), "a stranger");
}

#[test]
fn members_and_clients_are_known_by_their_keys() {
    opened(0, 1);
    opened(CLIENTS[1], 2);
    assert!(matches!(session(0).dial(MEMBERS), Err(Error::Session { .. })), "there is no such member");
    // Whoever expects one member is not content with another.
    let (dialling, other) = (session(0), session(2));
    assert!(other.receive(&dialling.dial(1).unwrap()).is_err());
    assert!(is_closed(&other));
}

#[test]
fn strangers_are_not_answered() {
    // It knows the cluster and its members, as everybody may; no roster names it.
    let (identity, secret) = (SigningKey::from_bytes(&[60; 32]), ExchangeSecret::from_random([60; 32]));
    let cluster = ClusterId(roster().facts().unwrap().id.0);
    let record = KeyRecord::sign(&identity, cluster, secret.public(), 0);
    let stranger = Local::new(cluster, &secret, record, 1_024).unwrap();
    let records = key_records();
    let of_member = records[RECORD..2 * RECORD].try_into().unwrap();
    let peer = KeyRecord::from_bytes(of_member).unwrap().verify(cluster).unwrap();
    let mut room = vec![0; ServerSession::ROOM];
    let written = ServerSession::new().dial(&stranger, &peer, Ephemeral::from_random([1; 32]), &mut room).unwrap();
    let member = session(1);
    assert_eq!(member.receive(&room[..written]).unwrap(), nothing(vec![SessionEvent::Knock]));
    assert!(matches!(member.answer(), Err(Error::Session { .. })));
    assert!(is_closed(&member));
}

/// A member that changed its exchange key is not answered with its old one.
#[test]
fn a_key_that_was_replaced_is_refused() {
    let identity = SigningKey::from_bytes(&[0; 32]);
    let exchange = ExchangeSecret::from_random([9; 32]).public();
    let cluster = ClusterId(roster().facts().unwrap().id.0);
    let newer = KeyRecord::sign(&identity, cluster, exchange, 1).to_bytes();
    let records = [&newer[..], &key_records()[RECORD..]].concat();
    let member = Session::new(Party::new(roster(), keys(1), &records).unwrap()).unwrap();
    let old = session(0);
    let outcome = member.receive(&old.dial(1).unwrap()).and_then(|_| member.answer());
    assert!(matches!(outcome, Err(Error::Session { .. })));
}

#[test]
fn messages_arrive_whole_in_whatever_pieces() {
    let (dialling, listening) = opened(0, 1);
    for length in [0, 1, 1_000, 4_000, 16 * 1024] {
        let message: Vec<u8> = (0..length).map(|at: usize| at.to_le_bytes()[0]).collect();
        let sealed = dialling.seal(&message).unwrap();
        let mut heard = Vec::new();
        for piece in sealed.chunks(1 + length / 7) {
            let Received { reply, events } = listening.receive(piece).unwrap();
            assert!(reply.is_empty());
            heard.extend(events);
        }
        assert_eq!(heard, [SessionEvent::Message { bytes: message }]);
    }
    // Two at once, and the other way.
    let two = [listening.seal(b"one").unwrap(), listening.seal(&[7; 3_000]).unwrap()].concat();
    let message = |bytes: &[u8]| SessionEvent::Message { bytes: bytes.to_vec() };
    assert_eq!(dialling.receive(&two).unwrap().events, [message(b"one"), message(&[7; 3_000])]);
    dialling.change_key().unwrap();
    let sealed = dialling.seal(b"after").unwrap();
    assert_eq!(listening.receive(&sealed).unwrap().events, [message(b"after")]);
}

#[test]
fn a_message_that_is_too_long_is_not_sealed() {
    let (dialling, _listening) = opened(0, 1);
    assert!(matches!(dialling.seal(&[0; 16 * 1024 + 1]), Err(Error::Session { .. })));
}

#[test]
fn whatever_goes_wrong_closes_a_session_for_good() {
    let fresh = session(0);
    assert!(fresh.seal(b"a").is_err() && fresh.seal_end().is_err(), "nothing was begun");
    let garbage = session(0);
    assert!(garbage.receive(&[0xFF; 300]).is_err());
    assert!(is_closed(&garbage));
    let (dialling, listening) = opened(0, 1);
    let mut altered = dialling.seal(b"a").unwrap();
    *altered.last_mut().unwrap() ^= 1;
    assert!(matches!(listening.receive(&altered), Err(Error::Session { .. })));
    assert!(is_closed(&listening));
}

#[test]
fn an_end_that_nobody_announced_is_an_error() {
    let (dialling, listening) = opened(0, 1);
    let end = dialling.seal_end().unwrap();
    assert!(matches!(opened(0, 1).1.end_of_bytes(), Err(Error::Session { .. })));
    assert_eq!(listening.receive(&end).unwrap(), nothing(vec![SessionEvent::Ended]));
    listening.end_of_bytes().unwrap();
}
