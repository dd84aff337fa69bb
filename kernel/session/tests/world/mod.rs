//! Members of a cluster in memory, and sessions between two of them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses the part that it needs")]

use butterfly_session::limits::Limits;
use butterfly_session::{
    Closed, ClusterId, Ephemeral, Event, ExchangeSecret, IdentityKey, KeyRecord, Local, Members, Outgoing, Peer,
    Refused, Session,
};
use ed25519_dalek::SigningKey;

pub const CLUSTER: ClusterId = ClusterId([1; 32]);
pub const FOREIGN: ClusterId = ClusterId([2; 32]);
/// The longest message that members of these tests take.
pub const LONGEST: u32 = 100_000;
/// Room for whatever a call writes, whatever the size of the session.
pub const ROOM: usize = 20_000;

/// A member with everything that it knows of itself.
pub struct Member {
    pub identity: SigningKey,
    pub secret: [u8; 32],
    pub local: Local,
    pub peer: Peer,
}

/// Made from a number: the same every time.
pub fn member(number: u8) -> Member {
    member_of(CLUSTER, number, 0, LONGEST)
}

pub fn member_of(cluster: ClusterId, number: u8, serial: u32, longest: u32) -> Member {
    let identity = SigningKey::from_bytes(&[number; 32]);
    let secret = [number.wrapping_add(100).wrapping_add(serial.to_le_bytes()[0]); 32];
    let exchange = ExchangeSecret::from_random(secret);
    let record = KeyRecord::sign(&identity, cluster, exchange.public(), serial);
    let local = Local::new(cluster, &exchange, record, longest).unwrap();
    Member { identity, secret, local, peer: record.verify(cluster).unwrap() }
}

/// The members with numbers below the first, with serials from the second on.
pub struct Roster(pub u8, pub u32);

impl Members for Roster {
    fn admits(&self, identity: &IdentityKey, serial: u32) -> bool {
        serial >= self.1 && (0..self.0).any(|number| identity_of(number) == *identity)
    }
}

pub fn identity_of(number: u8) -> IdentityKey {
    IdentityKey::of(&SigningKey::from_bytes(&[number; 32]))
}

/// Everybody whom these tests call a member.
pub const ROSTER: Roster = Roster(8, 0);

/// Randomness, the same in every run.
pub struct Random(fastrand::Rng);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(fastrand::Rng::with_seed(seed))
    }

    pub fn bytes(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| self.0.u8(..))
    }

    pub fn ephemeral(&mut self) -> Ephemeral {
        Ephemeral::from_random(self.bytes())
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit)
    }
}

/// An event that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Knock,
    Answered,
    Established(Peer),
    Applied,
    Message(Vec<u8>),
    Chunk { total: u32, offset: u32, bytes: Vec<u8> },
    Ended,
}

impl Said {
    fn waits_for_the_host(&self) -> bool {
        matches!(self, Said::Knock | Said::Answered | Said::Applied)
    }
}

/// One side of a connection.
pub struct End<const FRAME: usize, const KEY_LIFE: u32> {
    pub member: Member,
    pub session: Session<FRAME, KEY_LIFE>,
    pub random: Random,
}

impl<const FRAME: usize, const KEY_LIFE: u32> End<FRAME, KEY_LIFE> {
    pub fn new(member: Member, seed: u64) -> Self {
        End { member, session: Session::new(), random: Random::new(seed) }
    }

