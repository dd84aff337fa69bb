//! One node as a process: the event loop around the kernel.
//!
//! One step goes like this:
//!
//! 1. An input arrives: a verified message, a request, a timer, a result.
//! 2. [`Node::step`] changes the state and pushes outputs. Those who check
//!    signatures are shown what the node listens to from now on.
//! 3. The outputs are performed in order. At the first `Persist` the node's
//!    record is written and flushed; one write serves every `Persist` of a
//!    step, and nothing behind it happens before it is durable. If the disk
//!    fails, the node stops. Where a trace is wanted, the step's line is
//!    written next.
//! 4. Stages are run at once, on this task: a position takes a tenth of a
//!    millisecond, less than handing it to another thread and back would. The
//!    result is the next input.
//! 5. Messages that were too early are offered again once their place is reached.
//!
//! The loop shares its thread with nothing but the tasks that send: a message
//! is on its way without another thread being woken. What is received, decoding
//! and signature checks live on the threads of a runtime of their own.

mod deciding;
mod lap;
mod life;
mod measuring;
mod parking;
mod process;
mod telling;
mod timers;
mod voice;

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Arguments;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use butterfly_kernel::crypto::Verified;
use butterfly_kernel::machine::{Rejection, Transmission};
use butterfly_kernel::node::{Blockade, Coordinator};
use butterfly_kernel::types::{NodeSet, Nonce, Position};
use butterfly_kernel::wire;
use butterfly_trace::Step;
use tokio::sync::watch;

use crate::access::{Chronicle, Refusal, Standing, Submission, Wanted};
use crate::admin::Board;
use crate::checkpoints::Checkpoints;
use crate::control::{Blocked, Event};
use crate::executor::{Executor, Held, StageError};
use crate::faults::{Faults, Outgoing};
use crate::folder::Member;
use crate::history::History;
use crate::lineage::place_in;
use crate::log::{self, Place};
use crate::metrics::Metrics;
use crate::model::Transformer;
use crate::protocol::{
    Digest, Envelope, Horizon, Input, Message, Node, Output, Seat, SignedChange, SignedRequest, VerifiedEnvelope,
    encode,
};
use crate::spans::Collector;
use crate::storage::RecordFile;
use crate::stream::{Happening, Stream};
use crate::trace::{self, TraceFile};
use crate::traffic::{Traffic, Unread};
use crate::transport::{Behind, Mesh};
use lap::{Lap, proposes};
use measuring::Measuring;
pub use measuring::{Measure, Notices};
use parking::Parking;
pub(crate) use process::end_with_parent;
pub use process::{NodeOptions, run};
use timers::Timers;
pub use voice::Voice;

/// A node with everything it acts on.
struct Host {
    member: Arc<Member>,
    node: Box<Node>,
    record: RecordFile,
    executor: Executor<Transformer>,
    checkpoints: Checkpoints,
    trace: Option<TraceFile>,
    faults: Option<Faults>,
    mesh: Mesh,
    timers: Timers,
    parking: Parking,
    traffic: Traffic,
    metrics: Metrics,
    /// Counted by those who receive.
    unread: Unread,
    /// What they see of the node.
    horizon: watch::Sender<Horizon>,
    /// What clients are told.
    chronicle: Arc<Chronicle>,
    /// The same, on disk.
    history: History,
    /// What operators are shown.
    board: Arc<Board>,
    /// What those are told who look on.
    stream: Stream,
    /// What the node was doing after its last step.
    doing: Coordinator,
    /// Whom it suspected then.
    suspects: NodeSet,
    /// The times of the open epoch.
    lap: Lap,
    /// Room for what a step asks for: an output has as much as the longest message.
    outputs: Vec<Output>,
    /// Statements that it signed.
    said: u64,
    /// Takes traces, if anybody does.
    collector: Option<Collector>,
    /// What is measured, if anything is.
    measuring: Option<Measuring>,
    /// The cluster's roster changed: another one goes on.
    is_over: bool,
    /// Whom this node has blamed, and for what.
    blamed: BTreeSet<(u8, &'static str)>,
    /// Whom it tells what happens.
    voice: Voice,
}

impl Host {
    /// Begins, or begins again after a restart.
    fn start(&mut self) -> Result<()> {
        let mut nonce = [0; 16];
        // Without a random source a node that lost its record could not say so.
        getrandom::fill(&mut nonce).context("the system gives no random numbers")?;
        let _rejected = self.settle(Input::Start { nonce: Nonce(nonce) })?;
        self.plan_notice(true);
        Ok(())
    }

