//! What a host does for its node, as the daemon does it: one step at a time,
//! its outputs in order, results and messages whose time has come at once.

use std::hash::Hash;
use std::rc::Rc;

use butterfly_kernel::assignment::Profile;
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::crypto::Verified;
use butterfly_kernel::machine::{Input, Output, Rejection, Source, Timer};
use butterfly_kernel::message::agreement::{Ballot, DecisionCertificate, Path};
use butterfly_kernel::message::inference::{RunId, SignedRequest, Tokens};
use butterfly_kernel::message::{Envelope, Forged};
use butterfly_kernel::proof::Evidence;
use butterfly_kernel::types::{Epoch, Millis, NodeId, NodeSet, Nonce, Position, Stage};
use butterfly_kernel::wire;

use super::{Computed, Engine, Event, Run};
use crate::simulate::Crypto;
use crate::simulate::crash_points::Writer;
use crate::simulate::digest::Fold;
use crate::simulate::member::{Packet, encode_into};
use crate::simulate::oracles::accounts::Said;
use crate::simulate::oracles::{ACCOUNTABILITY, Breach, CONTRACT, RECORD, VALIDITY, Verdict, WIRE, check};
use crate::simulate::stages::Brief;

/// A rejected step is compared with the state before in one of so many: a node is large.
const COMPARED: u64 = 2_048;
/// A message is written and read again in one of so many.
const REREAD: u64 = 256;
/// A node's horizon is asked about a message in one of so many.
const FORESEEN: u64 = 64;
/// The daemon's frames are no longer than this.
const FRAME: usize = 16 * 1024;

/// What a step asks for, small enough to be kept in a list.
pub(super) enum Effect<const N: usize> {
    Persist,
    Send { to: NodeSet, packet: Result<Rc<Packet<N>>, Forged> },
    SetTimer { timer: Timer, after: Millis },
    Assign,
    Provide { stage: Stage, position: Position, signal: Option<Brief> },
    Restore { stage: Stage, position: Position, signals: Vec<Option<Brief>> },
    Supply { to: NodeId, run: RunId<Crypto<N>>, stage: Stage, position: Position, source: Source },
    Compute { run: RunId<Crypto<N>>, stage: Stage, position: Position, asker: Option<NodeId> },
    Commit { epoch: Epoch, tokens: Tokens },
    Evidence(Box<Evidence<Crypto<N>>>),
    EnterView,
    Nothing,
}

type Results<const N: usize> = Vec<Input<Crypto<N>, N>>;

impl<const N: usize> Engine<N> {
    /// A member's process begins.
    pub(super) fn boot(&mut self, number: usize) -> Verdict {
        let keeps = self.hosts.in_a_thousand(500);
        let nonce = [self.hosts.draw().to_le_bytes(), self.hosts.draw().to_le_bytes()].concat();
        let nonce = Nonce(nonce.try_into().expect("sixteen bytes"));
        let Some(record) = self.read_record(number, nonce)? else { return Ok(()) };
        let begun = self.members[number].begin(&self.cluster, record, keeps);
        begun.map_err(|error| Breach {
            property: RECORD,
            seen: format!("member {number} cannot go on from its record: {error}"),
        })?;
        self.settle(number, Input::Start { nonce })
    }

    /// A client hands its request to a member.
    pub(super) fn submit(&mut self, number: usize, request: SignedRequest<Crypto<N>>) -> Verdict {
        let verified = self.cluster.verify_submission(request);
        let verified = verified
            .map_err(|error| Breach { property: WIRE, seen: format!("a client's request is refused: {error}") })?;
        self.settle(number, Input::Submit(verified))
    }

    pub(super) fn ring(&mut self, number: usize, boot: u32, timer: Timer) -> Verdict {
        let member = &mut self.members[number];
        if member.boot != boot || member.node.is_none() || !member.take_timer(timer, self.now) {
            return Ok(());
        }
        self.settle(number, Input::Timer(timer))
    }

    pub(super) fn computed(&mut self, number: usize, boot: u32, result: Computed<N>) -> Verdict {
        if self.members[number].boot != boot {
            return Ok(());
        }
        let Computed { run, stage, position, signal, asker } = result;
        self.settle(number, Input::Computed { run, stage, position, signal: signal.signal(), asker })
    }

