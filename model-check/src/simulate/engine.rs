//! The event loop: takes what happens next, gives it to whom it concerns, and
//! asks the oracles.

mod byzantine;
mod disks;
mod faults;
mod host;
mod tracing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use butterfly_kernel::cluster::Cluster;
use butterfly_kernel::inference::run::Run;
use butterfly_kernel::machine::Timer;
use butterfly_kernel::message::inference::RunId;
use butterfly_kernel::node::{Node, Role};
use butterfly_kernel::types::{Epoch, NodeId, Position, Stage};

use super::Crypto;
use super::clients::{Clients, sign};
use super::crash_points::{CrashPoints, Images};
use super::digest::Fold;
use super::faults::Kind;
use super::member::{Member, Packet};
use super::network::Network;
use super::oracles::accounts::Accounts;
use super::oracles::answers::Answers;
use super::oracles::chain::Chain;
use super::oracles::{Breach, RECORD, RECOVERY, Verdict, Violation, check};
use super::queue::{Micros, Queue};
use super::random::{Purpose, Random};
use super::setting::{Setting, recovery_bound};
use super::stages::Brief;
use super::tally::Tally;
use byzantine::Liar;
use host::Effect;
use tracing::Tracer;

/// A client that waits longer turns to another member as well.
const IMPATIENCE: Micros = 1_000_000;
/// Some host has something else to say of its member after so long.
const REVISION: Micros = 3_000_000;
/// A client that finds nobody tries again.
const RETRY: Micros = 50_000;

/// Something that happens.
enum Event<const N: usize> {
    /// A copy of a message arrives.
    Arrive { from: u8, to: u8, sent: Micros, damage: Option<u64>, packet: Rc<Packet<N>> },
    /// A timer runs out, if it is still set to do so now.
    Ring { member: u8, boot: u32, timer: Timer },
    /// A stage is done.
    Computed { member: u8, boot: u32, result: Box<Computed<N>> },
    /// A client asks for something new.
    Ask { client: u8 },
    /// A client that still waits for this request turns to one more member.
    Insist { client: u8, sequence: u64 },
    /// A fault begins.
    Begin { fault: usize },
    /// A fault is over.
    End { fault: usize },
    /// A member in a crash loop ends, or begins.
    Flap { fault: usize },
    /// A host says that its member can do another amount of work.
    Revise,
    /// All faults are over.
    Heal,
}

/// What a stage gave.
struct Computed<const N: usize> {
    run: RunId<Crypto<N>>,
    stage: Stage,
    position: Position,
    signal: Brief,
    asker: Option<NodeId>,
}

/// A cluster in one thread.
pub(crate) struct Engine<const N: usize> {
    setting: Setting,
    cluster: Cluster<Crypto<N>, N>,
    now: Micros,
    queue: Queue<Event<N>>,
    members: Vec<Member<N>>,
    clients: Clients,
    network: Network,
    hosts: Random,
    /// Members that misbehave.
    liars: Vec<Option<Liar<N>>>,
    /// Who talks to the second of two copies of a member: a bit for each.
    sides: u64,
    /// Values that were spoken of lately: the adversary heard of them.
    values: VecDeque<(Epoch, u64)>,
    /// The streams of faults of processes.
    streams: Vec<Random>,
    /// Which faults did something.
    felt: Vec<bool>,
    accounts: Accounts,
    chain: Chain,
    answers: Answers,
    digest: Fold,
    counts: Counts,
    commits: BTreeMap<u64, Micros>,
    killed: Option<Micros>,
    /// What the step at hand asks for; kept to be used again.
    effects: Vec<Effect<N>>,
    /// Since when all is well, and what must be finished before the run ends.
    recovery: Option<Recovery>,
    /// Images of disks in the middle of a write, if they are taken.
    crash_points: Option<CrashPoints>,
    tracer: Option<Tracer>,
    violation: Option<Violation>,
}

