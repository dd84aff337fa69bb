//! The handshake between members: who gets in, and what it takes.

mod world;

use butterfly_session::limits::LEAST_FRAME;
use butterfly_session::{
    Closed, ExchangeSecret, KeyRecord, Local, MicroSession, Outgoing, Refused, ServerSession, Session, wire,
};
use world::{
    CLUSTER, Connected, End, FOREIGN, LONGEST, Member, ROSTER, Roster, Said, connect, member, member_of, shake,
};

const FRAME: usize = 1024;
const LIFE: u32 = 1 << 20;

fn end(member: Member) -> End<FRAME, LIFE> {
    End::new(member, 7)
}

/// What comes of `first` at a responder who is member 1 and admits `roster`.
fn refusal(first: &[u8], roster: &Roster) -> Closed {
    let mut responder = end(member(1));
    let refused = responder.hear(first).map_err(Refused::Closed).and_then(|_| responder.answer(roster));
    let Err(Refused::Closed(reason)) = refused else { panic!("it was answered: {refused:?}") };
    assert_eq!(responder.hear(&[]), Err(reason), "the session stays closed");
    assert_eq!(responder.answer(roster), Err(Refused::Closed(reason)));
    reason
}

#[test]
fn members_know_each_other_and_talk() {
    let Connected { mut initiator, mut responder, messages } = connect::<FRAME, LIFE>(1);
    assert_eq!(initiator.session.peer(), Some(&responder.member.peer));
    assert_eq!(responder.session.peer(), Some(&initiator.member.peer));
    let lengths = [wire::FIRST_OF_MEMBER, wire::ANSWER_TO_MEMBER, wire::KIND + wire::TAG];
    assert_eq!(messages.map(|message| message.len()), lengths.map(|length| length + wire::LENGTH));
    for message in [&b""[..], b"one", &[7; 800]] {
        let frames = initiator.say(message);
        assert_eq!(Some(frames.len()), initiator.session.sealed_len(message.len()));
        assert_eq!(responder.hear(&frames), Ok(vec![Said::Message(message.to_vec())]));
        let frames = responder.say(message);
        assert_eq!(initiator.hear(&frames), Ok(vec![Said::Message(message.to_vec())]));
    }
}

#[test]
fn bytes_may_come_one_at_a_time() {
    let (mut initiator, mut responder) = (end(member(0)), end(member(1)));
    let one_at_a_time = |end: &mut End<FRAME, LIFE>, bytes: &[u8]| {
        bytes.iter().flat_map(|byte| end.hear(&[*byte]).unwrap()).collect::<Vec<Said>>()
    };
    let first = initiator.dial(&responder.member.peer).unwrap();
    assert_eq!(one_at_a_time(&mut responder, &first), [Said::Knock]);
    let answer = responder.answer(&ROSTER).unwrap();
    assert_eq!(one_at_a_time(&mut initiator, &answer), [Said::Answered]);
    let mut bytes = initiator.confirm().unwrap();
    bytes.extend(initiator.say(b"slowly"));
    let said = one_at_a_time(&mut responder, &bytes);
    assert_eq!(said, [Said::Established(initiator.member.peer), Said::Message(b"slowly".to_vec())]);
}

#[test]
fn who_dials_the_wrong_key_is_refused_before_any_diffie_hellman() {
    let mut initiator = end(member(0));
    let first = initiator.dial(&member(2).peer).unwrap();
    assert_eq!(refusal(&first, &ROSTER), Closed::NotForUs);
}

#[test]
fn a_foreign_cluster_is_refused_before_any_diffie_hellman() {
    let mut initiator = end(member_of(FOREIGN, 0, 0, LONGEST));
    let first = initiator.dial(&member(1).peer).unwrap();
    assert_eq!(refusal(&first, &ROSTER), Closed::NotForUs);
}

#[test]
fn whoever_is_not_in_the_roster_is_a_stranger() {
    let mut initiator = end(member(9));
    let first = initiator.dial(&member(1).peer).unwrap();
    assert_eq!(refusal(&first, &ROSTER), Closed::Stranger);
}

#[test]
fn a_key_that_was_given_up_is_a_strangers() {
    let first = |serial| end(member_of(CLUSTER, 0, serial, LONGEST)).dial(&member(1).peer).unwrap();
    assert_eq!(refusal(&first(4), &Roster(8, 5)), Closed::Stranger);
    let mut responder = end(member(1));
    assert_eq!(responder.hear(&first(5)), Ok(vec![Said::Knock]));
    assert!(responder.answer(&Roster(8, 5)).is_ok());
}

