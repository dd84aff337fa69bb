//! One encrypted link, without I/O: bytes in, bytes out, events out. The same
//! sessions as `butterfly` nodes have.

use std::sync::{Arc, Mutex, MutexGuard};

use butterfly_session::keys::RECORD;
use butterfly_session::{
    ClusterId, Ephemeral, Event as Said, IdentityKey, KeyRecord, Local, Members, Outgoing, Peer, ServerSession,
};

use crate::Error;
use crate::keys::{Keys, random};
use crate::roster::Roster;

/// The longest message that is sent or taken, in bytes.
const LONGEST_MESSAGE: u32 = 16 * 1024;

/// A member or a client of a cluster, with what it needs for sessions.
#[derive(uniffi::Object)]
pub struct Party {
    roster: Arc<Roster>,
    local: Local,
    members: Vec<Peer>,
}

/// Who is at the other end of a session, as the roster says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Who {
    /// A member.
    Member {
        /// By number.
        number: u8,
    },
    /// Somebody who may ask for work.
    Client {
        /// By number.
        number: u8,
    },
}

/// One connection. Whatever goes wrong closes it for good: its keys are erased,
/// and the host drops the connection.
#[derive(uniffi::Object)]
pub struct Session {
    party: Arc<Party>,
    inner: Mutex<Inner>,
}

struct Inner {
    session: Box<ServerSession>,
    /// What was received of a message that comes in parts.
    partial: Vec<u8>,
    /// What the session writes into.
    room: Vec<u8>,
}

/// What came of received bytes.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Received {
    /// To be written to the peer before anything else.
    pub reply: Vec<u8>,
    /// In this order.
    pub events: Vec<SessionEvent>,
}

/// What came of received bytes.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SessionEvent {
    /// Somebody made a first message for us. `answer` costs Diffie-Hellman
    /// operations: first be sure that there are not too many who knock.
    Knock,
    /// The session is open, and this is who is at its other end.
    Established {
        /// As the roster says.
        who: Who,
    },
    /// A whole message.
    Message {
        /// What the peer said.
        bytes: Vec<u8>,
    },
    /// The peer will send nothing more.
    Ended,
}

#[uniffi::export]
impl Party {
    /// The holder of `keys`, whom `roster` names, and the key records of all
    /// members, one behind the other, as the file `key-records` has them.
    #[uniffi::constructor]
    pub fn new(roster: Arc<Roster>, keys: Arc<Keys>, key_records: &[u8]) -> Result<Arc<Party>, Error> {
        let members = peers(&roster, key_records)?;
        let record = keys.record(&roster);
        let local = Local::new(cluster_id(&roster), &keys.exchange(), record, LONGEST_MESSAGE).map_err(refused)?;
        let party = Party { roster, local, members };
        match party.who(&IdentityKey::of(keys.identity())) {
            Some(_) => Ok(Arc::new(party)),
            None => Err(Error::Keys { reason: "the keys are of nobody whom the roster names".into() }),
        }
    }
}

impl Party {
    fn who(&self, identity: &IdentityKey) -> Option<Who> {
        let roster = self.roster.cluster().roster();
        let member = roster.members.iter().position(|key| key.0 == identity.0).and_then(number);
        let client = || roster.clients.iter().position(|key| key.0 == identity.0).and_then(number);
        let member = member.map(|number| Who::Member { number });
        member.or_else(|| client().map(|number| Who::Client { number }))
    }
}

impl Members for Party {
    fn admits(&self, identity: &IdentityKey, serial: u32) -> bool {
        let known = self.members.iter().find(|peer| peer.identity() == *identity);
        self.who(identity).is_some() && known.is_none_or(|peer| serial >= peer.serial())
    }
}

#[uniffi::export]
impl Session {
    /// A connection on which nothing was said.
    #[uniffi::constructor]
    pub fn new(party: Arc<Party>) -> Result<Arc<Session>, Error> {
        let room = vec![0; ServerSession::ROOM];
        let session = Box::new(ServerSession::new());
        let inner = Inner { session, partial: Vec::new(), room };
        Ok(Arc::new(Session { party, inner: Mutex::new(inner) }))
    }

    /// Begins a session with a member, and gives the bytes to write to it.
    pub fn dial(&self, member: u8) -> Result<Vec<u8>, Error> {
        let peer = self.party.members.get(usize::from(member));
        let peer = peer.ok_or(Error::Session { reason: format!("there is no member {member}") })?;
        let mut inner = self.lock()?;
        let Inner { session, room, .. } = &mut *inner;
        let ephemeral = Ephemeral::from_random(random()?);
        let written = session.dial(&self.party.local, peer, ephemeral, room).map_err(refused)?;
        Ok(inner.written(written))
    }

    /// Answers whoever knocked, and gives the bytes to write.
    pub fn answer(&self) -> Result<Vec<u8>, Error> {
        let mut inner = self.lock()?;
        let Inner { session, room, .. } = &mut *inner;
        let ephemeral = Ephemeral::from_random(random()?);
        let written = session.answer(&self.party.local, &*self.party, ephemeral, room).map_err(refused)?;
        Ok(inner.written(written))
    }

