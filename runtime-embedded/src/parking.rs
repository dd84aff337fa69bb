//! Messages whose time has not come.
//!
//! They are kept as they came, since a decoded message takes ten times the
//! room. So their signatures are checked once more when their time has come,
//! which is the price: a device has more time than memory.

use butterfly_kernel::machine::Place;
use butterfly_kernel::types::NodeId;
use heapless::Vec;

use crate::protocol::{Node, Seat};

/// Messages kept at once, of all authors.
const PLACES: usize = 32;

/// Messages that the node rejected as early, in the order in which they came;
/// `BYTES` in all, of which one author may have one part in `N`.
#[derive(Debug)]
pub(crate) struct Parking<const N: usize, const BYTES: usize> {
    waiting: Vec<Parked, PLACES>,
    bytes: Vec<u8, BYTES>,
}

#[derive(Clone, Copy, Debug)]
struct Parked {
    place: Place,
    author: NodeId,
    length: usize,
}

impl<const N: usize, const BYTES: usize> Parking<N, BYTES> {
    pub(crate) const fn new() -> Self {
        Parking { waiting: Vec::new(), bytes: Vec::new() }
    }

    /// Keeps `message` of `author` until `node` is at `place`, if that is near,
    /// if it is not kept already and its author has room. Others are dropped,
    /// and the protocol asks for them again.
    pub(crate) fn park(&mut self, seat: &Seat<'_, N>, node: &Node<N>, place: Place, author: NodeId, message: &[u8]) {
        let held: usize = self.waiting.iter().filter(|held| held.author == author).map(|held| held.length).sum();
        let quota = BYTES.checked_div(N).unwrap_or(0);
        let has_room = held.saturating_add(message.len()) <= quota && !self.waiting.is_full();
        if !has_room || !node.is_near(seat, &place) || self.holds(message) {
            return;
        }
        if self.bytes.extend_from_slice(message).is_ok() {
            // It is not full.
            let _ = self.waiting.push(Parked { place, author, length: message.len() });
        }
    }

    /// Takes the oldest message whose place the node has reached into `out`.
    pub(crate) fn take_ready<const MESSAGE: usize>(&mut self, node: &Node<N>, out: &mut Vec<u8, MESSAGE>) -> bool {
        let Some(at) = self.waiting.iter().position(|held| node.reached(&held.place)) else { return false };
        let begin: usize = self.waiting.iter().take(at).map(|held| held.length).sum();
        let length = self.waiting.remove(at).length;
        let end = begin.saturating_add(length);
        out.clear();
        let taken = self.bytes.get(begin..end).is_some_and(|bytes| out.extend_from_slice(bytes).is_ok());
        let behind = end.min(self.bytes.len());
        let left = self.bytes.len().saturating_sub(length);
        self.bytes.copy_within(behind.., begin);
        self.bytes.truncate(left);
        taken
    }

    fn holds(&self, message: &[u8]) -> bool {
        let mut rest = self.bytes.as_slice();
        self.waiting.iter().any(|held| {
            let (bytes, behind) = rest.split_at_checked(held.length).unwrap_or((rest, &[]));
            rest = behind;
            bytes == message
        })
    }
}
