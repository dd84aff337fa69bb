//! `XX`: a newcomer dials its sponsor, the member that its token names.
//!
//! ```text
//! -> e
//! <- e, ee, s, es   [the sponsor's credential, limits]
//! -> s, se          [the newcomer's credential, limits, token, secret]
//! ```
//!
//! The newcomer shows its token to the sponsor only, and under keys that
//! nobody gets from a secret stolen later. The third message answers the
//! sponsor's ephemeral key, so it cannot be sent again.

use zeroize::Zeroizing;

use super::{
    INTRODUCTION, Side, Traffic, has_room, initiate, introduction, read, respond, their_key, write, write_first,
};
use crate::error::{Closed, Refused};
use crate::keys::{Ephemeral, IdentityKey, KeyRecord, Peer};
use crate::limits::Limits;
use crate::local::{Guard, Local};
use crate::suite::Noise;
use crate::token::{Application, BearerSecret, Token};
use crate::wire::{ANSWER_TO_NEWCOMER, APPLICATION, FIRST_OF_NEWCOMER, KEY, Pattern, Reader, TOKEN, Writer};

/// The newcomer's message to `sponsor`.
pub(crate) fn first(
    local: &Local,
    sponsor: IdentityKey,
    ephemeral: Ephemeral,
    out: &mut [u8],
) -> Result<(Noise, usize), Refused> {
    has_room(FIRST_OF_NEWCOMER, out)?;
    let mut noise = initiate(local, Pattern::Newcomer, ephemeral, sponsor, None)?;
    let guard = Guard::of_newcomer(local.cluster(), sponsor);
    let written = write_first(&mut noise, Pattern::Newcomer, &guard, &[], out)?;
    Ok((noise, written))
}

/// The sponsor's answer to the first message in which Noise's part is `inside`.
pub(crate) fn answer(
    local: &Local,
    ephemeral: Ephemeral,
    ours: Limits,
    inside: &[u8],
    out: &mut [u8],
) -> Result<(Noise, usize), Refused> {
    has_room(ANSWER_TO_NEWCOMER, out)?;
    let mut noise = respond(local, Pattern::Newcomer, ephemeral)?;
    let [] = read(&mut noise, inside)?;
    let written = write(&mut noise, &introduction(local, ours), ANSWER_TO_NEWCOMER, out)?;
    Ok((noise, written))
}

/// The sponsor, and what was agreed, once it has answered.
pub(crate) fn hear(
    noise: &mut Noise,
    local: &Local,
    sponsor: IdentityKey,
    ours: Limits,
    message: &[u8],
) -> Result<(Peer, Limits), Closed> {
    let payload: [u8; INTRODUCTION] = read(noise, message)?;
    let mut reader = Reader(&payload);
    let record = KeyRecord::read(&mut reader, their_key(noise)?).ok_or(Closed::Handshake)?;
    let agreed = ours.agree(Limits::read(&mut reader).ok_or(Closed::Handshake)?)?;
    if record.identity != sponsor {
        return Err(Closed::Stranger);
    }
    Ok((record.verify(local.cluster())?, agreed))
}

const PAYLOAD: usize = INTRODUCTION + TOKEN + KEY;

/// The newcomer's application.
pub(crate) fn apply(
    noise: &mut Noise,
    local: &Local,
    ours: Limits,
    token: &Token,
    secret: &BearerSecret,
    out: &mut [u8],
) -> Result<usize, Refused> {
    has_room(APPLICATION, out)?;
    let mut payload = Zeroizing::new([0; PAYLOAD]);
    let mut fields = Writer(&mut *payload);
    let parts: [&[u8]; 3] = [&introduction(local, ours), &token.to_bytes(), secret.bytes()];
    // The array is as long as its fields together.
    let _ = parts.iter().try_for_each(|part| fields.put(part));
    write(noise, &*payload, APPLICATION, out)
}

/// What the sponsor has once the newcomer has applied. The token is not yet checked.
pub(crate) fn read_application<const FRAMES_PER_KEY: u32>(
    mut noise: Noise,
    local: &Local,
    ours: Limits,
    message: &[u8],
) -> Result<(Traffic<FRAMES_PER_KEY>, Application), Closed> {
    let payload = Zeroizing::new(read::<PAYLOAD>(&mut noise, message)?);
    let mut reader = Reader(&*payload);
    let record = KeyRecord::read(&mut reader, their_key(&noise)?).ok_or(Closed::Handshake)?;
    let agreed = ours.agree(Limits::read(&mut reader).ok_or(Closed::Handshake)?)?;
    let token = Token::read(&mut reader).ok_or(Closed::Token)?;
    let secret = BearerSecret::from_random(reader.array().ok_or(Closed::Token)?);
    let newcomer = record.verify(local.cluster())?;
    Ok((Traffic::of(noise, Side::Responder, agreed)?, Application { newcomer, token, secret }))
}