#[test]
fn records_are_of_one_key_one_cluster_and_one_signer() {
    let (us, secret) = (member(0), ExchangeSecret::from_random([100; 32]));
    let record = *us.local.record();
    assert_eq!(record.exchange, secret.public());
    assert_eq!(record.verify(CLUSTER), Ok(us.peer));
    assert_eq!(record.verify(FOREIGN), Err(Closed::Record));
    assert_eq!(KeyRecord::from_bytes(&record.to_bytes()), Some(record));
    let forgeries = [
        KeyRecord { identity: member(1).peer.identity(), ..record },
        KeyRecord { exchange: member(1).peer.exchange(), ..record },
        KeyRecord { serial: 1, ..record },
    ];
    for forged in forgeries {
        assert_eq!(forged.verify(CLUSTER), Err(Closed::Record));
        assert_eq!(Local::new(CLUSTER, &secret, forged, LONGEST).err(), Some(Closed::Record));
    }
    let of_another_key = ExchangeSecret::from_random([9; 32]);
    assert_eq!(Local::new(CLUSTER, &of_another_key, record, LONGEST).err(), Some(Closed::Record));
    for bit in 0..record.to_bytes().len() * 8 {
        let mut bytes = record.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = KeyRecord::from_bytes(&bytes).unwrap();
        assert_eq!(flipped.verify(CLUSTER), Err(Closed::Record), "bit {bit}");
    }
}

/// Member 2 signs that member 1's exchange key is its own. Who dials member 2
/// by that record reaches member 1, and must not take it for member 2.
#[test]
fn a_member_cannot_lend_itself_the_key_of_another() {
    let record = KeyRecord::sign(&member(2).identity, CLUSTER, member(1).peer.exchange(), 0);
    let mut initiator = end(member(0));
    let first = initiator.dial(&record.verify(CLUSTER).unwrap()).unwrap();
    assert_eq!(refusal(&first, &ROSTER), Closed::Handshake);
}

/// A first message can be recorded and sent again. It is answered again, but
/// whoever sends it can neither confirm nor read, and nobody is established.
#[test]
fn a_replayed_first_message_establishes_nobody() {
    let Connected { mut responder, messages: [first, answer, confirmation], mut initiator } = connect::<FRAME, LIFE>(3);
    let mut again = End::<FRAME, LIFE>::new(member(1), 99);
    assert_eq!(again.hear(&first), Ok(vec![Said::Knock]));
    let second_answer = again.answer(&ROSTER).unwrap();
    assert_ne!(second_answer, answer, "a new ephemeral key");
    assert_eq!(again.session.peer(), None, "nothing is believed");
    let sealed = again.write(|session, _, out| session.seal(&mut Outgoing::new(b"secret"), out));
    assert_eq!(sealed, Err(Refused::NotNow), "nothing is sent to whom nobody knows");
    assert_eq!(again.hear(&confirmation), Err(Closed::Altered));
    // The real connection does not notice.
    let frames = initiator.say(b"on and on");
    assert_eq!(responder.hear(&frames), Ok(vec![Said::Message(b"on and on".to_vec())]));
}

#[test]
fn the_answer_to_somebody_else_is_refused() {
    let (mut initiator, mut responder) = (end(member(0)), end(member(1)));
    initiator.dial(&responder.member.peer).unwrap();
    let other = End::<FRAME, LIFE>::new(member(0), 55).dial(&responder.member.peer).unwrap();
    responder.hear(&other).unwrap();
    let answer = responder.answer(&ROSTER).unwrap();
    assert_eq!(initiator.hear(&answer), Err(Closed::Handshake));
}

#[test]
fn the_smaller_limit_wins_in_both_directions() {
    let mut server = End::<16_384, LIFE>::new(member_of(CLUSTER, 0, 0, 70_000), 1);
    let mut micro = End::<600, LIFE>::new(member_of(CLUSTER, 1, 0, 50_000), 2);
    shake(&mut server, &mut micro);
    assert_eq!(server.limits(), micro.limits());
    assert_eq!((server.limits().frame, server.limits().message), (600, 50_000));
    let longest = vec![3; 50_000];
    let frames = server.frames(&longest).unwrap();
    assert!(frames.iter().all(|frame| frame.len() <= 600 + wire::LENGTH));
    assert_eq!(frames.concat().len(), server.session.sealed_len(50_000).unwrap());
    assert_eq!(micro.hear(&frames.concat()).unwrap().len(), frames.len());
    assert_eq!(server.frames(&vec![3; 50_001]), Err(Refused::TooLong));
    assert_eq!(micro.frames(&vec![3; 50_001]), Err(Refused::TooLong));
    let said = server.hear(&micro.say(&longest)).unwrap();
    assert_eq!(said.len(), frames.len());
}

