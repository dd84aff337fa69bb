//! Writes down what honest members do.

use butterfly_kernel::machine::Input;
use butterfly_kernel::message::AgreementMessage;
use butterfly_kernel::types::Epoch;
use butterfly_trace::{Commit, Heading, Order, Record, START, Statement, Step, VERSION, input};

use super::Engine;
use crate::simulate::Crypto;
use crate::simulate::faults::Kind;

/// A trace as it is written.
pub(super) struct Tracer {
    heading: Heading,
    lines: String,
    /// By member, how many steps it took since it began.
    steps: Vec<u64>,
    /// The step at hand.
    step: Option<Step>,
}

impl Tracer {
    pub(super) fn into_text(self) -> String {
        line(&self.heading) + &self.lines
    }

    fn end(&mut self, step: &Step) {
        self.heading.steps += 1;
        self.lines.push_str(&line(step));
    }
}

fn line(line: &impl serde::Serialize) -> String {
    serde_json::to_string(line).expect("plain data") + "\n"
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
        let (n, f, p, order) = (r.n(), r.f(), r.p(), Order::Total);
        let heading = Heading { butterfly_trace: VERSION, n, f, p, faulty, order, steps: 0, replay: Some(replay) };
        self.tracer = Some(Tracer { heading, lines: String::new(), steps: vec![0; n], step: None });
        self
    }

    /// A member is about to take a step.
    pub(super) fn trace_input(&mut self, number: usize, given: &Input<Crypto<N>, N>) {
        let time = self.now;
        let Some(tracer) = &mut self.tracer else { return };
        let me = self.members[number].me;
        if tracer.heading.faulty.contains(&me.0) || number >= self.setting.resilience.n() {
            return;
        }
        let input = input(given);
        let begins = input == START;
        let steps = &mut tracer.steps[number];
        *steps = if begins { 1 } else { *steps + 1 };
        let step = Step::new(time, me, *steps, input);
        // What survived a failure in the middle of a write shows when it is read back.
        let record = if begins { self.record_line(number) } else { None };
        if let Some(tracer) = &mut self.tracer {
            tracer.step = Some(Step { record, ..step });
        }
    }

    /// The step of a member, as far as it got, is over.
    pub(super) fn trace_end(&mut self, rejected: Option<String>) {
        if let Some(tracer) = &mut self.tracer
            && let Some(step) = tracer.step.take()
        {
            tracer.end(&Step { rejected, ..step });
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
        self.members[number].node.as_deref().map(Record::of)
    }

    pub(super) fn trace_statement(&mut self, epoch: Epoch, message: &AgreementMessage<Crypto<N>, N>) {
        if let Some(step) = self.tracer.as_mut().and_then(|tracer| tracer.step.as_mut()) {
            step.says.extend(Statement::of(epoch, message));
        }
    }

    pub(super) fn trace_commit(&mut self, number: usize, epoch: Epoch) {
        if let Some(step) = self.tracer.as_mut().and_then(|tracer| tracer.step.as_mut()) {
            let node = self.members[number].node.as_deref();
            step.commits.extend(node.and_then(|node| Commit::of(node, epoch)));
        }
    }
}