    pub(super) fn arrive(&mut self, number: usize, packet: &Rc<Packet<N>>) -> Verdict {
        if self.members[number].node.is_none() {
            return Ok(());
        }
        self.digest.add(packet.fingerprint);
        if self.setting.lies {
            self.overhear(number, packet)?;
        }
        let foreseen = self.counts.events.is_multiple_of(FORESEEN);
        let spared = foreseen.then(|| {
            let node = self.members[number].node.as_ref();
            node.map(|node| node.horizon().wants(&self.cluster, packet.verified.get()))
        });
        let mut results = Vec::new();
        let outcome = self.hand_over(number, packet, &mut results)?;
        if let Some(Some(Err(reason))) = spared {
            // Which of several reasons is given does not matter.
            check(outcome.is_err(), CONTRACT, || {
                let message = &packet.verified.get().message;
                let from = packet.verified.get().from.0;
                format!(
                    "member {number} would have been spared as {reason:?} what it took as {outcome:?}: {message:?} of {from}"
                )
            })?;
        }
        self.settle_results(number, results)
    }

    /// A frame whose bytes changed on the way: what cannot be read or verified
    /// is dropped, and the rest must do no harm.
    pub(super) fn arrive_damaged(&mut self, number: usize, packet: &Rc<Packet<N>>, damage: u64) -> Verdict {
        let mut bytes = Vec::new();
        encode_into(packet.verified.get(), &mut bytes);
        let place = usize::try_from(damage >> 8).expect("64 bits") % bytes.len();
        match damage % 4 {
            0 => bytes.truncate(place),
            1 => bytes.push(damage.to_le_bytes()[1]),
            _ => bytes[place] ^= 1 << (damage % 8),
        }
        let Ok(envelope) = wire::decode::<Envelope<Crypto<N>, N>>(&bytes) else { return Ok(()) };
        let Ok(verified) = self.cluster.verify(envelope) else { return Ok(()) };
        self.counts.survived_damage += 1;
        let fingerprint = fingerprint(&verified);
        self.arrive(number, &Rc::new(Packet { verified, fingerprint }))
    }

    /// Steps, and draws every consequence. A rejection changes nothing: the
    /// input is late, repeated or not for this node.
    fn settle(&mut self, number: usize, input: Input<Crypto<N>, N>) -> Verdict {
        let mut results = Vec::new();
        let _rejected = self.step(number, input, &mut results)?;
        self.settle_results(number, results)
    }

    fn settle_results(&mut self, number: usize, mut results: Results<N>) -> Verdict {
        loop {
            while !results.is_empty() {
                let result = results.remove(0);
                let _rejected = self.step(number, result, &mut results)?;
            }
            let Some(packet) = self.members[number].take_ready() else { return Ok(()) };
            let _outcome = self.hand_over(number, &packet, &mut results)?;
        }
    }

    fn hand_over(
        &mut self,
        number: usize,
        packet: &Rc<Packet<N>>,
        results: &mut Results<N>,
    ) -> Result<Result<(), Rejection>, Breach> {
        let outcome = self.step(number, Input::Receive(packet.verified.clone()), results)?;
        if let Err(Rejection::Early(place)) = outcome {
            self.members[number].park(&self.cluster, place, packet);
        }
        Ok(outcome)
    }

    /// One step of the kernel, its outputs performed in order.
    fn step(
        &mut self,
        number: usize,
        input: Input<Crypto<N>, N>,
        results: &mut Results<N>,
    ) -> Result<Result<(), Rejection>, Breach> {
        if self.members[number].node.is_some() {
            self.trace_input(number, &input);
        }
        let member = &mut self.members[number];
        let Some(node) = member.node.as_deref_mut() else { return Ok(Err(Rejection::Stale)) };
        self.counts.events += 1;
        let before = self.counts.events.is_multiple_of(COMPARED).then(|| node.clone());
        let seat = Seat { cluster: &self.cluster, me: member.me, key: &member.me };
        let mut effects = std::mem::take(&mut self.effects);
        let cluster = &self.cluster;
        let outcome = node.step(&seat, input, &mut |output| effects.push(Effect::of(cluster, output)));
        self.digest.add(u64::try_from(number).expect("few") << 8 | u64::from(outcome.is_err()));
        if outcome.is_err() {
            self.counts.rejected += 1;
            check(before.is_none_or(|before| before == *node), CONTRACT, || {
                format!("member {number} rejects an input as {outcome:?} and changes")
            })?;
            let said = effects.iter().all(|effect| matches!(effect, Effect::Evidence(_)));
            check(said, CONTRACT, || format!("member {number} rejects an input as {outcome:?} and acts on it"))?;
        }
        let performed = self.perform_all(number, &mut effects, results);
        effects.clear();
        self.effects = effects;
        self.trace_end(outcome.err().map(|reason| reason.to_string()));
        performed.map(|()| outcome)
    }

