//! One honest node at work, from its memory or from its disk.

use butterfly_kernel::cluster::Seat;
use butterfly_kernel::machine::{Input, Output, Timer};
use butterfly_kernel::message::{AgreementMessage, Message, Notice};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{NodeId, Nonce};

use super::local::Local;
use super::setting::{Setting, node_at, place_in, places_in};
use super::values::{ClusterId, FIRST, Increment, Values};
use crate::host::{Host, Record};
use crate::symbolic::exact::Exact;
use crate::world::setting::MEMBERS;

/// What a replica is given when it starts: it draws as well, and never needs it.
const UNNEEDED: Nonce = Nonce([u8::MAX; 16]);

/// A member that runs.
pub(super) struct Awake<'a> {
    setting: &'a Setting,
    values: &'a Values,
    me: NodeId,
    /// The cluster that it is in.
    cluster: ClusterId,
    host: Host<'a>,
    local: Local,
}

impl<'a> Awake<'a> {
    /// The node `me` goes on with what it holds in memory.
    pub(super) fn new(setting: &'a Setting, values: &'a Values, me: NodeId, local: Local) -> Awake<'a> {
        let (record, cluster) = (local.memory.clone(), local.cluster);
        Awake::start(setting, values, me, local, (Some(record), cluster))
    }

    /// It starts with what is on its disk.
    pub(super) fn restarted(setting: &'a Setting, values: &'a Values, me: NodeId, local: Local) -> Awake<'a> {
        let (record, cluster) = (local.disk.clone(), local.disk_cluster);
        Awake::start(setting, values, me, local, (Some(record), cluster))
    }

    /// It starts, and there is no record: so it knows of no cluster but the first.
    pub(super) fn without_record(setting: &'a Setting, values: &'a Values, me: NodeId, local: Local) -> Awake<'a> {
        let disk = Record::first(Role::Learner);
        Awake::start(setting, values, me, Local { disk, disk_cluster: FIRST, ..local }, (None, FIRST))
    }

    fn start(
        setting: &'a Setting,
        values: &'a Values,
        me: NodeId,
        local: Local,
        (record, cluster): (Option<Record>, ClusterId),
    ) -> Awake<'a> {
        let roster = values.cluster(cluster);
        let honest = places_in(roster, setting.honest());
        let place = place_in(roster, me).expect("a member");
        let host = Host::new(roster, honest, place, record, local.disk.clone());
        let nonce = match host.node.role() {
            Role::Learner => setting.nonce(me, local.drawn),
            Role::Replica | Role::Worker => UNNEEDED,
        };
        let mut awake = Awake { setting, values, me, cluster, host, local };
        awake.input(Input::Start { nonce });
        awake
    }

    /// `from` says `message`, which arrives if the kernel's verification lets it pass.
    pub(super) fn receive(&mut self, from: NodeId, message: Message<Exact, MEMBERS>) {
        let from = place_in(self.values.cluster(self.cluster), from).expect("a member");
        let outputs = self.host.receive(from, message);
        self.note(outputs);
    }

    /// It goes on in the cluster behind the change that it holds, of which it
    /// is a member as well.
    pub(super) fn enter(&mut self, next: ClusterId) {
        let roster = self.values.cluster(next);
        let seat = Seat { cluster: roster, me: place_in(roster, self.me).expect("a member"), key: &() };
        let honest = places_in(roster, self.setting.honest());
        self.cluster = next;
        let outputs = self.host.enter(seat, honest);
        self.note(outputs);
    }

    /// What is left of it between two steps. It has said again all that it
    /// says when nothing moves.
    pub(super) fn rest(mut self) -> Local {
        for _ in 0..2 {
            self.input(Input::Timer(Timer::Retransmit));
        }
        self.local.memory = self.host.memory();
        self.local.cluster = self.cluster;
        // Whatever it wrote is of the cluster that it is in.
        if self.host.has_persisted {
            self.local.disk_cluster = self.cluster;
        }
        self.local.disk = self.host.disk;
        self.local.breaches.extend(self.host.breaches);
        self.local
    }

    fn input(&mut self, input: Input<Exact, MEMBERS>) {
        let outputs = self.host.input(input);
        self.note(outputs);
    }

    /// Keeps what was said.
    fn note(&mut self, outputs: Vec<Output<Exact, MEMBERS>>) {
        let sent = outputs.into_iter().filter_map(|output| match output {
            Output::Send { envelope, .. } if node_at(self.values.cluster(self.cluster), envelope.from) == self.me => {
                Some(envelope.message)
            }
            _ => None,
        });
        for message in sent {
            match message {
                Message::Agreement { message: AgreementMessage::Vote(ballot), .. } => {
                    self.local.signed.insert(self.values.find(ballot.value).expect("a value that was offered"));
                }
                Message::Notice(Notice::Readmit(readmit)) => {
                    let [_, drawn, ..] = readmit.nonce.0;
                    let (member, incarnation) = (self.me, readmit.incarnation);
                    let origin = self.values.origin(self.cluster);
                    let notice = Increment::Readmit { member, origin, incarnation, drawn };
                    self.local.notices.insert(notice);
                }
                _ => {}
            }
        }
    }
}
