//! The composition: inference and agreement, epoch after epoch.
//!
//! A node is in one open epoch, the one after the last that it holds decided
//! with its state. It signs agreement messages in no other (signing window 1);
//! messages of later epochs are rejected as early, and its host may keep them.
//! What is computed is not bound to an epoch and may be one part ahead.
//!
//! What is durable before what is said:
//!
//! | before | durable |
//! | --- | --- |
//! | Vote | the proposal voted for, its progress certificate, the payload of its value |
//! | Commit | the commit certificate |
//! | ViewChange | the view |
//! | Propose | the proposal, its progress certificate, the payload |
//! | first signature in e | the decision of e - 1 with its state |
//! | the decision handed out, its slot used again | the decision with its state |
//! | CertAck, Attest, StageOutput, Notice | nothing |

mod blockade;
mod changes;
mod closed;
mod coordinator;
mod horizon;
mod notices;
mod receive;
pub mod record;
mod requests;
mod values;

use serde::{Deserialize, Serialize};

use crate::agreement::rules::Mutant;
use crate::agreement::{Agreement, MAX_VALUES};
use crate::assignment::Profile;
use crate::bounded::Map;
use crate::chain::{Decided, Head};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::inference::run::Run;
use crate::inference::{Inference, Standing};
use crate::machine::{Input, Outbox, Output, Place, Rejection, Timer, Transmission, Turn, send};
use crate::message::agreement::DecisionCertificate;
use crate::message::inference::{Payload, Tokens};
use crate::message::notice::SignedNotice;
use crate::message::{Fetch, Message, SignedChange};
use crate::types::{Epoch, MAX_NOTICES, Millis, NodeId, NodeSet, Nonce, Stage};
pub use blockade::Blockade;
use blockade::Watch;
use closed::{Behind, Closed};
pub use coordinator::Coordinator;
pub use horizon::Horizon;
pub use record::{Record, RecordError, RecordRef};
use requests::Requests;
use values::Candidate;

/// When nothing is under way, a node asks this many times more rarely.
const IDLE_FACTOR: u32 = 8;
/// Failed views raise the next epoch's time-out at most this often.
const MAX_PATIENCE: u8 = 3;
/// Epochs ahead of the open one of which messages are worth keeping.
const EPOCHS_AHEAD: u64 = 4;

/// What a node may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// A voter that has its vote record, or was provisioned with one.
    Replica,
    /// A voter that lost its record: it follows, serves and attests, but signs
    /// nothing in agreement until it is admitted again, since it cannot know
    /// what it signed before.
    Learner,
    /// A member that never votes.
    Worker,
}

/// One member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node<C: Scheme, const N: usize> {
    role: Role,
    /// Drawn at this start; none before it.
    nonce: Option<Nonce>,
    head: Head<C>,
    agreement: Agreement<C, N>,
    inference: Inference<C, N>,
    /// Valid values of the open epoch, with what they stand for.
    candidates: Map<C::Digest, Candidate<C>, MAX_VALUES>,
    requests: Requests<C>,
    /// What members say about themselves and is not committed; of each the last.
    notices: Map<NodeId, SignedNotice<C>, MAX_NOTICES>,
    /// A change of the roster that an operator ordered and is not committed.
    change: Option<SignedChange<C>>,
    /// What this node wants to be reckoned with.
    profile: Option<Profile>,
    /// What its open epoch did not bring: of the one before it, or of a record.
    behind: Behind<C, N>,
    patience: u8,
    watch: Watch,
    /// What its record leaves out on purpose; nothing in a shipped build.
    #[cfg(feature = "checker")]
    forgetful: record::Forgetful<C>,
}

impl<C: Scheme, const N: usize> Node<C, N> {
    /// A node that begins, or goes on, from what is durable. A voter without a
    /// record is a learner: provisioning writes [`Record::first`].
    ///
    /// # Errors
    /// When the record is not genuine for this cluster.
    pub fn new(seat: &Seat<'_, C, N>, record: Option<Record<C>>) -> Result<Self, RecordError> {
        let mut record = record.unwrap_or_else(|| Record::first(Role::Learner));
        record.check(seat.cluster)?;
        if !seat.cluster.votes(seat.me) {
            record.role = Role::Worker;
        }
        let epoch = record.head.epoch().next();
        Ok(Node {
            role: record.role,
            nonce: None,
            agreement: Agreement::new(seat, epoch, record.agreement, 0),
            inference: Inference::new(epoch),
            head: record.head,
            candidates: Map::new(),
            requests: Requests::default(),
            notices: Map::new(),
            change: None,
            profile: None,
            behind: record.payload.map_or(Behind::Nothing, Behind::Recovered),
            patience: 0,
            watch: Watch::default(),
            #[cfg(feature = "checker")]
            forgetful: record::Forgetful::new(seat.cluster.rules.mutant),
        })
    }

