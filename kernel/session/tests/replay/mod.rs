//! Conversations under known keys, as bytes: who wrote what, and what the
//! other one heard.
//!
//! The conversations in `vectors/sessions.json` are between servers and
//! devices. Each runtime plays its own part of them with the session that it
//! ships, so both speak and understand the same bytes.
#![allow(dead_code, unreachable_pub, reason = "each user of this file needs a part of it")]

use butterfly_session::{
    ClusterId, Ephemeral, Event, ExchangeSecret, IdentityKey, KeyRecord, Local, Members, MicroSession, Outgoing,
    ServerSession, Session,
};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

/// The conversations, each complete in itself.
pub const VECTORS: &str = include_str!("../../vectors/sessions.json");
const CLUSTER: ClusterId = ClusterId([1; 32]);

/// Which runtime a party is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    Server,
    Device,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Initiator,
    Responder,
}

/// One end: its keys are seeds of 32 bytes, in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub runtime: Runtime,
    pub identity: String,
    pub exchange: String,
    pub ephemeral: String,
    pub serial: u32,
    /// The longest message that it takes.
    pub longest: u32,
}

/// What somebody does, and what it writes by doing so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub by: Role,
    #[serde(flatten)]
    pub act: Act,
    pub bytes: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "does")]
pub enum Act {
    Dial,
    Answer,
    Confirm,
    Say {
        message: String,
    },
    /// The frame that follows is the last under its key.
    SayAndChangeKey {
        message: String,
    },
    End,
}

/// A conversation from the first byte to the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    pub name: String,
    pub initiator: Party,
    pub responder: Party,
    pub steps: Vec<Step>,
}

impl Conversation {
    pub fn party(&self, role: Role) -> &Party {
        match role {
            Role::Initiator => &self.initiator,
            Role::Responder => &self.responder,
        }
    }
}

/// The parts that `runtime` has in the conversations of the file, played with
/// its session. Says how many there were.
pub fn play_all(runtime: Runtime) -> usize {
    let conversations: Vec<Conversation> = serde_json::from_str(VECTORS).unwrap();
    let mut played = 0;
    for conversation in &conversations {
        for role in [Role::Initiator, Role::Responder] {
            if conversation.party(role).runtime == runtime {
                play(conversation, role);
                played += 1;
            }
        }
    }
    played
}

fn play(conversation: &Conversation, role: Role) {
    let mut player = Player::new(conversation, role);
    for step in &conversation.steps {
        if step.by == role {
            assert_eq!(player.act(&step.act), step.bytes, "{}: {role:?} writes {:?}", conversation.name, step.act);
        } else {
            assert!(player.hears(step), "{}: {role:?} understands {:?}", conversation.name, step.act);
        }
    }
}

/// One end of a conversation.
pub struct Player {
    local: Local,
    ephemeral: [u8; 32],
    other: butterfly_session::Peer,
    session: Shipped,
}

/// The two sessions that are shipped.
enum Shipped {
    Server(Box<ServerSession>),
    Device(Box<MicroSession>),
}

struct Everybody;

impl Members for Everybody {
    fn admits(&self, _: &IdentityKey, _: u32) -> bool {
        true
    }
}

impl Player {
    pub fn new(conversation: &Conversation, role: Role) -> Player {
        let other = match role {
            Role::Initiator => &conversation.responder,
            Role::Responder => &conversation.initiator,
        };
        let (party, other) = (conversation.party(role), record(other).verify(CLUSTER).unwrap());
        let exchange = ExchangeSecret::from_random(seed(&party.exchange));
        let local = Local::new(CLUSTER, &exchange, record(party), party.longest).unwrap();
        let session = match party.runtime {
            Runtime::Server => Shipped::Server(Box::new(ServerSession::new())),
            Runtime::Device => Shipped::Device(Box::new(MicroSession::new())),
        };
        Player { local, ephemeral: seed(&party.ephemeral), other, session }
    }

    /// What it writes.
    pub fn act(&mut self, act: &Act) -> String {
        let Player { local, ephemeral, other, session } = self;
        let ephemeral = Ephemeral::from_random(*ephemeral);
        hex::encode(match session {
            Shipped::Server(session) => write(session, local, ephemeral, other, act),
            Shipped::Device(session) => write(session, local, ephemeral, other, act),
        })
    }

    /// Whether it understands what the other one wrote.
    pub fn hears(&mut self, step: &Step) -> bool {
        let bytes = hex::decode(&step.bytes).unwrap();
        let Player { local, other, session, .. } = self;
        match session {
            Shipped::Server(session) => understands(session, local, other, step, &bytes),
            Shipped::Device(session) => understands(session, local, other, step, &bytes),
        }
    }
}

fn write<const FRAME: usize>(
    session: &mut Session<FRAME>,
    local: &Local,
    ephemeral: Ephemeral,
    other: &butterfly_session::Peer,
    act: &Act,
) -> Vec<u8> {
    let mut out = vec![0; Session::<FRAME>::ROOM];
    let written = match act {
        Act::Dial => session.dial(local, other, ephemeral, &mut out),
        Act::Answer => session.answer(local, &Everybody, ephemeral, &mut out),
        Act::Confirm => session.confirm(&mut out),
        Act::End => session.seal_end(&mut out),
        Act::Say { message } => return say(session, message),
        Act::SayAndChangeKey { message } => {
            session.change_key();
            return say(session, message);
        }
    };
    out.truncate(written.unwrap());
    out
}

/// All frames of a message, one behind the other.
fn say<const FRAME: usize>(session: &mut Session<FRAME>, message: &str) -> Vec<u8> {
    let message = hex::decode(message).unwrap();
    let (mut message, mut frames) = (Outgoing::new(&message), Vec::new());
    let mut out = vec![0; Session::<FRAME>::ROOM];
    while !message.is_sent() {
        let written = session.seal(&mut message, &mut out).unwrap();
        frames.extend_from_slice(&out[..written]);
    }
    frames
}

fn understands<const FRAME: usize>(
    session: &mut Session<FRAME>,
    local: &Local,
    other: &butterfly_session::Peer,
    step: &Step,
    mut bytes: &[u8],
) -> bool {
    let mut whole = Vec::new();
    loop {
        match (session.receive(local, &mut bytes).unwrap(), &step.act) {
            (Some(Event::Knock), Act::Dial) | (Some(Event::Answered), Act::Answer) | (Some(Event::Ended), Act::End) => {
                return bytes.is_empty();
            }
            (Some(Event::Established(peer)), Act::Confirm) => return bytes.is_empty() && peer == *other,
            (Some(Event::Message(heard)), Act::Say { message } | Act::SayAndChangeKey { message }) => {
                return bytes.is_empty() && hex::encode(heard) == *message;
            }
            (Some(Event::Chunk(chunk)), Act::Say { message } | Act::SayAndChangeKey { message }) => {
                whole.extend_from_slice(chunk.bytes);
                if whole.len() == chunk.total as usize {
                    return bytes.is_empty() && hex::encode(&whole) == *message;
                }
            }
            _ => return false,
        }
    }
}

fn record(party: &Party) -> KeyRecord {
    let exchange = ExchangeSecret::from_random(seed(&party.exchange));
    KeyRecord::sign(&SigningKey::from_bytes(&seed(&party.identity)), CLUSTER, exchange.public(), party.serial)
}

fn seed(text: &str) -> [u8; 32] {
    hex::decode(text).unwrap().try_into().unwrap()
}