/// What must happen once faults stop.
struct Recovery {
    since: Micros,
    /// The epoch that everybody must commit: it begins when all is well.
    epoch: Epoch,
    /// How long that took.
    took: Option<Micros>,
    /// Of each client, the request that everybody must hold finished in the end.
    goals: Vec<u64>,
}

/// What a run did, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inputs that were given to kernels.
    pub events: u64,
    /// Of these, such that changed nothing.
    pub rejected: u64,
    /// Messages given to the network, one for each receiver.
    pub messages: u64,
    /// Epochs that anybody honest committed.
    pub epochs: u64,
    /// Tokens that clients got.
    pub tokens: u64,
    /// Views that members left.
    pub views: u64,
    /// Evidence against faulty members, repeated or not.
    pub blamed: u64,
    /// Messages of faulty members that nobody would believe.
    pub forged: u64,
    /// Damaged frames that could be decoded and verified all the same.
    pub survived_damage: u64,
    /// How often each kind of fault did something.
    pub faults: Tally,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was run.
    pub seed: u64,
    /// Microseconds of virtual time.
    pub time: Micros,
    /// What it did.
    pub counts: Counts,
    /// When each epoch was first committed by anybody honest.
    pub commits: BTreeMap<u64, Micros>,
    /// When the member ended that was to end, if there was one.
    pub killed: Option<Micros>,
    /// Microseconds from the end of the faults until everybody had committed.
    pub recovery: Option<Micros>,
    /// Of everything that happened, in order.
    pub digest: u64,
    /// What honest members did, if it was written down: see [`butterfly_trace`].
    pub trace: Option<String>,
    /// Images of disks that were opened, if they were taken.
    pub images: Images,
    /// The first property that does not hold.
    pub violation: Option<Violation>,
}

impl<const N: usize> Engine<N> {
    pub(crate) fn new(setting: Setting) -> Engine<N> {
        let cluster = setting.cluster();
        let n = setting.members;
        let seed = setting.seed;
        let doubled: BTreeSet<usize> =
            setting.faults.iter().filter(|fault| fault.kind == Kind::Twins).map(|fault| fault.member).collect();
        let slots: Vec<usize> = (0..n).chain(doubled).collect();
        let streams = setting.faults.iter().map(|fault| Random::new(seed, Purpose::Fault(fault.number))).collect();
        let member = |number: &usize| Member::new(NodeId(u8::try_from(*number).expect("few members")), setting.disks);
        Engine {
            now: 0,
            queue: Queue::new(),
            members: slots.iter().map(member).collect(),
            clients: Clients::new(seed, setting.clients, setting.workload),
            network: Network::new(seed, slots.len(), setting.latency),
            hosts: Random::new(seed, Purpose::Hosts),
            felt: vec![false; setting.faults.len()],
            liars: slots.iter().map(|_| None).collect(),
            sides: 0,
            values: VecDeque::new(),
            streams,
            accounts: Accounts::new(n),
            chain: Chain::default(),
            answers: Answers::default(),
            digest: Fold::default(),
            counts: Counts::default(),
            commits: BTreeMap::new(),
            killed: None,
            effects: Vec::new(),
            recovery: None,
            crash_points: None,
            tracer: None,
            violation: None,
            cluster,
            setting,
        }
    }

    /// The same, with every crash point of every write of a record.
    pub(crate) fn with_crash_points(mut self) -> Engine<N> {
        let random = Random::new(self.setting.seed, Purpose::CrashPoints);
        self.crash_points = Some(CrashPoints::new(random, self.members.len()));
        self
    }