    fn receive(&mut self, message: Box<VerifiedEnvelope>) -> Result<()> {
        let mut results = VecDeque::new();
        self.step_message(message, &mut results)?;
        self.settle_results(results)
    }

    /// Takes a client's request, if the client signed it.
    fn submit(&mut self, request: &[u8]) -> Result<()> {
        let Ok(request) = wire::decode::<SignedRequest>(request) else {
            self.complain(format_args!("a request that cannot be understood is refused"));
            return Ok(());
        };
        match self.member.cluster.verify_submission(request) {
            Ok(request) => {
                if let Err(refusal) = self.take(request)? {
                    self.complain(format_args!("a request is refused: {refusal}"));
                }
            }
            Err(reason) => self.complain(format_args!("a request is refused: {reason}")),
        }
        Ok(())
    }

    /// Takes what somebody handed in over a session.
    fn answer(&mut self, submission: Submission) -> Result<()> {
        let Submission { wanted, answer } = submission;
        let taken = match wanted {
            Wanted::Request(request) => self.take(request)?,
            Wanted::Change(change) => self.take_change(change)?,
        };
        // Whoever brought it may be gone; what is wanted is not.
        let _gone = answer.send(taken);
        Ok(())
    }

    fn take(&mut self, request: Verified<SignedRequest>) -> Result<Result<(), Refusal>> {
        Ok(match self.settle(Input::Submit(request))? {
            // One that is known is worked on already.
            Ok(()) | Err(Rejection::Duplicate) => Ok(()),
            Err(Rejection::Stale) => Err(Refusal::Finished),
            Err(Rejection::Full) => Err(Refusal::Full),
            Err(_) => Err(Refusal::Invalid),
        })
    }

    fn take_change(&mut self, change: Verified<SignedChange>) -> Result<Result<(), Refusal>> {
        Ok(match self.settle(Input::Change(change))? {
            Ok(()) | Err(Rejection::Duplicate) => Ok(()),
            Err(Rejection::Full) => Err(Refusal::Changing),
            Err(_) => Err(Refusal::Unfit),
        })
    }

    /// A member asks in a cluster that is over: it is shown how that ended.
    fn show_ending(&mut self, behind: Behind) -> Result<()> {
        let member = Arc::clone(&self.member);
        let Member { lineage, key, .. } = &*member;
        let cluster = lineage.deciding(behind.epoch);
        let ending = lineage.endings().get(lineage.changes_before(behind.epoch));
        let place = place_in(cluster, &member.public());
        // A newcomer has no voice there; others do.
        if let Some((ending, me)) = ending.zip(place) {
            let envelope = Seat { cluster, me, key }.envelope(Message::Decided(ending.clone()));
            self.queue(NodeSet::EMPTY.with(behind.member), &envelope, Duration::ZERO, Transmission::Again)?;
        }
        Ok(())
    }

