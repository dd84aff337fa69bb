//! What becomes of a world when its roster changes: each member enters the
//! next cluster as soon as it knows of it, and shows those who are behind how
//! the last one ended.

use butterfly_kernel::chain::Decided;
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::machine::{Input, Rejection};
use butterfly_kernel::message::Message;
use butterfly_kernel::message::change::{Change, Newcomer, SignedChange, Warrant};
use butterfly_kernel::node::{Record, Role};
use butterfly_kernel::types::{NodeId, Resilience};

use super::{CAPACITY, Crypto, Event, Member, OPERATOR, TestCluster, TestEnvelope, World, key_of};

/// By the operator of `cluster`.
pub fn signed(cluster: &TestCluster, change: Change<Crypto>) -> SignedChange<Crypto> {
    let warrant = Warrant::Operator(Crypto::sign(&OPERATOR, &change.statement(cluster)));
    SignedChange { change, warrant }
}

/// The member of the world with number `member` comes, to vote.
pub fn admit(member: usize, resilience: Resilience) -> Change<Crypto> {
    let contact = [member as u8; 3].into_iter().collect();
    let newcomer = Newcomer { key: key_of(member), profile: Default::default(), contact };
    Change::Admit { newcomer, votes: true, resilience }
}

impl World {
    /// The cluster that `member` is in.
    pub fn cluster_of(&self, member: usize) -> &TestCluster {
        self.generation(self.members[member].generation)
    }

    fn generation(&self, generation: usize) -> &TestCluster {
        generation.checked_sub(1).map_or(&self.cluster, |later| &self.later[later])
    }

    /// What `member` is called there.
    pub fn place_of(&self, member: usize) -> NodeId {
        place_in(self.cluster_of(member), member).expect("it is a member there")
    }

    pub(super) fn seat<'a>(&'a self, member: usize, key: &'a NodeId) -> Seat<'a, Crypto, CAPACITY> {
        Seat { cluster: self.cluster_of(member), me: self.place_of(member), key }
    }

    /// Whom `member` calls `node`.
    pub(super) fn member_at(&self, member: usize, node: NodeId) -> usize {
        self.cluster_of(member).roster().members[node.index()].index()
    }

    /// An operator hands a change to `member`.
    pub fn order(&mut self, member: usize, change: SignedChange<Crypto>) -> Result<(), Rejection> {
        let verified = self.cluster_of(member).verify_change(change).expect("by the operator");
        self.input(member, Input::Change(verified))
    }

    /// Somebody who is no member, and was set up to become one.
    pub fn expect_newcomer(&mut self) -> usize {
        self.members.push(Member::absent());
        self.members.len() - 1
    }

    /// The decision that ended a cluster of the chain.
    pub fn ending(&self, generation: usize) -> &Decided<Crypto> {
        &self.endings[&generation]
    }

    /// The roster changed, as `member` knows by now.
    pub(super) fn enter_next(&mut self, member: usize) {
        let last = self.node(member).last().expect("the cluster is over").clone();
        let next = self.cluster_of(member).next(&last).expect("the roster can be changed so");
        self.endings.insert(self.members[member].generation, last.clone());
        let generation = self.members[member].generation + 1;
        if self.later.len() < generation {
            self.later.push(next.clone());
        }
        assert_eq!(self.generation(generation).id(), next.id(), "all make the same of it");
        for newcomer in 0..self.members.len() {
            let slot = &self.members[newcomer];
            if slot.boots == 0 && place_in(&next, newcomer).is_some() {
                self.members[newcomer].generation = generation;
                let seat = Seat { cluster: &next, me: self.place_of(newcomer), key: &key_of(newcomer) };
                let record = Record::entering(&seat, Role::Replica, &last).expect("it leads there");
                let slot = &mut self.members[newcomer];
                slot.record = Some(postcard::to_stdvec(&record).unwrap());
                slot.recorded_in = generation;
                self.boot(newcomer);
            }
        }
        if place_in(&next, member).is_none() {
            // It stays to show how the cluster ended.
            return;
        }
        let mut node = self.members[member].node.take().expect("it runs");
        self.members[member].generation = generation;
        let mut outputs = Vec::new();
        let seat = Seat { cluster: &next, me: self.place_of(member), key: &key_of(member) };
        node.enter(&seat, &mut |output| outputs.push(output)).expect("it holds the decision that leads there");
        self.members[member].parked.clear();
        self.carry_out(member, node, outputs);
    }

    /// `to` got a message of another cluster: if that one is over, its author
    /// is shown how it ended.
    pub(super) fn show_last(&mut self, to: usize, generation: usize, envelope: &TestEnvelope) {
        if self.members[to].generation < generation {
            // It is behind itself, and will ask.
            return;
        }
        let over = self.generation(generation);
        let author = over.roster().members[envelope.from.index()].index();
        let (Some(last), Some(me)) = (self.endings.get(&generation).cloned(), place_in(over, to)) else { return };
        let seat = Seat { cluster: over, me, key: &key_of(to) };
        let answer = seat.envelope(Message::Decided(last));
        let time = self.now + self.network.delay.1;
        self.schedule(time, Event::Deliver(author, generation, Box::new(answer)));
    }
}

fn place_in(cluster: &TestCluster, member: usize) -> Option<NodeId> {
    let place = cluster.roster().members.iter().position(|key| *key == key_of(member))?;
    Some(NodeId(place as u8))
}
