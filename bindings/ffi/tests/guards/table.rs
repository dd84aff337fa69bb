//! Members around one table: each hears at once what another says.

use std::collections::VecDeque;
use std::sync::Arc;

use butterfly_ffi::keys::{Keys, Secrets};
use butterfly_ffi::node::Node;
use butterfly_ffi::roster::{Model, Request, Roster};
use butterfly_ffi::surface::{Commit, Digest, Input, Nonce, Output, Refusal, Sampling, Timer, Work};

pub(crate) const MEMBERS: u8 = 4;
/// Numbers of the clients among the parties.
pub(crate) const CLIENTS: [u8; 2] = [100, 101];
pub(crate) const VOCABULARY: u8 = 96;

/// The keys of a party, the same whenever they are asked for.
pub(crate) fn keys(party: u8) -> Arc<Keys> {
    Keys::from_secrets(Secrets { identity: Digest([party; 32]), exchange: Digest([party; 32]) }).unwrap()
}

pub(crate) fn public(parties: impl IntoIterator<Item = u8>) -> Vec<Digest> {
    parties.into_iter().map(|party| keys(party).public_key().unwrap()).collect()
}

pub(crate) fn model() -> Model {
    Model {
        manifest: Digest([1; 32]),
        layers: 2,
        stages: 2,
        vocabulary: VOCABULARY,
        context: 64,
        signal: 8,
        tokens_per_epoch: 4,
    }
}

pub(crate) fn roster() -> Arc<Roster> {
    Roster::found(public(0..MEMBERS), MEMBERS, public(CLIENTS), model(), None, None, 2_000).unwrap()
}

pub(crate) fn wish(sequence: u64, tokens: u16) -> Request {
    Request { sequence, prompt: vec![1, 2, 3], tokens, sampling: Sampling::Greedy }
}

pub(crate) fn request(sequence: u64, tokens: u16) -> Vec<u8> {
    roster().sign_request(keys(CLIENTS[0]), wish(sequence, tokens)).unwrap()
}

/// One of the four has not begun in its first life.
pub(crate) fn member(number: u8) -> Arc<Node> {
    let roster = roster();
    let record = roster.first_record(number).unwrap();
    Node::new(roster, keys(number), Some(record)).unwrap()
}

pub(crate) struct Table {
    pub(crate) nodes: Vec<Arc<Node>>,
    /// What the last stage adds to a token.
    addend: u8,
    waiting: VecDeque<(u8, Input)>,
    /// Messages for members who hear nothing for now.
    pub(crate) held: Vec<(u8, Vec<u8>)>,
    pub(crate) deaf: Option<u8>,
    /// Every message that was sent, with who sent it.
    pub(crate) said: Vec<(u8, Vec<u8>)>,
    pub(crate) commits: Vec<(u8, Commit)>,
    pub(crate) refused: Vec<(u8, Refusal)>,
    escalations: Vec<(u8, Timer)>,
}

impl Table {
    /// Members who have begun, and whose last stage adds `addend`.
    pub(crate) fn adding(addend: u8) -> Table {
        let nodes = (0..MEMBERS).map(member).collect();
        let start = |member| (member, Input::Start { nonce: Nonce([member; 16]) });
        Table {
            nodes,
            addend,
            waiting: (0..MEMBERS).map(start).collect(),
            held: Vec::new(),
            deaf: None,
            said: Vec::new(),
            commits: Vec::new(),
            refused: Vec::new(),
            escalations: Vec::new(),
        }
    }

    /// One after it saw a request for so many tokens through.
    pub(crate) fn after(tokens: u16) -> Table {
        let mut table = Table::adding(1);
        table.submit(&request(1, tokens));
        table.settle();
        table
    }

    pub(crate) fn submit(&mut self, request: &[u8]) {
        self.waiting.extend((0..MEMBERS).map(|member| (member, Input::Submit { request: request.to_vec() })));
    }

    pub(crate) fn tell(&mut self, member: u8, message: Vec<u8>) {
        self.waiting.push_back((member, Input::Receive { message }));
    }

    /// Until nobody has anything to say; no timer runs out.
    pub(crate) fn settle(&mut self) {
        while let Some((member, input)) = self.waiting.pop_front() {
            let step = self.nodes[usize::from(member)].step(input).unwrap();
            self.refused.extend(step.refusal.map(|refusal| (member, refusal)));
            let writes = step.outputs.iter().filter(|output| matches!(output, Output::Persist { .. })).count();
            assert!(writes <= 1, "one write serves every vote of a step");
            step.outputs.into_iter().for_each(|output| self.perform(member, output));
        }
    }

    /// The same, and members of stages that say nothing are made up for.
    pub(crate) fn settle_without_some(&mut self) {
        self.settle();
        while !self.escalations.is_empty() {
            let due = self.escalations.drain(..).map(|(member, timer)| (member, Input::Timer { timer }));
            self.waiting.extend(due);
            self.settle();
        }
    }

    fn perform(&mut self, member: u8, output: Output) {
        match output {
            Output::Send { to, message, .. } => {
                self.said.push((member, message.clone()));
                for to in to {
                    if self.deaf == Some(to) {
                        self.held.push((to, message.clone()));
                    } else {
                        self.tell(to, message.clone());
                    }
                }
            }
            Output::Compute { work } => {
                let computed = self.compute(&work);
                self.waiting.push_back((member, computed));
            }
            Output::Commit { commit } => self.commits.push((member, commit)),
            Output::SetTimer { timer: timer @ Timer::Escalate { .. }, .. } => self.escalations.push((member, timer)),
            _ => {}
        }
    }

    pub(crate) fn compute(&self, work: &Work) -> Input {
        let last = work.inputs.last().unwrap().0.clone();
        let output = if work.stage == 0 { last } else { vec![(last[0] + self.addend) % VOCABULARY] };
        Input::Computed { ticket: work.ticket, output }
    }

    /// What one member holds decided.
    pub(crate) fn commits_of(&self, member: u8) -> Vec<Commit> {
        self.commits.iter().filter(|(by, _)| *by == member).map(|(_, commit)| commit.clone()).collect()
    }

    /// The first message of a kind, by whom it may be.
    pub(crate) fn first(&self, kind: &str) -> (u8, Vec<u8>) {
        let is_it = |message: &[u8]| butterfly_ffi::message::read_message(message).unwrap().kind == kind;
        self.said.iter().find(|(_, message)| is_it(message)).cloned().unwrap()
    }
}

/// `bytes` with one bit changed.
pub(crate) fn altered(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut altered = bytes.to_vec();
    altered[place] ^= 1;
    altered
}
