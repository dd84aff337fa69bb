//! Who takes part in sessions: this process with its keys, and everybody whom
//! the roster names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use butterfly_kernel::types::{ClientId, NodeId};
use butterfly_session::{IdentityKey, Local, Members, Peer};

use crate::keys::{Keys, session_cluster, session_identity};
use crate::protocol::Cluster;

/// The longest message that is sent or taken, in bytes: a decision with its
/// state is the longest that there is. It is announced in the handshake, and a
/// longer one closes the session when its first frame declares it.
pub const LONGEST_MESSAGE: u32 = 16 * 1024;

/// Who is at the other end of a session, as the roster says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A member.
    Member(NodeId),
    /// Somebody who may ask for work.
    Client(ClientId),
}

/// A member or a client of a cluster, with what it needs for sessions.
pub struct Party {
    cluster: Arc<Cluster>,
    local: Local,
    /// The members' keys, by their place in the roster.
    members: Vec<Peer>,
    /// The lowest serial that counts, where it is more than the first: whoever
    /// came with a newer exchange key gave up the older ones. Kept for as long
    /// as the process runs; at most one for each identity of the roster.
    serials: Mutex<BTreeMap<IdentityKey, u32>>,
}

impl Party {
    /// The holder of `keys`, which `cluster` knows, and the keys of all members.
    ///
    /// # Errors
    /// None in practice: the record that it signs is its own.
    pub fn new(cluster: Arc<Cluster>, keys: &Keys, members: Vec<Peer>) -> Result<Party> {
        let local = Local::new(session_cluster(&cluster), &keys.exchange(), keys.record(&cluster), LONGEST_MESSAGE)?;
        let serials = members.iter().map(|peer| (peer.identity(), peer.serial())).collect();
        Ok(Party { cluster, local, members, serials: Mutex::new(serials) })
    }

    /// The cluster.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// What sessions are made with.
    pub(super) fn local(&self) -> &Local {
        &self.local
    }

    /// The keys of `node`.
    pub fn member(&self, node: NodeId) -> Option<&Peer> {
        self.members.get(node.index())
    }

    /// Whom the roster knows by `identity`.
    pub fn who(&self, identity: &IdentityKey) -> Option<Who> {
        let roster = self.cluster.roster();
        let place = |keys: &[_]| keys.iter().position(|key| session_identity(key) == *identity);
        let number = |place: usize| u8::try_from(place).ok();
        let member = place(&roster.members).and_then(number).map(|number| Who::Member(NodeId(number)));
        member.or_else(|| place(&roster.clients).and_then(number).map(|number| Who::Client(ClientId(number))))
    }

    /// `peer` has an open session: keys that it had before count no more.
    pub(super) fn note(&self, peer: &Peer) {
        self.note_serial(peer.identity(), peer.serial());
    }

    pub(super) fn note_serial(&self, identity: IdentityKey, serial: u32) {
        let mut serials = self.serials.lock().unwrap_or_else(PoisonError::into_inner);
        let lowest = serials.entry(identity).or_default();
        *lowest = serial.max(*lowest);
    }
}

impl Members for Party {
    fn admits(&self, identity: &IdentityKey, serial: u32) -> bool {
        let serials = self.serials.lock().unwrap_or_else(PoisonError::into_inner);
        self.who(identity).is_some() && serials.get(identity).is_none_or(|lowest| serial >= *lowest)
    }
}
