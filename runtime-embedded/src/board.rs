//! What a board must provide, besides a network.
//!
//! | | as | for |
//! | --- | --- | --- |
//! | a random source | [`RandomSource`] | keys of sessions, and the number of each life |
//! | flash | [`embedded_storage::nor_flash::NorFlash`] | who the device is, and the vote record |
//! | a network | [`embassy_net::driver::Driver`], inside the [`embassy_net::Stack`] | frames of Ethernet |
//! | time | `embassy_time_driver::Driver`, linked in | waiting |
//! | somebody to tell | [`Voice`] | a log, a serial line, a lamp |

use butterfly_kernel::types::{Epoch, NodeId, View};

use crate::protocol::{Decided, Evidence};

/// A source of random numbers fit for keys: hardware, not a formula.
pub trait RandomSource {
    /// Fills `bytes` with numbers that nobody can know and that never came before.
    ///
    /// # Errors
    /// [`NoRandomness`], when there are none. A device without them does not
    /// start: its sessions would be open, and a lost vote record would go unnoticed.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The board gives no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

/// Who is told what the device does. Nothing depends on it.
pub trait Voice<const N: usize> {
    /// Takes what happened.
    fn say(&mut self, event: Event<'_, N>);
}

/// What a device does, as it tells.
#[derive(Clone, Copy)]
pub enum Event<'e, const N: usize> {
    /// It has read its record and listens.
    Ready {
        /// Which member it is.
        me: NodeId,
        /// Its record was lost: it signs nothing in agreement until it is admitted again.
        learner: bool,
        /// The epoch in which it goes on.
        epoch: Epoch,
    },
    /// An epoch was decided.
    Commit {
        /// What was decided.
        decided: &'e Decided<N>,
        /// What it adds to the text; nothing when the device caught up with it.
        tokens: &'e [u8],
        /// It may not sign in agreement (yet).
        learner: bool,
        /// What the device has signed since it was started.
        signed: Signed,
    },
    /// It left for a later view.
    EnterView {
        /// The epoch.
        epoch: Epoch,
        /// The view.
        view: View,
    },
    /// It holds proof that a member is faulty.
    Evidence(&'e Evidence<N>),
    /// No epoch can be decided, or one can be again.
    Blocked(bool),
    /// A stage could not be run: fellows make up for it.
    Abstained,
}

/// Statements that a device made, repetitions not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// Votes.
    pub votes: u32,
    /// Proposals: epochs that it led.
    pub proposals: u32,
    /// Attestations of stages.
    pub attestations: u32,
}
