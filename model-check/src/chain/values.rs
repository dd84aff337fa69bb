//! Values, each being the chain that it ends, and what the kernel makes of them.

use std::collections::{BTreeSet, HashMap};

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::chain::{Decided, Header, State};
use butterfly_kernel::cluster::Cluster;
use butterfly_kernel::message::agreement::{Ballot, DecisionCertificate, Path};
use butterfly_kernel::message::change::{Change, Newcomer, SignedChange, Warrant};
use butterfly_kernel::message::inference::Payload;
use butterfly_kernel::message::notice::{Notice, Readmit, Revision, SignedNotice};
use butterfly_kernel::types::{Epoch, NodeId, Resilience, View};

use super::setting::{Setting, place_in};
use crate::symbolic::exact::Exact;
use crate::symbolic::{Quorum, Signature};
use crate::world::setting::MEMBERS;

/// The number of a value.
pub type Id = u16;
/// The number of a cluster: the founders', or one that a change of the roster made.
pub type ClusterId = u16;

/// The value before the first epoch.
pub const GENESIS: Id = 0;
/// The cluster of the founders.
pub const FIRST: ClusterId = 0;

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
        /// Behind which epoch the cluster begins in which it is given.
        origin: u64,
        /// How often it was admitted again, this time included.
        incarnation: u32,
        /// Which of its numbers it is.
        drawn: u8,
    },
    /// From the next epoch on the node is a member.
    Admit(NodeId),
    /// From the next epoch on the node is a member no more.
    Remove(NodeId),
}

impl Increment {
    /// Whether it changes the roster.
    pub fn is_change(self) -> bool {
        matches!(self, Increment::Admit(_) | Increment::Remove(_))
    }
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
    /// The cluster that decides it.
    pub decided_by: ClusterId,
    /// What goes on behind it.
    pub behind: Behind,
}

/// Where a chain goes on.
#[derive(Clone)]
pub struct Behind {
    /// The cluster: another one than before when the roster changed.
    pub cluster: ClusterId,
    /// What stands for the chain there.
    digest: u64,
    /// The state that the next epoch begins with.
    state: State<Exact>,
}

/// Every value that was met, and every cluster.
pub struct Values {
    values: Vec<Value>,
    clusters: Vec<Cluster<Exact, MEMBERS>>,
    extended: HashMap<(Id, Increment, ClusterId), Id>,
    by_digest: HashMap<u64, Id>,
}

impl Values {
    /// With the first ones only.
    pub fn new(setting: &Setting) -> Values {
        let digest = setting.cluster.id();
        let state = State::genesis();
        let behind = Behind { cluster: FIRST, digest, state: state.clone() };
        let epoch = Epoch::GENESIS;
        let genesis = Value { last: None, epoch, digest, header: None, state, decided_by: FIRST, behind };
        Values {
            values: vec![genesis],
            clusters: vec![setting.cluster.clone()],
            extended: HashMap::new(),
            by_digest: [(digest, GENESIS)].into(),
        }
    }

    /// The value with this number.
    pub fn get(&self, id: Id) -> &Value {
        &self.values[usize::from(id)]
    }

    /// The cluster with this number.
    pub fn cluster(&self, id: ClusterId) -> &Cluster<Exact, MEMBERS> {
        &self.clusters[usize::from(id)]
    }

    /// The cluster that decides the value with this number.
    pub fn deciding(&self, id: Id) -> &Cluster<Exact, MEMBERS> {
        self.cluster(self.get(id).decided_by)
    }

    /// Behind which epoch the cluster begins.
    pub fn origin(&self, cluster: ClusterId) -> u64 {
        self.cluster(cluster).descent().map_or(0, |descent| descent.epoch.0)
    }

    /// The value with this digest, or the one behind which the cluster with
    /// this id begins.
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
    pub fn path(&self, id: Id) -> impl Iterator<Item = Id> {
        std::iter::successors(Some(id), |id| Some(self.get(*id).last?.0))
    }

    /// Whether the value changed the roster.
    pub fn is_change(&self, id: Id) -> bool {
        self.get(id).last.is_some_and(|(_, increment)| increment.is_change())
    }

    /// The changes that may follow the chain, as far as they are within the bounds.
    pub fn changes_behind(&self, setting: &Setting, base: Id) -> Vec<Increment> {
        let gone: Vec<Increment> = self.increments(base);
        if gone.iter().filter(|increment| increment.is_change()).count() >= setting.parameters.changes {
            return Vec::new();
        }
        let roster = self.cluster(self.get(base).behind.cluster);
        let is_member = |node: &NodeId| place_in(roster, *node).is_some();
        let admits =
            setting.joining().iter().filter(|node| !is_member(node) && !gone.contains(&Increment::Remove(*node)));
        let removes = setting.leaving().iter().filter(is_member);
        let changes = admits.map(Increment::Admit).chain(removes.map(Increment::Remove));
        changes.filter(|change| resilience_after(roster, *change).is_some()).collect()
    }

