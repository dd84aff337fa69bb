//! The node and everything that it acts on, without a network.
//!
//! One step goes like this:
//!
//! 1. An input arrives: a verified message, a request, a timer, a result.
//! 2. [`Node::step`](butterfly_kernel::node::Node::step) changes the state and
//!    pushes outputs. What is to be sent is encoded at once, and *staged* among
//!    what waits for its receivers.
//! 3. If the step asked for it, the node's record is written. If the flash
//!    fails, the device stops, and nothing that was staged has left.
//! 4. What was staged is released.
//! 5. Stages are run, and what comes out is the next input; messages that were
//!    too early are offered again once their place is reached.
//!
//! A server performs outputs in their order. Writing the record of a step
//! before all of them keeps the promise as well, and needs no second place for
//! messages.

use butterfly_kernel::crypto::Verified;
use butterfly_kernel::machine::{Outbox, Rejection, Timer, Transmission};
use butterfly_kernel::message::Kind;
use butterfly_kernel::message::inference::Tokens;
use butterfly_kernel::node::{Blockade, RecordError, Role};
use butterfly_kernel::types::{ClientId, Epoch, NodeId, NodeSet, Nonce, Position};
use butterfly_kernel::wire;
use butterfly_record::{Store, StoreError};
use embassy_time::Instant;
use embedded_storage::nor_flash::NorFlash;

use crate::access::{Answer, Refusal, Standing, Told};
use crate::board::{Event, NoRandomness, RandomSource, Signed, Voice};
use crate::chronicle::Chronicle;
use crate::parking::Parking;
use crate::party::Party;
use crate::protocol::{Envelope, Input, Node, Output, Record, SignedRequest};
use crate::queue::{Queue, Queues, least_room};
use crate::record::{Encoded, Region};
pub use crate::stages::Desks;
use crate::stages::Stages;
use crate::tasks::{Full, Signals, Task, Tasks};
use crate::timers::Timers;

/// The memory of a host, for a static: nothing of it is ever moved.
///
/// `MESSAGE` is the longest message in bytes, `QUEUE` the room for messages that
/// wait for peers, and `PARKING` the room for messages whose time has not come.
pub struct HostMemory<const N: usize, const MESSAGE: usize, const QUEUE: usize, const PARKING: usize> {
    queues: Queues<N, QUEUE>,
    parking: Parking<N, PARKING>,
    chronicle: Chronicle<MESSAGE>,
    timers: Timers,
    tasks: Tasks<N>,
}

impl<const N: usize, const MESSAGE: usize, const QUEUE: usize, const PARKING: usize>
    HostMemory<N, MESSAGE, QUEUE, PARKING>
{
    const ENOUGH: () = assert!(
        QUEUE >= least_room(N, MESSAGE),
        "a message for each faulty peer that stops in the middle, and one more"
    );

    /// Unused.
    pub const fn new() -> Self {
        let () = Self::ENOUGH;
        HostMemory {
            queues: Queues::new(),
            parking: Parking::new(),
            chronicle: Chronicle::new(),
            timers: Timers::new(),
            tasks: Tasks::new(),
        }
    }

    /// `PARKING` bytes that are used by nobody before there is a host, for what
    /// a start needs.
    pub fn room(&mut self) -> &mut [u8] {
        self.parking.room()
    }
}

impl<const N: usize, const MESSAGE: usize, const QUEUE: usize, const PARKING: usize> Default
    for HostMemory<N, MESSAGE, QUEUE, PARKING>
{
    fn default() -> Self {
        HostMemory::new()
    }
}

/// The node of a device with everything that it acts on.
pub struct Host<
    'm,
    F: NorFlash,
    const N: usize,
    const MESSAGE: usize,
    const QUEUE: usize,
    const PARKING: usize,
    const COPY: usize,
    const POSITIONS: usize,
> {
    party: &'m Party<N>,
    node: &'m mut Node<N>,
    record: &'m mut Store<Region<F>, COPY>,
    voice: &'m mut dyn Voice<N>,
    queues: &'m mut Queues<N, QUEUE>,
    parking: &'m mut Parking<N, PARKING>,
    chronicle: &'m mut Chronicle<MESSAGE>,
    stages: Stages<'m, N, POSITIONS>,
    timers: &'m mut Timers,
    tasks: &'m mut Tasks<N>,
    signed: Signed,
    blockade: Option<Blockade>,
    /// Why it acts no more.
    stopped: Option<Stopped>,
}

