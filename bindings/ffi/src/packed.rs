//! Frames of many inputs, and of what came of them: the fast way across the
//! boundary between languages, since one call costs more than many events.
//!
//! A frame is the canonical encoding of a list of [`Input`]s, its answer that
//! of a list of [`Step`]s, one for each input, as `kernel/src/wire.rs` defines
//! encodings: integers of more than one byte as varints, bytes and lists behind
//! their length, variants by their number, options behind 0 or 1.

use butterfly_kernel::wire::{self, WireError};

use crate::protocol::encode;
use crate::surface::{Input, Step};

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
