//! What a handshake computes and sends, and what frames cost:
//! `cargo run --release -p butterfly-session --features count --example costs`

use std::hint::black_box;
use std::time::Instant;

use butterfly_session::count::{BASE_MULTIPLICATIONS, CIPHERS, DIFFIE_HELLMAN, HASHED, HASHES, VERIFICATIONS};
use butterfly_session::token::{BearerSecret, Invitee, Operators, TokenNumber};
use butterfly_session::{
    ClusterId, Ephemeral, Event, ExchangeSecret, IdentityKey, KeyRecord, Local, Members, Outgoing, Peer, ServerSession,
    Token, wire,
};
use ed25519_dalek::SigningKey;

const CLUSTER: ClusterId = ClusterId([1; 32]);

struct Everybody;

impl Members for Everybody {
    fn admits(&self, _: &IdentityKey, _: u32) -> bool {
        true
    }
}

impl Operators for Everybody {
    fn is_operator(&self, _: &IdentityKey) -> bool {
        true
    }
}

struct Member {
    local: Local,
    peer: Peer,
    session: ServerSession,
    out: Vec<u8>,
}

impl Member {
    fn new(cluster: ClusterId, number: u8) -> Member {
        let (identity, secret) = (SigningKey::from_bytes(&[number; 32]), ExchangeSecret::from_random([!number; 32]));
        let record = KeyRecord::sign(&identity, cluster, secret.public(), 0);
        let local = Local::new(cluster, &secret, record, 1 << 20).expect("its own record");
        let peer = record.verify(cluster).expect("its own record");
        Member { local, peer, session: ServerSession::new(), out: vec![0; ServerSession::ROOM] }
    }

    fn ephemeral(&self) -> Ephemeral {
        Ephemeral::from_random(std::array::from_fn(|_| fastrand::u8(..)))
    }

    fn dial(&mut self, peer: &Peer) -> Vec<u8> {
        let ephemeral = self.ephemeral();
        let written = self.session.dial(&self.local, peer, ephemeral, &mut self.out).expect("it may dial");
        self.out[..written].to_vec()
    }

    fn answer(&mut self, first: &[u8]) -> Vec<u8> {
        self.hear(first);
        let ephemeral = self.ephemeral();
        let written = self.session.answer(&self.local, &Everybody, ephemeral, &mut self.out).expect("it is genuine");
        self.out[..written].to_vec()
    }

    fn confirm(&mut self, answer: &[u8]) -> Vec<u8> {
        self.hear(answer);
        let written = self.session.confirm(&mut self.out).expect("it was answered");
        self.out[..written].to_vec()
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        let heard = self.session.receive(&self.local, &mut bytes);
        assert!(matches!(heard, Ok(Some(_))), "it is genuine");
    }

    fn seal(&mut self, message: &[u8]) -> usize {
        self.session.seal(&mut Outgoing::new(message), &mut self.out).expect("it is open")
    }
}

/// What was computed since the last call.
fn computed() -> [usize; 6] {
    [&DIFFIE_HELLMAN, &BASE_MULTIPLICATIONS, &VERIFICATIONS, &CIPHERS, &HASHES, &HASHED].map(|counter| counter.take())
}

fn row(what: &str, sent: usize) {
    let [dh, base, verified, ciphers, hashes, hashed] = computed();
    println!("{what:<44} {dh:>4} {base:>5} {verified:>9} {ciphers:>8} {hashes:>7} {hashed:>7} {sent:>6}");
}

fn main() {
    println!("{:<44} DH  keys  verified  ciphers  hashes  hashed  bytes", "");
    between_members();
    enrolment();
    refusals();
    frames();
    times();
}

fn between_members() {
    let (mut initiator, mut responder) = (Member::new(CLUSTER, 1), Member::new(CLUSTER, 2));
    row("keys of two members, once", 0);
    let first = initiator.dial(&responder.peer);
    row("member: first message", first.len());
    let answer = responder.answer(&first);
    row("member: read, and answer", answer.len());
    let confirmation = initiator.confirm(&answer);
    row("member: read, and confirmation", confirmation.len());
    responder.hear(&confirmation);
    row("member: established", 0);
}

