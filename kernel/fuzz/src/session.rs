//! What a connection may bring: to a session that nobody has spoken to, and to
//! one whose peer has the keys and says anything under them.
//!
//! Noise stops a fuzzer at once, as it should. So the bytes are a script: each
//! line of it makes one frame, which is sealed as the peer would.

use std::sync::LazyLock;

use butterfly_session::limits::{LEAST_FRAME, Limits};
use butterfly_session::wire::{LAST_UNDER_KEY, TAG};
use butterfly_session::{
    Closed, ClusterId, Ephemeral, Event, ExchangeSecret, KeyRecord, Local, Outgoing, Peer, Refused, Session,
};
use clatter::cipherstate::CipherState;
use clatter::crypto::cipher::ChaChaPoly;
use ed25519_dalek::SigningKey;

/// Small, so that a script of 2 KB holds many of them.
type Fuzzed = Session<LEAST_FRAME, KEY_LIFE>;
const KEY_LIFE: u32 = 5;
/// Messages of three frames are within it, longer ones are not.
const LONGEST_MESSAGE: u32 = 1_400;
const KEY: [u8; 32] = [7; 32];

static MEMBER: LazyLock<(Local, Peer)> = LazyLock::new(|| {
    let (cluster, secret) = (ClusterId([1; 32]), ExchangeSecret::from_random([3; 32]));
    let record = KeyRecord::sign(&SigningKey::from_bytes(&[2; 32]), cluster, secret.public(), 0);
    let local = Local::new(cluster, &secret, record, LONGEST_MESSAGE).expect("its own record");
    (local, record.verify(cluster).expect("its own record"))
});

/// Bytes as they are. Nobody gets anywhere with them, before a handshake or after.
pub fn from_stranger(bytes: &[u8]) {
    let (local, peer) = &*MEMBER;
    let mut session = Fuzzed::new();
    hold_closed(&mut session, local, bytes);
    let mut session = opened(*peer);
    hold_closed(&mut session, local, bytes);
}

/// The session takes no event from `bytes`: it waits or is closed for good.
fn hold_closed(session: &mut Fuzzed, local: &Local, mut bytes: &[u8]) {
    match session.receive(local, &mut bytes) {
        Ok(None) => assert!(bytes.is_empty(), "it waits and has not taken everything"),
        // With libFuzzer's luck: a code of sixteen bytes was guessed.
        Ok(Some(_)) => panic!("a stranger was heard"),
        Err(reason) => is_closed(session, local, reason),
    }
}

/// A script, sealed frame by frame. What is delivered is what the frames say.
/// Tells how many frames were delivered with something in them, if all were taken.
pub fn from_peer(script: &[u8]) -> Option<usize> {
    let (local, peer) = &*MEMBER;
    let (mut session, mut theirs) = (opened(*peer), CipherState::<ChaChaPoly>::new(&KEY, 0));
    let mut heard = Heard::default();
    for plain in Lines(script) {
        let mut frame = vec![0; plain.len() + TAG];
        theirs.encrypt_with_ad(&[], &plain, &mut frame).expect("there are numbers left");
        if plain.first().is_some_and(|kind| kind & LAST_UNDER_KEY != 0) {
            theirs.rekey().expect("there is a next key");
        }
        let length = u16::try_from(frame.len()).expect("lines are short").to_le_bytes();
        for mut bytes in [&length[..], &frame] {
            let event = session.receive(local, &mut bytes);
            assert!(bytes.is_empty() || event.is_err(), "not all of a frame was taken");
            match event {
                Ok(None) => {}
                Ok(Some(event)) => heard.take(&plain, event),
                Err(reason) => {
                    is_closed(&mut session, local, reason);
                    return None;
                }
            }
        }
    }
    // Whatever the peer did, our own direction goes on.
    let mut out = [0; Fuzzed::ROOM];
    assert!(session.seal(&mut Outgoing::new(b"unmoved"), &mut out).is_ok());
    assert_eq!(session.end_of_bytes().is_ok(), heard.has_ended);
    Some(heard.events)
}

fn opened(peer: Peer) -> Fuzzed {
    let frame = u16::try_from(LEAST_FRAME).expect("it is 512");
    Fuzzed::rehearse(peer, Limits { frame, message: LONGEST_MESSAGE }, KEY, KEY)
}