    /// Feeds all of `bytes`, up to where the host has to do something.
    pub fn hear(&mut self, mut bytes: &[u8]) -> Result<Vec<Said>, Closed> {
        let mut said = Vec::new();
        loop {
            let before = bytes.len();
            let Some(event) = self.session.receive(&self.member.local, &mut bytes)? else {
                assert!(bytes.is_empty(), "without an event everything is taken");
                return Ok(said);
            };
            let event = match event {
                Event::Knock => Said::Knock,
                Event::Answered => Said::Answered,
                Event::Established(peer) => Said::Established(peer),
                Event::Applied => Said::Applied,
                Event::Message(bytes) => Said::Message(bytes.to_vec()),
                Event::Chunk(chunk) => {
                    Said::Chunk { total: chunk.total, offset: chunk.offset, bytes: chunk.bytes.to_vec() }
                }
                Event::Ended => Said::Ended,
            };
            let waits = event.waits_for_the_host();
            assert!(waits || bytes.len() < before, "an event without bytes: {event:?}");
            said.push(event);
            if waits {
                assert!(bytes.is_empty(), "nobody sends on before an answer");
                return Ok(said);
            }
        }
    }

    /// What a call writes.
    pub fn write(
        &mut self,
        call: impl FnOnce(&mut Session<FRAME, KEY_LIFE>, &Local, &mut [u8]) -> Result<usize, Refused>,
    ) -> Result<Vec<u8>, Refused> {
        let mut out = vec![0; ROOM];
        let written = call(&mut self.session, &self.member.local, &mut out)?;
        out.truncate(written);
        Ok(out)
    }

    pub fn dial(&mut self, peer: &Peer) -> Result<Vec<u8>, Refused> {
        let ephemeral = self.random.ephemeral();
        self.write(|session, local, out| session.dial(local, peer, ephemeral, out))
    }

    pub fn answer(&mut self, roster: &Roster) -> Result<Vec<u8>, Refused> {
        let ephemeral = self.random.ephemeral();
        self.write(|session, local, out| session.answer(local, roster, ephemeral, out))
    }

    pub fn confirm(&mut self) -> Result<Vec<u8>, Refused> {
        self.write(|session, _, out| session.confirm(out))
    }

    /// All frames of a message, one by one.
    pub fn frames(&mut self, message: &[u8]) -> Result<Vec<Vec<u8>>, Refused> {
        let (mut message, mut frames) = (Outgoing::new(message), Vec::new());
        while !message.is_sent() {
            frames.push(self.write(|session, _, out| session.seal(&mut message, out))?);
        }
        Ok(frames)
    }

    pub fn say(&mut self, message: &[u8]) -> Vec<u8> {
        self.frames(message).unwrap().concat()
    }

    pub fn nothing(&mut self) -> Vec<u8> {
        self.write(|session, _, out| session.seal_nothing(out)).unwrap()
    }

    pub fn end(&mut self) -> Vec<u8> {
        self.write(|session, _, out| session.seal_end(out)).unwrap()
    }

    pub fn limits(&self) -> Limits {
        self.session.limits().unwrap()
    }
}

/// The messages of a handshake between members 0 and 1, and both ends after it.
pub struct Connected<const FRAME: usize, const KEY_LIFE: u32> {
    pub initiator: End<FRAME, KEY_LIFE>,
    pub responder: End<FRAME, KEY_LIFE>,
    /// First message, answer, confirmation.
    pub messages: [Vec<u8>; 3],
}

pub fn connect<const FRAME: usize, const KEY_LIFE: u32>(seed: u64) -> Connected<FRAME, KEY_LIFE> {
    let (mut initiator, mut responder) = (End::new(member(0), seed), End::new(member(1), !seed));
    let messages = shake(&mut initiator, &mut responder);
    Connected { initiator, responder, messages }
}

/// The whole handshake.
pub fn shake<const F: usize, const G: usize, const K: u32>(
    initiator: &mut End<F, K>,
    responder: &mut End<G, K>,
) -> [Vec<u8>; 3] {
    let first = initiator.dial(&responder.member.peer).unwrap();
    assert_eq!(responder.hear(&first), Ok(vec![Said::Knock]));
    let answer = responder.answer(&ROSTER).unwrap();
    assert_eq!(initiator.hear(&answer), Ok(vec![Said::Answered]));
    let confirmation = initiator.confirm().unwrap();
    assert_eq!(responder.hear(&confirmation), Ok(vec![Said::Established(initiator.member.peer)]));
    [first, answer, confirmation]
}
