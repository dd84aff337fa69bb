//! Members, what is on its way between them, and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Blame, Decision, Plan, Report, Sent, StageFunctions};
use crate::Error;
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::message::read_message;
use crate::node::Node;
use crate::roster::{Request, Roster};
use crate::surface::{Digest, Fault, Input, Nonce, Output, Sampling, Timer, Work};

/// The client's number among the parties of a seed; members have their own.
const CLIENT: u8 = 200;
/// Microseconds that a stage computes for one position.
const COMPUTING: u64 = 100;
/// Milliseconds that the first view of an epoch may take.
const VIEW_TIMEOUT: u32 = 2_000;

pub(super) struct World {
    plan: Plan,
    stages: Box<dyn StageFunctions>,
    roster: Arc<Roster>,
    client: Arc<Keys>,
    members: Vec<Member>,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    now: u64,
    random: fastrand::Rng,
    /// Requests of the client so far.
    sequence: u64,
    ledger: Option<Arc<Ledger>>,
    /// The last decision before the request under way.
    last: Option<Vec<u8>>,
    decisions: Vec<Decision>,
    blamed: BTreeMap<(u8, u8), Blame>,
    sent: Vec<Sent>,
    failures: Vec<String>,
}

struct Member {
    keys: Arc<Keys>,
    node: Option<Arc<Node>>,
    record: Vec<u8>,
    /// When each timer that is set runs out, and in which life it was set.
    timers: Vec<(Timer, u64)>,
    /// Counts its lives: what was begun in another one is over.
    life: u32,
    /// Epochs of the request under way that it holds decided.
    tokens: usize,
}

enum Event {
    Arrive { to: u8, message: Arc<[u8]> },
    RunOut { member: u8, life: u32, timer: Timer },
    Compute { member: u8, life: u32, work: Work },
}

impl World {
    pub(super) fn new(plan: Plan, stages: Box<dyn StageFunctions>) -> Result<World, Error> {
        let keys: Vec<Arc<Keys>> = (0..plan.members).map(|member| Arc::new(Keys::of_seed(plan.seed, member))).collect();
        let client = Arc::new(Keys::of_seed(plan.seed, CLIENT));
        let members: Vec<Digest> = keys.iter().map(|keys| keys.public_key()).collect::<Result<_, _>>()?;
        let (voters, clients) = (plan.members, vec![client.public_key()?]);
        let roster = Roster::found(members, voters, clients, plan.model.clone(), None, None, VIEW_TIMEOUT)?;
        let strangers = plan.liars.iter().chain(&plan.silent).find(|member| **member >= plan.members);
        if let Some(stranger) = strangers {
            return Err(Error::Roster { reason: format!("there is no member {stranger}") });
        }
        if plan.least_delay > plan.most_delay || plan.loss >= 1_000 {
            return Err(Error::Roster { reason: "the delays or the loss of the plan cannot be".into() });
        }
        let mut world = World {
            random: fastrand::Rng::with_seed(plan.seed),
            members: Vec::new(),
            plan,
            stages,
            roster,
            client,
            events: BTreeMap::new(),
            next_event: 0,
            now: 0,
            sequence: 0,
            ledger: None,
            last: None,
            decisions: Vec::new(),
            blamed: BTreeMap::new(),
            sent: Vec::new(),
            failures: Vec::new(),
        };
        for (number, keys) in (0_u8..).zip(keys) {
            let record = world.roster.first_record(number)?;
            world.members.push(Member { keys, node: None, record, timers: Vec::new(), life: 0, tokens: 0 });
        }
        for member in 0..world.plan.members {
            world.restart(member)?;
        }
        Ok(world)
    }

