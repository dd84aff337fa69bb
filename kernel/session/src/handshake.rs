//! The messages of both handshakes, made and read. Nothing here remembers
//! anything: [`crate::session`] is the machine.
//!
//! Noise's state is large, and follows from what both sides brought to it. So
//! it is kept by nobody: who waits for an answer keeps its [`Ours::ephemeral`],
//! and makes its own message again, which is the same, before it reads the answer.

pub(crate) mod member;
pub(crate) mod newcomer;

use clatter::Handshaker;
use clatter::cipherstate::CipherStates;
use clatter::handshakepattern::{noise_ik, noise_xx};

use crate::error::{Closed, Refused};
use crate::keys::{Ephemeral, ExchangeKey, IdentityKey};
use crate::limits::Limits;
use crate::local::{Guard, Local, prologue};
use crate::open::Opener;
use crate::seal::Sealer;
use crate::suite::{ChaChaPoly, Noise, pair};
use crate::wire::{CREDENTIAL, LENGTH, LIMITS, MAC, PREFACE, Pattern, VERSION, Writer};

/// Both directions of a session.
pub(crate) struct Traffic<const FRAMES_PER_KEY: u32> {
    pub(crate) sealer: Sealer<FRAMES_PER_KEY>,
    pub(crate) opener: Opener<FRAMES_PER_KEY>,
}

/// What one side brings to a handshake.
pub(crate) struct Ours<'h> {
    pub(crate) local: &'h Local,
    /// What it announces.
    pub(crate) limits: Limits,
    pub(crate) ephemeral: &'h Ephemeral,
}

/// Which side of a handshake somebody is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Initiator,
    Responder,
}

impl<const FRAMES_PER_KEY: u32> Traffic<FRAMES_PER_KEY> {
    /// What a finished handshake leaves.
    pub(crate) fn of(noise: Noise, side: Side, agreed: Limits) -> Result<Self, Closed> {
        let transport = noise.finalize().map_err(|_| Closed::Handshake)?;
        let CipherStates::<ChaChaPoly> { initiator_to_responder, responder_to_initiator } = transport.take();
        let (ours, theirs) = match side {
            Side::Initiator => (initiator_to_responder, responder_to_initiator),
            Side::Responder => (responder_to_initiator, initiator_to_responder),
        };
        Ok(Traffic { sealer: Sealer::new(ours, agreed), opener: Opener::new(theirs, agreed) })
    }
}

/// Noise's state of the initiator, before its message to `responder`. It
/// knows the responder's `key`, or is to learn it.
pub(crate) fn initiate(
    ours: &Ours<'_>,
    pattern: Pattern,
    responder: IdentityKey,
    key: Option<ExchangeKey>,
) -> Result<Noise, Closed> {
    begin(ours, pattern, Side::Initiator, responder, key)
}

/// Noise's state of the responder, before it reads the first message.
pub(crate) fn respond(ours: &Ours<'_>, pattern: Pattern) -> Result<Noise, Closed> {
    begin(ours, pattern, Side::Responder, ours.local.record().identity, None)
}

fn begin(
    ours: &Ours<'_>,
    pattern: Pattern,
    side: Side,
    responder: IdentityKey,
    key: Option<ExchangeKey>,
) -> Result<Noise, Closed> {
    let Ours { local, ephemeral, .. } = ours;
    let pattern = match pattern {
        Pattern::Member => noise_ik(),
        Pattern::Newcomer => noise_xx(),
    };
    let prologue = prologue(local.cluster(), responder);
    let (ours, ephemeral) = (Some(local.pair()), Some(pair(ephemeral.secret().clone())));
    let (is_initiator, theirs) = (side == Side::Initiator, key.map(|key| key.0));
    Noise::new(pattern, &prologue, is_initiator, ours, ephemeral, theirs, None).map_err(|_| Closed::Handshake)
}

/// Writes Noise's next message behind its length. `bytes` is how long it is.
pub(crate) fn write(noise: &mut Noise, payload: &[u8], bytes: usize, out: &mut [u8]) -> Result<usize, Refused> {
    let (length, message) = framed(bytes, out)?;
    noise.write_message(payload, message).map_err(|_| Closed::Handshake)?;
    Ok(length)
}

