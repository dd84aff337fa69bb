//! Messages whose time has not come.

use std::collections::VecDeque;

use butterfly_kernel::machine::Place;
use butterfly_kernel::types::NodeId;

use crate::protocol::{KernelNode, Seat, VerifiedEnvelope};

/// Messages kept for one author; a prompt's worth of signals. More are
/// dropped, and the protocol asks for them again.
const QUOTA: usize = 256;

/// Messages that the node rejected as early, in the order in which they came.
#[derive(Debug, Default)]
pub struct Parking {
    waiting: VecDeque<(Place, Box<VerifiedEnvelope>)>,
}

impl Parking {
    /// Keeps `message` until `node` is at `place`, if that is near, it is not
    /// kept already, and its author has room.
    pub(crate) fn park(&mut self, seat: &Seat<'_>, node: &KernelNode, place: Place, message: Box<VerifiedEnvelope>) {
        let author = message.get().from;
        let is_known = self.waiting.iter().any(|(_, held)| *held == message);
        if node.is_near(seat, &place) && self.held_of(author) < QUOTA && !is_known {
            self.waiting.push_back((place, message));
        }
    }

    /// The oldest message whose place the node has reached.
    pub(crate) fn take_ready(&mut self, node: &KernelNode) -> Option<Box<VerifiedEnvelope>> {
        let at = self.waiting.iter().position(|(place, _)| node.reached(place))?;
        self.waiting.remove(at).map(|(_, message)| message)
    }

    fn held_of(&self, author: NodeId) -> usize {
        self.waiting.iter().filter(|(_, message)| message.get().from == author).count()
    }
}