/// Why a device cannot go on. What it would have said was not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The flash failed: what is not durable must not be followed by a message.
    Flash,
    /// The vote record does not fit in its place.
    RecordTooLong,
}

impl core::fmt::Display for Stopped {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            Stopped::Flash => "the flash cannot be written",
            Stopped::RecordTooLong => "the vote record is longer than its place in the flash",
        })
    }
}

impl core::error::Error for Stopped {}

/// Why a device does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// There are no random numbers.
    NoRandomness,
    /// The flash failed.
    Flash,
    /// The record is whole but none of this version.
    Record,
    /// The record is not genuine for this cluster.
    Genuine(RecordError),
    /// The roster's model is another than the one in the firmware, is cut into
    /// stages of more than one layer, or takes longer requests than there is room for.
    Model,
}

impl From<NoRandomness> for StartError {
    fn from(NoRandomness: NoRandomness) -> Self {
        StartError::NoRandomness
    }
}

impl core::fmt::Display for StartError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            StartError::NoRandomness => "the board gives no random numbers; without them sessions would be open",
            StartError::Flash => "the flash cannot be used",
            StartError::Record => "the vote record cannot be understood",
            StartError::Genuine(reason) => return reason.fmt(out),
            StartError::Model => "the roster's model is not the one in this firmware, or too large for it",
        })
    }
}

impl core::error::Error for StartError {}

/// The number that is drawn for one life of a device, and kept nowhere.
///
/// # Errors
/// [`NoRandomness`].
pub fn draw_nonce(random: &mut dyn RandomSource) -> Result<Nonce, NoRandomness> {
    let mut nonce = [0; 16];
    random.fill(&mut nonce)?;
    Ok(Nonce(nonce))
}

/// Opens the vote record in `flash`, from `base` on.
///
/// # Errors
/// When the flash fails.
pub fn open_record<F: NorFlash, const N: usize, const COPY: usize>(
    party: &Party<N>,
    flash: F,
    base: u32,
) -> Result<Store<Region<F>, COPY>, StartError> {
    let owner = butterfly_record::owner(&party.cluster().id().0, party.me().0);
    Store::open(Region::new(flash, base), owner).map_err(|_| StartError::Flash)
}

/// What `record` holds; none if no copy is readable. `COPY` bytes of the stack
/// are taken for it, and more to decode it: they are free again before
/// [`open_node`], if that is called by another function.
///
/// # Errors
/// When the flash fails, or what is there cannot be understood.
#[inline(never)]
pub fn read_record<F: NorFlash, const N: usize, const COPY: usize>(
    record: &mut Store<Region<F>, COPY>,
) -> Result<Option<Record<N>>, StartError> {
    let mut room = [0; COPY];
    let record = record.record(&mut room).map_err(|_| StartError::Flash)?;
    record.map(wire::decode).transpose().map_err(|_| StartError::Record)
}

/// The node that goes on from `record`, which is [`read_record`]'s. Without one
/// it is a learner.
///
/// # Errors
/// When it is no record of this member.
pub fn open_node<const N: usize>(party: &Party<N>, record: Option<Record<N>>) -> Result<Node<N>, StartError> {
    Node::new(&party.seat(), record).map_err(StartError::Genuine)
}

impl<
    'm,
    F: NorFlash,
    const N: usize,
    const MESSAGE: usize,
    const QUEUE: usize,
    const PARKING: usize,
    const COPY: usize,
    const POSITIONS: usize,
