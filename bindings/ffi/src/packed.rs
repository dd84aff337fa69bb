//! Frames of many inputs, and of what came of them: the fast way across the
//! boundary between languages, since one call costs more than many events.
//!
//! A frame is the canonical encoding of a list of [`Input`]s, its answer that
//! of a list of [`Step`]s, one for each input, as `kernel/src/wire.rs` defines
//! encodings: integers of more than one byte as varints, bytes and lists behind
//! their length, variants by their number, options behind 0 or 1.

use butterfly_kernel::wire::{self, WireError};

use crate::Error;
use crate::protocol::encode;
use crate::surface::{Input, Step};

// For languages that have no codec of their own: what is packed or unpacked here
// costs as much as the typed surface, and the frame goes on as one.

/// The frame of these inputs, for `Node.step_packed`.
#[uniffi::export]
pub fn pack_inputs(inputs: Vec<Input>) -> Result<Vec<u8>, Error> {
    Ok(encode(&inputs))
}

/// The inputs of a frame.
#[uniffi::export]
pub fn unpack_inputs(frame: &[u8]) -> Result<Vec<Input>, Error> {
    Ok(inputs(frame)?)
}

/// The frame of these steps.
#[uniffi::export]
pub fn pack_steps(steps: Vec<Step>) -> Result<Vec<u8>, Error> {
    Ok(encode(&steps))
}

/// The steps in a frame that `Node.step_packed` gave.
#[uniffi::export]
pub fn unpack_steps(frame: &[u8]) -> Result<Vec<Step>, Error> {
    Ok(wire::decode(frame)?)
}

/// The inputs of a frame.
///
/// # Errors
/// When the bytes are not the one encoding of their inputs.
pub fn inputs(frame: &[u8]) -> Result<Vec<Input>, WireError> {
    wire::decode(frame)
}

/// The frame that answers one with as many inputs.
pub fn steps(steps: &[Step]) -> Vec<u8> {
    encode(steps)
}
