//! Every bit of everything on the wire, flipped, one at a time: whoever reads
//! it closes the session or waits for more, and nothing else is delivered than
//! what was said.

mod rogue;
mod world;

use butterfly_session::{Closed, Refused, wire};
use world::{CLUSTER, Connected, End, ROSTER, Said, connect, member};

const FRAME: usize = 1024;
const LIFE: u32 = 4;

fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

/// A length that was made greater is waited for; so that it ends, the peer
/// goes on sending.
static MORE: [u8; 70_000] = [0x5a; 70_000];

fn fresh(number: u8) -> End<FRAME, LIFE> {
    End::new(member(number), 11)
}

#[test]
fn of_a_first_message() {
    let first = fresh(0).dial(&member(1).peer).unwrap();
    for (bit, flipped) in flips(&first) {
        let mut responder = fresh(1);
        let heard = responder.hear(&flipped).and_then(|_| responder.hear(&MORE));
        assert!(heard.is_err(), "bit {bit}: {heard:?}");
        assert_eq!(responder.answer(&ROSTER), Err(Refused::Closed(heard.unwrap_err())), "bit {bit}");
    }
}

/// Whoever knows our public key can make the code right again.
#[test]
fn of_a_first_message_with_its_code_made_anew() {
    let responder = member(1);
    let first = fresh(0).dial(&responder.peer).unwrap();
    let guarded = &first[wire::LENGTH..first.len() - wire::MAC];
    for (bit, flipped) in flips(guarded).filter(|(bit, _)| *bit >= wire::PREFACE * 8) {
        let code = rogue::code(CLUSTER, 1, &responder.peer.exchange().0, &flipped);
        let mut responder = fresh(1);
        assert_eq!(responder.hear(&rogue::framed(&[flipped, code].concat())), Ok(vec![Said::Knock]));
        assert_eq!(responder.answer(&ROSTER), Err(Refused::Closed(Closed::Handshake)), "bit {bit}");
    }
}

#[test]
fn of_an_answer() {
    let (mut responder, first) = (fresh(1), fresh(0).dial(&member(1).peer).unwrap());
    responder.hear(&first).unwrap();
    let answer = responder.answer(&ROSTER).unwrap();
    for (bit, flipped) in flips(&answer) {
        let mut initiator = fresh(0);
        assert_eq!(initiator.dial(&member(1).peer), Ok(first.clone()));
        assert!(initiator.hear(&flipped).is_err(), "bit {bit}");
        assert!(matches!(initiator.confirm(), Err(Refused::Closed(_))), "bit {bit}");
    }
}

#[test]
fn of_a_confirmation() {
    let Connected { messages: [first, answer, confirmation], .. } = connect::<FRAME, LIFE>(2);
    for (bit, flipped) in flips(&confirmation) {
        let mut responder = End::<FRAME, LIFE>::new(member(1), !2);
        responder.hear(&first).unwrap();
        assert_eq!(responder.answer(&ROSTER).as_ref(), Ok(&answer));
        assert!(responder.hear(&flipped).is_err(), "bit {bit}");
        assert_eq!(responder.session.peer(), None);
    }
}

/// Three frames, one of which is the last under its key, and an end.
#[test]
fn of_frames() {
    let mut conversation = connect::<FRAME, LIFE>(2).initiator;
    let said = [&b"first"[..], b"second", b"third"];
    let mut bytes: Vec<u8> = said.iter().flat_map(|message| conversation.say(message)).collect();
    bytes.extend(conversation.end());
    let genuine: Vec<Said> = said.map(|message| Said::Message(message.to_vec())).to_vec();
    for (bit, flipped) in flips(&bytes) {
        let mut responder = connect::<FRAME, LIFE>(2).responder;
        let mut heard = Vec::new();
        let outcome = flipped.iter().chain(&MORE).try_for_each(|byte| {
            heard.extend(responder.hear(&[*byte])?);
            Ok::<(), Closed>(())
        });
        assert!(outcome.is_err(), "bit {bit}");
        assert!(genuine.starts_with(&heard), "bit {bit}: {heard:?}");
        assert!(heard.len() < 3 || bit / 8 > bytes.len() - 20, "bit {bit}: {heard:?}");
    }
}