> Host<'m, F, N, MESSAGE, QUEUE, PARKING, COPY, POSITIONS>
{
    /// A host for the node that [`open_node`] made. It has done nothing yet.
    /// `desks` are for the `STAGES` that may be assigned to it, and `POSITIONS`
    /// is the longest request.
    ///
    /// # Errors
    /// [`StartError::Model`].
    pub fn new<const STAGES: usize>(
        party: &'m Party<N>,
        node: &'m mut Node<N>,
        record: &'m mut Store<Region<F>, COPY>,
        voice: &'m mut dyn Voice<N>,
        memory: &'m mut HostMemory<N, MESSAGE, QUEUE, PARKING>,
        desks: &'m mut Desks<STAGES, POSITIONS>,
    ) -> Result<Self, StartError> {
        let model = party.cluster().model();
        let ours = butterfly_workload::manifest(&butterfly_workload::Weights::embedded());
        let fits = usize::from(model.stages) == butterfly_workload::LAYERS && usize::from(model.context) <= POSITIONS;
        if model.manifest != ours || !fits {
            return Err(StartError::Model);
        }
        let HostMemory { queues, parking, chronicle, timers, tasks } = memory;
        parking.clear();
        let stages = Stages::new(party.me(), desks);
        Ok(Host {
            party,
            node,
            record,
            voice,
            queues,
            parking,
            chronicle,
            stages,
            timers,
            tasks,
            signed: Signed::default(),
            blockade: None,
            stopped: None,
        })
    }

    /// Begins, or begins again after a restart. `nonce` is [`draw_nonce`]'s.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn start(&mut self, nonce: Nonce) -> Result<(), Stopped> {
        let learner = self.node.role() == Role::Learner;
        self.voice.say(Event::Ready { me: self.party.me(), learner, epoch: self.node.epoch() });
        self.settle(Input::Start { nonce }).map(drop)
    }

    /// Takes a message of a member. It need not be the member's own. False if
    /// it is not genuine: whoever brought it is not to be heard any more.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn receive(&mut self, message: &[u8]) -> Result<bool, Stopped> {
        let genuine = self.step_message(message)?;
        self.settle_tasks()?;
        Ok(genuine)
    }

    /// Takes a request that `client` brought.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn submit(&mut self, request: SignedRequest<N>, client: ClientId) -> Result<Result<(), Refusal>, Stopped> {
        if request.request.client != client {
            return Ok(Err(Refusal::Invalid));
        }
        let Ok(request) = self.party.cluster().verify_submission(request) else { return Ok(Err(Refusal::Invalid)) };
        Ok(match self.settle(Input::Submit(request))? {
            // One that is known is worked on already.
            Ok(()) | Err(Rejection::Duplicate) => Ok(()),
            Err(Rejection::Stale) => Err(Refusal::Finished),
            Err(Rejection::Full) => Err(Refusal::Full),
            Err(_) => Err(Refusal::Invalid),
        })
    }

    /// Gives the node the timers that have run out.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn expire_timers(&mut self) -> Result<(), Stopped> {
        while let Some(timer) = self.timers.take_expired() {
            // A timer that is late is inert.
            let _rejected = self.settle(Input::Timer(timer))?;
        }
        Ok(())
    }

    /// When the next timer runs out.
    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What waits for `peer`; none waits for oneself.
    pub fn queue(&mut self, peer: NodeId) -> Option<Queue<'_, N, QUEUE>> {
        (peer != self.party.me() && peer.index() < N).then(|| self.queues.of(peer))
    }

    /// Those for whom something waits.
    pub fn waiting(&self) -> NodeSet {
        self.queues.waiting()
    }

    /// The node.
    pub fn node(&self) -> &Node<N> {
        self.node
    }

    /// Where the device is, as clients are told.
    pub fn standing(&self) -> Answer<N> {
        let standing = Standing {
            epoch: self.node.epoch(),
            view: self.node.agreement().view(),
            role: self.node.role(),
            working: self.node.run().is_some(),
            blocked: self.blockade.map(Into::into),
        };
        Answer::Standing(standing, self.node.head().decided().cloned())
    }

    /// The first decision that is kept for clients and not before `from`, as
    /// the encoding of an answer.
    pub fn told(&self, from: Epoch) -> Option<(Epoch, &[u8])> {
        self.chronicle.next(from)
    }

    fn settle(&mut self, input: Input<N>) -> Result<Result<(), Rejection>, Stopped> {
        let outcome = self.step(input)?;
        self.settle_tasks()?;
        Ok(outcome)
    }

    /// Does what was asked for, and takes messages whose time has come, until
    /// there are none.
    fn settle_tasks(&mut self) -> Result<(), Stopped> {
        loop {
            while let Some(task) = self.tasks.pop() {
                self.perform(task)?;
            }
            let Some(at) = self.parking.ready(self.node) else { return Ok(()) };
            self.step_parked(at)?;
        }
    }

    /// Decodes, checks, steps.
    #[inline(never)]
    fn step_message(&mut self, message: &[u8]) -> Result<bool, Stopped> {
        let Some(envelope) = self.verify(message) else { return Ok(false) };
        let Some((author, envelope)) = envelope else { return Ok(true) };
        if let Err(Rejection::Early(place)) = self.step(Input::Receive(envelope))? {
            self.parking.park(&self.party.seat(), self.node, place, author, message);
        }
        Ok(true)
    }

    /// Takes the message that waits at `at`. If its time has not come after all
    /// it goes on waiting there.
    fn step_parked(&mut self, at: usize) -> Result<(), Stopped> {
        let envelope = self.parking.message(at).and_then(|message| self.verify(message)).flatten();
        if let Some((_, envelope)) = envelope
            && let Err(Rejection::Early(place)) = self.step(Input::Receive(envelope))?
            && self.node.is_near(&self.party.seat(), &place)
            && !self.node.reached(&place)
        {
            self.parking.put_off(at, place);
        } else {
            self.parking.remove(at);
        }
        Ok(())
    }

    /// None if it is not genuine; nothing inside if the node does not listen to it.
    /// What decoding needs of the stack is free again before the step.
    #[inline(never)]
    #[allow(clippy::type_complexity, reason = "a pair")]
    fn verify(&self, message: &[u8]) -> Option<Option<(NodeId, Verified<Envelope<N>>)>> {
        let envelope: Envelope<N> = wire::decode(message).ok()?;
        let cluster = self.party.cluster();
        // Most of what a message costs is its signatures.
        if self.node.horizon().wants(cluster, &envelope).is_err() {
            return Some(None);
        }
        let author = envelope.from;
        cluster.verify(envelope).ok().map(|verified| Some((author, verified)))
    }

    /// One step of the kernel. Nothing of it leaves before its record is durable.
    #[inline(never)]
    fn step(&mut self, input: Input<N>) -> Result<Result<(), Rejection>, Stopped> {
        if let Some(stopped) = self.stopped {
            return Err(stopped);
        }
        if matches!(input, Input::Timer(Timer::Retransmit)) {
            self.queues.begin_round();
        }
        let mut pushed = Pushed {
            me: self.party.me(),
            queues: self.queues,
            timers: self.timers,
            tasks: self.tasks,
            signals: self.stages.waiting,
            voice: self.voice,
            signed: &mut self.signed,
            blockade: &mut self.blockade,
            persist: false,
        };
        let outcome = self.node.step(&self.party.seat(), input, &mut pushed);
        if pushed.persist {
            self.persist().inspect_err(|stopped| self.stopped = Some(*stopped))?;
        }
        self.queues.release();
        Ok(outcome)
    }

    fn persist(&mut self) -> Result<(), Stopped> {
        self.record.write(&Encoded(self.node.record())).map_err(|error| match error {
            StoreError::Device(_) | StoreError::Changed => Stopped::Flash,
            StoreError::TooLong(_) => Stopped::RecordTooLong,
        })
    }

    #[inline(never)]
    fn perform(&mut self, task: Task<N>) -> Result<(), Stopped> {
        match task {
            Task::Provide(run, stage, position, waiting) => {
                let signal = self.stages.waiting.take(waiting);
                self.stages.provide(run, stage, position, &signal);
            }
            Task::Committed(epoch, tokens) => self.committed(epoch, tokens),
            Task::Assign => self.assign(),
            Task::Supply(to, run, stage, position, source) => {
                let run = self.node.run().filter(|own| own.id == run);
                if let Some(history) = run.and_then(|run| self.stages.supply(run, (stage, position), source)) {
                    let _rejected = self.step(Input::Supplied { to, history })?;
                }
            }
            Task::Compute(run, stage, position, sampling, asker) => {
                match self.stages.compute(run, stage, position, sampling) {
                    Ok(signal) => {
                        let _rejected = self.step(Input::Computed { run, stage, position, signal, asker })?;
                    }
                    Err(_) => self.voice.say(Event::Abstained),
                }
            }
            Task::Holding(run, stage, upto, link) => {
                let _rejected = self.step(Input::Holding { run, stage, upto, link })?;
            }
        }
        Ok(())
    }

    /// Turns to another run, and says what there is of its past.
    fn assign(&mut self) {
        let Some(run) = self.node.run() else { return };
        let tasks = &mut *self.tasks;
        let mut full = false;
        let assigned = self.stages.assign(self.party.cluster(), run, |held| {
            full |= tasks.push(Task::Holding(run.id, held.stage, held.upto, held.link)).is_err();
        });
        if assigned.is_err() || full {
            self.voice.say(Event::Abstained);
        }
    }

    fn committed(&mut self, epoch: Epoch, tokens: Tokens) {
        self.timers.drop_before(self.node.epoch());
        let Some(decided) = self.node.head().decided().filter(|decided| decided.header.epoch == epoch) else { return };
        let learner = self.node.role() == Role::Learner;
        self.voice.say(Event::Commit { decided, tokens: &tokens, learner, signed: self.signed });
        let told = Answer::Told(Told { decided: decided.clone(), tokens, latency_us: None });
        self.chronicle.add(epoch, &Encoded(&told));
    }
}