    pub(super) fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster)
    }

    pub(super) fn submit(&mut self, prompt: Vec<u8>, tokens: u16, sampling: Sampling) -> Result<(), Error> {
        if let Some(ledger) = &self.ledger
            && !ledger.is_complete()?
        {
            return Err(Error::Busy);
        }
        let asked = Request { sequence: self.sequence.saturating_add(1), prompt, tokens, sampling };
        let request = self.roster.sign_request(Arc::clone(&self.client), asked)?;
        self.ledger = Some(Ledger::new(self.roster(), &request, self.last.clone())?);
        self.sequence = self.sequence.saturating_add(1);
        self.members.iter_mut().for_each(|member| member.tokens = 0);
        // One of f + 1 members is honest, and tells the others.
        for member in 0..=self.roster.facts()?.faults {
            self.step(member, Input::Submit { request: request.clone() })?;
        }
        Ok(())
    }

    pub(super) fn run(&mut self, microseconds: u64) -> Result<bool, Error> {
        let end = self.now.saturating_add(microseconds);
        while !self.is_complete()? {
            let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= end) else {
                self.now = end;
                return Ok(false);
            };
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.happen(event)?;
        }
        Ok(true)
    }

    pub(super) fn crash(&mut self, member: u8) -> Result<(), Error> {
        self.member(member)?.node = None;
        Ok(())
    }

    pub(super) fn restart(&mut self, number: u8) -> Result<(), Error> {
        let nonce = Nonce(self.random.u128(..).to_le_bytes());
        let roster = self.roster();
        let member = self.member(number)?;
        member.node = Some(Node::new(roster, Arc::clone(&member.keys), Some(member.record.clone()))?);
        member.life = member.life.saturating_add(1);
        member.timers.clear();
        self.step(number, Input::Start { nonce })
    }

    pub(super) fn report(&self) -> Report {
        let ledger = self.ledger.as_ref();
        Report {
            now: self.now,
            tokens: ledger.and_then(|ledger| ledger.tokens().ok()).unwrap_or_default(),
            proof: ledger.and_then(|ledger| ledger.proof().ok()).flatten(),
            decisions: self.decisions.clone(),
            blamed: self.blamed.values().cloned().collect(),
            sent: self.sent.clone(),
            failures: self.failures.clone(),
        }
    }

    fn member(&mut self, number: u8) -> Result<&mut Member, Error> {
        let stranger = || Error::Roster { reason: format!("there is no member {number}") };
        self.members.get_mut(usize::from(number)).ok_or_else(stranger)
    }

    /// Members that say what they should.
    fn honest(&self) -> BTreeSet<u8> {
        let faulty = |member: &u8| self.plan.liars.contains(member) || self.plan.silent.contains(member);
        (0..self.plan.members).filter(|member| !faulty(member)).collect()
    }

    /// Whether the answer is known, and every honest member that is there has it.
    fn is_complete(&self) -> Result<bool, Error> {
        let Some(ledger) = &self.ledger else { return Ok(false) };
        let wanted = ledger.tokens()?.len();
        let honest = self.honest();
        let has_all = |(number, member): (u8, &Member)| {
            !honest.contains(&number) || member.node.is_none() || member.tokens >= wanted
        };
        Ok(ledger.is_complete()? && (0_u8..).zip(&self.members).all(has_all))
    }

    fn happen(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Arrive { to, message } => self.step(to, Input::Receive { message: message.to_vec() }),
            Event::RunOut { member: number, life, timer } => {
                let now = self.now;
                let member = self.member(number)?;
                // One that was set again runs out later.
                let is_due = member.timers.iter().position(|(set, at)| *set == timer && *at == now);
                match is_due.filter(|_| member.life == life) {
                    Some(at) => {
                        member.timers.swap_remove(at);
                        self.step(number, Input::Timer { timer })
                    }
                    None => Ok(()),
                }
            }
            Event::Compute { member: number, life, work } => {
                if self.member(number)?.life != life {
                    return Ok(());
                }
                let ticket = work.ticket;
                match self.stages.run(number, work) {
                    Ok(output) => self.step(number, Input::Computed { ticket, output }),
                    Err(error) => {
                        self.failures.push(format!("member {number}: {error}"));
                        Ok(())
                    }
                }
            }
        }
    }

    fn step(&mut self, number: u8, input: Input) -> Result<(), Error> {
        let Some(node) = self.member(number)?.node.clone() else { return Ok(()) };
        for output in node.step(input)?.outputs {
            self.perform(number, &node, output)?;
        }
        Ok(())
    }

    fn perform(&mut self, number: u8, node: &Node, output: Output) -> Result<(), Error> {
        let (now, is_honest) = (self.now, self.honest().contains(&number));
        match output {
            Output::Persist { record } => self.member(number)?.record = record,
            Output::Send { to, message, .. } => self.send(number, node, &to, message)?,
            Output::SetTimer { timer, after } => {
                let at = now.saturating_add(u64::from(after).saturating_mul(1_000));
                let member = self.member(number)?;
                member.timers.retain(|(set, _)| *set != timer);
                member.timers.push((timer, at));
                let life = member.life;
                self.schedule(at, Event::RunOut { member: number, life, timer });
            }
            Output::Compute { work } => {
                let life = self.member(number)?.life;
                let length = u64::try_from(work.inputs.len()).unwrap_or(u64::MAX);
                let at = now.saturating_add(length.saturating_mul(COMPUTING));
                self.schedule(at, Event::Compute { member: number, life, work });
            }
            Output::Commit { commit } if is_honest => {
                if let Some(ledger) = &self.ledger {
                    ledger.add(&commit.decided, &commit.tokens)?;
                    let wanted = ledger.tokens()?.len();
                    // One that caught up does not see tokens: it has all there are.
                    let caught_up = commit.tokens.is_empty() && commit.notice.is_none();
                    let member = self.member(number)?;
                    let more = member.tokens.saturating_add(commit.tokens.len());
                    member.tokens = if caught_up { wanted } else { more };
                }
                self.last = Some(commit.decided.clone());
                self.decisions.push(Decision { at: now, member: number, commit });
            }
            Output::Evidence { accused, fault, evidence } if is_honest => {
                let blame = Blame { accused, fault, evidence };
                self.blamed.entry((accused, order(fault))).or_insert(blame);
            }
            Output::Commit { .. }
            | Output::Evidence { .. }
            | Output::Blocked { .. }
            | Output::Resumed
            | Output::EnterView { .. } => {}
        }
        Ok(())
    }

    fn send(&mut self, sender: u8, node: &Node, to: &[u8], message: Vec<u8>) -> Result<(), Error> {
        if self.plan.silent.contains(&sender) {
            return Ok(());
        }
        let message = if self.plan.liars.contains(&sender) { node.falsify(&message)? } else { message };
        let kind = read_message(&message)?.kind;
        let bytes = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let message: Arc<[u8]> = message.into();
        for receiver in to.iter().copied() {
            let is_lost = self.random.u16(0..1_000) < self.plan.loss;
            let delay = self.random.u32(self.plan.least_delay..=self.plan.most_delay);
            let at = self.now.saturating_add(u64::from(delay));
            let arrives = (!is_lost).then_some(at);
            self.sent.push(Sent { at: self.now, arrives, sender, receiver, kind: kind.clone(), bytes });
            if !is_lost {
                self.schedule(at, Event::Arrive { to: receiver, message: Arc::clone(&message) });
            }
        }
        Ok(())
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.events.insert((at, self.next_event), event);
        self.next_event = self.next_event.saturating_add(1);
    }
}

/// Faults in the order of a report.
fn order(fault: Fault) -> u8 {
    match fault {
        Fault::Proposals => 0,
        Fault::Votes => 1,
        Fault::Commits => 2,
        Fault::ViewChanges => 3,
        Fault::Attestation => 4,
    }
}