fn is_closed(session: &mut Fuzzed, local: &Local, reason: Closed) {
    let mut out = [0; Fuzzed::ROOM];
    assert_eq!(session.seal_nothing(&mut out), Err(Refused::Closed(reason)));
    let dialled = session.dial(local, &MEMBER.1, Ephemeral::from_random([1; 32]), &mut out);
    assert_eq!(dialled, Err(Refused::Closed(reason)));
    assert_eq!(session.receive(local, &mut &b"more"[..]).err(), Some(reason));
    assert_eq!(session.end_of_bytes(), Err(reason));
}

/// Frames of a script: how many bytes follow, how many zeros stand behind
/// them (in twos), and the bytes.
struct Lines<'s>(&'s [u8]);

impl Iterator for Lines<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let (&[given, zeros], rest) = self.0.split_first_chunk()?;
        let (given, rest) = rest.split_at(usize::from(given).min(rest.len()));
        self.0 = rest;
        let mut plain = given.to_vec();
        plain.resize(given.len() + 2 * usize::from(zeros), 0);
        Some(plain)
    }
}

/// What was delivered so far.
#[derive(Default)]
struct Heard {
    /// The message under way: its length, and how much of it was delivered.
    begun: Option<(u32, u32)>,
    has_ended: bool,
    events: usize,
}

impl Heard {
    fn take(&mut self, plain: &[u8], event: Event<'_>) {
        self.events += 1;
        assert!(!self.has_ended, "something came after the end");
        match event {
            Event::Message(bytes) => {
                assert!(self.begun.is_none() && plain.ends_with(bytes) && plain.len() == bytes.len() + 1);
            }
            Event::Chunk(chunk) => {
                let length = u32::try_from(chunk.bytes.len()).expect("frames are short");
                assert!(length > 0 && plain.ends_with(chunk.bytes));
                assert_eq!(self.begun.unwrap_or((chunk.total, 0)), (chunk.total, chunk.offset));
                let upto = chunk.offset + length;
                assert!(upto <= chunk.total && chunk.total <= LONGEST_MESSAGE);
                self.begun = (upto < chunk.total).then_some((chunk.total, upto));
            }
            Event::Ended => {
                assert!(self.begun.is_none(), "an end inside a message");
                self.has_ended = true;
            }
            Event::Knock | Event::Answered | Event::Applied | Event::Established(_) => {
                panic!("the handshake is over");
            }
        }
    }
}

/// Scripts of conversations that a session takes to their ends.
pub fn scripts() -> Vec<Vec<u8>> {
    let line = |given: &[u8], zeros: u8| [&[u8::try_from(given.len()).expect("it is short"), zeros], given].concat();
    // A frame has room for 495 bytes: 5 and 490, or 1 and 494.
    let first =
        |total: u32| line(&[&[2, total.to_le_bytes()[0], total.to_le_bytes()[1], 0, 0][..], &[9]].concat(), 245);
    let more = line(&[3, 9], 247);
    let last = |bytes: u8| line(&[&[3][..], &vec![9; bytes.into()]].concat(), 0);
    let end = line(&[4], 0);
    let mut scripts = Vec::new();
    for mark in [0, LAST_UNDER_KEY] {
        scripts.push(line(&[mark], 0));
        scripts.push(line(&[4 | mark], 0));
        scripts.push(line(&[1 | mark, 5, 6], 0));
        scripts.push([line(&[1 | mark], 20), line(&[1, 1], 0), end.clone()].concat());
        scripts.push([line(&[mark], 0), line(&[mark], 0), line(&[1 | LAST_UNDER_KEY, 3], 0), line(&[1], 3)].concat());
    }
    for short in 5..=10_u8 {
        scripts.push([first(491 + u32::from(short)), last(short)].concat());
        let three = [first(491 + 495 + u32::from(short)), more.clone(), last(short)].concat();
        scripts.push([three.clone(), end.clone()].concat());
        scripts.push([three, line(&[1 | LAST_UNDER_KEY, short], 0), line(&[1, 2], 0)].concat());
    }
    scripts
}