    /// Takes one input. `seat` is the same in every step until the node
    /// [enters](Node::enter) another cluster.
    ///
    /// # Errors
    /// A [`Rejection`] when the input changes nothing. Evidence may have been
    /// pushed all the same: a late message can prove a fault.
    pub fn step(
        &mut self,
        seat: &Seat<'_, C, N>,
        input: Input<C, N>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        match input {
            Input::Start { nonce } => self.start(seat, nonce, out),
            Input::Receive(envelope) => self.receive(seat, envelope, out)?,
            Input::Submit(request) => self.submit(seat, request, out)?,
            Input::Computed { run, stage, position, signal, asker } => {
                self.inference.on_computed(seat, run, (stage, position, signal), asker, out)?;
            }
            Input::Holding { run, stage, upto, link } => {
                self.inference.on_holding(seat, run, stage, (upto, link), out)?;
            }
            Input::Revise(profile) => self.revise(seat, profile, out)?,
            Input::Change(signed) => self.order(seat, signed.into_inner(), out)?,
            Input::Supplied { to, history } => self.inference.on_supplied(seat, to, history, out)?,
            Input::Timer(timer) => self.on_timer(seat, timer, out)?,
        }
        self.advance(seat, out);
        Ok(())
    }

    /// What must be durable, as it is now.
    pub fn record(&self) -> RecordRef<'_, C> {
        let agreement = self.agreement.durable();
        let voted = agreement.voted.as_ref().and_then(|proposal| self.candidates.get(&proposal.ballot.value));
        let payload = voted.map(|candidate| &candidate.payload).or(self.behind.recovered());
        let record = RecordRef { role: self.role, head: &self.head, agreement, payload };
        #[cfg(feature = "checker")]
        let record = self.forgetful.forget(record);
        record
    }

    /// The end of the chain here.
    pub fn head(&self) -> &Head<C> {
        &self.head
    }

    /// The open epoch.
    pub fn epoch(&self) -> Epoch {
        self.agreement.epoch()
    }

    /// The agreement of the open epoch.
    pub fn agreement(&self) -> &Agreement<C, N> {
        &self.agreement
    }

    /// What it may sign.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What is computed, if anything.
    pub fn run(&self) -> Option<&Run<C>> {
        self.inference.run()
    }

    /// How this node stands to a stage of the run.
    pub fn standing(&self, stage: Stage) -> Option<Standing> {
        self.inference.standing(stage)
    }

    /// Members that were silent or disagreed when it mattered: their reserves
    /// do not wait for them.
    pub fn suspects(&self) -> NodeSet {
        self.inference.suspects()
    }

    /// Whether `place` is reached, or passed: an input rejected as early for
    /// it may be offered again.
    pub fn reached(&self, place: &Place) -> bool {
        match place {
            Place::Epoch(epoch) => self.epoch() >= *epoch,
            Place::View(epoch, view) => (self.epoch(), self.agreement.view()) >= (*epoch, *view),
            Place::Run(turn) => self.passed(turn) || self.works_on(turn),
            Place::Part(turn, committed) => {
                self.passed(turn) || self.works_on(turn) && self.inference.follows(*committed)
            }
            Place::Position(turn, stage, position) => {
                self.passed(turn) || self.works_on(turn) && self.inference.awaits(*stage, *position)
            }
        }
    }

    /// Whether `place` is so near that a message for it is worth keeping.
    pub fn is_near(&self, seat: &Seat<'_, C, N>, place: &Place) -> bool {
        match place {
            Place::Epoch(epoch) | Place::View(epoch, _) => epoch.0 <= self.epoch().0.saturating_add(EPOCHS_AHEAD),
            Place::Run(turn) | Place::Part(turn, _) | Place::Position(turn, ..) => {
                let open = u64::try_from(seat.cluster.open_requests()).unwrap_or(u64::MAX);
                let next = self.head.next_sequence(turn.client);
                seat.cluster.client_key(turn.client).is_some() && turn.sequence < next.saturating_add(open)
            }
        }
    }

    fn passed(&self, turn: &Turn) -> bool {
        turn.sequence < self.head.next_sequence(turn.client)
    }

    fn works_on(&self, turn: &Turn) -> bool {
        self.run().is_some_and(|run| Turn::of(&run.id) == *turn)
    }

    /// Whether it signs in agreement.
    fn signs(&self, seat: &Seat<'_, C, N>) -> bool {
        let mutated = |mutant| seat.cluster.mutated(mutant);
        (self.role == Role::Replica || mutated(Mutant::LearnerSigns))
            && (!self.is_over() || mutated(Mutant::GoOnWhenOver))
    }

    fn start(&mut self, seat: &Seat<'_, C, N>, nonce: Nonce, out: &mut impl Outbox<C, N>) {
        self.nonce = Some(nonce);
        self.choose_run(seat, out);
        if let Some(payload) = self.behind.recovered().cloned()
            && self.admit(seat, payload, out).is_ok()
        {
            self.behind = Behind::Nothing;
        }
        if self.signs(seat) {
            self.agreement.resume(seat, out);
        }
        self.ask(seat, None, out);
        self.repeat(seat, out);
        out.push(Output::SetTimer { timer: Timer::Retransmit, after: seat.cluster.timing.retransmit });
        if self.is_over() {
            out.push(Output::Changed);
        }
    }

    fn on_timer(&mut self, seat: &Seat<'_, C, N>, timer: Timer, out: &mut impl Outbox<C, N>) -> Result<(), Rejection> {
        match timer {
            Timer::View { epoch, view } if epoch == self.epoch() && self.signs(seat) => {
                self.agreement.time_out(seat, view, out)
            }
            Timer::Escalate { epoch, stage } if epoch == self.epoch() => self.inference.on_escalate(seat, stage, out),
            Timer::Retransmit => {
                self.on_retransmit(seat, out);
                Ok(())
            }
            Timer::View { .. } | Timer::Escalate { .. } => Err(Rejection::Stale),
        }
    }

    /// Still in the epoch and view of the last time: say again what may have
    /// been lost, and ask for what may have been missed. Only what a faulty
    /// member cannot bring about alone counts as progress: if any message did,
    /// one of them in time would keep a node from ever asking.
    fn on_retransmit(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let every = seat.cluster.timing.retransmit.0;
        let idle = self.is_idle(seat);
        if self.watch.is_still_at(self.epoch(), self.agreement.view()) {
            self.ask(seat, None, out);
            self.choose_run(seat, out);
            self.repeat(seat, out);
        }
        self.inference.begin_round(seat.me);
        self.look_for_blockade(seat, idle, out);
        let after = Millis(if idle { every.saturating_mul(IDLE_FACTOR) } else { every });
        out.push(Output::SetTimer { timer: Timer::Retransmit, after });
    }

    /// Nothing waits for an epoch.
    fn is_idle(&self, seat: &Seat<'_, C, N>) -> bool {
        let waiting = !self.requests.is_empty() || !self.notices.is_empty() || self.change.is_some();
        self.run().is_none() && !waiting && self.own_notice(seat).is_none()
    }

    fn repeat(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        for request in self.requests.iter() {
            send(seat.everyone(), seat.envelope(Message::Forward(request.clone())), Transmission::Again, out);
        }
        self.inference.retransmit(seat, out);
        self.give_notice(seat, out);
        self.tell_change(seat, Transmission::Again, out);
        if self.signs(seat) {
            self.agreement.retransmit(seat, out);
        }
        let mut asked: Option<C::Digest> = None;
        for value in self.agreement.missing() {
            if asked != Some(value) {
                self.ask(seat, Some(value), out);
            }
            asked = Some(value);
        }
    }

    /// Asks voters for what this node lacks. When a voter asks what was
    /// decided, workers hear it too: they must know who is there.
    fn ask(&self, seat: &Seat<'_, C, N>, value: Option<C::Digest>, out: &mut impl Outbox<C, N>) {
        let fetch = Fetch { epoch: self.epoch(), value };
        let votes = seat.cluster.votes(seat.me);
        let to = if votes && value.is_none() { seat.everyone() } else { seat.others() };
        send(to, seat.envelope(Message::Fetch(fetch)), Transmission::First, out);
    }

    /// Draws the consequences that cross from one machine to the other, until
    /// there are none.
    fn advance(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        loop {
            self.admit_change(seat, out);
            self.admit_notice(seat, out);
            self.admit_work(seat, out);
            let Some(decision) = self.agreement.decision().cloned() else { return };
            if !self.close(seat, decision, out) {
                return;
            }
        }
    }

    /// Opens the epoch after `decided`.
    fn follow(
        &mut self,
        seat: &Seat<'_, C, N>,
        decided: Decided<C>,
        payload: Option<Payload<C>>,
        out: &mut impl Outbox<C, N>,
    ) {
        let epoch = decided.header.epoch;
        let DecisionCertificate { path, ballot, .. } = decided.certificate;
        let (tokens, notice) = match &payload {
            Some(Payload::Work(work)) => (work.tokens.clone(), None),
            Some(Payload::Notice(signed)) => (Tokens::new(), Some((signed.member, signed.notice))),
            Some(Payload::Change(_)) | None => (Tokens::new(), None),
        };
        self.behind = Behind::Nothing;
        if epoch == self.epoch() {
            self.agreement.denounce(seat, ballot, out);
            let (proposal, votes) = self.agreement.testimony(ballot.view);
            let certified = match payload {
                Some(Payload::Work(work)) => Some(work.into()),
                Some(Payload::Notice(_) | Payload::Change(_)) | None => None,
            };
            self.behind = Behind::Closed(Closed { epoch, ballot, proposal, votes, certified });
        }
        let checkpoints = |head: &Head<C>| head.state().active.and_then(|active| active.checkpoints.last().copied());
        let before = checkpoints(&self.head);
        self.head = Head::Decided(decided);
        let state = self.head.state();
        self.agreement.begin(self.head.epoch().next(), self.patience);
        self.candidates.clear();
        self.requests.drop_finished(&state);
        // Whoever is admitted by this epoch is one of them still.
        let learners = self.learners();
        self.drop_notices(seat, &state);
        if !seat.cluster.mutated(Mutant::DecisionUnrecorded) {
            out.push(Output::Persist);
        }
        out.push(Output::Commit { epoch, path, view: ballot.view, tokens, notice });
        self.announce(seat, learners, out);
        if self.is_over() {
            self.change = None;
            out.push(Output::Changed);
        }
        self.inference.follow(seat, &state, out);
        let taken = checkpoints(&self.head).filter(|taken| Some(*taken) != before);
        if let Some((checkpoint, run)) = taken.zip(self.run()) {
            out.push(Output::Checkpoint { run: run.id, position: checkpoint.position });
        }
        self.choose_run(seat, out);
    }

    /// Tells those who follow without a vote what was decided. Each worker
    /// hears it from f + 1 voters, others in each epoch.
    fn announce(&self, seat: &Seat<'_, C, N>, learners: NodeSet, out: &mut impl Outbox<C, N>) {
        if self.role != Role::Replica {
            return;
        }
        let Some(decided) = self.head.decided() else { return };
        let n = seat.cluster.resilience().n();
        let turn = |member: NodeId| {
            let shift = u64::from(member.0).wrapping_add(decided.header.epoch.0);
            let first = shift.checked_rem(u64::try_from(n).unwrap_or(1)).and_then(|first| usize::try_from(first).ok());
            let behind = seat.me.index().saturating_add(n).saturating_sub(first.unwrap_or(0));
            behind.checked_rem(n).is_some_and(|behind| behind <= seat.cluster.resilience().f())
        };
        let workers = seat.cluster.members().difference(seat.cluster.voters());
        let to = workers.iter().filter(|worker| turn(*worker)).collect::<NodeSet>().union(learners);
        if !to.is_empty() {
            send(to.without(seat.me), seat.envelope(Message::Decided(decided.clone())), Transmission::First, out);
        }
    }

    fn answer(&self, seat: &Seat<'_, C, N>, to: NodeId, message: Message<C, N>, out: &mut impl Outbox<C, N>) {
        send(NodeSet::EMPTY.with(to), seat.envelope(message), Transmission::First, out);
    }
}
