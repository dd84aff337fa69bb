//! What a member brings to all of its sessions.

use clatter::bytearray::ByteArray;
use clatter::traits::Hash;
use subtle::ConstantTimeEq;

use crate::error::Closed;
use crate::keys::{ClusterId, ExchangeKey, ExchangeSecret, IdentityKey, KeyRecord, Peer};
use crate::suite::{Blake2s, Pair, pair};
use crate::wire::{KEY, MAC, Pattern, VERSION, Writer};

/// A member: its cluster, its keys, its record, and how long a message it
/// takes. One for all sessions, made once. It has no `Debug`: it holds a secret.
pub struct Local {
    cluster: ClusterId,
    pair: Pair,
    record: KeyRecord,
    longest_message: u32,
    guard_of_members: Guard,
    guard_of_newcomers: Guard,
}

impl Local {
    /// The holder of `secret`, whose `record` says so. A message from a peer
    /// may have `longest_message` bytes, in however many frames.
    ///
    /// # Errors
    /// [`Closed::Record`] when the record is of another key or cluster.
    pub fn new(
        cluster: ClusterId,
        secret: &ExchangeSecret,
        record: KeyRecord,
        longest_message: u32,
    ) -> Result<Local, Closed> {
        let (us, pair) = (record.verify(cluster)?, pair(secret.secret().clone()));
        if us.exchange() != ExchangeKey(pair.public) {
            return Err(Closed::Record);
        }
        Ok(Local {
            cluster,
            pair,
            record,
            longest_message,
            guard_of_members: Guard::of_member(cluster, us.exchange()),
            guard_of_newcomers: Guard::of_newcomer(cluster, us.identity()),
        })
    }

    /// The cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// What others need to dial us.
    pub fn record(&self) -> &KeyRecord {
        &self.record
    }

    pub(crate) fn pair(&self) -> Pair {
        self.pair.clone()
    }

    pub(crate) fn longest_message(&self) -> u32 {
        self.longest_message
    }

    pub(crate) fn guard(&self, pattern: Pattern) -> &Guard {
        match pattern {
            Pattern::Member => &self.guard_of_members,
            Pattern::Newcomer => &self.guard_of_newcomers,
        }
    }
}

/// Who may have a session: the committed roster, as a host keeps it.
pub trait Members {
    /// Whether `identity` is a member whose keys count from `serial` on. It is
    /// asked for every first message, also for replayed ones, and must change
    /// nothing: to give up an old key, note the serial once a session with a
    /// higher one is established.
    fn admits(&self, identity: &IdentityKey, serial: u32) -> bool;
}

/// The key of the code behind a first message. Whoever knows our public key
/// and our cluster can compute it, so it proves little; but whoever does not
/// is refused for the price of a hash.
pub(crate) struct Guard([u8; KEY]);

const GUARD_LABEL: &[u8] = b"butterfly: guard of a first message";

impl Guard {
    /// Members know each other's exchange keys; others hardly ever do.
    pub(crate) fn of_member(cluster: ClusterId, exchange: ExchangeKey) -> Guard {
        Guard::new(cluster, Pattern::Member, &exchange.0)
    }

    /// A newcomer knows its sponsor's identity, from its token.
    pub(crate) fn of_newcomer(cluster: ClusterId, identity: IdentityKey) -> Guard {
        Guard::new(cluster, Pattern::Newcomer, &identity.0)
    }

    fn new(cluster: ClusterId, pattern: Pattern, key: &[u8; KEY]) -> Guard {
        let mut hash = Blake2s::default();
        hash.input(GUARD_LABEL);
        hash.input(&[VERSION, pattern.byte()]);
        hash.input(&cluster.0);
        hash.input(key);
        Guard(*hash.result())
    }

    /// The code of `message`.
    pub(crate) fn code(&self, message: &[u8]) -> [u8; MAC] {
        let whole = Blake2s::hmac(&self.0, message);
        let mut code = [0; MAC];
        whole.as_slice().iter().zip(&mut code).for_each(|(byte, place)| *place = *byte);
        code
    }

    /// Whether `code` is that of `message`.
    pub(crate) fn accepts(&self, message: &[u8], code: &[u8; MAC]) -> bool {
        self.code(message).ct_eq(code).into()
    }
}

/// What both sides of a handshake must agree on without saying it. The
/// responder's identity is part of it: a key record does not prove that its
/// identity has the secret, so a member could sign for another's exchange key,
/// and who dials the one would reach the other.
pub(crate) fn prologue(cluster: ClusterId, responder: IdentityKey) -> [u8; PROLOGUE] {
    let mut prologue = [0; PROLOGUE];
    let mut out = Writer(&mut prologue);
    let fields: [&[u8]; 4] = [PROLOGUE_LABEL, &[VERSION], &cluster.0, &responder.0];
    // The array is as long as its fields together.
    let _ = fields.iter().try_for_each(|field| out.put(field));
    prologue
}

const PROLOGUE_LABEL: &[u8; 17] = b"butterfly session";
const PROLOGUE: usize = PROLOGUE_LABEL.len() + 1 + 2 * KEY;

/// The member behind `record`: admitted first, since that is cheaper than a signature.
pub(crate) fn member(record: &KeyRecord, cluster: ClusterId, members: &impl Members) -> Result<Peer, Closed> {
    if !members.admits(&record.identity, record.serial) {
        return Err(Closed::Stranger);
    }
    record.verify(cluster)
}