    fn expire_timers(&mut self) -> Result<()> {
        while let Some(timer) = self.timers.take_expired() {
            // A timer that is late is inert.
            let _rejected = self.settle(Input::Timer(timer))?;
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<tokio::time::Instant> {
        self.timers.next()
    }

    /// Steps, and draws every consequence. A rejection changes nothing: the
    /// input is late, repeated or not for us.
    fn settle(&mut self, input: Input) -> Result<Result<(), Rejection>> {
        let mut results = VecDeque::new();
        let outcome = self.step(input, &mut results)?;
        self.settle_results(results)?;
        Ok(outcome)
    }

    /// Feeds results back, and messages whose time has come, until there are none.
    fn settle_results(&mut self, mut results: VecDeque<Input>) -> Result<()> {
        loop {
            while let Some(result) = results.pop_front() {
                let _rejected = self.step(result, &mut results)?;
            }
            let Some(message) = self.parking.take_ready(&self.node) else { return Ok(()) };
            self.step_message(message, &mut results)?;
        }
    }

    fn step_message(&mut self, message: Box<VerifiedEnvelope>, results: &mut VecDeque<Input>) -> Result<()> {
        self.misuse(message.get())?;
        let input = Input::Receive((*message).clone());
        if let Err(Rejection::Early(place)) = self.step(input, results)? {
            let seat = Seat { cluster: &self.member.cluster, me: self.member.me, key: &self.member.key };
            self.parking.park(&seat, &self.node, place, message);
        }
        Ok(())
    }

    /// One step of the kernel, its outputs performed in order. What was
    /// computed for it is added to `results`.
    fn step(&mut self, input: Input, results: &mut VecDeque<Input>) -> Result<Result<(), Rejection>> {
        let member = Arc::clone(&self.member);
        let seat = member.seat();
        let mut line = self.trace.as_mut().map(|trace| trace.begin(seat.me, &self.node, &input));
        let heard = self.heard(&input);
        let is_proposal = matches!(&input, Input::Receive(envelope) if proposes(&envelope.get().message));
        let begin = Instant::now();
        let mut outputs = std::mem::take(&mut self.outputs);
        let outcome = self.node.step(&seat, input, &mut |output| outputs.push(output));
        // Before anything is sent: an answer must not meet an older horizon.
        self.horizon.send_if_modified(|shown| {
            let now = self.node.horizon();
            let news = *shown != now;
            *shown = now;
            news
        });
        if let Some(line) = &mut line {
            trace::complete(line, seat.me, &self.node, outcome, &outputs);
        }
        if let Some(heard) = heard.filter(|_| outcome.is_ok()) {
            self.stream.tell(&heard);
        }
        if is_proposal && outcome.is_ok() {
            self.lap.propose(begin);
        }
        if !outputs.iter().any(|output| matches!(output, Output::Persist)) {
            self.write_down(line.take())?;
        }
        let mut told = self.told_by(&outputs)?;
        let mut durable = false;
        // By reference: each has room for the longest message, and is not moved about.
        for output in &outputs {
            match output {
                Output::Persist if durable => {}
                Output::Persist => {
                    self.persist(told.as_ref())?;
                    durable = true;
                    self.write_down(line.take())?;
                }
                Output::Send { to, envelope, transmission } => {
                    if envelope.from == seat.me && *transmission == Transmission::First {
                        self.said += 1;
                        if proposes(&envelope.message) {
                            self.lap.propose(begin);
                        }
                    }
                    self.tell_sent(seat.me, envelope, *transmission);
                    self.send(&seat, *to, envelope, *transmission)?;
                }
                Output::Commit { path, view, notice, .. } => {
                    self.committed((*path, *view), notice.map(|(author, _)| author), told.take())?;
                }
                other => self.perform(other, results)?,
            }
        }
        outputs.clear();
        self.outputs = outputs;
        self.chronicle.stand(|shown| update(shown, &self.node));
        self.count(&seat, outcome);
        Ok(outcome)
    }

    fn count(&mut self, seat: &Seat<'_>, outcome: Result<(), Rejection>) {
        self.metrics.stepped(self.node.epoch(), self.node.agreement().view(), outcome);
        self.stream.be_at(self.node.epoch(), self.node.agreement().view());
        let doing = self.node.coordinator(seat);
        if doing != self.doing {
            self.lap.turn(doing, Instant::now());
            self.metrics.turned(self.doing, doing);
            self.board.turn(doing);
            self.stream.tell(&Happening::State(doing));
            self.doing = doing;
        }
        let suspects = self.node.suspects();
        if suspects != self.suspects {
            self.board.suspect(suspects);
            self.stream.tell(&Happening::Suspects(suspects));
            self.suspects = suspects;
        }
    }

    /// Adds a line to the trace: behind what is durable, in front of what is sent.
    fn write_down(&mut self, line: Option<Step>) -> Result<()> {
        self.trace.as_mut().zip(line).map_or(Ok(()), |(trace, line)| trace.end(&line))
    }

    fn perform(&mut self, output: &Output, results: &mut VecDeque<Input>) -> Result<()> {
        match output {
            Output::Persist | Output::Send { .. } | Output::Commit { .. } => {}
            Output::SetTimer { timer, after } => self.timers.set(*timer, *after),
            Output::Assign { .. } => self.assign(results),
            Output::Provide { stage, position, signal, .. } => self.executor.provide(*stage, *position, signal.clone()),
            Output::Restore { stage, position, signals, .. } => {
                for (at, signal) in (position.0..).map(Position).zip(signals) {
                    self.executor.provide(*stage, at, signal.clone());
                }
            }
            Output::Supply { to, run, stage, position, source } => {
                if let Some(history) = self.executor.supply(*run, (*stage, *position), *source) {
                    results.push_back(Input::Supplied { to: *to, history });
                }
            }
            Output::Compute { .. } if self.faults.as_ref().is_some_and(|faults| !faults.computes(&self.node)) => {}
            Output::Compute { run, stage, position, sampling, asker } => {
                let (run, stage, position, asker) = (*run, *stage, *position, *asker);
                match self.executor.compute(stage, position, *sampling) {
                    Ok(signal) => results.push_back(Input::Computed { run, stage, position, signal, asker }),
                    Err(error) => self.abstain(error),
                }
            }
            Output::Checkpoint { run, position } => self.keep_checkpoint(&run.plan, *position),
            // Nothing is decided in a cluster that is over.
            Output::Blocked(_) if self.is_over => {}
            Output::Blocked(blockade) => self.tell_blockade(Some(*blockade))?,
            Output::Resumed => self.tell_blockade(None)?,
            Output::Changed => self.is_over = true,
            Output::Evidence(evidence) => self.blame(evidence)?,
            Output::EnterView { epoch, view } => {
                let (epoch, view) = (*epoch, *view);
                self.metrics.entered_view();
                let leader = self.member.cluster.leader(epoch, view);
                self.stream.tell(&Happening::View { epoch, view, leader });
                self.voice.tell(&Event::EnterView { epoch: epoch.0, view: view.0 })?;
            }
        }
        Ok(())
    }

    /// Turns to another run, and says what there is of its past.
    fn assign(&mut self, results: &mut VecDeque<Input>) {
        self.lap.begin(Instant::now());
        self.tell_assigned();
        let Some(run) = self.node.run() else { return };
        let first = run.first();
        if first == Position(0) {
            self.checkpoints.clear();
        }
        let kept = |stage| self.checkpoints.find(&run.id.plan, stage, first);
        match self.executor.assign(&self.member.cluster, run, kept) {
            Ok(held) => {
                let holding = |Held { stage, upto, link }| Input::Holding { run: run.id, stage, upto, link };
                results.extend(held.into_iter().map(holding));
            }
            Err(error) => self.abstain(error),
        }
    }

    /// A checkpoint that cannot be written costs time after a restart, no more.
    fn keep_checkpoint(&mut self, plan: &Digest, position: Position) {
        for (stage, kept) in self.executor.keep(position) {
            if let Err(error) = self.checkpoints.keep(plan, stage, position, &kept) {
                self.complain(format_args!("a checkpoint is not kept: {error}"));
                return;
            }
        }
    }

    fn tell_blockade(&mut self, blockade: Option<Blockade>) -> Result<()> {
        let numbers = |nodes: NodeSet| nodes.iter().map(|node| node.0).collect();
        self.metrics.set_blocked(blockade.is_some());
        let by = blockade.map(|by| Blocked { silent: numbers(by.silent), learners: numbers(by.learners) });
        self.chronicle.stand(|standing| standing.blocked.clone_from(&by));
        self.stream.tell(&Happening::Blocked(by.clone()));
        self.voice.tell(&Event::Blocked { by })
    }

    /// More than f members lied about an input, or it is lost: say nothing,
    /// which fellows of the stage make up for.
    fn abstain(&self, error: StageError) {
        self.complain(format_args!("{error}; it abstains"));
    }

    fn complain(&self, what: Arguments<'_>) {
        let (epoch, view) = (self.node.epoch(), self.node.agreement().view());
        log::complain(Place { node: self.member.me, epoch, view }, what);
    }

    /// Queues a message, or what the member's faults make of it.
    fn send(&mut self, seat: &Seat<'_>, to: NodeSet, envelope: &Envelope, transmission: Transmission) -> Result<()> {
        let Some(faults) = &mut self.faults else { return self.queue(to, envelope, Duration::ZERO, transmission) };
        let outgoing = faults.rewrite(seat, &self.node, Outgoing::now(to, envelope.clone()));
        self.queue_all(&outgoing, transmission)
    }

    /// Queues what the member's faults make of a message that arrived.
    fn misuse(&mut self, heard: &Envelope) -> Result<()> {
        let Some(faults) = &mut self.faults else { return Ok(()) };
        let member = Arc::clone(&self.member);
        let outgoing = faults.hear(&member.seat(), &self.node, heard);
        self.queue_all(&outgoing, Transmission::First)
    }

    fn queue_all(&mut self, outgoing: &[Outgoing], transmission: Transmission) -> Result<()> {
        outgoing.iter().try_for_each(|Outgoing { to, envelope, delay }| self.queue(*to, envelope, *delay, transmission))
    }

    fn queue(&mut self, to: NodeSet, envelope: &Envelope, delay: Duration, transmission: Transmission) -> Result<()> {
        let frame: Arc<[u8]> = encode(envelope)?.into();
        let kind = envelope.message.kind();
        self.traffic.add(kind, transmission, to.len(), frame.len());
        self.metrics.sent(kind, transmission, to.len(), frame.len());
        self.mesh.send(to, &frame, delay);
        Ok(())
    }
}

/// Where `node` is, as clients are told; a blockade is told when it begins and ends.
fn update(standing: &mut Standing, node: &Node) {
    standing.epoch = node.epoch();
    standing.view = node.agreement().view();
    standing.role = node.role();
    standing.working = node.run().is_some();
}
