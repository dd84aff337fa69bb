//! A peer on another implementation of Noise. All that is ours on the wire is
//! written here a second time, from the tables of the README. It can talk as
//! it should, or say anything under genuine keys.
#![allow(dead_code, unreachable_pub, reason = "each test file uses the part that it needs")]

use blake2::{Blake2s256, Digest};
use butterfly_session::limits::Limits;
use butterfly_session::{ClusterId, IdentityKey, Peer};
use hmac::{Mac, SimpleHmac};
use snow::{Builder, HandshakeState, TransportState};

use crate::world::Member;

/// What it claims. Each part can be made wrong.
#[derive(Clone)]
pub struct Claims {
    pub version: u8,
    pub pattern: u8,
    pub guarded_for: ClusterId,
    pub prologue: Vec<u8>,
    pub credential: Vec<u8>,
    pub limits: Limits,
}

impl Claims {
    /// What `us` says to a responder with that identity.
    pub fn of(us: &Member, responder: IdentityKey) -> Claims {
        let cluster = us.local.cluster();
        let record = us.local.record();
        Claims {
            version: 1,
            pattern: 1,
            guarded_for: cluster,
            prologue: prologue(cluster, responder),
            credential: [&record.identity.0[..], &record.serial.to_le_bytes(), &record.signature].concat(),
            limits: Limits { frame: 1024, message: 100_000 },
        }
    }
}

pub fn prologue(cluster: ClusterId, responder: IdentityKey) -> Vec<u8> {
    [&b"butterfly session"[..], &[1], &cluster.0, &responder.0].concat()
}

fn announced(limits: Limits) -> Vec<u8> {
    [&limits.frame.to_le_bytes()[..], &limits.message.to_le_bytes()].concat()
}

pub fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_le_bytes()[..], message].concat()
}

/// The code behind a first message to the holder of `key`.
pub fn code(cluster: ClusterId, pattern: u8, key: &[u8; 32], message: &[u8]) -> Vec<u8> {
    let key = Blake2s256::new()
        .chain_update(b"butterfly: guard of a first message")
        .chain_update([1, pattern])
        .chain_update(cluster.0)
        .chain_update(key)
        .finalize();
    let mac = <SimpleHmac<Blake2s256> as Mac>::new_from_slice(&key).unwrap().chain_update(message);
    mac.finalize().into_bytes()[..16].to_vec()
}

/// A first message with its preface and a code that is right.
pub fn guarded(claims: &Claims, key: &[u8; 32], inside: &[u8]) -> Vec<u8> {
    let message = [&[claims.version, claims.pattern], inside].concat();
    let code = code(claims.guarded_for, claims.pattern, key, &message);
    framed(&[message, code].concat())
}

const IK: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
const XX: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";

fn builder<'b>(protocol: &str, member: &'b Member, prologue: &'b [u8]) -> Builder<'b> {
    let builder = Builder::new(protocol.parse().unwrap()).local_private_key(&member.secret).unwrap();
    builder.prologue(prologue).unwrap()
}

/// An initiator that was not answered yet.
pub struct Dialling {
    noise: HandshakeState,
    pub first: Vec<u8>,
}

/// Dials `peer`. Noise wants a fresh ephemeral key; here it is drawn from `seed`.
pub fn dial(us: &Member, peer: &Peer, claims: &Claims, seed: u8) -> Dialling {
    let mut noise = builder(IK, us, &claims.prologue)
        .remote_public_key(&peer.exchange().0)
        .unwrap()
        .fixed_ephemeral_key_for_testing_only(&[seed; 32])
        .build_initiator()
        .unwrap();
    let mut inside = vec![0; 1024];
    let payload = [&claims.credential[..], &announced(claims.limits)].concat();
    let written = noise.write_message(&payload, &mut inside).unwrap();
    Dialling { noise, first: guarded(claims, &peer.exchange().0, &inside[..written]) }
}

