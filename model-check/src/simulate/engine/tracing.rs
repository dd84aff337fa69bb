//! Writes down what honest members do.

use butterfly_kernel::agreement::Durable;
use butterfly_kernel::crypto::Signatures;
use butterfly_kernel::machine::Input;
use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::Epoch;

use super::Engine;
use crate::simulate::Crypto;
use crate::simulate::faults::Kind;
use crate::simulate::trace::{Ballot, Commit, Heading, Record, Statement, Step, VERSION, value};

/// A trace as it is written.
#[derive(Default)]
pub(super) struct Tracer {
    lines: String,
    faulty: Vec<u8>,
    /// The step at hand.
    step: Option<Step>,
}

impl Tracer {
    fn write(&mut self, line: &impl serde::Serialize) {
        self.lines.push_str(&serde_json::to_string(line).expect("plain data"));
        self.lines.push('\n');
    }

    pub(super) fn into_lines(self) -> String {
        self.lines
    }
}

impl<const N: usize> Engine<N> {
    /// The same, with a trace.
    pub(crate) fn with_trace(mut self, replay: String) -> Engine<N> {
        let r = self.setting.resilience;
        let beyond = |kind: Kind| kind.counts_towards_f() && kind != Kind::TotalLoss;
        let hit = self.setting.faults.iter().filter(|fault| beyond(fault.kind)).map(|fault| fault.member);
        let mut faulty: Vec<u8> = hit.map(|member| u8::try_from(member).expect("few members")).collect();
        faulty.sort_unstable();
        faulty.dedup();
        let mut tracer = Tracer { faulty: faulty.clone(), ..Tracer::default() };
        tracer.write(&Heading { butterfly_trace: VERSION, n: r.n(), f: r.f(), p: r.p(), faulty, replay: Some(replay) });
        self.tracer = Some(tracer);
        self
    }

    /// A member is about to take a step.
    pub(super) fn trace_input(&mut self, number: usize, input: &Input<Crypto<N>, N>) {
        let time = self.now;
        let Some(tracer) = &mut self.tracer else { return };
        let node = u8::try_from(number).expect("few members");
        if tracer.faulty.contains(&node) || number >= self.setting.resilience.n() {
            return;
        }
        let input = match input {
            Input::Start { .. } => "start".to_owned(),
            Input::Receive(envelope) => format!("receive {}", envelope.get().message.kind().name()),
            Input::Submit(_) => "submit".to_owned(),
            Input::Computed { .. } => "computed".to_owned(),
            Input::Holding { .. } => "holding".to_owned(),
            Input::Revise(_) => "revise".to_owned(),
            Input::Supplied { .. } => "supplied".to_owned(),
            Input::Timer(_) => "timer".to_owned(),
        };
        // What survived a failure in the middle of a write shows when it is read back.
        let record = if input == "start" { self.record_line(number) } else { None };
        let step = Step { time, node, input, rejected: None, record, says: vec![], commits: vec![] };
        if let Some(tracer) = &mut self.tracer {
            tracer.step = Some(step);
        }
    }

    /// The step of a member, as far as it got, is over.
    pub(super) fn trace_end(&mut self, rejected: Option<String>) {
        if let Some(tracer) = &mut self.tracer
            && let Some(mut step) = tracer.step.take()
        {
            step.rejected = rejected;
            tracer.write(&step);
        }
    }

    pub(super) fn trace_record(&mut self, number: usize) {
        let record = self.record_line(number);
        if let Some(step) = self.tracer.as_mut().and_then(|tracer| tracer.step.as_mut()) {
            step.record = record;
        }
    }

    fn record_line(&self, number: usize) -> Option<Record> {
        self.tracer.as_ref()?;
        let node = self.members[number].node.as_ref()?;
        let Durable { view, voted, locked, proposed } = node.agreement().durable();
        let ballot = |held: butterfly_kernel::message::agreement::Ballot<Crypto<N>>| Ballot {
            view: held.view.0,
            value: value(held.value),
        };
        Some(Record {
            epoch: node.epoch().0,
            view: view.0,
            voted: voted.as_ref().map(|proposal| ballot(proposal.ballot)),
            locked: locked.as_ref().map(|certificate| ballot(certificate.ballot)),
            proposed: proposed.as_ref().map(|proposal| ballot(proposal.ballot)),
        })
    }

    pub(super) fn trace_statement(&mut self, Epoch(epoch): Epoch, message: &AgreementMessage<Crypto<N>, N>) {
        let Some(step) = self.tracer.as_mut().and_then(|tracer| tracer.step.as_mut()) else { return };
        let (view, what) = match message {
            AgreementMessage::Propose { ballot, .. }
            | AgreementMessage::Vote(ballot)
            | AgreementMessage::Commit(ballot) => (ballot.view.0, Some(value(ballot.value))),
            AgreementMessage::ViewChange(change) => (change.view.0, None),
            // Facts, of which any number may be stated.
            AgreementMessage::CertRequest(_) | AgreementMessage::CertAck(_) => return,
        };
        step.says.push(Statement { kind: message.kind().name().to_owned(), epoch, view, value: what });
    }

    pub(super) fn trace_commit(&mut self, number: usize, epoch: Epoch) {
        let Some(step) = self.tracer.as_mut().and_then(|tracer| tracer.step.as_mut()) else { return };
        let decided = self.members[number].node.as_ref().and_then(|node| node.head().decided());
        let Some(decided) = decided.filter(|decided| decided.header.epoch == epoch) else { return };
        let certificate = &decided.certificate;
        step.commits.push(Commit {
            epoch: epoch.0,
            view: certificate.ballot.view.0,
            path: if certificate.path == Path::Fast { "fast" } else { "slow" }.to_owned(),
            value: value(certificate.ballot.value),
            signers: certificate.signatures.signers().iter().map(|signer| signer.0).collect(),
        });
    }
}