/// Takes the outputs of one step.
struct Pushed<'h, const N: usize, const QUEUE: usize> {
    me: NodeId,
    queues: &'h mut Queues<N, QUEUE>,
    timers: &'h mut Timers,
    tasks: &'h mut Tasks<N>,
    signals: &'h mut Signals,
    voice: &'h mut dyn Voice<N>,
    signed: &'h mut Signed,
    blockade: &'h mut Option<Blockade>,
    persist: bool,
}

impl<const N: usize, const QUEUE: usize> Outbox<butterfly_kernel::crypto::ed25519::Ed25519<N>, N>
    for Pushed<'_, N, QUEUE>
{
    #[inline(never)]
    fn push(&mut self, output: Output<N>) {
        match output {
            Output::Persist => self.persist = true,
            Output::Send { to, envelope, transmission } => self.send(to, &envelope, transmission),
            Output::SetTimer { timer, after } => self.timers.set(timer, after),
            Output::Assign { .. } => self.add(Task::Assign),
            Output::Provide { run, stage, position, signal } => {
                let added = self.tasks.push_signal(self.signals, run, stage, position, &signal);
                self.abstain_unless(added);
            }
            Output::Restore { run, stage, position, signals } => {
                for (at, signal) in (position.0..).map(Position).zip(&signals) {
                    let added = self.tasks.push_signal(self.signals, run, stage, at, signal);
                    self.abstain_unless(added);
                }
            }
            Output::Supply { to, run, stage, position, source } => {
                self.add(Task::Supply(to, run, stage, position, source));
            }
            Output::Compute { run, stage, position, sampling, asker } => {
                self.add(Task::Compute(run, stage, position, sampling, asker));
            }
            // What is not kept is recovered from fellows.
            Output::Checkpoint { .. } => {}
            Output::Commit { epoch, tokens, .. } => self.add(Task::Committed(epoch, tokens)),
            Output::Evidence(evidence) => {
                self.voice.say(Event::Evidence(&evidence));
            }
            Output::Blocked(blockade) => {
                *self.blockade = Some(blockade);
                self.voice.say(Event::Blocked(true));
            }
            // It stays in its cluster, which decides nothing more.
            Output::Changed => {}
            Output::Resumed => {
                *self.blockade = None;
                self.voice.say(Event::Blocked(false));
            }
            Output::EnterView { epoch, view } => self.voice.say(Event::EnterView { epoch, view }),
        }
    }
}

impl<const N: usize, const QUEUE: usize> Pushed<'_, N, QUEUE> {
    fn add(&mut self, task: Task<N>) {
        let added = self.tasks.push(task);
        self.abstain_unless(added);
    }

    /// A step that asks for more than there is room for leaves a stage without
    /// an input, which fellows make up for.
    fn abstain_unless(&mut self, added: Result<(), Full>) {
        if added.is_err() {
            self.voice.say(Event::Abstained);
        }
    }

    fn send(&mut self, to: NodeSet, envelope: &Envelope<N>, transmission: Transmission) {
        if transmission == Transmission::First && envelope.from == self.me {
            let count = match envelope.message.kind() {
                Kind::Vote => Some(&mut self.signed.votes),
                Kind::Propose => Some(&mut self.signed.proposals),
                Kind::Attest => Some(&mut self.signed.attestations),
                _ => None,
            };
            if let Some(count) = count {
                *count = count.saturating_add(1);
            }
        }
        self.queues.stage(to.without(self.me), &Encoded(envelope), transmission);
    }
}
