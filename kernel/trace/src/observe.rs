//! From what a kernel takes and gives to what stands in a line.

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::crypto::ed25519::Digest;
use butterfly_kernel::crypto::{Scheme, Signatures};
use butterfly_kernel::machine::Input;
use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::message::agreement;
use butterfly_kernel::node::{Node, Role};
use butterfly_kernel::types::{Epoch, NodeId};

use super::{Ballot, Commit, Path, Record, START, Statement, StatementKind, Step};

/// A digest as it stands in a line.
pub trait Hexadecimal {
    /// All of it, in hexadecimal digits.
    fn hexadecimal(&self) -> String;
}

impl Hexadecimal for u64 {
    fn hexadecimal(&self) -> String {
        format!("{self:016x}")
    }
}

impl Hexadecimal for Digest {
    fn hexadecimal(&self) -> String {
        self.to_string()
    }
}

/// What an input is called in a line.
pub fn input<C: Scheme, const N: usize>(input: &Input<C, N>) -> String {
    match input {
        Input::Start { .. } => START.to_owned(),
        Input::Receive(envelope) => format!("receive {}", envelope.get().message.kind().name()),
        Input::Submit(_) => "submit".to_owned(),
        Input::Computed { .. } => "computed".to_owned(),
        Input::Holding { .. } => "holding".to_owned(),
        Input::Revise(_) => "revise".to_owned(),
        Input::Change(_) => "change".to_owned(),
        Input::Supplied { .. } => "supplied".to_owned(),
        Input::Timer(_) => "timer".to_owned(),
    }
}

impl Step {
    /// The `step`th step of `me`, of which nothing came yet.
    pub fn new(time: u64, me: NodeId, step: u64, input: String) -> Step {
        Step { time, node: me.0, step, input, rejected: None, record: None, says: Vec::new(), commits: Vec::new() }
    }

    /// Whether the specification may have something to say about it.
    pub fn has_effects(&self) -> bool {
        self.record.is_some() || !self.says.is_empty() || !self.commits.is_empty()
    }
}

impl Record {
    /// Of `node` as it is.
    pub fn of<C: Scheme<Digest: Hexadecimal>, const N: usize>(node: &Node<C, N>) -> Record {
        let Durable { view, voted, locked, proposed } = node.agreement().durable();
        Record {
            learner: node.role() == Role::Learner,
            epoch: node.epoch().0,
            view: view.0,
            voted: voted.as_ref().map(|proposal| Ballot::of(&proposal.ballot)),
            locked: locked.as_ref().map(|certificate| Ballot::of(&certificate.ballot)),
            proposed: proposed.as_ref().map(|proposal| Ballot::of(&proposal.ballot)),
        }
    }
}

impl Ballot {
    fn of<C: Scheme<Digest: Hexadecimal>>(ballot: &agreement::Ballot<C>) -> Ballot {
        Ballot { view: ballot.view.0, value: ballot.value.hexadecimal() }
    }
}

impl Statement {
    /// What `message` states about `epoch`; none if it is a fact, of which any
    /// number may be stated.
    pub fn of<C: Scheme<Digest: Hexadecimal>, const N: usize>(
        Epoch(epoch): Epoch,
        message: &AgreementMessage<C, N>,
    ) -> Option<Statement> {
        let of_value = |kind, ballot: &agreement::Ballot<C>| {
            let Ballot { view, value } = Ballot::of(ballot);
            Statement { kind, epoch, view, value: Some(value) }
        };
        Some(match message {
            AgreementMessage::Propose { ballot, .. } => of_value(StatementKind::Propose, ballot),
            AgreementMessage::Vote(ballot) => of_value(StatementKind::Vote, ballot),
            AgreementMessage::Commit(ballot) => of_value(StatementKind::Commit, ballot),
            AgreementMessage::ViewChange(change) => {
                Statement { kind: StatementKind::ViewChange, epoch, view: change.view.0, value: None }
            }
            AgreementMessage::CertRequest(_) | AgreementMessage::CertAck(_) => return None,
        })
    }
}

impl Commit {
    /// The decision of `epoch` as `node` holds it. Of several epochs that one
    /// step reaches only the last has a certificate.
    pub fn of<C: Scheme<Digest: Hexadecimal>, const N: usize>(node: &Node<C, N>, epoch: Epoch) -> Option<Commit> {
        let decided = node.head().decided().filter(|decided| decided.header.epoch == epoch)?;
        let certificate = &decided.certificate;
        Some(Commit {
            epoch: epoch.0,
            view: certificate.ballot.view.0,
            path: match certificate.path {
                agreement::Path::Fast => Path::Fast,
                agreement::Path::Slow => Path::Slow,
            },
            value: certificate.ballot.value.hexadecimal(),
            signers: certificate.signatures.signers().iter().map(|signer| signer.0).collect(),
        })
    }
}