impl Dialling {
    /// Reads the answer. What comes first on the wire must be sent by hand.
    pub fn hear(mut self, answer: &[u8]) -> Rogue {
        let (length, message) = answer.split_at(2);
        assert_eq!(usize::from(u16::from_le_bytes([length[0], length[1]])), message.len());
        let mut payload = [0; 64];
        let read = self.noise.read_message(message, &mut payload).unwrap();
        assert_eq!(read, 6, "limits");
        Rogue { noise: self.noise.into_transport_mode().unwrap(), heard: Vec::new() }
    }
}

/// Answers a first message to `us`, as a responder. Also returns the payload.
pub fn answer(us: &Member, first: &[u8], limits: Limits, seed: u8) -> (Rogue, Vec<u8>, Vec<u8>) {
    let prologue = prologue(us.local.cluster(), us.peer.identity());
    let mut noise =
        builder(IK, us, &prologue).fixed_ephemeral_key_for_testing_only(&[seed; 32]).build_responder().unwrap();
    let (guarded, end) = first.split_at(first.len() - 16);
    assert_eq!(end, code(us.local.cluster(), 1, &us.peer.exchange().0, &guarded[2..]));
    assert_eq!(guarded[2..4], [1, 1], "version and pattern");
    let mut payload = vec![0; 1024];
    let read = noise.read_message(&guarded[4..], &mut payload).unwrap();
    payload.truncate(read);
    let mut message = vec![0; 1024];
    let written = noise.write_message(&announced(limits), &mut message).unwrap();
    let rogue = Rogue { noise: noise.into_transport_mode().unwrap(), heard: Vec::new() };
    (rogue, framed(&message[..written]), payload)
}

/// Answers the first message of a newcomer, with `claims` instead of what is
/// right, and reads the application that comes of the answer.
pub struct Sponsoring(HandshakeState);

pub fn answer_newcomer(us: &Member, first: &[u8], claims: &Claims, seed: u8) -> (Sponsoring, Vec<u8>) {
    let mut noise =
        builder(XX, us, &claims.prologue).fixed_ephemeral_key_for_testing_only(&[seed; 32]).build_responder().unwrap();
    assert_eq!(noise.read_message(&first[4..first.len() - 16], &mut [0; 64]), Ok(0), "nothing but a key");
    let mut message = vec![0; 1024];
    let payload = [&claims.credential[..], &announced(claims.limits)].concat();
    let written = noise.write_message(&payload, &mut message).unwrap();
    (Sponsoring(noise), framed(&message[..written]))
}

impl Sponsoring {
    /// The session, and what the newcomer applied with.
    pub fn read(mut self, application: &[u8]) -> (Rogue, Vec<u8>) {
        let mut payload = vec![0; 1024];
        let read = self.0.read_message(&application[2..], &mut payload).unwrap();
        payload.truncate(read);
        (Rogue { noise: self.0.into_transport_mode().unwrap(), heard: Vec::new() }, payload)
    }
}

/// Both directions of its session.
pub struct Rogue {
    noise: TransportState,
    heard: Vec<u8>,
}

impl Rogue {
    /// Seals a frame with anything in it.
    pub fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; plain.len() + 16];
        let written = self.noise.write_message(plain, &mut sealed).unwrap();
        framed(&sealed[..written])
    }

    pub fn rekey_outgoing(&mut self) {
        self.noise.rekey_outgoing();
    }

    pub fn rekey_incoming(&mut self) {
        self.noise.rekey_incoming();
    }

    /// The insides of all frames in `bytes`; `None` when one is not genuine.
    /// Where a frame says that it is the last under its key, the key is changed.
    pub fn open(&mut self, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        self.heard.extend(bytes);
        let mut frames = Vec::new();
        while let Some((length, rest)) = self.heard.split_first_chunk() {
            let length = usize::from(u16::from_le_bytes(*length));
            let Some(sealed) = rest.get(..length) else { break };
            let mut plain = vec![0; length];
            let read = self.noise.read_message(sealed, &mut plain).ok()?;
            plain.truncate(read);
            if plain[0] & 0x80 != 0 {
                self.rekey_incoming();
            }
            frames.push(plain);
            self.heard.drain(..length + 2);
        }
        Some(frames)
    }
}
