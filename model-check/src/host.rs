//! A host for one honest node of a world of whole nodes: it hands inputs in,
//! writes what must be durable, and watches that the kernel keeps its contract.

use std::collections::BTreeSet;

use butterfly_kernel::cluster::{Cluster, Seat};
use butterfly_kernel::machine::{Input, Outbox, Output};
use butterfly_kernel::message::{Envelope, Message};
use butterfly_kernel::node;
use butterfly_kernel::types::{NodeId, NodeSet};

use crate::symbolic::Signature;
use crate::symbolic::exact::Exact;
use crate::world::network::Breach;
use crate::world::replica::is_recorded;
use crate::world::setting::MEMBERS;

/// The node under test, as shipped.
pub type Node = node::Node<Exact, MEMBERS>;
/// What a node must not forget.
pub type Record = node::Record<Exact>;

/// What the kernel wants done, in order.
#[derive(Default)]
struct Outputs(Vec<Output<Exact, MEMBERS>>);

impl Outbox<Exact, MEMBERS> for Outputs {
    fn push(&mut self, output: Output<Exact, MEMBERS>) {
        self.0.push(output);
    }
}

/// A node that runs, and its host.
pub struct Host<'a> {
    cluster: &'a Cluster<Exact, MEMBERS>,
    honest: NodeSet,
    me: NodeId,
    /// The node.
    pub node: Node,
    /// What would be read back.
    pub disk: Record,
    /// It wrote something since it was made, or entered a cluster.
    pub has_persisted: bool,
    /// How the kernel broke its contract.
    pub breaches: BTreeSet<Breach>,
}

impl<'a> Host<'a> {
    /// The node `me` of `cluster`, where the others in `honest` are honest too,
    /// made from `record`. On its disk is `disk`.
    pub fn new(
        cluster: &'a Cluster<Exact, MEMBERS>,
        honest: NodeSet,
        me: NodeId,
        record: Option<Record>,
        disk: Record,
    ) -> Host<'a> {
        let seat = Seat { cluster, me, key: &() };
        let node = Node::new(&seat, record).expect("a record of its own");
        Host { cluster, honest, me, node, disk, has_persisted: false, breaches: BTreeSet::new() }
    }

    /// The node goes on in another cluster, whose members in `honest` are
    /// honest. Gives what the host has to do about it.
    #[must_use]
    pub fn enter(&mut self, seat: Seat<'a, Exact, MEMBERS>, honest: NodeSet) -> Vec<Output<Exact, MEMBERS>> {
        let mut outputs = Outputs::default();
        (self.cluster, self.me, self.honest) = (seat.cluster, seat.me, honest);
        self.has_persisted = false;
        self.node.enter(&seat, &mut outputs).expect("it holds the decision that leads there");
        outputs.0.iter().for_each(|output| self.perform(output));
        outputs.0
    }

    /// What of its memory counts, in the form of a record.
    pub fn memory(&self) -> Record {
        Record {
            role: self.node.role(),
            head: self.node.head().clone(),
            agreement: self.node.agreement().durable().clone(),
            payload: self.node.record().payload.cloned(),
        }
    }

    /// `from` says `message`, which arrives if the kernel's verification lets
    /// it pass. Gives what the host has to do about it.
    #[must_use]
    pub fn receive(&mut self, from: NodeId, message: Message<Exact, MEMBERS>) -> Vec<Output<Exact, MEMBERS>> {
        let envelope = Envelope { from, message, signature: Signature::Genuine };
        match self.cluster.verify(envelope) {
            Ok(verified) => self.input(Input::Receive(verified)),
            Err(_) => Vec::new(),
        }
    }

    /// One input. Gives what the host has to do about it; what must be durable
    /// is. A rejection must leave no trace.
    #[must_use]
    pub fn input(&mut self, input: Input<Exact, MEMBERS>) -> Vec<Output<Exact, MEMBERS>> {
        let before = self.node.clone();
        let mut outputs = Outputs::default();
        let result = self.node.step(&Seat { cluster: self.cluster, me: self.me, key: &() }, input, &mut outputs);
        let acts = |output: &Output<Exact, MEMBERS>| !matches!(output, Output::Evidence(_));
        if result.is_err() && (self.node != before || outputs.0.iter().any(acts)) {
            self.breaches.insert(Breach::RejectionChangedState);
        }
        outputs.0.iter().for_each(|output| self.perform(output));
        outputs.0
    }

    fn perform(&mut self, output: &Output<Exact, MEMBERS>) {
        match output {
            Output::Persist => {
                self.has_persisted = true;
                let record = self.node.record();
                self.disk = Record {
                    role: record.role,
                    head: record.head.clone(),
                    agreement: record.agreement.clone(),
                    payload: record.payload.cloned(),
                };
            }
            Output::Send { envelope, .. } if envelope.from == self.me && !self.is_durable(&envelope.message) => {
                self.breaches.insert(Breach::SentBeforePersist);
            }
            Output::Commit { epoch, .. } if self.disk.head.epoch() < *epoch => {
                self.breaches.insert(Breach::SentBeforePersist);
            }
            Output::Evidence(evidence) if self.honest.contains(evidence.accused) => {
                self.breaches.insert(Breach::HonestBlamed);
            }
            // Time is not modelled, and what others said, they said before.
            _ => {}
        }
    }

    /// Whether what is on the disk remembers `message`, or leaves nothing else
    /// to be said in its place.
    fn is_durable(&self, message: &Message<Exact, MEMBERS>) -> bool {
        let head = self.disk.head.epoch();
        match message {
            Message::Agreement { epoch, message } => {
                head >= *epoch || head.next() == *epoch && is_recorded(&self.disk.agreement, message)
            }
            Message::Decided(decided) => head >= decided.header.epoch,
            _ => true,
        }
    }
}
