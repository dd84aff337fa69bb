//! `IK`: a member dials a member whose key record it holds.
//!
//! ```text
//! <- s                            the responder's exchange key, from its record
//! -> e, es, s, ss   [credential, limits]
//! <- e, ee, se      [limits]
//! -> an empty frame               only now does the responder believe anything
//! ```
//!
//! Anybody can send a first message again, and it is as good as new. So the
//! answer to it is all that it brings about: the answer holds a new ephemeral
//! key, and only whoever made the first message can seal a frame under what
//! both give.

use super::{
    INTRODUCTION, Ours, Side, Traffic, has_room, initiate, introduction, read, respond, their_key, write, write_first,
};
use crate::error::{Closed, Refused};
use crate::keys::{KeyRecord, Peer};
use crate::limits::Limits;
use crate::local::{Guard, Members, member};
use crate::suite::Noise;
use crate::wire::{ANSWER_TO_MEMBER, FIRST_OF_MEMBER, LENGTH, LIMITS, Pattern, Reader};

/// The initiator's message to `peer`.
pub(crate) fn first(ours: &Ours<'_>, peer: &Peer, out: &mut [u8]) -> Result<usize, Refused> {
    has_room(FIRST_OF_MEMBER, out)?;
    begin(ours, peer, out).map(|(_, written)| written)
}

fn begin(ours: &Ours<'_>, peer: &Peer, out: &mut [u8]) -> Result<(Noise, usize), Refused> {
    let mut noise = initiate(ours, Pattern::Member, peer.identity(), Some(peer.exchange()))?;
    let guard = Guard::of_member(ours.local.cluster(), peer.exchange());
    let written = write_first(&mut noise, Pattern::Member, &guard, &introduction(ours), out)?;
    Ok((noise, written))
}

/// What comes of a first message.
pub(crate) struct Answer<const FRAMES_PER_KEY: u32> {
    pub(crate) traffic: Traffic<FRAMES_PER_KEY>,
    pub(crate) peer: Peer,
    pub(crate) written: usize,
}

/// The responder's answer to the first message in which Noise's part is `inside`.
pub(crate) fn answer<const FRAMES_PER_KEY: u32>(
    ours: &Ours<'_>,
    members: &impl Members,
    inside: &[u8],
    out: &mut [u8],
) -> Result<Answer<FRAMES_PER_KEY>, Refused> {
    has_room(ANSWER_TO_MEMBER, out)?;
    let mut noise = respond(ours, Pattern::Member)?;
    let payload: [u8; INTRODUCTION] = read(&mut noise, inside)?;
    let mut reader = Reader(&payload);
    let record = KeyRecord::read(&mut reader, their_key(&noise)?).ok_or(Closed::Handshake)?;
    let agreed = ours.limits.agree(Limits::read(&mut reader).ok_or(Closed::Handshake)?)?;
    let peer = member(&record, ours.local.cluster(), members)?;
    let written = write(&mut noise, &ours.limits.to_bytes(), ANSWER_TO_MEMBER, out)?;
    Ok(Answer { traffic: Traffic::of(noise, Side::Responder, agreed)?, peer, written })
}

/// What the initiator has once `peer` has answered.
pub(crate) fn hear<const FRAMES_PER_KEY: u32>(
    ours: &Ours<'_>,
    peer: &Peer,
    message: &[u8],
) -> Result<Traffic<FRAMES_PER_KEY>, Closed> {
    let (mut noise, _) = begin(ours, peer, &mut [0; LENGTH + FIRST_OF_MEMBER]).map_err(|_| Closed::Handshake)?;
    let payload: [u8; LIMITS] = read(&mut noise, message)?;
    let agreed = ours.limits.agree(Limits::read(&mut Reader(&payload)).ok_or(Closed::Handshake)?)?;
    Traffic::of(noise, Side::Initiator, agreed)
}
