//! What faulty members say in place of what their kernels say.
//!
//! Their kernels are honest; what leaves them is not. Whatever they forge goes
//! through everybody's verification: what does not pass is dropped, as by any
//! receiver, and is no less of a try.

use std::collections::VecDeque;
use std::rc::Rc;

use butterfly_kernel::crypto::{Scheme, Signatures};
use butterfly_kernel::message::agreement::{AgreementMessage, Ballot, CommitCertificate, Proposal, ViewChange};
use butterfly_kernel::message::{Envelope, Fetch, Message, Payload};
use butterfly_kernel::types::{Epoch, NodeId, Stage, View};

use super::host::fingerprint;
use super::{Engine, Event};
use crate::simulate::Crypto;
use crate::simulate::faults::{Fault, Kind};
use crate::simulate::member::Packet;
use crate::simulate::oracles::Verdict;
use crate::simulate::queue::Micros;
use crate::simulate::random::Random;
use crate::simulate::stages::VOCABULARY;

/// Messages that one who repeats remembers.
const MEMORY: usize = 128;
/// Messages with which one who floods answers each of its own.
const FLOOD: usize = 4;

type Said<const N: usize> = Message<Crypto<N>, N>;

/// A member that misbehaves, from the beginning of its fault on.
pub(super) struct Liar<const N: usize> {
    /// Its place among those of the run.
    number: usize,
    fault: Fault,
    random: Random,
    memory: VecDeque<Rc<Packet<N>>>,
}

impl<const N: usize> Liar<N> {
    pub(super) fn new(number: usize, fault: Fault, random: Random) -> Liar<N> {
        Liar { number, fault, random, memory: VecDeque::new() }
    }

    /// Keeps something to say again.
    fn remember(&mut self, packet: &Rc<Packet<N>>) {
        if self.memory.len() == MEMORY {
            // Some stay for ever, others make room.
            let place = self.random.place(MEMORY);
            self.memory.remove(place);
        }
        self.memory.push_back(Rc::clone(packet));
    }
}

/// What goes to one receiver, and how much later.
type Outgoing<const N: usize> = (NodeId, Rc<Packet<N>>, Micros);

impl<const N: usize> Engine<N> {
    /// What the faulty member `number` sends in place of `packet`, which its kernel sends `to`.
    pub(super) fn misbehave(&mut self, number: usize, to: NodeId, packet: &Rc<Packet<N>>) -> Vec<Outgoing<N>> {
        let Some(mut liar) = self.liars[number].take() else { return vec![(to, Rc::clone(packet), 0)] };
        let chosen = liar.fault.hits(to.index());
        let as_it_is = || vec![(to, Rc::clone(packet), 0)];
        let message = &packet.verified.get().message;
        let forged_before = self.counts.forged;
        let (outgoing, acted) = match liar.fault.kind {
            Kind::Silence if chosen || liar.fault.strength.is_multiple_of(2) => (vec![], true),
            Kind::SelectiveDelivery if chosen && leads(message) => (vec![], true),
            Kind::LateTiming if leads(message) || matches!(message, Message::Agreement { .. }) => {
                let late = u64::from(self.setting.timing.view.0) * 1_000 - liar.random.below(20_000);
                (vec![(to, Rc::clone(packet), late)], true)
            }
            Kind::Equivocation if chosen => match self.twist(&mut liar, message) {
                Some(other) => (self.say(number, to, other), true),
                None => (as_it_is(), false),
            },
            Kind::WrongStageResult => match lie(message) {
                Some(other) => (self.say(number, to, other), true),
                None => (as_it_is(), false),
            },
            Kind::CopyCat if matches!(message, Message::StageOutput(_) | Message::Attest(_)) => (vec![], true),
            Kind::Replay => {
                liar.remember(packet);
                let place = liar.random.place(liar.memory.len());
                let somebody = NodeId(u8::try_from(liar.random.place(self.setting.members)).expect("few"));
                let old = (somebody, Rc::clone(&liar.memory[place]), 0);
                (vec![(to, Rc::clone(packet), 0), old], true)
            }
            Kind::FutureSpam => {
                let mut all = as_it_is();
                let spam = future(&mut liar.random, self.members[number].node.as_ref().map(|node| node.epoch()));
                all.extend(self.say(number, to, spam));
                (all, true)
            }
            Kind::CorruptCertificates => match corrupt(&mut liar.random, number, message) {
                // With the honest one behind it: whoever drops the forgery must not drop that.
                Some(other) => {
                    let mut all = self.say(number, to, other);
                    all.extend(as_it_is());
                    (all, true)
                }
                None => (as_it_is(), false),
            },
            Kind::Exhaustion => {
                let mut all = as_it_is();
                for _ in 0..FLOOD {
                    let epoch = self.members[number].node.as_ref().map_or(Epoch(1), |node| node.epoch());
                    let value = Some(liar.random.draw()).filter(|value| value % 4 != 0);
                    all.extend(self.say(number, to, Message::Fetch(Fetch { epoch, value })));
                }
                (all, true)
            }
            _ => (as_it_is(), false),
        };
        if acted || self.counts.forged > forged_before {
            self.feel(liar.number);
        }
        self.liars[number] = Some(liar);
        outgoing
    }

