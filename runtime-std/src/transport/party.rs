//! Who takes part in sessions: this process with its keys, and everybody whom
//! the roster names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use butterfly_kernel::types::{ClientId, NodeId};
use butterfly_session::token::Operators;
use butterfly_session::{IdentityKey, Local, Members, Peer};

use crate::keys::{Keys, session_cluster, session_identity};
use crate::lineage::Lineage;
use crate::protocol::{Cluster, PublicKey};

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
    /// Somebody whose word changes the roster, by the place of the key there.
    Operator(u8),
}

/// A member or a client of a cluster, with what it needs for sessions.
pub struct Party {
    lineage: Arc<Lineage>,
    local: Arc<Local>,
    /// The members' keys, by their place in the roster; none of a member whose
    /// own cannot be used.
    members: Vec<Option<Peer>>,
    /// The lowest serial that counts, where it is more than the first: whoever
    /// came with a newer exchange key gave up the older ones. Kept for as long
    /// as the process runs; at most one for each identity of the roster.
    serials: Mutex<BTreeMap<IdentityKey, u32>>,
}

impl Party {
    /// The holder of `keys`, which the last cluster of `lineage` knows, and the
    /// keys of its members.
    ///
    /// # Errors
    /// None in practice: the record that it signs is its own.
    pub fn new(lineage: Arc<Lineage>, keys: &Keys, members: Vec<Option<Peer>>) -> Result<Party> {
        let local = Arc::new(local_of(keys, lineage.first())?);
        let serials = members.iter().flatten().map(|peer| (peer.identity(), peer.serial())).collect();
        Ok(Party { lineage, local, members, serials: Mutex::new(serials) })
    }

    /// The cluster, as its roster is now.
    pub fn cluster(&self) -> &Arc<Cluster> {
        self.lineage.cluster()
    }

    /// And how it became that.
    pub fn lineage(&self) -> &Arc<Lineage> {
        &self.lineage
    }

    /// What sessions are made with.
    pub(super) fn local(&self) -> &Arc<Local> {
        &self.local
    }

    /// The keys of `node`.
    pub fn member(&self, node: NodeId) -> Option<&Peer> {
        self.members.get(node.index())?.as_ref()
    }

    /// Whom the roster knows by `identity`.
    pub fn who(&self, identity: &IdentityKey) -> Option<Who> {
        let roster = self.cluster().roster();
        let place = |keys: &[PublicKey]| {
            let place = keys.iter().position(|key| session_identity(key) == *identity)?;
            u8::try_from(place).ok()
        };
        let member = place(&roster.members).map(|place| Who::Member(NodeId(place)));
        let client = || place(&roster.clients).map(|place| Who::Client(ClientId(place)));
        member.or_else(client).or_else(|| place(&roster.operators).map(Who::Operator))
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

/// What the holder of `keys` has sessions with, in the cluster that `first` is or became.
///
/// # Errors
/// None in practice: the record that it signs is its own.
pub fn local_of(keys: &Keys, first: &Cluster) -> Result<Local> {
    Ok(Local::new(session_cluster(first), &keys.exchange(), keys.record(first), LONGEST_MESSAGE)?)
}

/// Those of the roster as it is now: what a token says is looked at when it is used.
impl Operators for Party {
    fn is_operator(&self, key: &IdentityKey) -> bool {
        self.cluster().roster().operators.iter().any(|operator| session_identity(operator) == *key)
    }
}

impl Members for Party {
    fn admits(&self, identity: &IdentityKey, serial: u32) -> bool {
        let serials = self.serials.lock().unwrap_or_else(PoisonError::into_inner);
        self.who(identity).is_some() && serials.get(identity).is_none_or(|lowest| serial >= *lowest)
    }
}