    /// Takes bytes that came from the peer, in whatever pieces.
    pub fn receive(&self, bytes: &[u8]) -> Result<Received, Error> {
        let mut inner = self.lock()?;
        let mut received = Received { reply: Vec::new(), events: Vec::new() };
        let mut rest = bytes;
        while let Some(heard) = inner.hear(&self.party.local, &mut rest)? {
            match heard {
                Heard::Knock => {
                    // Said until it is answered: whoever knocks sends nothing more before that.
                    received.events.push(SessionEvent::Knock);
                    return Ok(received);
                }
                Heard::Answered => {
                    let Inner { session, room, .. } = &mut *inner;
                    let written = session.confirm(room).map_err(refused)?;
                    received.reply.extend(inner.written(written));
                    let peer = inner.session.peer().map(Peer::identity);
                    received.events.push(self.established(peer)?);
                }
                Heard::Established(identity) => received.events.push(self.established(Some(identity))?),
                Heard::Message(bytes) => received.events.push(SessionEvent::Message { bytes }),
                Heard::Ended => received.events.push(SessionEvent::Ended),
            }
        }
        Ok(received)
    }

    /// Seals a message, and gives the bytes to write.
    pub fn seal(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut inner = self.lock()?;
        let mut message = Outgoing::new(message);
        let mut sealed = Vec::new();
        while !message.is_sent() {
            let Inner { session, room, .. } = &mut *inner;
            let written = session.seal(&mut message, room).map_err(refused)?;
            sealed.extend_from_slice(room.get(..written).unwrap_or_default());
        }
        Ok(sealed)
    }

    /// Says that nothing more will come, and gives the bytes to write.
    pub fn seal_end(&self) -> Result<Vec<u8>, Error> {
        let mut inner = self.lock()?;
        let Inner { session, room, .. } = &mut *inner;
        let written = session.seal_end(room).map_err(refused)?;
        Ok(inner.written(written))
    }

    /// To be called when a key has been in use for an hour.
    pub fn change_key(&self) -> Result<(), Error> {
        self.lock()?.session.change_key();
        Ok(())
    }

    /// To be called when the connection ends. An error when the peer did not
    /// say that it would.
    pub fn end_of_bytes(&self) -> Result<(), Error> {
        self.lock()?.session.end_of_bytes().map_err(refused)
    }
}

/// An event that does not borrow.
enum Heard {
    Knock,
    Answered,
    Established(IdentityKey),
    Message(Vec<u8>),
    Ended,
}

impl Session {
    fn lock(&self) -> Result<MutexGuard<'_, Inner>, Error> {
        self.inner.lock().map_err(|_| Error::Broken)
    }

    fn established(&self, identity: Option<IdentityKey>) -> Result<SessionEvent, Error> {
        let who = identity.and_then(|identity| self.party.who(&identity));
        let who = who.ok_or(Error::Session { reason: "the peer is not in the roster".into() })?;
        Ok(SessionEvent::Established { who })
    }
}

impl Inner {
    fn written(&self, count: usize) -> Vec<u8> {
        self.room.get(..count).unwrap_or_default().to_vec()
    }

    /// The next whole event; none when that takes more bytes.
    fn hear(&mut self, local: &Local, rest: &mut &[u8]) -> Result<Option<Heard>, Error> {
        loop {
            return Ok(match self.session.receive(local, rest).map_err(refused)? {
                None => None,
                Some(Said::Knock) => Some(Heard::Knock),
                Some(Said::Answered) => Some(Heard::Answered),
                Some(Said::Established(peer)) => Some(Heard::Established(peer.identity())),
                Some(Said::Message(message)) => Some(Heard::Message(message.to_vec())),
                Some(Said::Chunk(chunk)) => {
                    // In order, and of one message after the other, or the session were closed.
                    self.partial.extend_from_slice(chunk.bytes);
                    if self.partial.len() as u64 != u64::from(chunk.total) {
                        continue;
                    }
                    Some(Heard::Message(core::mem::take(&mut self.partial)))
                }
                Some(Said::Ended) => Some(Heard::Ended),
                Some(Said::Applied) => return Err(Error::Session { reason: "nobody is enrolled here".into() }),
            });
        }
    }
}

fn peers(roster: &Roster, records: &[u8]) -> Result<Vec<Peer>, Error> {
    let keys = &roster.cluster().roster().members;
    let refused = || Error::Keys { reason: "the key records are not one of each member, in the roster's order".into() };
    if records.len() != RECORD * keys.len() {
        return Err(refused());
    }
    let peer = |(record, key): (&[u8], &butterfly_kernel::crypto::ed25519::PublicKey)| {
        let record = record.try_into().ok().and_then(KeyRecord::from_bytes)?;
        record.verify(cluster_id(roster)).ok().filter(|peer| peer.identity().0 == key.0)
    };
    records.chunks_exact(RECORD).zip(keys).map(peer).collect::<Option<_>>().ok_or_else(refused)
}

fn cluster_id(roster: &Roster) -> ClusterId {
    ClusterId(roster.cluster().id().0)
}

fn number(place: usize) -> Option<u8> {
    u8::try_from(place).ok()
}

fn refused(error: impl std::error::Error) -> Error {
    Error::Session { reason: error.to_string() }
}
