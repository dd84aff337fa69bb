//! The same sessions with another implementation of Noise at the other end.

mod rogue;
mod world;

use butterfly_session::Closed;
use butterfly_session::limits::Limits;
use rogue::{Claims, Rogue};
use world::{Connected, End, ROSTER, Said, connect, member};

const FRAME: usize = 1024;
/// Few, so that keys change soon.
const LIFE: u32 = 5;

const WHOLE: u8 = 1;
const LAST: u8 = 0x80;

fn ours_as_responder() -> (End<FRAME, LIFE>, Rogue) {
    let (us, them) = (member(1), member(0));
    let dialling = rogue::dial(&them, &us.peer, &Claims::of(&them, us.peer.identity()), 33);
    let mut us = End::new(us, 5);
    assert_eq!(us.hear(&dialling.first), Ok(vec![Said::Knock]));
    let answer = us.answer(&ROSTER).unwrap();
    let mut rogue = dialling.hear(&answer);
    let confirmation = rogue.seal(&[0]);
    assert_eq!(us.hear(&confirmation), Ok(vec![Said::Established(them.peer)]));
    (us, rogue)
}

fn ours_as_initiator() -> (End<FRAME, LIFE>, Rogue) {
    let them = member(1);
    let mut us = End::<FRAME, LIFE>::new(member(0), 6);
    let first = us.dial(&them.peer).unwrap();
    let limits = Limits { frame: 1024, message: 100_000 };
    let (mut rogue, answer, payload) = rogue::answer(&them, &first, limits, 44);
    let record = us.member.local.record();
    let expected = [&record.identity.0[..], &record.serial.to_le_bytes(), &record.signature].concat();
    assert_eq!(payload[..100], expected, "the credential");
    assert_eq!(payload[100..], [&1024_u16.to_le_bytes()[..], &100_000_u32.to_le_bytes()].concat(), "the limits");
    assert_eq!(us.hear(&answer), Ok(vec![Said::Answered]));
    let confirmation = us.confirm().unwrap();
    assert_eq!(rogue.open(&confirmation), Some(vec![vec![0]]));
    (us, rogue)
}

#[test]
fn frames_go_both_ways_whoever_dialled() {
    for (mut us, mut rogue) in [ours_as_responder(), ours_as_initiator()] {
        let frame = us.say(b"to snow");
        assert_eq!(rogue.open(&frame), Some(vec![b"\x01to snow".to_vec()]));
        let frame = rogue.seal(b"\x01from snow");
        assert_eq!(us.hear(&frame), Ok(vec![Said::Message(b"from snow".to_vec())]));
    }
}

#[test]
fn a_long_message_has_the_layout_of_the_table() {
    for (mut us, mut rogue) in [ours_as_responder(), ours_as_initiator()] {
        let message: Vec<u8> = (0..2_500).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let frames = rogue.open(&us.say(&message)).unwrap();
        let (parts, kinds): (Vec<&[u8]>, Vec<u8>) = frames.iter().map(|frame| (&frame[1..], frame[0] & 0x7f)).unzip();
        assert_eq!(kinds, [2, 3, 3]);
        assert_eq!(parts[0][..4], 2_500_u32.to_le_bytes());
        assert_eq!([&parts[0][4..], parts[1], parts[2]].concat(), message);
        assert!(frames[..2].iter().all(|frame| frame.len() == 1024 - 16), "parts are as long as they can be");
    }
}

#[test]
fn our_key_changes_when_the_frames_are_used_up() {
    for (mut us, mut rogue) in [ours_as_responder(), ours_as_initiator()] {
        let mut last = 0;
        for number in 0..40_u8 {
            let plain = rogue.open(&us.say(&[number])).expect("snow changes its key when ours says so");
            assert_eq!(plain[0][1], number);
            last += u32::from(plain[0][0] & LAST != 0);
        }
        assert!((40 / LIFE..=41 / LIFE).contains(&last), "{last} changes of key");
    }
}

#[test]
fn their_key_changes_when_they_say_so() {
    for (mut us, mut rogue) in [ours_as_responder(), ours_as_initiator()] {
        for number in 0..40_u8 {
            let changes = number % 3 == 2;
            let frame = rogue.seal(&[if changes { WHOLE | LAST } else { WHOLE }, number]);
            if changes {
                rogue.rekey_outgoing();
            }
            assert_eq!(us.hear(&frame), Ok(vec![Said::Message(vec![number])]));
        }
    }
}

#[test]
fn after_an_hour_the_next_frame_is_the_last_under_its_key() {
    for (mut us, mut rogue) in [ours_as_responder(), ours_as_initiator()] {
        us.session.change_key();
        let marked = rogue.open(&us.nothing()).unwrap();
        assert_eq!(marked, [vec![LAST]]);
        let frame = us.say(b"under the next");
        assert_eq!(rogue.open(&frame).unwrap(), [b"\x01under the next".to_vec()]);
    }
}

#[test]
fn who_says_so_and_does_not_change_its_key_is_cut_off() {
    let (mut us, mut rogue) = ours_as_responder();
    let frame = rogue.seal(&[WHOLE | LAST, 1]);
    assert_eq!(us.hear(&frame).unwrap().len(), 1);
    let frame = rogue.seal(&[WHOLE, 2]);
    assert_eq!(us.hear(&frame), Err(Closed::Altered));
}

#[test]
fn who_seals_too_much_under_a_key_is_cut_off() {
    let (mut us, mut rogue) = ours_as_responder();
    // The confirmation was the first.
    for number in 1..LIFE - 1 {
        let frame = rogue.seal(&[WHOLE, u8::try_from(number).unwrap()]);
        assert_eq!(us.hear(&frame).unwrap().len(), 1);
    }
    let frame = rogue.seal(&[WHOLE, 9]);
    assert_eq!(us.hear(&frame), Err(Closed::KeyOverused));
}

#[test]
fn the_first_message_is_the_same_byte_for_byte() {
    let (us, them) = (member(0), member(1));
    let mut ours = End::<FRAME, LIFE>::new(member(0), 5);
    let ephemeral = butterfly_session::Ephemeral::from_random([33; 32]);
    let first = ours.write(|session, local, out| session.dial(local, &them.peer, ephemeral, out)).unwrap();
    assert_eq!(first, rogue::dial(&us, &them.peer, &Claims::of(&us, them.peer.identity()), 33).first);
    let Connected { messages, .. } = connect::<FRAME, LIFE>(1);
    assert_eq!(messages[0].len(), first.len());
}
