//! Proves by linking that sessions need no heap, and shows what they take.
//!
//! Both sides of a connection are in here, since a node both dials and is
//! dialled, and both roles of an enrolment: a microcontroller that is let in
//! may later let others in. `black_box` stands where a host has a network card
//! and a source of randomness.
#![no_std]
#![no_main]

use core::hint::{black_box, spin_loop};
use core::panic::PanicInfo;

use butterfly_session::gate::{Moment, Patience, Source};
use butterfly_session::token::{BearerSecret, Operators};
use butterfly_session::{
    ClusterId, Ephemeral, Event, ExchangeSecret, Gate, IdentityKey, KeyRecord, Local, Members, MicroSession, Outgoing,
    Peer, Token,
};
use cortex_m_rt::entry;
use ed25519_dalek::SigningKey;
use static_cell::StaticCell;

// In statics, so that their sizes show in the symbol table.
static SESSION_THAT_DIALS: StaticCell<MicroSession> = StaticCell::new();
static SESSION_THAT_LISTENS: StaticCell<MicroSession> = StaticCell::new();
static GATE_OF_2: StaticCell<Gate<2>> = StaticCell::new();

#[entry]
fn main() -> ! {
    black_box(run());
    loop {
        spin_loop();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // Without a use of it, all panics look alike in the symbol table.
    black_box(info);
    loop {
        spin_loop();
    }
}

/// The roster has two members, one of which is an operator.
struct Roster([IdentityKey; 2]);

impl Members for Roster {
    fn admits(&self, identity: &IdentityKey, _: u32) -> bool {
        self.0.contains(identity)
    }
}

impl Operators for Roster {
    fn is_operator(&self, key: &IdentityKey) -> bool {
        self.0.first() == Some(key)
    }
}

/// One side and its network card.
struct Side<'s> {
    session: &'s mut MicroSession,
    local: Local,
    peer: Peer,
    frame: [u8; MicroSession::ROOM],
    length: usize,
}

impl Side<'_> {
    /// Reads what the other side wrote. What comes of it is not looked at: the
    /// optimiser must keep every outcome.
    #[inline(never)]
    fn hear(&mut self, other: &Side<'_>) -> Option<usize> {
        let mut bytes = black_box(&other.frame).get(..other.length)?;
        let event = self.session.receive(&self.local, &mut bytes).ok()??;
        match black_box(event) {
            Event::Message(bytes) => Some(bytes.len()),
            Event::Chunk(chunk) => Some(chunk.bytes.len()),
            _ => Some(0),
        }
    }
}

#[inline(never)]
fn run() -> Option<usize> {
    let roster = Roster([identity(1), identity(2)]);
    let mut dials = side(SESSION_THAT_DIALS.init(MicroSession::new()), 1)?;
    let mut listens = side(SESSION_THAT_LISTENS.init(MicroSession::new()), 2)?;
    let gate = GATE_OF_2.init(Gate::new(Patience::MICROCONTROLLER));

    let now = Moment(black_box(0));
    let ticket = gate.arrive(Source(black_box(1)), now).ticket;
    black_box(gate.next_deadline());
    black_box(gate.expire(now));
    if black_box(false) {
        enrol(&mut dials, &mut listens, &roster)?;
    } else {
        dials.length = dials.session.dial(&dials.local, &listens.peer, random(), &mut dials.frame).ok()?;
        listens.hear(&dials)?;
        gate.knock(ticket, now).ok()?;
        listens.length = listens.session.answer(&listens.local, &roster, random(), &mut listens.frame).ok()?;
        dials.hear(&listens)?;
        dials.length = dials.session.confirm(&mut dials.frame).ok()?;
        listens.hear(&dials)?;
    }
    gate.leave(ticket);

    dials.session.change_key();
    let message = black_box([7; 2_000]);
    let mut outgoing = Outgoing::new(&message);
    let mut heard = 0;
    while !outgoing.is_sent() {
        dials.length = dials.session.seal(&mut outgoing, &mut dials.frame).ok()?;
        heard += listens.hear(&dials)?;
    }
    dials.length = dials.session.seal_nothing(&mut dials.frame).ok()?;
    listens.hear(&dials);
    dials.length = dials.session.seal_end(&mut dials.frame).ok()?;
    listens.hear(&dials)?;
    listens.session.end_of_bytes().ok()?;
    Some(heard)
}

#[inline(never)]
fn enrol(newcomer: &mut Side<'_>, sponsor: &mut Side<'_>, operators: &Roster) -> Option<()> {
    let (token, secret) = (Token::from_bytes(&black_box([0; 177]))?, BearerSecret::from_random(black_box([3; 32])));
    newcomer.length = newcomer.session.enrol(&newcomer.local, &token, random(), &mut newcomer.frame).ok()?;
    sponsor.hear(newcomer)?;
    sponsor.length = sponsor.session.answer(&sponsor.local, operators, random(), &mut sponsor.frame).ok()?;
    newcomer.hear(sponsor)?;
    newcomer.length = newcomer.session.apply(&newcomer.local, &token, &secret, &mut newcomer.frame).ok()?;
    sponsor.hear(newcomer)?;
    let applicant = sponsor.session.examine(&sponsor.local, operators).ok()?;
    black_box(applicant.number);
    sponsor.session.accept().ok().map(drop)
}

/// What a microcontroller reads from its flash: a secret and a record, which
/// were made elsewhere.
fn side(session: &mut MicroSession, number: u8) -> Option<Side<'_>> {
    let secret = ExchangeSecret::from_random(black_box([number; 32]));
    let record = KeyRecord::sign(&signing(number), CLUSTER, secret.public(), 0);
    let record = KeyRecord::from_bytes(black_box(&record.to_bytes()))?;
    let local = Local::new(CLUSTER, &secret, record, 4_096).ok()?;
    let peer = record.verify(CLUSTER).ok()?;
    Some(Side { session, local, peer, frame: [0; MicroSession::ROOM], length: 0 })
}

const CLUSTER: ClusterId = ClusterId([1; 32]);

fn signing(number: u8) -> SigningKey {
    SigningKey::from_bytes(black_box(&[number; 32]))
}

fn identity(number: u8) -> IdentityKey {
    IdentityKey::of(&signing(number))
}

fn random() -> Ephemeral {
    Ephemeral::from_random(black_box([5; 32]))
}
