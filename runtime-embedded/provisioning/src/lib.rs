//! What a device is told before its first boot, as it lies in its flash.
//!
//! Whoever provisions a device writes one block to the beginning of its flash:
//! who it is, where it is, who else there is. The device reads it at each boot
//! and never writes there. Behind it lies the vote record, which the device
//! writes and nobody else, after its first version was put there once.
//!
//! ```text
//! 0       block: magic 8, version 4, length of the body 4, SHA-256 of the body 32, body
//! 8,192   vote record: four copies, of as many bytes each as the firmware says
//! ```
//!
//! Numbers are little-endian; the body is postcard. Secrets lie in the flash in
//! plain: whoever can read it is this member.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const MAGIC: [u8; 8] = *b"BFLYPROV";
const VERSION: u32 = 1;
const DIGEST: usize = 32;
/// Magic, version, length, digest.
const HEAD: usize = 8 + 4 + 4 + DIGEST;

/// Bytes of flash that the block may take: two sectors of the usual size, and
/// room for sixteen members.
pub const BLOCK: usize = 8 * 1024;
/// Where the vote record begins.
pub const VOTE_RECORD: usize = BLOCK;

/// Everything that a member must know and the cluster does not agree on.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provision<'b> {
    /// The secret of its Ed25519 identity: what it signs with.
    pub identity: [u8; 32],
    /// The secret of its X25519 exchange key: what it has sessions with.
    pub exchange: [u8; 32],
    /// Which of its exchange keys that is.
    pub serial: u32,
    /// Where it is in its network.
    pub network: Network,
    /// How long it waits.
    pub timing: Timing,
    /// The canonical encoding of the roster.
    pub roster: &'b [u8],
    /// The key records of the members, in the roster's order, one behind the other.
    pub records: &'b [u8],
    /// Where the members listen, in the roster's order: an address of four
    /// bytes and a port of two for each, most significant byte first.
    pub peers: &'b [u8],
}

/// Where a device is in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its hardware address.
    pub hardware: [u8; 6],
    /// Its address.
    pub address: [u8; 4],
    /// Bits of the address that name the network.
    pub prefix: u8,
    /// Whoever passes on what is for other networks.
    pub gateway: [u8; 4],
    /// The port that it listens on.
    pub port: u16,
}

/// How long a member waits, in milliseconds: the kernel's `Timing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// The first view of an epoch.
    pub view: u32,
    /// The longest view.
    pub view_cap: u32,
    /// Before something is said again.
    pub retransmit: u32,
    /// Before a reserve steps in.
    pub escalate: u32,
}

/// Where a member listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host.
    pub host: [u8; 4],
    /// The port.
    pub port: u16,
}

impl Address {
    /// As [`Provision::peers`] holds it.
    pub fn to_bytes(self) -> [u8; 6] {
        let ([a, b, c, d], [high, low]) = (self.host, self.port.to_be_bytes());
        [a, b, c, d, high, low]
    }
}

/// Why there is no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisionError {
    /// The flash does not begin with a block: the device was never provisioned.
    Blank,
    /// The block is of another version.
    Version,
    /// The block is damaged.
    Damaged,
    /// It does not fit in [`BLOCK`] bytes, or in the room that a device has for it.
    TooLong,
}

impl core::fmt::Display for ProvisionError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            ProvisionError::Blank => "the flash holds no provisioning block",
            ProvisionError::Version => "the provisioning block is of another version",
            ProvisionError::Damaged => "the provisioning block is damaged",
            ProvisionError::TooLong => "the provisioning block is too long",
        })
    }
}

impl core::error::Error for ProvisionError {}

impl<'b> Provision<'b> {
    /// Writes the block to the front of `flash`.
    ///
    /// # Errors
    /// [`ProvisionError::TooLong`].
    pub fn write(&self, flash: &mut [u8; BLOCK]) -> Result<(), ProvisionError> {
        let (head, room) = flash.split_first_chunk_mut::<HEAD>().ok_or(ProvisionError::TooLong)?;
        let body = postcard::to_slice(self, room).map_err(|_| ProvisionError::TooLong)?;
        *head = head_of(body).ok_or(ProvisionError::TooLong)?;
        Ok(())
    }

    /// Reads the block at the front of `flash`, of which the beginning is there:
    /// a device that expects a short block needs less memory to read it.
    ///
    /// # Errors
    /// When there is none, or it is not whole, or it goes on behind what is there.
    pub fn read(flash: &'b [u8]) -> Result<Provision<'b>, ProvisionError> {
        let (head, rest) = flash.split_first_chunk::<HEAD>().ok_or(ProvisionError::Blank)?;
        let (magic, head_rest) = head.split_first_chunk::<8>().ok_or(ProvisionError::Blank)?;
        if *magic != MAGIC {
            return Err(ProvisionError::Blank);
        }
        let (version, head_rest) = head_rest.split_first_chunk::<4>().ok_or(ProvisionError::Blank)?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(ProvisionError::Version);
        }
        let length = head_rest.first_chunk::<4>().ok_or(ProvisionError::Damaged)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| ProvisionError::Damaged)?;
        let body = rest.get(..length).ok_or(ProvisionError::TooLong)?;
        if head_of(body).as_ref() != Some(head) {
            return Err(ProvisionError::Damaged);
        }
        let (provision, rest) = postcard::take_from_bytes(body).map_err(|_| ProvisionError::Damaged)?;
        if rest.is_empty() { Ok(provision) } else { Err(ProvisionError::Damaged) }
    }

    /// Where member `place` of the roster listens.
    pub fn peer(&self, place: usize) -> Option<Address> {
        let at = place.checked_mul(6)?;
        let [a, b, c, d, high, low] = *self.peers.get(at..)?.first_chunk()?;
        Some(Address { host: [a, b, c, d], port: u16::from_be_bytes([high, low]) })
    }
}

fn head_of(body: &[u8]) -> Option<[u8; HEAD]> {
    let length = u32::try_from(body.len()).ok()?.to_le_bytes();
    let digest = Sha256::digest(body);
    let fields: [&[u8]; 4] = [&MAGIC, &VERSION.to_le_bytes(), &length, &digest];
    let mut head = [0; HEAD];
    for (place, byte) in head.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *byte;
    }
    Some(head)
}