    /// Runs to the end, or to the first violation.
    pub(crate) fn run(mut self) -> Outcome {
        let begun = self.begin();
        self.note(begun);
        let mut recovery = None;
        while self.violation.is_none() && recovery.is_none() && !self.clients.are_served() {
            let Some((time, event)) = self.queue.take() else { break };
            self.now = time;
            let verdict = self.happen(event).and_then(|()| self.look());
            match verdict {
                Ok(done) => recovery = done,
                Err(breach) => self.note(Err(breach)),
            }
        }
        self.counts.epochs = self.chain.epochs();
        self.counts.tokens = self.answers.tokens;
        Outcome {
            seed: self.setting.seed,
            time: self.now,
            counts: self.counts,
            commits: self.commits,
            killed: self.killed,
            recovery,
            trace: self.tracer.map(Tracer::into_text),
            images: self.crash_points.map(|points| points.images).unwrap_or_default(),
            digest: self.digest.value(),
            violation: self.violation,
        }
    }

    fn begin(&mut self) -> Verdict {
        for (number, fault) in self.setting.faults.iter().enumerate() {
            self.queue.put(fault.from, Event::Begin { fault: number });
            if fault.until < Micros::MAX {
                self.queue.put(fault.until, Event::End { fault: number });
            }
        }
        self.queue.put(self.setting.calm, Event::Heal);
        if self.setting.revises {
            self.queue.put(REVISION, Event::Revise);
        }
        for client in 0..self.setting.clients {
            self.queue.put(self.clients.think(), Event::Ask { client });
        }
        (0..self.setting.members).try_for_each(|member| self.boot(member))
    }

    fn note(&mut self, verdict: Verdict) {
        if let Err(Breach { property, seen }) = verdict {
            self.violation = Some(Violation { property, time: self.now, seen });
        }
    }

    fn happen(&mut self, event: Event<N>) -> Verdict {
        let Some(event) = self.defer(event) else { return Ok(()) };
        self.digest.add(self.now);
        match event {
            Event::Arrive { from, to, sent, damage, packet } => {
                let (from, to) = (usize::from(from), usize::from(to));
                if self.network.is_reset(from, to, sent) {
                    self.counts.faults.fired(Kind::Reset);
                    return Ok(());
                }
                match damage {
                    None => self.arrive(to, &packet),
                    Some(damage) => self.arrive_damaged(to, &packet, damage),
                }
            }
            Event::Ring { member, boot, timer } => self.ring(usize::from(member), boot, timer),
            Event::Computed { member, boot, result } => self.computed(usize::from(member), boot, *result),
            Event::Ask { client } => self.ask(client),
            Event::Insist { client, sequence } => self.insist(client, sequence),
            Event::Begin { fault } => self.begin_fault(fault),
            Event::End { fault } => self.end_fault(fault),
            Event::Flap { fault } => self.flap(fault),
            Event::Revise => self.revise(),
            Event::Heal => self.heal(),
        }
    }

    /// Puts off what a member cannot take in now.
    fn defer(&mut self, event: Event<N>) -> Option<Event<N>> {
        let member = match &event {
            Event::Arrive { to, .. } => *to,
            Event::Ring { member, .. } | Event::Computed { member, .. } => *member,
            _ => return Some(event),
        };
        let member = &mut self.members[usize::from(member)];
        let free = member.paused_until.max(member.busy_until);
        if free > self.now {
            if let Event::Ring { timer, .. } = &event {
                // It is due when the member can look at it.
                member.put_off_timer(*timer, self.now, free);
            }
            self.queue.put(free, event);
            return None;
        }
        member.busy_until = self.now + member.toil;
        Some(event)
    }

    fn ask(&mut self, client: u8) -> Verdict {
        let request = self.clients.next(usize::from(client));
        self.answers.ask(self.setting.stages, &request);
        self.insist(client, request.sequence)
    }

    fn insist(&mut self, client: u8, sequence: u64) -> Verdict {
        let waiting = &self.clients.each[usize::from(client)];
        let Some(request) = waiting.request.clone().filter(|request| request.sequence == sequence) else {
            return Ok(());
        };
        let member = self.clients.choose(self.setting.members);
        let there = self.members[member].node.is_some() && self.members[member].paused_until <= self.now;
        let again = self.now + if there { IMPATIENCE } else { RETRY };
        self.queue.put(again, Event::Insist { client, sequence });
        if there { self.submit(member, sign(&self.cluster, request)) } else { Ok(()) }
    }

