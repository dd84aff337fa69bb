//! A session without a handshake, for fuzzing: whoever tries out frames should
//! not have to wait for four Diffie-Hellman operations before each of them.

use clatter::bytearray::ByteArray;

use super::{Inbox, Phase, Session};
use crate::handshake::Traffic;
use crate::keys::Peer;
use crate::limits::Limits;
use crate::open::Opener;
use crate::seal::Sealer;
use crate::suite::{Cipher, Secret};

impl<const FRAME: usize, const KEY_LIFE: u32> Session<FRAME, KEY_LIFE> {
    /// An open session that seals under `ours` and opens under `theirs`, keys
    /// that everybody knows. `agreed.frame` is at most `FRAME`.
    pub fn rehearse(peer: Peer, agreed: Limits, ours: [u8; 32], theirs: [u8; 32]) -> Self {
        let cipher = |key: [u8; 32]| Cipher::new(Secret::from_slice(&key).as_slice(), 0);
        let (sealer, opener) = (Sealer::new(cipher(ours), agreed), Opener::new(cipher(theirs), agreed));
        Session { phase: Phase::Open(Traffic { sealer, opener }, peer), inbox: Inbox::new(), part: None }
    }
}