    /// In order; after the last that a crash lets through, nothing.
    fn perform_all(&mut self, number: usize, effects: &mut Vec<Effect<N>>, results: &mut Results<N>) -> Verdict {
        let fuse = if effects.is_empty() { None } else { self.members[number].fuse.take() };
        let through = fuse.map_or(usize::MAX, |fuse| usize::try_from(fuse.outputs).expect("few"));
        let mut durable = false;
        for effect in effects.drain(..).take(through) {
            match effect {
                Effect::Persist if durable => {}
                Effect::Persist => {
                    if !self.persist(number)? {
                        results.clear();
                        return Ok(());
                    }
                    self.trace_record(number);
                    durable = true;
                }
                Effect::Send { to, packet } => self.send(number, to, packet)?,
                other => self.perform(number, other, results)?,
            }
            if self.members[number].node.is_none() {
                results.clear();
                return Ok(());
            }
        }
        if let Some(fuse) = fuse {
            self.members[number].end(fuse.fault);
            results.clear();
            self.feel(fuse.fault);
        }
        Ok(())
    }

    /// Makes the record durable. If the disk fails the member ends, and this says false.
    fn persist(&mut self, number: usize) -> Result<bool, Breach> {
        self.note_writing(number);
        let member = &mut self.members[number];
        let before = self.crash_points.as_ref().and_then(|_| Some(member.storage.disk()?.image()));
        let written = member.persist();
        if let (Some(before), Some(points), Ok(())) = (before, &mut self.crash_points, &written) {
            let batch = member.storage.disk().map(|disk| disk.last.clone()).unwrap_or_default();
            points.take(&Writer { cluster: &self.cluster, accounts: &self.accounts, me: member.me }, before, &batch)?;
        }
        self.is_written(number, written)
    }

    /// A host says that its member can do another amount of work.
    pub(super) fn revise(&mut self) -> Verdict {
        let number = self.hosts.place(self.setting.members);
        let speed = u32::try_from(self.hosts.within(1..=8)).expect("small");
        self.queue.put(self.now + super::REVISION, Event::Revise);
        self.settle(number, Input::Revise(Profile::with_speed(speed)))
    }

    /// What is written may be there later, even if the member ends before it
    /// is durable and says nothing of it; its own vote is also in what it decides.
    fn note_writing(&mut self, number: usize) {
        let member = &self.members[number];
        let (Some(node), me) = (&member.node, member.me) else { return };
        if let Some(decided) = node.head().decided() {
            let DecisionCertificate { path, ballot, signatures } = &decided.certificate;
            if signatures.get(&me).is_some() {
                let said = if *path == Path::Fast { Said::Vote } else { Said::Commit };
                self.accounts.write(me.index(), decided.header.epoch, ballot.view, said, ballot.value);
            }
        }
        let (epoch, held) = (node.epoch(), node.agreement().durable());
        if let Some(Ballot { view, value }) = held.voted.as_ref().map(|proposal| proposal.ballot) {
            self.accounts.write(me.index(), epoch, view, Said::Vote, value);
        }
        if let Some(Ballot { view, value }) = held.locked.as_ref().map(|certificate| certificate.ballot) {
            self.accounts.write(me.index(), epoch, view, Said::Commit, value);
        }
    }

