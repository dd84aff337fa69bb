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

#[cfg(test)]
mod tests {
    use butterfly_kernel::message::Fetch;
    use butterfly_kernel::types::{Epoch, View};
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::keys::Keys;
    use crate::protocol::{Cluster, Message, Record};
    use crate::roster::{Model, Roster};
    use crate::surface::Digest;

    /// Something of `member`, as if it were for `view` of the first epoch.
    fn said(cluster: &Cluster, member: u8, view: u32) -> (Place, Box<VerifiedEnvelope>) {
        let key = key(member);
        let seat = Seat { cluster, me: NodeId(member), key: &key };
        let envelope = seat.envelope(Message::Fetch(Fetch { epoch: Epoch(u64::from(view)), value: None }));
        (Place::View(Epoch::GENESIS.next(), View(view)), Box::new(cluster.verify(envelope).unwrap()))
    }

    fn key(member: u8) -> SigningKey {
        Keys::of_seed(0, member).identity().clone()
    }

    #[test]
    fn nobody_fills_the_room_of_others_and_nothing_is_kept_for_long() {
        let public = |party| Keys::of_seed(0, party).public_key().unwrap();
        let model = Model {
            manifest: Digest([0; 32]),
            layers: 1,
            stages: 1,
            vocabulary: 2,
            context: 8,
            signal: 8,
            tokens_per_epoch: 1,
        };
        let members = (0..4).map(public).collect();
        let roster = Roster::found(members, 4, vec![public(9)], model, None, None, 2_000).unwrap();
        let (cluster, key) = (roster.cluster(), key(0));
        let seat = Seat { cluster, me: NodeId(0), key: &key };
        let record: Record = butterfly_kernel::wire::decode(&roster.first_record(0).unwrap()).unwrap();
        let node = KernelNode::new(&seat, Some(record)).unwrap();
        let mut parking = Parking::default();
        for view in 1..=300 {
            let (place, message) = said(cluster, 1, view);
            parking.park(&seat, &node, place, message.clone());
            parking.park(&seat, &node, place, message);
        }
        assert_eq!(parking.held_of(NodeId(1)), QUOTA);
        let (place, message) = said(cluster, 2, 1);
        parking.park(&seat, &node, place, message.clone());
        parking.park(&seat, &node, place, message);
        assert_eq!(parking.held_of(NodeId(2)), 1, "another has its own room, and what is known is known");
        let (_, later) = said(cluster, 2, 2);
        parking.park(&seat, &node, Place::Epoch(Epoch(1_000)), later);
        assert_eq!(parking.waiting.len(), QUOTA + 1, "too far off");
        assert!(parking.take_ready(&node).is_none(), "the time of none has come");
        let (_, now) = said(cluster, 3, 0);
        parking.park(&seat, &node, Place::View(Epoch::GENESIS.next(), View(0)), now.clone());
        assert_eq!(parking.take_ready(&node), Some(now));
        assert_eq!(parking.waiting.len(), QUOTA + 1);
    }
}
