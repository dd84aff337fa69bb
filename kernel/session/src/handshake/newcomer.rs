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
    INTRODUCTION, Ours, Side, Traffic, has_room, initiate, introduction, read, respond, their_key, write, write_first,
};
use crate::error::{Closed, Refused};
use crate::keys::{IdentityKey, KeyRecord, Peer};
use crate::limits::Limits;
use crate::local::Guard;
use crate::suite::Noise;
use crate::token::{Application, BearerSecret, Token};
use crate::wire::{ANSWER_TO_NEWCOMER, APPLICATION, FIRST_OF_NEWCOMER, KEY, LENGTH, Pattern, Reader, TOKEN, Writer};

/// The newcomer's message to `sponsor`.
pub(crate) fn first(ours: &Ours<'_>, sponsor: IdentityKey, out: &mut [u8]) -> Result<usize, Refused> {
    has_room(FIRST_OF_NEWCOMER, out)?;
    begin(ours, sponsor, out).map(|(_, written)| written)
}

fn begin(ours: &Ours<'_>, sponsor: IdentityKey, out: &mut [u8]) -> Result<(Noise, usize), Refused> {
    let mut noise = initiate(ours, Pattern::Newcomer, sponsor, None)?;
    let guard = Guard::of_newcomer(ours.local.cluster(), sponsor);
    let written = write_first(&mut noise, Pattern::Newcomer, &guard, &[], out)?;
    Ok((noise, written))
}

/// The sponsor's answer to the first message in which Noise's part is `inside`.
pub(crate) fn answer(ours: &Ours<'_>, inside: &[u8], out: &mut [u8]) -> Result<(Noise, usize), Refused> {
    has_room(ANSWER_TO_NEWCOMER, out)?;
    let mut noise = respond(ours, Pattern::Newcomer)?;
    let [] = read(&mut noise, inside)?;
    let written = write(&mut noise, &introduction(ours), ANSWER_TO_NEWCOMER, out)?;
    Ok((noise, written))
}

/// The sponsor, once it has answered.
pub(crate) fn hear(ours: &Ours<'_>, sponsor: IdentityKey, message: &[u8]) -> Result<Peer, Closed> {
    let (_, record, _) = hear_record(ours, sponsor, message)?;
    if record.identity != sponsor {
        return Err(Closed::Stranger);
    }
    record.verify(ours.local.cluster())
}

fn hear_record(ours: &Ours<'_>, sponsor: IdentityKey, message: &[u8]) -> Result<(Noise, KeyRecord, Limits), Closed> {
    let (mut noise, _) = begin(ours, sponsor, &mut [0; LENGTH + FIRST_OF_NEWCOMER]).map_err(|_| Closed::Handshake)?;
    let payload: [u8; INTRODUCTION] = read(&mut noise, message)?;
    let mut reader = Reader(&payload);
    let record = KeyRecord::read(&mut reader, their_key(&noise)?).ok_or(Closed::Handshake)?;
    let agreed = ours.limits.agree(Limits::read(&mut reader).ok_or(Closed::Handshake)?)?;
    Ok((noise, record, agreed))
}

const PAYLOAD: usize = INTRODUCTION + TOKEN + KEY;

/// The newcomer's application, after the sponsor's `answer`, which was heard.
pub(crate) fn apply<const FRAMES_PER_KEY: u32>(
    ours: &Ours<'_>,
    (sponsor, answer): (IdentityKey, &[u8]),
    (token, secret): (&Token, &BearerSecret),
    out: &mut [u8],
) -> Result<(Traffic<FRAMES_PER_KEY>, usize), Refused> {
    has_room(APPLICATION, out)?;
    let (mut noise, _, agreed) = hear_record(ours, sponsor, answer)?;
    let mut payload = Zeroizing::new([0; PAYLOAD]);
    let mut fields = Writer(&mut *payload);
    let parts: [&[u8]; 3] = [&introduction(ours), &token.to_bytes(), secret.bytes()];
    // The array is as long as its fields together.
    let _ = parts.iter().try_for_each(|part| fields.put(part));
    let written = write(&mut noise, &*payload, APPLICATION, out)?;
    Ok((Traffic::of(noise, Side::Initiator, agreed)?, written))
}

/// What the sponsor has once the newcomer has applied, whose first message had
/// `inside` in it. The token is not yet checked.
pub(crate) fn read_application<const FRAMES_PER_KEY: u32>(
    ours: &Ours<'_>,
    inside: &[u8],
    message: &[u8],
) -> Result<(Traffic<FRAMES_PER_KEY>, Application), Closed> {
    let answered = answer(ours, inside, &mut [0; LENGTH + ANSWER_TO_NEWCOMER]);
    let (mut noise, _) = answered.map_err(|_| Closed::Handshake)?;
    let payload = Zeroizing::new(read::<PAYLOAD>(&mut noise, message)?);
    let mut reader = Reader(&*payload);
    let record = KeyRecord::read(&mut reader, their_key(&noise)?).ok_or(Closed::Handshake)?;
    let agreed = ours.limits.agree(Limits::read(&mut reader).ok_or(Closed::Handshake)?)?;
    let token = Token::read(&mut reader).ok_or(Closed::Token)?;
    let secret = BearerSecret::from_random(reader.array().ok_or(Closed::Token)?);
    let newcomer = record.verify(ours.local.cluster())?;
    Ok((Traffic::of(noise, Side::Responder, agreed)?, Application { newcomer, token, secret }))
}
