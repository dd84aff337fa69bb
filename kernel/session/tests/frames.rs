//! Frames: what an attacker does to them, and what a member may not do who
//! has the keys.

mod rogue;
mod world;

use butterfly_session::limits::Limits;
use butterfly_session::{Closed, Outgoing, Refused, wire};
use rogue::{Claims, Rogue};
use world::{Connected, End, LONGEST, ROSTER, Random, Said, connect, member};

const FRAME: usize = 1024;
const LIFE: u32 = 1 << 20;
/// Bytes of a message that fit in a frame.
const BODY: usize = FRAME - wire::KIND - wire::TAG;

type Pair = Connected<FRAME, LIFE>;

fn pair() -> (End<FRAME, LIFE>, End<FRAME, LIFE>) {
    let Pair { initiator, responder, .. } = connect(4);
    (initiator, responder)
}

fn closed(end: &mut End<FRAME, LIFE>, reason: Closed) {
    assert_eq!(end.session.peer(), None);
    assert_eq!(end.hear(b"more"), Err(reason));
    assert_eq!(end.frames(b"more"), Err(Refused::Closed(reason)));
    assert_eq!(end.session.end_of_bytes(), Err(reason));
}

#[test]
fn a_replayed_frame_closes_the_session() {
    let (mut alice, mut bob) = pair();
    let frame = alice.say(b"once");
    assert_eq!(bob.hear(&frame).unwrap().len(), 1);
    assert_eq!(bob.hear(&frame), Err(Closed::Altered));
    closed(&mut bob, Closed::Altered);
}

#[test]
fn frames_out_of_order_close_the_session() {
    let (mut alice, mut bob) = pair();
    let (_first, second) = (alice.say(b"first"), alice.say(b"second"));
    assert_eq!(bob.hear(&second), Err(Closed::Altered));
    closed(&mut bob, Closed::Altered);
}

#[test]
fn a_frame_of_ours_sent_back_closes_the_session() {
    let (mut alice, _) = pair();
    let frame = alice.say(b"mine");
    assert_eq!(alice.hear(&frame), Err(Closed::Altered));
    closed(&mut alice, Closed::Altered);
}

#[test]
fn a_frame_of_another_session_closes_this_one() {
    let (mut alice, _) = pair();
    let Pair { mut responder, .. } = connect(5);
    assert_eq!(responder.hear(&alice.say(b"elsewhere")), Err(Closed::Altered));
}

#[test]
fn a_truncated_frame_is_waited_for_and_never_delivered() {
    let frame = pair().0.say(b"all of it or nothing");
    for length in 0..frame.len() {
        let (_, mut bob) = pair();
        assert_eq!(bob.hear(&frame[..length]), Ok(vec![]));
        assert_eq!(bob.session.end_of_bytes(), Err(Closed::Truncated));
        closed(&mut bob, Closed::Truncated);
    }
}

#[test]
fn an_end_that_the_peer_did_not_announce_is_told_from_one_that_it_did() {
    let (mut alice, mut bob) = pair();
    let bytes = [alice.say(b"last words"), alice.end()].concat();
    assert_eq!(bob.hear(&bytes), Ok(vec![Said::Message(b"last words".to_vec()), Said::Ended]));
    assert_eq!(alice.frames(b"more"), Err(Refused::NotNow));
    // The other direction is still open.
    let frame = bob.say(b"farewell");
    assert_eq!(alice.hear(&frame), Ok(vec![Said::Message(b"farewell".to_vec())]));
    assert_eq!(bob.session.end_of_bytes(), Ok(()));
    assert_eq!(alice.session.end_of_bytes(), Err(Closed::Truncated));
    let (mut alice, mut bob) = pair();
    bob.hear(&alice.end()).unwrap();
    assert_eq!(bob.hear(&[17]), Ok(vec![]), "half a length");
    assert_eq!(bob.session.end_of_bytes(), Err(Closed::Truncated), "there was something after the end");
}

#[test]
fn a_length_is_refused_before_anything_is_stored() {
    let refused = |length: usize| {
        let (_, mut bob) = pair();
        let announced = u16::try_from(length).unwrap().to_le_bytes();
        match bob.hear(&announced) {
            Err(reason) => {
                closed(&mut bob, reason);
                Some(reason)
            }
            Ok(_) => None,
        }
    };
    for length in [0, 1, wire::TAG, FRAME + 1, 16_384, 65_535] {
        assert_eq!(refused(length), Some(Closed::Length), "{length}");
    }
    for length in [wire::KIND + wire::TAG, FRAME] {
        assert_eq!(refused(length), None, "{length}");
    }
}