fn enrolment() {
    let (mut newcomer, mut sponsor) = (Member::new(CLUSTER, 3), Member::new(CLUSTER, 4));
    let invitee = Invitee::Identity(newcomer.peer.identity());
    let operator = SigningKey::from_bytes(&[9; 32]);
    let token = Token::sign(&operator, CLUSTER, sponsor.peer.identity(), invitee, TokenNumber([1; 16]));
    computed();
    let ephemeral = newcomer.ephemeral();
    let written = newcomer.session.enrol(&newcomer.local, &token, ephemeral, &mut newcomer.out).expect("it may");
    let first = newcomer.out[..written].to_vec();
    row("newcomer: first message", first.len());
    let answer = sponsor.answer(&first);
    row("newcomer: read, and answer", answer.len());
    newcomer.hear(&answer);
    let none = BearerSecret::none();
    let written = newcomer.session.apply(&newcomer.local, &token, &none, &mut newcomer.out).expect("it was answered");
    let application = newcomer.out[..written].to_vec();
    row("newcomer: read, and application", application.len());
    sponsor.hear(&application);
    sponsor.session.examine(&sponsor.local, &Everybody).expect("it is in order");
    row("newcomer: read, and token examined", 0);
}

fn refusals() {
    let mut stranger = Member::new(ClusterId([2; 32]), 1);
    let mut responder = Member::new(CLUSTER, 2);
    let first = stranger.dial(&responder.peer);
    computed();
    assert!(responder.session.receive(&responder.local, &mut &first[..]).is_err());
    row("a first message of another cluster, refused", 0);
}

fn open_pair() -> [Member; 2] {
    let mut pair = [Member::new(CLUSTER, 1), Member::new(CLUSTER, 2)];
    shake(&mut pair);
    pair
}

/// A handshake on new sessions, and the nanoseconds that the answer took in it.
fn shake([initiator, responder]: &mut [Member; 2]) -> u128 {
    (initiator.session, responder.session) = (ServerSession::new(), ServerSession::new());
    let first = initiator.dial(&responder.peer);
    let begin = Instant::now();
    let answer = responder.answer(&first);
    let time = begin.elapsed().as_nanos();
    let confirmation = initiator.confirm(&answer);
    responder.hear(&confirmation);
    time
}

fn frames() {
    let [mut initiator, _] = open_pair();
    println!("\n{:<44} {:>9} {:>9} {:>7}", "message", "bytes", "on wire", "frames");
    for length in [0, 96, 1_024, 16_000, 100_000, 1_048_576] {
        let message = vec![0; length];
        let (mut outgoing, mut on_wire, mut frames) = (Outgoing::new(&message), 0, 0);
        while !outgoing.is_sent() {
            on_wire += initiator.session.seal(&mut outgoing, &mut initiator.out).expect("it is open");
            frames += 1;
        }
        assert_eq!(initiator.session.sealed_len(length), Some(on_wire));
        println!("{:<44} {length:>9} {on_wire:>9} {frames:>7}", "");
    }
    println!("{:<44} {:>9}", "each frame", wire::FRAME_OVERHEAD);
    println!("{:<44} {:>9}", "and a message in several, once", wire::TOTAL);
}

/// For information: they are this machine's.
fn times() {
    println!("\nnanoseconds on this machine, median of {SAMPLES}");
    let mut pair = open_pair();
    let both = median(|| elapsed(|| _ = black_box(shake(&mut pair))));
    println!("{:<44} {both:>9}", "both sides of a handshake between members");
    println!("{:<44} {:>9}", "of which the answer", median(|| shake(&mut pair)));
    let ([alice, bob], message) = (&mut pair, [7; 1_024]);
    let mut carry = || {
        let written = alice.seal(&message);
        let heard = bob.session.receive(&bob.local, &mut &alice.out[..written]);
        assert!(matches!(heard, Ok(Some(Event::Message(_)))));
    };
    println!("{:<44} {:>9}", "1 KiB sealed and opened", median(|| elapsed(&mut carry)));
}

const SAMPLES: usize = 301;

fn median(sample: impl FnMut() -> u128) -> u128 {
    let mut samples: Vec<u128> = std::iter::repeat_with(sample).take(SAMPLES).collect();
    samples.sort_unstable();
    samples[SAMPLES / 2] / 100 * 100
}

fn elapsed(act: impl FnOnce()) -> u128 {
    let begin = Instant::now();
    act();
    begin.elapsed().as_nanos()
}