    /// What a faulty member does at once with what it hears.
    pub(super) fn overhear(&mut self, number: usize, packet: &Rc<Packet<N>>) -> Verdict {
        // Two copy-cats would copy each other's copies for ever.
        let copies = |liar: &Option<Liar<N>>| liar.as_ref().is_some_and(|liar| liar.fault.kind == Kind::CopyCat);
        let from = packet.verified.get().from.index();
        let copied = from == number || copies(&self.liars[from]);
        let Some(liar) = &mut self.liars[number] else { return Ok(()) };
        match liar.fault.kind {
            Kind::Replay => liar.remember(packet),
            // What a fellow found is said again as its own finding.
            Kind::CopyCat => {
                let message = &packet.verified.get().message;
                if !copied && matches!(message, Message::StageOutput(_) | Message::Attest(_)) {
                    let (fault, message) = (liar.number, message.clone());
                    self.feel(fault);
                    for to in (0..self.setting.members).filter(|to| *to != number) {
                        let to = NodeId(u8::try_from(to).expect("few members"));
                        for (to, packet, later) in self.say(number, to, message.clone()) {
                            self.transmit(number, to, &packet, later);
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `message`, signed by the faulty member; nothing if nobody would believe it.
    fn say(&mut self, number: usize, to: NodeId, message: Said<N>) -> Vec<Outgoing<N>> {
        let from = self.members[number].me;
        let signature = Crypto::<N>::sign(&from, &message.statement(&self.cluster));
        match self.cluster.verify(Envelope { from, message, signature }) {
            Ok(verified) => {
                let fingerprint = fingerprint(&verified);
                vec![(to, Rc::new(Packet { verified, fingerprint }), 0)]
            }
            Err(_) => {
                self.counts.forged += 1;
                vec![]
            }
        }
    }

    /// Another story than the rest hears: another value of this epoch, if the
    /// adversary heard of one, or one that nobody knows.
    fn twist(&mut self, liar: &mut Liar<N>, message: &Said<N>) -> Option<Said<N>> {
        let Message::Agreement { epoch, message } = message else { return None };
        let other = |ballot: &Ballot<Crypto<N>>| {
            let known = self.values.iter().filter(|(of, value)| of == epoch && *value != ballot.value);
            let known = known.map(|(_, value)| *value).next_back();
            Ballot { value: known.unwrap_or(ballot.value ^ 1), ..*ballot }
        };
        let twisted = match message {
            AgreementMessage::Propose { ballot, progress } => {
                AgreementMessage::Propose { ballot: other(ballot), progress: progress.clone() }
            }
            AgreementMessage::Vote(ballot) => AgreementMessage::Vote(other(ballot)),
            AgreementMessage::Commit(ballot) => AgreementMessage::Commit(other(ballot)),
            AgreementMessage::CertAck(ballot) => AgreementMessage::CertAck(other(ballot)),
            AgreementMessage::ViewChange(change) if liar.random.in_a_thousand(500) => {
                AgreementMessage::ViewChange(ViewChange { view: change.view, voted: None, locked: None })
            }
            _ => return None,
        };
        Some(Message::Agreement { epoch: *epoch, message: twisted })
    }

    /// The adversary sees every value that anybody speaks of.
    pub(super) fn see_value(&mut self, packet: &Packet<N>) {
        let Some((epoch, AgreementMessage::Propose { ballot, .. } | AgreementMessage::Vote(ballot))) =
            packet.agreement()
        else {
            return;
        };
        if !self.values.contains(&(epoch, ballot.value)) {
            if self.values.len() == 16 {
                self.values.pop_front();
            }
            self.values.push_back((epoch, ballot.value));
        }
    }

    /// A copy of a member begins, from an image of its disk, with its key.
    pub(super) fn begin_twin(&mut self, number: usize) -> Verdict {
        let fault = self.setting.faults[number].clone();
        let Some(twin) = self.twin_of(fault.member).filter(|twin| self.members[*twin].boot == 0) else { return Ok(()) };
        self.sides = fault.members & !(1 << fault.member);
        self.accounts.excuse(fault.member);
        let storage = self.members[fault.member].storage.cloned();
        self.members[twin].storage = storage;
        self.members[twin].wrong = fault.strength == 1;
        self.feel(number);
        self.boot(twin)
    }

    /// The copy of a member that has two.
    pub(super) fn twin_of(&self, member: usize) -> Option<usize> {
        let n = self.setting.members;
        let me = self.members[member].me;
        (n..self.members.len()).find(|slot| self.members[*slot].me == me)
    }

    /// Whether a member, or one of two copies of it, belongs to the second side.
    fn side(&self, slot: usize) -> bool {
        let n = self.setting.members;
        let doubled = slot >= n || self.twin_of(slot).is_some_and(|twin| self.members[twin].boot > 0);
        if doubled { slot >= n } else { self.sides >> slot & 1 == 1 }
    }

    /// Where what `from` sends to a member arrives: of two copies, at the one on its own side.
    pub(super) fn slots_of(&self, from: usize, to: NodeId) -> Option<usize> {
        let n = self.setting.members;
        if self.members.len() == n {
            return Some(to.index());
        }
        let started = |slot: usize| self.twin_of(slot).is_some_and(|twin| self.members[twin].boot > 0);
        let from_doubled = from >= n || started(from);
        if started(to.index()) {
            return if self.side(from) { self.twin_of(to.index()) } else { Some(to.index()) };
        }
        (!from_doubled || self.side(from) == self.side(to.index())).then(|| to.index())
    }

    /// Whether this is a member that does as the protocol says.
    pub(super) fn is_honest(&self, slot: usize) -> bool {
        slot < self.setting.members && self.liars[slot].is_none() && self.twin_of(slot).is_none()
    }

    /// A member misbehaves from now on.
    pub(super) fn begin_misbehaviour(&mut self, number: usize) -> Verdict {
        let fault = self.setting.faults[number].clone();
        if fault.kind == Kind::Twins {
            return self.begin_twin(number);
        }
        self.accounts.excuse(fault.member);
        let (member, random) = (fault.member, self.streams[number].clone());
        self.liars[member] = Some(Liar::new(number, fault, random));
        Ok(())
    }

    /// Sends a message to all copies of its receiver that hear this sender.
    pub(super) fn transmit(&mut self, from: usize, to: NodeId, packet: &Rc<Packet<N>>, later: Micros) {
        let Some(slot) = self.slots_of(from, to) else { return };
        if slot == from {
            return;
        }
        self.counts.messages += 1;
        let arrivals = self.network.send(self.now, from, slot, &mut self.counts.faults);
        let number = |slot: usize| u8::try_from(slot).expect("few members");
        for arrival in arrivals.into_iter().flatten() {
            let (from, to, packet) = (number(from), number(slot), Rc::clone(packet));
            let event = Event::Arrive { from, to, sent: self.now, damage: arrival.damage, packet };
            self.queue.put(arrival.time + later, event);
        }
    }
}

/// What only a leader says.
fn leads<const N: usize>(message: &Said<N>) -> bool {
    let Message::Agreement { message, .. } = message else { return false };
    matches!(message, AgreementMessage::Propose { .. } | AgreementMessage::CertRequest(_))
}

/// Wrong outputs, and attestations that stand by them.
fn lie<const N: usize>(message: &Said<N>) -> Option<Said<N>> {
    match message {
        Message::StageOutput(output) => {
            let mut output = output.clone();
            let token = output.signal.len() == 1;
            let first = output.signal.first_mut()?;
            *first = if token { (*first + 1) % VOCABULARY } else { *first ^ 1 };
            Some(Message::StageOutput(output))
        }
        Message::Attest(attest) => {
            let mut attest = attest.clone();
            attest.claim.output ^= 1;
            Some(Message::Attest(attest))
        }
        _ => None,
    }
}

/// Something about epochs and views to come.
fn future<const N: usize>(random: &mut Random, open: Option<Epoch>) -> Said<N> {
    let ahead = random.within(1..=8);
    let epoch = Epoch(open.map_or(1, |open| open.0) + ahead);
    let view = View(u32::try_from(random.below(64)).expect("small"));
    let ballot = Ballot { view, value: random.draw() };
    let message = match random.below(4) {
        0 => AgreementMessage::Propose { ballot: Ballot { view: View::ZERO, ..ballot }, progress: None },
        1 => AgreementMessage::Commit(ballot),
        2 => AgreementMessage::ViewChange(ViewChange { view: view.next(), voted: None, locked: None }),
        _ => AgreementMessage::Vote(ballot),
    };
    Message::Agreement { epoch, message }
}

/// The same with certificates that are none: somebody else's name on an own
/// signature, one signature too few, or no certificate where there must be one.
fn corrupt<const N: usize>(random: &mut Random, number: usize, message: &Said<N>) -> Option<Said<N>> {
    let me = NodeId(u8::try_from(number).expect("few members"));
    let way = random.below(3);
    let mut spoil = |signatures: &<Crypto<N> as Scheme>::Signatures| {
        let own = Crypto::<N>::sign(&me, &random.draw());
        let kept: Vec<_> = signatures.iter().map(|(signer, signature)| (*signer, *signature)).collect();
        let signers: Vec<_> = match way {
            0 => kept.iter().map(|(signer, _)| (*signer, own)).collect(),
            1 => kept.iter().skip(1).copied().collect(),
            _ => kept.iter().map(|(_, signature)| (NodeId(u8::MAX), *signature)).collect(),
        };
        <Crypto<N> as Scheme>::Signatures::collect(signers.iter().map(|(signer, signature)| (*signer, signature)))
    };
    match message {
        Message::Agreement { epoch, message } => {
            let message = match message {
                AgreementMessage::Propose { ballot, progress } => {
                    let spoilt = progress.as_ref().map(&mut spoil).filter(|_| way < 2);
                    let view = if progress.is_none() { ballot.view.next() } else { ballot.view };
                    AgreementMessage::Propose { ballot: Ballot { view, ..*ballot }, progress: spoilt }
                }
                AgreementMessage::ViewChange(change) => {
                    let voted = change.voted.as_ref().map(|proposal| {
                        let own = Crypto::<N>::sign(&me, &proposal.ballot.value);
                        let progress = proposal.progress.as_ref().map(&mut spoil);
                        let ballot = Ballot { value: proposal.ballot.value ^ 1, ..proposal.ballot };
                        Proposal { ballot, signature: own, progress }
                    });
                    let locked = change.locked.as_ref().map(|certificate| {
                        let votes = spoil(&certificate.votes);
                        CommitCertificate { ballot: certificate.ballot, votes }
                    });
                    AgreementMessage::ViewChange(ViewChange { view: change.view, voted, locked })
                }
                _ => return None,
            };
            Some(Message::Agreement { epoch: *epoch, message })
        }
        Message::Payload(Payload::Work(work)) => {
            let mut work = work.clone();
            let certificate = work.certificates.get_mut(Stage(0).index())?;
            *certificate = spoil(certificate);
            Some(Message::Payload(Payload::Work(work)))
        }
        Message::Decided(decided) => {
            let mut decided = decided.clone();
            decided.certificate.signatures = spoil(&decided.certificate.signatures);
            Some(Message::Decided(decided))
        }
        _ => None,
    }
}