/// Writes the first message of a connection: preface, Noise's message, code.
pub(crate) fn write_first(
    noise: &mut Noise,
    pattern: Pattern,
    guard: &Guard,
    payload: &[u8],
    out: &mut [u8],
) -> Result<usize, Refused> {
    let (length, message) = framed(pattern.first(), out)?;
    let (guarded, code) = message.split_at_mut_checked(pattern.first().saturating_sub(MAC)).ok_or(Refused::NoRoom)?;
    let (preface, inside) = guarded.split_at_mut_checked(PREFACE).ok_or(Refused::NoRoom)?;
    preface.copy_from_slice(&[VERSION, pattern.byte()]);
    noise.write_message(payload, inside).map_err(|_| Closed::Handshake)?;
    code.copy_from_slice(&guard.code(guarded));
    Ok(length)
}

/// Whether `out` has room for a message of `bytes`: asked before anything is used up.
pub(crate) fn has_room(bytes: usize, out: &[u8]) -> Result<(), Refused> {
    if out.len() < bytes.saturating_add(LENGTH) { Err(Refused::NoRoom) } else { Ok(()) }
}

/// The place of a message of `bytes` behind its length, which is written, and
/// how long both are.
fn framed(bytes: usize, out: &mut [u8]) -> Result<(usize, &mut [u8]), Refused> {
    let length = u16::try_from(bytes).map_err(|_| Refused::TooLong)?;
    let framed = bytes.saturating_add(LENGTH);
    let (front, message) =
        out.get_mut(..framed).and_then(|out| out.split_at_mut_checked(LENGTH)).ok_or(Refused::NoRoom)?;
    front.copy_from_slice(&length.to_le_bytes());
    Ok((framed, message))
}

/// Noise's part of a first message: without its preface and code.
pub(crate) fn inside_of_first(message: &[u8]) -> Option<&[u8]> {
    message.get(PREFACE..)?.split_last_chunk::<MAC>().map(|(inside, _)| inside)
}

/// Checks everything of a first message that costs no more than a hash.
pub(crate) fn look_at_first(local: &Local, message: &[u8]) -> Result<Pattern, Closed> {
    let (guarded, code) = message.split_last_chunk::<MAC>().ok_or(Closed::Length)?;
    let [version, pattern, ..] = guarded else { return Err(Closed::Length) };
    if *version != VERSION {
        return Err(Closed::Version);
    }
    let pattern = Pattern::from_byte(*pattern).ok_or(Closed::Pattern)?;
    if message.len() != pattern.first() {
        return Err(Closed::Length);
    }
    if !local.guard(pattern).accepts(guarded, code) {
        return Err(Closed::NotForUs);
    }
    Ok(pattern)
}

/// Credential and limits, as both handshakes carry them.
const INTRODUCTION: usize = CREDENTIAL + LIMITS;

fn introduction(ours: &Ours<'_>) -> [u8; INTRODUCTION] {
    let mut payload = [0; INTRODUCTION];
    let mut out = Writer(&mut payload);
    // The array is as long as both together.
    let _ = out.put(&ours.local.record().credential()).and_then(|()| out.put(&ours.limits.to_bytes()));
    payload
}

/// Reads Noise's next message with a payload of exactly `PAYLOAD` bytes.
fn read<const PAYLOAD: usize>(noise: &mut Noise, message: &[u8]) -> Result<[u8; PAYLOAD], Closed> {
    let mut payload = [0; PAYLOAD];
    let length = noise.read_message(message, &mut payload).map_err(|_| Closed::Handshake)?;
    if length == PAYLOAD { Ok(payload) } else { Err(Closed::Handshake) }
}

/// The exchange key that the handshake has shown to be the peer's.
fn their_key(noise: &Noise) -> Result<ExchangeKey, Closed> {
    noise.get_remote_static().map(ExchangeKey).ok_or(Closed::Handshake)
}