#[test]
fn lengths_of_handshake_messages_are_exact() {
    let lengths = |end: fn() -> End<FRAME, LIFE>| -> Vec<usize> {
        let taken = |length: &usize| end().hear(&u16::try_from(*length).unwrap().to_le_bytes()).is_ok();
        (0..=FRAME).filter(taken).collect()
    };
    let fresh = || End::new(member(1), 1);
    let dialled = || {
        let mut end = End::new(member(0), 1);
        end.dial(&member(1).peer).unwrap();
        end
    };
    let unconfirmed = || {
        let mut end = End::new(member(1), 1);
        let first = End::<FRAME, LIFE>::new(member(0), 1).dial(&member(1).peer).unwrap();
        end.hear(&first).unwrap();
        end.answer(&ROSTER).unwrap();
        end
    };
    let first: Vec<usize> = (wire::FIRST_OF_NEWCOMER..=wire::FIRST_OF_MEMBER).collect();
    assert_eq!(lengths(fresh), first, "until the pattern is known");
    assert_eq!(lengths(dialled), [wire::ANSWER_TO_MEMBER]);
    assert_eq!(lengths(unconfirmed), [wire::KIND + wire::TAG]);
}

#[test]
fn garbage_never_gets_further_than_a_hash() {
    let mut random = Random::new(1);
    let mut reasons = Vec::new();
    for _ in 0..2_000 {
        let mut end = End::<FRAME, LIFE>::new(member(1), 1);
        let mut bytes: Vec<u8> = (0..400).map(|_| random.bytes()[0]).collect();
        // Half of it with a length, version and pattern that are right.
        if random.below(2) == 0 {
            let [low, high] = u16::try_from(wire::FIRST_OF_MEMBER).unwrap().to_le_bytes();
            bytes[..4].copy_from_slice(&[low, high, 1, 1]);
        }
        reasons.push(end.hear(&bytes).unwrap_err());
    }
    assert!(reasons.contains(&Closed::NotForUs) && reasons.contains(&Closed::Length));
    let expected = [Closed::Length, Closed::Version, Closed::Pattern, Closed::NotForUs];
    assert!(reasons.iter().all(|reason| expected.contains(reason)));
}