#[test]
fn the_other_way_round_as_well() {
    let mut micro = End::<LEAST_FRAME, LIFE>::new(member(0), 1);
    let mut server = End::<16_384, LIFE>::new(member(1), 2);
    shake(&mut micro, &mut server);
    assert_eq!(usize::from(server.limits().frame), LEAST_FRAME);
    assert_eq!(server.limits(), micro.limits());
}

#[test]
fn calls_out_of_turn_change_nothing() {
    let (mut initiator, mut responder) = (end(member(0)), end(member(1)));
    let nothing_fits = |end: &mut End<FRAME, LIFE>| {
        assert_eq!(end.confirm(), Err(Refused::NotNow));
        assert_eq!(end.frames(b"early"), Err(Refused::NotNow));
        assert_eq!(end.write(|session, _, out| session.seal_end(out)), Err(Refused::NotNow));
        assert_eq!(end.write(|session, _, out| session.seal_nothing(out)), Err(Refused::NotNow));
    };
    nothing_fits(&mut initiator);
    assert_eq!(initiator.answer(&ROSTER), Err(Refused::NotNow));
    let first = initiator.dial(&responder.member.peer).unwrap();
    nothing_fits(&mut initiator);
    assert_eq!(initiator.dial(&responder.member.peer), Err(Refused::NotNow));
    responder.hear(&first).unwrap();
    assert_eq!(responder.hear(&[]), Ok(vec![Said::Knock]), "said until it is answered");
    nothing_fits(&mut responder);
    assert_eq!(responder.dial(&initiator.member.peer), Err(Refused::NotNow));
    let answer = responder.answer(&ROSTER).unwrap();
    nothing_fits(&mut responder);
    assert_eq!(responder.answer(&ROSTER), Err(Refused::NotNow));
    initiator.hear(&answer).unwrap();
    assert_eq!(initiator.frames(b"early"), Err(Refused::NotNow));
    let confirmation = initiator.confirm().unwrap();
    assert_eq!(responder.hear(&confirmation).unwrap().len(), 1);
    assert_eq!(initiator.confirm(), Err(Refused::NotNow));
}

#[test]
fn without_room_nothing_is_written_and_nothing_changes() {
    let (mut initiator, mut responder) = (end(member(0)), end(member(1)));
    let peer = responder.member.peer;
    let ephemeral = initiator.random.ephemeral();
    let short = initiator.session.dial(&initiator.member.local, &peer, ephemeral, &mut [0; 100]);
    assert_eq!(short, Err(Refused::NoRoom));
    let first = initiator.dial(&peer).unwrap();
    responder.hear(&first).unwrap();
    let ephemeral = responder.random.ephemeral();
    let short = responder.session.answer(&responder.member.local, &ROSTER, ephemeral, &mut [0; 50]);
    assert_eq!(short, Err(Refused::NoRoom));
    let answer = responder.answer(&ROSTER).unwrap();
    initiator.hear(&answer).unwrap();
    assert_eq!(initiator.session.confirm(&mut [0; 18]), Err(Refused::NoRoom));
    let confirmation = initiator.confirm().unwrap();
    responder.hear(&confirmation).unwrap();
    let mut message = Outgoing::new(b"twenty bytes and more");
    assert_eq!(initiator.session.seal(&mut message, &mut [0; 39]), Err(Refused::NoRoom));
    assert!(!message.is_sent());
    let frame = initiator.write(|session, _, out| session.seal(&mut message, out)).unwrap();
    assert_eq!(responder.hear(&frame), Ok(vec![Said::Message(b"twenty bytes and more".to_vec())]));
}

#[test]
fn every_call_finds_room_in_a_buffer_of_that_size() {
    assert_eq!(ServerSession::ROOM, 16_386);
    assert_eq!(MicroSession::ROOM, 514);
    const { assert!(Session::<LEAST_FRAME>::ROOM >= wire::LENGTH + wire::APPLICATION) };
}