    fn send(&mut self, number: usize, to: NodeSet, packet: Result<Rc<Packet<N>>, Forged>) -> Verdict {
        let packet = packet.map_err(|error| Breach {
            property: WIRE,
            seen: format!("what member {number} says is not believed: {error}"),
        })?;
        self.digest.add(packet.fingerprint);
        if let Some((epoch, message)) = packet.agreement()
            && packet.verified.get().from.index() == number
        {
            self.accounts.sign(number, epoch, message)?;
            self.trace_statement(epoch, message);
        }
        if self.counts.messages.is_multiple_of(REREAD) {
            self.reread(number, &packet)?;
        }
        if self.setting.lies {
            self.see_value(&packet);
        }
        for receiver in to.iter() {
            if self.liars[number].is_none() {
                self.transmit(number, receiver, &packet, 0);
                continue;
            }
            for (to, packet, later) in self.misbehave(number, receiver, &packet) {
                self.transmit(number, to, &packet, later);
            }
        }
        Ok(())
    }

    fn reread(&self, number: usize, packet: &Packet<N>) -> Verdict {
        let mut bytes = Vec::new();
        encode_into(packet.verified.get(), &mut bytes);
        let read = wire::decode::<Envelope<Crypto<N>, N>>(&bytes);
        check(bytes.len() <= FRAME && read.as_ref() == Ok(packet.verified.get()), WIRE, || {
            format!("what member {number} says is another thing when it was written and read")
        })
    }

    fn perform(&mut self, number: usize, effect: Effect<N>, results: &mut Results<N>) -> Verdict {
        let member = &mut self.members[number];
        match effect {
            Effect::Persist | Effect::Send { .. } | Effect::Nothing => {}
            Effect::SetTimer { timer, after } => {
                let due = self.now + u64::from(after.0) * 10 * member.drift;
                member.set_timer(timer, due);
                let boot = member.boot;
                self.queue.put(due, Event::Ring { member: slot(number), boot, timer });
            }
            Effect::Assign => {
                let run: Option<Run<Crypto<N>>> = member.node.as_ref().and_then(|node| node.run()).cloned();
                if let Some(run) = run {
                    results.extend(member.executor.assign(&self.cluster, member.me, &run));
                }
            }
            Effect::Provide { stage, position, signal } => {
                let signal = signal.ok_or_else(|| overlong(number))?;
                member.executor.provide(stage, position, signal);
            }
            Effect::Restore { stage, position, signals } => {
                for (at, signal) in (position.0..).map(Position).zip(signals) {
                    member.executor.provide(stage, at, signal.ok_or_else(|| overlong(number))?);
                }
            }
            Effect::Supply { to, run, stage, position, source } => {
                let history = member.executor.supply(run, (stage, position), source);
                results.extend(history.map(|history| Input::Supplied { to, history }));
            }
            Effect::Compute { run, stage, position, asker } => {
                if self.setting.kill.is_some_and(|kill| member.is_meant(&kill, stage, position)) {
                    self.kill(number);
                    return Ok(());
                }
                let computed = member.executor.compute(run, (stage, position), self.setting.hands);
                let computed = computed.map_err(|_| Breach {
                    property: CONTRACT,
                    seen: format!("member {number} asks for {stage:?} at {position:?} without its inputs"),
                })?;
                if let Some((signal, positions)) = computed {
                    // What was computed before is at hand.
                    let layers = if positions == 0 { 0 } else { member.layers(stage) };
                    let time = layers * self.setting.layer_time;
                    let signal = if member.wrong { signal.wrong() } else { signal };
                    let result = Box::new(Computed { run, stage, position, signal, asker });
                    let boot = member.boot;
                    let done = member.computes_until.max(self.now) + time;
                    member.computes_until = done;
                    self.queue.put(done, Event::Computed { member: slot(number), boot, result });
                }
            }
            Effect::Commit { epoch, tokens } => self.committed(number, epoch, &tokens)?,
            Effect::Evidence(evidence) => self.blame(number, &evidence)?,
            Effect::EnterView => self.counts.views += 1,
        }
        Ok(())
    }