#[test]
fn messages_of_every_length_arrive_in_parts_or_whole() {
    let (mut alice, mut bob) = pair();
    let lengths = [0, 1, BODY - 1, BODY, BODY + 1, 2 * BODY - 4, 2 * BODY - 3, 10_000, LONGEST.try_into().unwrap()];
    for length in lengths {
        let message: Vec<u8> = (0..length).map(|at| u8::try_from(at % 253).unwrap()).collect();
        let frames = alice.frames(&message).unwrap();
        assert_eq!(frames.len(), if length <= BODY { 1 } else { (length - (BODY - 4)).div_ceil(BODY) + 1 });
        assert_eq!(alice.session.sealed_len(length), Some(frames.concat().len()));
        let mut received = Vec::new();
        for said in bob.hear(&frames.concat()).unwrap() {
            match said {
                Said::Message(bytes) => received = bytes,
                Said::Chunk { total, offset, bytes } => {
                    assert_eq!(usize::try_from(total).unwrap(), length);
                    assert_eq!(usize::try_from(offset).unwrap(), received.len());
                    received.extend(bytes);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(received, message);
    }
}

#[test]
fn one_message_at_a_time() {
    let (mut alice, mut bob) = pair();
    let (long, other) = (vec![1; 3_000], vec![2; 4_000]);
    let (mut message, mut another) = (Outgoing::new(&long), Outgoing::new(&other));
    let first = alice.write(|session, _, out| session.seal(&mut message, out)).unwrap();
    let mut refused = |message: &mut Outgoing<'_>| alice.write(|session, _, out| session.seal(message, out));
    assert_eq!(refused(&mut another), Err(Refused::Unfinished));
    assert_eq!(refused(&mut Outgoing::new(b"short")), Err(Refused::Unfinished));
    assert_eq!(alice.write(|session, _, out| session.seal_end(out)), Err(Refused::Unfinished));
    let mut frames = vec![first, alice.nothing()];
    while !message.is_sent() {
        frames.push(alice.write(|session, _, out| session.seal(&mut message, out)).unwrap());
    }
    assert_eq!(alice.write(|session, _, out| session.seal(&mut message, out)), Err(Refused::NotNow), "it is sent");
    frames.push(alice.say(&other));
    assert_eq!(bob.hear(&frames.concat()).unwrap().len(), 3 + 4);
}

/// Member 0 with genuine keys and without manners, and who hears it.
fn rogue(limits: Limits) -> (End<FRAME, LIFE>, Rogue) {
    let (us, them) = (member(1), member(0));
    let claims = Claims { limits, ..Claims::of(&them, us.peer.identity()) };
    let dialling = rogue::dial(&them, &us.peer, &claims, 33);
    let mut us = End::new(us, 5);
    us.hear(&dialling.first).unwrap();
    let answer = us.answer(&ROSTER).unwrap();
    (us, dialling.hear(&answer))
}

const GENEROUS: Limits = Limits { frame: 1024, message: 1 << 30 };

fn first_part(total: u32, bytes: usize) -> Vec<u8> {
    [&[2], &total.to_le_bytes()[..], &vec![0; bytes]].concat()
}

#[test]
fn genuine_frames_that_may_not_come_now_close_the_session() {
    let full = vec![0; BODY - 4];
    let total = |length: u32| [&[2], &length.to_le_bytes()[..], &full].concat();
    let more = |length: usize| [&[3][..], &vec![0; length]].concat();
    let cases: [(&str, Vec<Vec<u8>>, Closed); 16] = [
        ("a kind that there is not", vec![vec![5]], Closed::Unexpected),
        ("the same, last under its key", vec![vec![0x85]], Closed::Unexpected),
        ("an empty frame with something in it", vec![vec![0, 1]], Closed::Unexpected),
        ("an end with something in it", vec![vec![4, 1]], Closed::Unexpected),
        ("something after the end", vec![vec![4], vec![1, 1]], Closed::Unexpected),
        ("a second end", vec![vec![4], vec![4]], Closed::Unexpected),
        ("a part without a beginning", vec![more(10)], Closed::Unexpected),
        ("no length in a first part", vec![vec![2, 1, 1]], Closed::Unexpected),
        ("parts of what fits in one frame", vec![first_part(1_007, 1_003)], Closed::Unexpected),
        ("a first part that is not full", vec![first_part(5_000, 1_002)], Closed::Unexpected),
        ("a part that is not full", vec![total(5_000), more(BODY - 1)], Closed::Unexpected),
        ("a last part that is too long", vec![total(1_010), more(8)], Closed::Unexpected),
        ("a message inside a message", vec![total(5_000), vec![1, 1]], Closed::Unexpected),
        ("a beginning inside a message", vec![total(5_000), total(5_000)], Closed::Unexpected),
        ("an end inside a message", vec![total(5_000), vec![4]], Closed::Unexpected),
        ("a message beyond what was agreed", vec![total(LONGEST + 1)], Closed::MessageTooLong),
    ];
    for (name, frames, reason) in cases {
        let (mut us, mut rogue) = rogue(GENEROUS);
        assert_eq!(us.hear(&rogue.seal(&[0])).unwrap().len(), 1, "established");
        let (last, good) = frames.split_last().unwrap();
        for plain in good {
            assert!(us.hear(&rogue.seal(plain)).is_ok(), "{name}");
        }
        assert_eq!(us.hear(&rogue.seal(last)), Err(reason), "{name}");
        closed(&mut us, reason);
    }
}

#[test]
fn a_whole_message_keeps_to_the_agreed_length_as_well() {
    let (mut us, mut rogue) = rogue(Limits { frame: 1024, message: 10 });
    us.hear(&rogue.seal(&[0])).unwrap();
    assert_eq!(us.frames(&[7; 11]), Err(Refused::TooLong));
    assert_eq!(us.hear(&rogue.seal(&[1; 11])).unwrap().len(), 1, "ten bytes");
    assert_eq!(us.hear(&rogue.seal(&[1; 12])), Err(Closed::MessageTooLong));
}

#[test]
fn limits_that_no_message_fits_in_are_refused() {
    let (us, them) = (member(1), member(0));
    for frame in [0, 16, 511] {
        let limits = Limits { frame, message: 1_000 };
        let claims = Claims { limits, ..Claims::of(&them, us.peer.identity()) };
        let mut us = End::<FRAME, LIFE>::new(member(1), 1);
        us.hear(&rogue::dial(&them, &us.member.peer, &claims, 3).first).unwrap();
        assert_eq!(us.answer(&ROSTER), Err(Refused::Closed(Closed::Limits)));
        let mut us = End::<FRAME, LIFE>::new(member(0), 1);
        let them = member(1);
        let (_, answer, _) = rogue::answer(&them, &us.dial(&them.peer).unwrap(), limits, 4);
        assert_eq!(us.hear(&answer), Err(Closed::Limits));
    }
}

#[test]
fn only_an_empty_frame_confirms() {
    for plain in [&[1][..], &[4], &[0x81], &[7]] {
        let (mut us, mut rogue) = rogue(GENEROUS);
        assert_eq!(us.hear(&rogue.seal(plain)), Err(Closed::Unexpected), "{plain:?}");
        closed(&mut us, Closed::Unexpected);
    }
    let (mut us, mut rogue) = rogue(GENEROUS);
    assert_eq!(us.hear(&rogue.seal(&[1, 1])), Err(Closed::Length));
}

/// The code of a first message proves little. What is behind it is checked too.
#[test]
fn claims_with_a_right_code_are_still_checked() {
    let (us, them) = (member(1), member(0));
    let good = Claims::of(&them, us.peer.identity());
    let mut forged = good.credential.clone();
    forged[40] ^= 1;
    let foreign = rogue::prologue(world::FOREIGN, us.peer.identity());
    let cases = [
        ("another version", Claims { version: 2, ..good.clone() }, Closed::Version),
        ("another pattern", Claims { pattern: 3, ..good.clone() }, Closed::Pattern),
        ("the length of another pattern", Claims { pattern: 2, ..good.clone() }, Closed::Length),
        ("another cluster's code", Claims { guarded_for: world::FOREIGN, ..good.clone() }, Closed::NotForUs),
        ("another cluster's prologue", Claims { prologue: foreign, ..good.clone() }, Closed::Handshake),
        ("a forged record", Claims { credential: forged, ..good.clone() }, Closed::Record),
        (
            "another member's record",
            Claims { credential: Claims::of(&member(2), us.peer.identity()).credential, ..good.clone() },
            Closed::Record,
        ),
    ];
    for (name, claims, reason) in cases {
        let mut us = End::<FRAME, LIFE>::new(member(1), 1);
        let heard = us.hear(&rogue::dial(&them, &us.member.peer, &claims, 3).first).map_err(Refused::Closed);
        assert_eq!(heard.and_then(|_| us.answer(&ROSTER)), Err(Refused::Closed(reason)), "{name}");
        closed(&mut us, reason);
    }
}

#[test]
fn a_message_may_be_lent_anew_for_each_frame() {
    let (mut alice, mut bob) = pair();
    let message: Vec<u8> = (0..3 * BODY).map(|at| at.to_le_bytes()[0]).collect();
    let (mut sealed, mut heard, mut out) = (0, Vec::new(), [0; FRAME + wire::LENGTH]);
    while sealed < message.len() {
        let lent = message.clone();
        let mut outgoing = Outgoing::resumed(&lent, sealed);
        let written = alice.session.seal(&mut outgoing, &mut out).unwrap();
        sealed = lent.len() - outgoing.left();
        heard.extend(bob.hear(&out[..written]).unwrap());
    }
    let bytes = heard.iter().flat_map(|said| match said {
        Said::Chunk { bytes, .. } => bytes.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!(bytes.collect::<Vec<_>>(), message);
}

#[test]
fn another_message_cannot_go_on_where_one_is_unfinished() {
    let (mut alice, _) = pair();
    let mut out = [0; FRAME + wire::LENGTH];
    alice.session.seal(&mut Outgoing::new(&[1; 3 * BODY]), &mut out).unwrap();
    let mut shorter = Outgoing::resumed(&[1; 2 * BODY], BODY);
    assert_eq!(alice.session.seal(&mut shorter, &mut out), Err(Refused::Unfinished));
}

#[test]
fn a_part_stays_until_the_next_bytes() {
    let (mut alice, mut bob) = pair();
    let message = [7; 2 * BODY];
    let mut outgoing = Outgoing::new(&message);
    let mut next = |alice: &mut End<FRAME, LIFE>| {
        let mut out = vec![0; FRAME + wire::LENGTH];
        let written = alice.session.seal(&mut outgoing, &mut out).unwrap();
        out.truncate(written);
        out
    };
    assert!(bob.session.chunk().is_none());
    bob.hear(&next(&mut alice)).unwrap();
    // `hear` asks until there is nothing more: what was there is gone by then.
    assert!(bob.session.chunk().is_none());
    let frame = next(&mut alice);
    let mut bytes = &frame[..];
    assert!(bob.session.receive(&bob.member.local, &mut bytes).unwrap().is_some());
    let part = bob.session.chunk().unwrap();
    let first = BODY - wire::TOTAL;
    assert_eq!((part.total as usize, part.offset as usize, part.bytes), (message.len(), first, &message[..BODY]));
    bob.session.receive(&bob.member.local, &mut &[0, 0][..]).err().unwrap();
    assert!(bob.session.chunk().is_none());
}
