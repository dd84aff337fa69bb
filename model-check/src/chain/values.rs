//! Values, each being the chain that it ends, and what the kernel makes of them.

use std::collections::HashMap;

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::chain::{Decided, Header, State};
use butterfly_kernel::message::agreement::{Ballot, DecisionCertificate, Path};
use butterfly_kernel::message::inference::Payload;
use butterfly_kernel::message::notice::{Notice, Readmit, Revision, SignedNotice};
use butterfly_kernel::types::{Epoch, NodeId, View};

use super::setting::Setting;
use crate::symbolic::exact::Exact;
use crate::symbolic::{Quorum, Signature};

/// The number of a value.
pub type Id = u16;

/// The value before the first epoch.
pub const GENESIS: Id = 0;

/// What an epoch adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Increment {
    /// One of the things that are no re-admission: here, a revision of the
    /// leader's profile. To the chain it is as good as work on a request.
    Work(u8),
    /// A member's notice that it lost its record.
    Readmit {
        /// Whose.
        member: NodeId,
        /// How often it was admitted again, this time included.
        incarnation: u32,
        /// Which of its numbers it is.
        drawn: u8,
    },
}

/// A chain, with what its last epoch added and what came of that.
pub struct Value {
    /// The value before, and what was added to it; none at the beginning.
    pub last: Option<(Id, Increment)>,
    /// The epoch that it ends in: how long the chain is.
    pub epoch: Epoch,
    /// The digest on which replicas agree.
    pub digest: u64,
    /// What the digest covers; none at the beginning.
    header: Option<Header<Exact>>,
    /// The state after it.
    pub state: State<Exact>,
}

/// Every value that was met.
pub struct Values {
    values: Vec<Value>,
    extended: HashMap<(Id, Increment), Id>,
    by_digest: HashMap<u64, Id>,
}

impl Values {
    /// With the first one only.
    pub fn new(setting: &Setting) -> Values {
        let digest = setting.cluster.id();
        let state = State::genesis();
        let genesis = Value { last: None, epoch: Epoch::GENESIS, digest, header: None, state };
        Values { values: vec![genesis], extended: HashMap::new(), by_digest: [(digest, GENESIS)].into() }
    }

    /// The value with this number.
    pub fn get(&self, id: Id) -> &Value {
        &self.values[usize::from(id)]
    }

    /// The value with this digest.
    pub fn find(&self, digest: u64) -> Option<Id> {
        self.by_digest.get(&digest).copied()
    }

    /// What each epoch of the chain added.
    pub fn increments(&self, id: Id) -> Vec<Increment> {
        let mut increments: Vec<Increment> = self.path(id).filter_map(|id| Some(self.get(id).last?.1)).collect();
        increments.reverse();
        increments
    }

    /// Whether `later` is `earlier`, or goes on from it.
    pub fn extends(&self, later: Id, earlier: Id) -> bool {
        self.path(later).any(|id| id == earlier)
    }

    /// From `id` to the beginning.
    fn path(&self, id: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(Some(id), |id| Some(self.get(*id).last?.0))
    }

    /// The value that ends `base` with `increment` behind it. Whether it is
    /// valid there, is the kernel's to say.
    pub fn extend(&mut self, setting: &Setting, base: Id, increment: Increment) -> Id {
        if let Some(id) = self.extended.get(&(base, increment)) {
            return *id;
        }
        let id = Id::try_from(self.values.len()).expect("few values");
        let before = self.get(base);
        let epoch = before.epoch.next();
        let signed = before.notice(setting, increment);
        let state = before.state.note(epoch, signed.member, signed.notice);
        let cluster = &setting.cluster;
        let (increments, root) = (signed.increment(cluster), state.root(cluster));
        let header = Header { epoch, previous: before.digest, increment: increments, state: root };
        let digest = header.value(cluster);
        self.values.push(Value { last: Some((base, increment)), epoch, digest, header: Some(header), state });
        self.extended.insert((base, increment), id);
        self.by_digest.insert(digest, id);
        id
    }

    /// What a member needs to find the value valid; none for the first.
    pub fn payload(&self, setting: &Setting, id: Id) -> Option<Payload<Exact>> {
        let (base, increment) = self.get(id).last?;
        Some(Payload::Notice(self.get(base).notice(setting, increment)))
    }

    /// The value in view 0.
    pub fn ballot(&self, id: Id) -> Ballot<Exact> {
        Ballot { view: View::ZERO, value: self.get(id).digest }
    }

    /// That `id` is decided, on so many signatures, as a member that follows
    /// is told it; none for the first, which needs no decision.
    pub fn decided(&self, id: Id, signatures: usize) -> Option<Decided<Exact>> {
        let value = self.get(id);
        let signatures = Quorum::of(signatures);
        let certificate = DecisionCertificate { path: Path::Fast, ballot: self.ballot(id), signatures };
        Some(Decided { header: value.header?, certificate, state: value.state.clone() })
    }
}

impl Value {
    /// What has to be said for `increment` to be added behind this value.
    fn notice(&self, setting: &Setting, increment: Increment) -> SignedNotice<Exact> {
        let (member, notice) = match increment {
            Increment::Work(work) => {
                let member = setting.leader();
                let profile = Profile::with_speed(u32::from(work).saturating_add(2));
                (member, Notice::Revise(Revision { number: self.state.next_revision(member), profile }))
            }
            Increment::Readmit { member, incarnation, drawn } => {
                let nonce = setting.nonce(member, drawn);
                (member, Notice::Readmit(Readmit { incarnation, nonce }))
            }
        };
        SignedNotice { member, notice, signature: Signature::Genuine }
    }
}
