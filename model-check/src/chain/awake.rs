//! One honest node at work, from its memory or from its disk.

use butterfly_kernel::machine::{Input, Output, Timer};
use butterfly_kernel::message::{AgreementMessage, Message, Notice};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{NodeId, Nonce};

use super::local::Local;
use super::setting::Setting;
use super::values::{Increment, Values};
use crate::host::{Host, Record};
use crate::symbolic::exact::Exact;
use crate::world::setting::MEMBERS;

/// What a replica is given when it starts: it draws as well, and never needs it.
const UNNEEDED: Nonce = Nonce([u8::MAX; 16]);

/// A node that runs.
pub(super) struct Awake<'a> {
    values: &'a Values,
    me: NodeId,
    host: Host<'a>,
    local: Local,
}

impl<'a> Awake<'a> {
    /// The node `me` goes on with what it holds in memory.
    pub(super) fn new(setting: &'a Setting, values: &'a Values, me: NodeId, local: Local) -> Awake<'a> {
        let record = local.memory.clone();
        Awake::start(setting, values, me, local, Some(record))
    }

    /// It starts with what is on its disk.
    pub(super) fn restarted(setting: &'a Setting, values: &'a Values, me: NodeId, local: Local) -> Awake<'a> {
        let record = local.disk.clone();
        Awake::start(setting, values, me, local, Some(record))
    }

    /// It starts, and there is no record.
    pub(super) fn without_record(setting: &'a Setting, values: &'a Values, me: NodeId, local: Local) -> Awake<'a> {
        let disk = Record::first(Role::Learner);
        Awake::start(setting, values, me, Local { disk, ..local }, None)
    }

    fn start(setting: &'a Setting, values: &'a Values, me: NodeId, local: Local, record: Option<Record>) -> Awake<'a> {
        let host = Host::new(&setting.cluster, setting.honest(), me, record, local.disk.clone());
        let nonce = match host.node.role() {
            Role::Learner => setting.nonce(me, local.drawn),
            Role::Replica | Role::Worker => UNNEEDED,
        };
        let mut awake = Awake { values, me, host, local };
        awake.input(Input::Start { nonce });
        awake
    }

    /// `from` says `message`, which arrives if the kernel's verification lets it pass.
    pub(super) fn receive(&mut self, from: NodeId, message: Message<Exact, MEMBERS>) {
        let outputs = self.host.receive(from, message);
        self.note(outputs);
    }

    /// What is left of it between two steps. It has said again all that it
    /// says when nothing moves.
    pub(super) fn rest(mut self) -> Local {
        for _ in 0..2 {
            self.input(Input::Timer(Timer::Retransmit));
        }
        self.local.memory = self.host.memory();
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
            Output::Send { envelope, .. } if envelope.from == self.me => Some(envelope.message),
            _ => None,
        });
        for message in sent {
            match message {
                Message::Agreement { message: AgreementMessage::Vote(ballot), .. } => {
                    self.local.signed.insert(self.values.find(ballot.value).expect("a value that was offered"));
                }
                Message::Notice(Notice::Readmit(readmit)) => {
                    let [_, drawn, ..] = readmit.nonce.0;
                    let notice = Increment::Readmit { member: self.me, incarnation: readmit.incarnation, drawn };
                    self.local.notices.insert(notice);
                }
                _ => {}
            }
        }
    }
}