    /// The value that ends `base` with `increment` behind it. Whether it is
    /// valid there, is the kernel's to say.
    pub fn extend(&mut self, setting: &Setting, base: Id, increment: Increment) -> Id {
        let behind = self.get(base).behind.clone();
        self.extend_in(setting, base, &behind, increment)
    }

    /// The same, as a cluster would have it that goes on although its roster
    /// changed with `base`.
    pub fn extend_late(&mut self, setting: &Setting, base: Id, increment: Increment) -> Id {
        let value = self.get(base);
        let behind = Behind { cluster: value.decided_by, digest: value.digest, state: value.state.clone() };
        self.extend_in(setting, base, &behind, increment)
    }

    fn extend_in(&mut self, setting: &Setting, base: Id, before: &Behind, increment: Increment) -> Id {
        let key = (base, increment, before.cluster);
        if let Some(id) = self.extended.get(&key) {
            return *id;
        }
        let id = Id::try_from(self.values.len()).expect("few values");
        let epoch = self.get(base).epoch.next();
        let cluster = self.cluster(before.cluster);
        let payload = payload(setting, cluster, &before.state, increment);
        let (increments, state) = match &payload {
            Payload::Notice(signed) => {
                (signed.increment(cluster), before.state.note(epoch, signed.member, signed.notice))
            }
            Payload::Change(signed) => (signed.change.statement(cluster), before.state.end(epoch, &signed.change)),
            Payload::Work(_) => unreachable!("nothing is computed here"),
        };
        let header = Header { epoch, previous: before.digest, increment: increments, state: state.root(cluster) };
        let digest = header.value(cluster);
        let behind = Behind { cluster: before.cluster, digest, state: state.clone() };
        let last = Some((base, increment));
        let decided_by = before.cluster;
        self.values.push(Value { last, epoch, digest, header: Some(header), state, decided_by, behind });
        self.extended.insert(key, id);
        self.by_digest.insert(digest, id);
        if increment.is_change() {
            self.begin_cluster(setting, id);
        }
        id
    }

    /// What goes on behind a change of the roster is another cluster.
    fn begin_cluster(&mut self, setting: &Setting, id: Id) {
        let last = self.decided(id, 0).expect("it changed the roster");
        let mut next = self.deciding(id).next(&last).expect("within the bounds");
        setting.let_lead(&mut next);
        let cluster = ClusterId::try_from(self.clusters.len()).expect("few clusters");
        self.by_digest.insert(next.id(), id);
        self.values[usize::from(id)].behind = Behind { cluster, digest: next.id(), state: last.state.entered() };
        self.clusters.push(next);
    }

    /// What a member needs to find the value valid; none for the first.
    pub fn payload(&self, setting: &Setting, id: Id) -> Option<Payload<Exact>> {
        let value = self.get(id);
        let (base, increment) = value.last?;
        let base = self.get(base);
        let state = if value.decided_by == base.behind.cluster { &base.behind.state } else { &base.state };
        Some(payload(setting, self.deciding(id), state, increment))
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

    /// The changes of the roster in the chain, and the chain itself.
    pub fn shown(&self, id: Id) -> BTreeSet<Id> {
        self.path(id).filter(|value| *value != GENESIS && (*value == id || self.is_change(*value))).collect()
    }
}

/// n, f and p behind `change`, if that is within the bounds.
fn resilience_after(roster: &Cluster<Exact, MEMBERS>, change: Increment) -> Option<Resilience> {
    let before = roster.resilience();
    let n = match change {
        Increment::Admit(_) => before.n() + 1,
        Increment::Remove(_) => before.n() - 1,
        Increment::Work(_) | Increment::Readmit { .. } => before.n(),
    };
    Resilience::new(n, before.f(), before.p()).ok()
}

/// What has to be said for `increment` to be added behind `state` in `cluster`.
fn payload(
    setting: &Setting,
    cluster: &Cluster<Exact, MEMBERS>,
    state: &State<Exact>,
    increment: Increment,
) -> Payload<Exact> {
    let place = |node| place_in(cluster, node).expect("a member");
    let resilience = resilience_after(cluster, increment).unwrap_or_else(|| cluster.resilience());
    let change = match increment {
        Increment::Work(work) => {
            let member = cluster.leader(Epoch::GENESIS, View::ZERO);
            let profile = Profile::with_speed(u32::from(work).saturating_add(2));
            let notice = Notice::Revise(Revision { number: state.next_revision(member), profile });
            return Payload::Notice(SignedNotice { member, notice, signature: Signature::Genuine });
        }
        Increment::Readmit { member, incarnation, drawn, .. } => {
            let notice = Notice::Readmit(Readmit { incarnation, nonce: setting.nonce(member, drawn) });
            return Payload::Notice(SignedNotice { member: place(member), notice, signature: Signature::Genuine });
        }
        Increment::Admit(node) => {
            let newcomer = Newcomer { key: node.0, profile: Profile::default(), contact: [].into_iter().collect() };
            Change::Admit { newcomer, votes: true, resilience }
        }
        Increment::Remove(node) => Change::Remove { member: place(node), resilience },
    };
    Payload::Change(SignedChange { change, warrant: Warrant::Operator(Signature::Genuine) })
}
