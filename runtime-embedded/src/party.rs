//! Who the device is, and everybody whom its roster names.

use core::cell::Cell;

use butterfly_kernel::cluster::ClusterError;
use butterfly_kernel::crypto::ed25519::PublicKey;
use butterfly_kernel::types::{ClientId, MAX_CLIENTS, Millis, NodeId};
use butterfly_kernel::{cluster, wire};
use butterfly_provisioning::{Address, Provision, ProvisionError, Timing};
use butterfly_session::keys::RECORD;
use butterfly_session::{ClusterId, ExchangeSecret, IdentityKey, KeyRecord, Local, Members, Peer};
use ed25519_dalek::SigningKey;
use heapless::Vec;

use crate::protocol::{Cluster, Roster, Seat};

/// Who is at the other end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A member.
    Member(NodeId),
    /// Somebody who may ask for work.
    Client(ClientId),
}

/// A member with its keys, its cluster, and where the others are.
pub struct Party<const N: usize> {
    cluster: Cluster<N>,
    me: NodeId,
    key: SigningKey,
    local: Local,
    peers: Vec<(Peer, Address), N>,
    /// The lowest serial that counts, of members and then of clients: whoever
    /// came with a newer exchange key gave up the older ones.
    serials: ([Cell<u32>; N], [Cell<u32>; MAX_CLIENTS]),
}

/// Why a provisioning block is not one for this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartyError {
    /// There is no block, or it is damaged.
    Block(ProvisionError),
    /// The roster cannot be read, or names more members, clients, operators or
    /// stages than this build holds.
    Roster,
    /// The roster cannot be used.
    Cluster(ClusterError),
    /// The key is not that of a member.
    Stranger,
    /// A key record is missing or not genuine, or the exchange key is not the member's.
    Records,
    /// A member's address is missing.
    Addresses,
}

impl From<ProvisionError> for PartyError {
    fn from(error: ProvisionError) -> Self {
        PartyError::Block(error)
    }
}

impl core::fmt::Display for PartyError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            PartyError::Block(reason) => return reason.fmt(out),
            PartyError::Roster => "the roster cannot be read, or has more of something than this build holds",
            PartyError::Cluster(reason) => return reason.fmt(out),
            PartyError::Stranger => "the key is not that of a member of the roster",
            PartyError::Records => "a key record is missing or not genuine",
            PartyError::Addresses => "the address of a member is missing",
        })
    }
}

impl core::error::Error for PartyError {}

impl<const N: usize> Party<N> {
    /// Who `provision` says that this device is. `longest_message` is what it
    /// announces to its peers, in bytes.
    ///
    /// # Errors
    /// When the block does not describe a member of a cluster that this build holds.
    #[inline(never)]
    pub fn new(provision: &Provision<'_>, longest_message: u32) -> Result<Self, PartyError> {
        let cluster = found(read_roster(provision)?, provision.timing)?;
        let key = SigningKey::from_bytes(&provision.identity);
        let public = PublicKey(key.verifying_key().to_bytes());
        let me = cluster.roster().members.iter().position(|member| *member == public).ok_or(PartyError::Stranger)?;
        let me = NodeId(u8::try_from(me).map_err(|_| PartyError::Stranger)?);
        let id = ClusterId(cluster.id().0);
        let exchange = ExchangeSecret::from_random(provision.exchange);
        let record = KeyRecord::sign(&key, id, exchange.public(), provision.serial);
        let local = Local::new(id, &exchange, record, longest_message).map_err(|_| PartyError::Records)?;
        let peers = read_peers(provision, &cluster, id)?;
        let serials = (core::array::from_fn(|_| Cell::new(0)), core::array::from_fn(|_| Cell::new(0)));
        let party = Party { cluster, me, key, local, peers, serials };
        for (peer, _) in &party.peers {
            party.note(peer);
        }
        Ok(party)
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster<N> {
        &self.cluster
    }

    /// Which member this is.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// Its place in its cluster.
    pub fn seat(&self) -> Seat<'_, N> {
        Seat { cluster: &self.cluster, me: self.me, key: &self.key }
    }

    /// What sessions are made with.
    pub(crate) fn local(&self) -> &Local {
        &self.local
    }

    /// The keys of `node`, and where it listens.
    pub(crate) fn peer(&self, node: NodeId) -> Option<&(Peer, Address)> {
        self.peers.get(node.index())
    }

    /// Whom the roster knows by `identity`.
    pub(crate) fn who(&self, identity: &IdentityKey) -> Option<Who> {
        let roster = self.cluster.roster();
        let place = |keys: &[PublicKey]| {
            keys.iter().position(|key| key.0 == identity.0).and_then(|place| u8::try_from(place).ok())
        };
        let member = place(&roster.members).map(|place| Who::Member(NodeId(place)));
        member.or_else(|| place(&roster.clients).map(|place| Who::Client(ClientId(place))))
    }

    /// `peer` has an open session: keys that it had before count no more.
    pub(crate) fn note(&self, peer: &Peer) {
        if let Some(lowest) = self.who(&peer.identity()).and_then(|who| self.serial(who)) {
            lowest.set(lowest.get().max(peer.serial()));
        }
    }

    fn serial(&self, who: Who) -> Option<&Cell<u32>> {
        match who {
            Who::Member(node) => self.serials.0.get(node.index()),
            Who::Client(client) => self.serials.1.get(usize::from(client.0)),
        }
    }
}

impl<const N: usize> Members for Party<N> {
    fn admits(&self, identity: &IdentityKey, serial: u32) -> bool {
        self.who(identity).and_then(|who| self.serial(who)).is_some_and(|lowest| serial >= lowest.get())
    }
}

/// In a function of its own, as the two below: each needs much of the stack,
/// and none needs it for long.
#[inline(never)]
fn read_roster<const N: usize>(provision: &Provision<'_>) -> Result<Roster<N>, PartyError> {
    let roster: Roster<N> = wire::decode(provision.roster).map_err(|_| PartyError::Roster)?;
    if roster.members.len() > N { Err(PartyError::Roster) } else { Ok(roster) }
}

#[inline(never)]
fn found<const N: usize>(roster: Roster<N>, timing: Timing) -> Result<Cluster<N>, PartyError> {
    let timing = cluster::Timing {
        view: Millis(timing.view),
        view_cap: Millis(timing.view_cap),
        retransmit: Millis(timing.retransmit),
        escalate: Millis(timing.escalate),
    };
    Cluster::new(roster, timing).map_err(PartyError::Cluster)
}

#[inline(never)]
fn read_peers<const N: usize>(
    provision: &Provision<'_>,
    cluster: &Cluster<N>,
    id: ClusterId,
) -> Result<Vec<(Peer, Address), N>, PartyError> {
    let members = &cluster.roster().members;
    let (records, rest) = provision.records.as_chunks::<RECORD>();
    if records.len() != members.len() || !rest.is_empty() {
        return Err(PartyError::Records);
    }
    let mut peers = Vec::new();
    for (place, (record, member)) in records.iter().zip(members).enumerate() {
        let record = KeyRecord::from_bytes(record).ok_or(PartyError::Records)?;
        let peer = record.verify(id).map_err(|_| PartyError::Records)?;
        if peer.identity().0 != member.0 {
            return Err(PartyError::Records);
        }
        let address = provision.peer(place).ok_or(PartyError::Addresses)?;
        peers.push((peer, address)).map_err(|_| PartyError::Roster)?;
    }
    Ok(peers)
}