    /// Once faults are over: everybody must commit soon, and clients must be
    /// served in the end. Says how long the first took when both are done.
    fn look(&mut self) -> Result<Option<Micros>, Breach> {
        let Some(Recovery { since, epoch, took, goals }) = &self.recovery else { return Ok(None) };
        let passed = self.now - since;
        let slots = 0..self.members.len();
        let seldom = self.counts.events.is_multiple_of(16);
        let Some(took) = *took else {
            if seldom && slots.into_iter().all(|slot| self.has_recovered(slot, *epoch)) {
                self.recovery.as_mut().expect("it is looked at").took = Some(passed);
                return Ok(None);
            }
            let bound = recovery_bound(self.setting.resilience);
            return check(passed <= bound, RECOVERY, || format!("not everybody commits: {}", self.heads()))
                .map(|()| None);
        };
        if seldom && slots.into_iter().all(|slot| self.serves(slot, goals)) {
            return Ok(Some(took));
        }
        check(passed <= self.setting.service_bound(), RECOVERY, || format!("clients are not served: {}", self.heads()))
            .map(|()| None)
    }

    /// Where each member is.
    fn heads(&self) -> String {
        let heads = self.members.iter().map(|member| {
            let node = member.node.as_ref();
            node.map_or("down".to_owned(), |node| format!("epoch {} {:?}", node.epoch().0, node.agreement().view()))
        });
        heads.collect::<Vec<_>>().join(", ")
    }

    /// Whether a member, if it is honest, votes and has committed `epoch`.
    fn has_recovered(&self, slot: usize, epoch: Epoch) -> bool {
        if !self.is_honest(slot) {
            return true;
        }
        let member = &self.members[slot];
        let votes = |node: &Node<Crypto<N>, N>| {
            let voter = slot < self.setting.resilience.n() && self.accounts.trusts(member.me.index());
            node.role() == Role::Replica || !voter
        };
        member.node.as_deref().is_some_and(|node| node.epoch() > epoch && votes(node))
    }

    /// Whether a member, if it is honest, holds these requests finished.
    fn serves(&self, slot: usize, goals: &[u64]) -> bool {
        !self.is_honest(slot) || finished(&self.members[slot], goals)
    }

    /// The process of `number` ends for good.
    fn kill(&mut self, number: usize) {
        self.members[number].stop();
        self.killed = Some(self.now);
        self.setting.kill = None;
    }

    /// Every fault is over: what is down begins again, and clients wait for
    /// the answer to one request more.
    fn heal(&mut self) -> Verdict {
        for number in 0..self.members.len() {
            let member = &mut self.members[number];
            member.fuse = None;
            (member.paused_until, member.busy_until, member.toil, member.drift) = (0, 0, 0, 100);
            // Of two copies the second may never have begun.
            if member.node.is_none() && (member.boot > 0 || number < self.setting.members) {
                self.boot(number)?;
            }
        }
        for number in 0..self.setting.members {
            let node = &self.members[number].node;
            check(node.is_some(), RECORD, || format!("member {number} cannot begin on a disk without faults"))?;
        }
        let goals = self.clients.each.iter().map(|client| client.sequence + 1).collect();
        // Voters may be about to decide the next.
        let epoch = Epoch(self.chain.epochs() + 2);
        self.recovery = Some(Recovery { since: self.now, epoch, took: None, goals });
        Ok(())
    }
}

/// Whether `member` holds these requests finished.
fn finished<const N: usize>(member: &Member<N>, goals: &[u64]) -> bool {
    member.node.as_ref().is_some_and(|node| {
        let finished = node.head().finished();
        let client = |number: usize| butterfly_kernel::types::ClientId(u8::try_from(number).expect("few clients"));
        goals.iter().enumerate().all(|(number, goal)| finished.get(&client(number)).is_some_and(|held| held >= goal))
    })
}