    fn committed(&mut self, number: usize, epoch: Epoch, tokens: &Tokens) -> Verdict {
        self.trace_commit(number, epoch);
        let slot_is_faulty = !self.is_honest(number);
        let member = &mut self.members[number];
        let Some(node) = &member.node else { return Ok(()) };
        if slot_is_faulty {
            member.drop_timers_before(node.epoch());
            return Ok(());
        }
        self.commits.entry(epoch.0).or_insert(self.now);
        check(member.durable >= epoch, RECORD, || format!("member {number} hands {epoch:?} out before it is durable"))?;
        let open = node.epoch();
        let decided = node.head().decided();
        // One step can reach several epochs; what the last one names covers the one before.
        if let Some(decided) = decided {
            let held = self.chain.hold(number, decided, self.setting.resilience, &self.accounts);
            decided.state.readmitted.iter().for_each(|(member, readmit)| self.accounts.readmit(*member, readmit.nonce));
            held.and_then(|()| {
                if decided.header.epoch == epoch { self.answers.commit(&decided.state, tokens) } else { Ok(()) }
            })?;
        }
        let finished = node.head().finished();
        member.drop_timers_before(open);
        let asks_again = self.clients.ask_again();
        for client in &mut self.clients.each {
            let served = finished.get(&client.id).is_some_and(|last| *last >= client.sequence);
            if served && client.request.take().is_some() && asks_again {
                let event = Event::Ask { client: client.id.0 };
                self.queue.put(self.now + THINKING, event);
            }
        }
        Ok(())
    }

    fn blame(&mut self, number: usize, evidence: &Evidence<Crypto<N>>) -> Verdict {
        let accused = evidence.accused.index();
        if !self.is_honest(number) {
            return Ok(());
        }
        self.counts.blamed += u64::from(!self.accounts.trusts(accused));
        check(!self.accounts.trusts(accused), ACCOUNTABILITY, || {
            format!("member {number} accuses member {accused}, which is honest: {}", evidence.fault.name())
        })
    }
}

/// f + 1 members stand by a signal, and honest ones make none that is so long.
fn overlong(number: usize) -> Breach {
    Breach { property: VALIDITY, seen: format!("member {number} is given a signal that no stage makes") }
}

/// The place of a member, or of the second copy of one, as it stands in events.
pub(super) fn slot(number: usize) -> u8 {
    u8::try_from(number).expect("few members")
}

/// A client thinks so long before it asks again.
const THINKING: u64 = 3_000;

/// Of author, kind and statement: equal for equal messages.
pub(super) fn fingerprint<const N: usize>(verified: &Verified<Envelope<Crypto<N>, N>>) -> u64 {
    let envelope = verified.get();
    let mut fold = Fold::default();
    fold.add(u64::from(envelope.from.0));
    envelope.message.kind().hash(&mut fold);
    envelope.signature.hash(&mut fold);
    fold.value()
}

impl<const N: usize> Effect<N> {
    fn of(cluster: &butterfly_kernel::cluster::Cluster<Crypto<N>, N>, output: Output<Crypto<N>, N>) -> Effect<N> {
        match output {
            Output::Persist => Effect::Persist,
            Output::Send { to, envelope, .. } => {
                let packet = cluster.verify(envelope).map(|verified| {
                    let fingerprint = fingerprint(&verified);
                    Rc::new(Packet { verified, fingerprint })
                });
                Effect::Send { to, packet }
            }
            Output::SetTimer { timer, after } => Effect::SetTimer { timer, after },
            Output::Assign { .. } => Effect::Assign,
            Output::Provide { stage, position, signal, .. } => {
                Effect::Provide { stage, position, signal: Brief::of(&signal) }
            }
            Output::Restore { stage, position, signals, .. } => {
                Effect::Restore { stage, position, signals: signals.iter().map(|signal| Brief::of(signal)).collect() }
            }
            Output::Supply { to, run, stage, position, source } => Effect::Supply { to, run, stage, position, source },
            Output::Compute { run, stage, position, asker, .. } => Effect::Compute { run, stage, position, asker },
            Output::Commit { epoch, tokens, .. } => Effect::Commit { epoch, tokens },
            Output::Evidence(evidence) => Effect::Evidence(Box::new(evidence)),
            Output::EnterView { .. } => Effect::EnterView,
            // Rosters stay as they are here.
            Output::Changed | Output::Checkpoint { .. } | Output::Blocked(_) | Output::Resumed => Effect::Nothing,
        }
    }
}
