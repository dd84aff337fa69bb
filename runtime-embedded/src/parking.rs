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
const PLACES: usize = 16;

/// Messages that the node rejected as early, in the order in which they came;
/// `BYTES` in all, of which each other member may have an equal part.
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
        let quota = BYTES.checked_div(N.saturating_sub(1)).unwrap_or(0);
        let has_room = held.saturating_add(message.len()) <= quota && !self.waiting.is_full();
        if !has_room || !node.is_near(seat, &place) || self.holds(message) {
            return;
        }
        if self.bytes.extend_from_slice(message).is_ok() {
            // It is not full.
            let _ = self.waiting.push(Parked { place, author, length: message.len() });
        }
    }

    /// The oldest message whose place the node has reached, by where it waits.
    pub(crate) fn ready(&self, node: &Node<N>) -> Option<usize> {
        self.waiting.iter().position(|held| node.reached(&held.place))
    }

    /// The message that waits at `at`.
    pub(crate) fn message(&self, at: usize) -> Option<&[u8]> {
        let begin = self.begin(at);
        self.bytes.get(begin..begin.saturating_add(self.waiting.get(at)?.length))
    }

    /// The message that waits at `at` goes on waiting, for `place`.
    pub(crate) fn put_off(&mut self, at: usize, place: Place) {
        if let Some(held) = self.waiting.get_mut(at) {
            held.place = place;
        }
    }

    /// The message that waits at `at` waits no more.
    pub(crate) fn remove(&mut self, at: usize) {
        if at >= self.waiting.len() {
            return;
        }
        let begin = self.begin(at);
        let length = self.waiting.remove(at).length;
        let behind = begin.saturating_add(length).min(self.bytes.len());
        let left = self.bytes.len().saturating_sub(length);
        self.bytes.copy_within(behind.., begin);
        self.bytes.truncate(left);
    }

    /// Room that nobody uses before there is a node.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        // It is as long as that.
        let _ = self.bytes.resize_default(BYTES);
        &mut self.bytes
    }

    /// Nothing waits.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes.clear();
    }

    fn begin(&self, at: usize) -> usize {
        self.waiting.iter().take(at).map(|held| held.length).sum()
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
