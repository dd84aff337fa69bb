//! What the kernel makes of each thing that can happen to a node, each found
//! out once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use butterfly_kernel::chain::Decided;
use butterfly_kernel::message::inference::Payload;
use butterfly_kernel::message::{AgreementMessage, Message};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{NodeId, NodeSet};

use super::awake::Awake;
use super::guest;
use super::local::Local;
use super::setting::{Setting, place_in, places_in};
use super::values::{ClusterId, FIRST, GENESIS, Id as ValueId, Increment, Values};
use super::{Act, Action, State, Witness};
use crate::host::Record;
use crate::symbolic::Quorum;
use crate::symbolic::exact::Exact;
use crate::world::network::Breach;
use crate::world::setting::MEMBERS;
use crate::world::tables::{Id, Numbers};

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stimulus {
    /// The leader proposes a value, whose payload it hands out.
    Proposal(ValueId),
    /// These honest nodes, and all faulty ones, vote for a value.
    Votes(ValueId, NodeSet),
    /// It is told that a value is decided.
    Decided(ValueId),
    /// The same, with something in it that is not as it was decided.
    Forged(ValueId, Forgery),
    /// It goes on behind the change that it holds.
    Entry,
    /// It starts with what is on its disk.
    Restart,
    /// It starts and finds no record.
    Loss,
}

/// What is false about a decision that a faulty node tells. None is believed,
/// unless a guard is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Forgery {
    /// The state is that after another value.
    State(ValueId),
    /// The certificate is of another value.
    Certificate(ValueId),
    /// The certificate has a signature less than a quorum.
    Uncertified,
}

/// What everybody can see of a node, and what decides about its next steps.
#[derive(Clone, Debug)]
pub struct Public {
    /// What it may sign.
    pub memory: Brief,
    /// The same as it would read it back.
    pub disk: Brief,
    /// See [`Local::drawn`].
    pub drawn: u8,
    /// See [`Local::signed`].
    pub signed: BTreeSet<ValueId>,
    /// See [`Local::notices`].
    pub notices: BTreeSet<Increment>,
    /// See [`Local::breaches`].
    pub breaches: BTreeSet<Breach>,
}

/// A record in the words of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief {
    /// What its owner may sign.
    pub role: Role,
    /// The cluster that its owner is in.
    pub cluster: ClusterId,
    /// The end of the chain.
    pub head: ValueId,
    /// What was voted for in the epoch after it.
    pub voted: Option<ValueId>,
    /// The value whose payload is in it.
    pub payload: Option<ValueId>,
}

/// What was found out so far.
pub struct Memo {
    /// Every value that was met.
    pub values: Values,
    /// Honest nodes.
    locals: Numbers<Local>,
    publics: Vec<Arc<Public>>,
    /// Branches that were taken.
    pub seen: BTreeSet<Witness>,
    moves: HashMap<(NodeId, Id, Stimulus), Option<Id>>,
}

impl Memo {
    /// Nothing yet.
    pub fn new(setting: &Setting) -> Memo {
        Memo {
            values: Values::new(setting),
            locals: Numbers::default(),
            publics: Vec::new(),
            seen: BTreeSet::new(),
            moves: HashMap::new(),
        }
    }

    /// The number of a node before its first step.
    pub fn first(&mut self, setting: &Setting) -> Id {
        self.number(setting, Local::first())
    }

    /// What everybody can see of the node in state `local`.
    pub fn public(&self, local: Id) -> Arc<Public> {
        Arc::clone(&self.publics[usize::try_from(local).expect("a number of a table")])
    }

    /// The same of each honest node.
    pub fn publics(&self, setting: &Setting, state: &State) -> Vec<Arc<Public>> {
        setting.honest().iter().map(|node| self.public(state.0[node.index()])).collect()
    }

    fn number(&mut self, setting: &Setting, local: Local) -> Id {
        let public = Public {
            memory: self.brief(setting, &local.memory, local.cluster),
            disk: self.brief(setting, &local.disk, local.disk_cluster),
            drawn: local.drawn,
            signed: local.signed.clone(),
            notices: local.notices.clone(),
            breaches: local.breaches.clone(),
        };
        let id = self.locals.number(local);
        if self.publics.len() < self.locals.len() {
            self.publics.push(Arc::new(public));
        }
        id
    }

    fn brief(&self, setting: &Setting, record: &Record, cluster: ClusterId) -> Brief {
        let find = |digest| self.values.find(digest).expect("a value that was offered");
        let voted = record.agreement.voted.as_ref().map(|proposal| find(proposal.ballot.value));
        let head = find(record.head.value(self.values.cluster(cluster)));
        let matches = |id: &ValueId, payload: &Payload<_>| self.values.payload(setting, *id).as_ref() == Some(payload);
        let payload = record
            .payload
            .as_ref()
            .map(|payload| voted.filter(|voted| matches(voted, payload)).expect("the payload of the vote beside it"));
        Brief { role: record.role, cluster, head, voted, payload }
    }

    /// Everything that the honest nodes can do next, node by node.
    pub fn moves(&mut self, setting: &Setting, state: &State) -> Vec<(Action, Id)> {
        let publics = self.publics(setting, state);
        let offered = self.offered(setting, &publics);
        let voted = voted(&publics);
        let told = self.told(setting, &publics);
        let forgeries = self.forgeries(&voted, &offered, &told);
        let parameters = &setting.parameters;
        let drawn: u8 = publics.iter().map(|public| public.drawn).sum();
        let learners = publics.iter().filter(|public| public.memory.role == Role::Learner).count();
        let mut moves = Vec::new();
        for node in setting.honest().iter() {
            let local = state.0[node.index()];
            let public = &publics[node.index()];
            let mut push = |act, next: Option<Id>| moves.extend(next.map(|next| (Action { node, act }, next)));
            // What is signed for one cluster is nothing in another.
            let cluster = public.memory.cluster;
            let is_here = |values: &Values, value: ValueId| values.get(value).decided_by == cluster;
            for value in offered.iter().copied().filter(|value| is_here(&self.values, *value)).collect::<Vec<_>>() {
                push(Act::Vote(value), self.wake(setting, node, local, Stimulus::Proposal(value)));
            }
            for value in voted.iter().copied().filter(|value| is_here(&self.values, *value)).collect::<Vec<_>>() {
                let voters = supporters(&publics, value);
                push(Act::Close(value), self.wake(setting, node, local, Stimulus::Votes(value, voters)));
            }
            push(Act::Enter, self.wake(setting, node, local, Stimulus::Entry));
            for value in told.iter().copied() {
                push(Act::CatchUp(value), self.wake(setting, node, local, Stimulus::Decided(value)));
            }
            for (value, forgery) in forgeries.iter().copied() {
                push(Act::CatchUp(value), self.wake(setting, node, local, Stimulus::Forged(value, forgery)));
            }
            let can_draw = drawn < parameters.draws || public.drawn > 0 && !parameters.fresh_nonce;
            if parameters.restarts && (can_draw || public.disk.role != Role::Learner) {
                push(Act::Start, self.wake(setting, node, local, Stimulus::Restart));
            }
            let others = learners - usize::from(public.memory.role == Role::Learner);
            if can_draw && setting.fallible().contains(node) && others < parameters.together {
                push(Act::Lose, self.wake(setting, node, local, Stimulus::Loss));
            }
        }
        moves
    }

    /// The values that the leader can propose: everything that anybody could
    /// find valid behind anything that anybody holds or voted for.
    fn offered(&mut self, setting: &Setting, publics: &[Arc<Public>]) -> BTreeSet<ValueId> {
        let heads = publics.iter().map(|public| public.memory.head);
        let bases: BTreeSet<ValueId> = heads.chain(voted(publics)).chain([GENESIS]).collect();
        let work: Vec<Increment> = (0..setting.parameters.work).map(Increment::Work).collect();
        let notices: BTreeSet<Increment> = publics.iter().flat_map(|public| public.notices.iter().copied()).collect();
        let mut offered = BTreeSet::new();
        for base in bases {
            if self.values.get(base).epoch.0 >= setting.parameters.epochs {
                continue;
            }
            let begun = self.begun(setting, publics, base);
            if setting.parameters.equivocation || begun.is_empty() {
                let origin = self.values.origin(self.values.get(base).behind.cluster);
                // A notice names its cluster.
                let is_given_here = |notice: &&Increment| matches!(notice, Increment::Readmit { origin: given, .. } if *given == origin);
                let notices = notices.iter().copied().filter(|notice| is_given_here(&notice));
                let changes = self.values.changes_behind(setting, base);
                let increments: Vec<Increment> = work.iter().copied().chain(notices).chain(changes).collect();
                offered.extend(increments.into_iter().map(|increment| self.values.extend(setting, base, increment)));
            } else {
                offered.extend(begun);
            }
            if self.values.is_change(base) {
                // As if the cluster were not over.
                offered.extend(work.iter().map(|work| self.values.extend_late(setting, base, *work)));
            }
        }
        offered
    }

    /// The values behind `base` that somebody still stands by, or that are decided.
    fn begun(&self, setting: &Setting, publics: &[Arc<Public>], base: ValueId) -> Vec<ValueId> {
        let behind =
            voted(publics).into_iter().filter(|value| self.values.get(*value).last.is_some_and(|last| last.0 == base));
        let stands = |value: &ValueId| publics.iter().any(|public| public.memory.voted == Some(*value));
        behind.filter(|value| stands(value) || is_decidable(setting, &self.values, publics, *value)).collect()
    }

    fn forgeries(
        &self,
        voted: &BTreeSet<ValueId>,
        offered: &BTreeSet<ValueId>,
        told: &BTreeSet<ValueId>,
    ) -> Vec<(ValueId, Forgery)> {
        let others: BTreeSet<ValueId> = offered.union(voted).copied().collect();
        let mut forgeries = Vec::new();
        for decided in told {
            let (epoch, cluster) = (self.values.get(*decided).epoch, self.values.get(*decided).decided_by);
            let is_rival = |other: &&ValueId| {
                let other = self.values.get(**other);
                other.epoch == epoch && other.decided_by == cluster
            };
            for other in others.iter().filter(|other| *other != decided).filter(is_rival) {
                forgeries.push((*decided, Forgery::State(*other)));
                forgeries.push((*other, Forgery::Certificate(*decided)));
            }
        }
        forgeries.extend(others.iter().map(|other| (*other, Forgery::Uncertified)));
        forgeries
    }

    /// What becomes of the node `me` in state `local`; none if nothing.
    fn wake(&mut self, setting: &Setting, me: NodeId, local: Id, stimulus: Stimulus) -> Option<Id> {
        let key = (me, local, stimulus);
        if let Some(next) = self.moves.get(&key) {
            return *next;
        }
        let before = self.locals.get(local).clone();
        let after = self.meet(setting, me, &before, stimulus);
        self.look_at(stimulus, &before, &after, setting.joining().contains(me));
        let next = (after != before).then(|| self.number(setting, after));
        self.moves.insert(key, next);
        next
    }

    /// Notes the branch that a step went through.
    fn look_at(&mut self, stimulus: Stimulus, before: &Local, after: &Local, joins: bool) {
        let (was, is) = (&before.memory, &after.memory);
        let branches = [
            (Witness::Skips, is.head.epoch().0 > was.head.epoch().0 + 1),
            (Witness::ComesBack, was.role == Role::Learner && is.role == Role::Replica),
            (Witness::VotesAgain, before.drawn > 0 && after.signed != before.signed),
            (Witness::Enters, before.cluster != after.cluster),
            (Witness::EntersLearning, before.cluster != after.cluster && is.role == Role::Learner),
            (Witness::Joins, joins && after.signed != before.signed),
            (
                Witness::ClosesUnvoted,
                matches!(stimulus, Stimulus::Votes(..)) && is.head != was.head && was.agreement.voted.is_none(),
            ),
        ];
        self.seen.extend(branches.into_iter().filter(|(_, taken)| *taken).map(|(witness, _)| witness));
    }

    fn meet(&mut self, setting: &Setting, me: NodeId, before: &Local, stimulus: Stimulus) -> Local {
        let is_guest = |cluster: ClusterId| place_in(self.values.cluster(cluster), me).is_none();
        match stimulus {
            Stimulus::Entry => self.enter(setting, me, before),
            Stimulus::Restart if is_guest(before.disk_cluster) => guest::restarted(setting, before),
            Stimulus::Loss if is_guest(FIRST) => guest::without_record(setting, before),
            Stimulus::Decided(value) if is_guest(before.cluster) => {
                guest::told(&self.values, before, self.values.decided(value, quorum(&self.values, value)))
            }
            Stimulus::Forged(value, forgery) if is_guest(before.cluster) => {
                guest::told(&self.values, before, self.forged(value, forgery))
            }
            Stimulus::Proposal(_) | Stimulus::Votes(..) if is_guest(before.cluster) => before.clone(),
            Stimulus::Proposal(value) => {
                let propose = AgreementMessage::Propose { ballot: self.values.ballot(value), progress: None };
                self.hear(setting, me, before, value, &[(setting.leader(), propose)])
            }
            Stimulus::Votes(value, voters) => {
                let ballot = self.values.ballot(value);
                let members = self.values.deciding(value);
                let is_member = |node: &NodeId| place_in(members, *node).is_some();
                let from: NodeSet = voters.without(me).union(setting.faulty()).iter().filter(is_member).collect();
                let votes: Vec<_> = from.iter().map(|from| (from, AgreementMessage::Vote(ballot))).collect();
                let after = self.hear(setting, me, before, value, &votes);
                // Short of a quorum it only counts.
                let closed = after.memory.head != before.memory.head || !after.breaches.is_subset(&before.breaches);
                if closed { after } else { before.clone() }
            }
            Stimulus::Decided(value) => {
                self.tell(setting, me, before, self.values.decided(value, quorum(&self.values, value)))
            }
            Stimulus::Forged(value, forgery) => self.tell(setting, me, before, self.forged(value, forgery)),
            Stimulus::Restart => {
                let learner = before.disk.role == Role::Learner;
                let local = if learner { draw(setting, before) } else { before.clone() };
                Awake::restarted(setting, &self.values, me, local).rest()
            }
            Stimulus::Loss => Awake::without_record(setting, &self.values, me, draw(setting, before)).rest(),
        }
    }

    /// The decision of `value`, with something in it that is not as it was decided.
    fn forged(&self, value: ValueId, forgery: Forgery) -> Option<Decided<Exact>> {
        let quorum = quorum(&self.values, value);
        let mut told = self.values.decided(value, quorum)?;
        match forgery {
            Forgery::State(other) => told.state = self.values.get(other).state.clone(),
            Forgery::Certificate(other) => told.certificate.ballot = self.values.ballot(other),
            Forgery::Uncertified => told.certificate.signatures = Quorum::of(quorum - 1),
        }
        Some(told)
    }

    /// Goes on behind the change that it holds, if it holds one.
    fn enter(&self, setting: &Setting, me: NodeId, before: &Local) -> Local {
        let Some(last) = before.memory.head.decided() else { return before.clone() };
        let head = self.values.find(last.certificate.ballot.value).expect("a value that was offered");
        if !self.values.is_change(head) {
            return before.clone();
        }
        let next = self.values.get(head).behind.cluster;
        let [is_member, is_member_next] =
            [before.cluster, next].map(|cluster| place_in(self.values.cluster(cluster), me).is_some());
        if is_member && is_member_next {
            let mut awake = Awake::new(setting, &self.values, me, before.clone());
            awake.enter(next);
            return awake.rest();
        }
        let entered = guest::entered(&self.values, me, before, last, next);
        if is_member_next { Awake::new(setting, &self.values, me, entered).rest() } else { entered }
    }

    /// What can be told as decided: what a certificate can be put together
    /// for, and what honest nodes hold or keep.
    fn told(&self, setting: &Setting, publics: &[Arc<Public>]) -> BTreeSet<ValueId> {
        let held = publics.iter().flat_map(|public| self.values.shown(public.memory.head));
        decided(setting, &self.values, publics).into_iter().chain(held).collect()
    }

    /// Hears `messages` about `value`, and what is needed to find it valid:
    /// before them or behind them, which must not matter.
    fn hear(
        &self,
        setting: &Setting,
        me: NodeId,
        before: &Local,
        value: ValueId,
        messages: &[(NodeId, AgreementMessage<Exact, MEMBERS>)],
    ) -> Local {
        let epoch = self.values.get(value).epoch;
        let payload = self.values.payload(setting, value).map(Message::Payload);
        let told =
            messages.iter().map(|(from, message)| (*from, Message::Agreement { epoch, message: message.clone() }));
        let told: Vec<_> = told.collect();
        let supplied: Vec<_> = payload.into_iter().map(|payload| (setting.leader(), payload)).collect();
        let [mut after, other] = [[&supplied, &told], [&told, &supplied]].map(|order| {
            let mut awake = Awake::new(setting, &self.values, me, before.clone());
            for (from, message) in order.into_iter().flatten() {
                awake.receive(*from, message.clone());
            }
            awake.rest()
        });
        if after != other {
            after.breaches.insert(Breach::OrderMatters);
        }
        after
    }

    fn tell(&self, setting: &Setting, me: NodeId, before: &Local, told: Option<Decided<Exact>>) -> Local {
        let mut awake = Awake::new(setting, &self.values, me, before.clone());
        if let Some(decided) = told {
            awake.receive(setting.leader(), Message::Decided(decided));
        }
        awake.rest()
    }
}

/// A learner draws a number at each start.
pub(super) fn draw(setting: &Setting, before: &Local) -> Local {
    let drawn = if setting.parameters.fresh_nonce || before.drawn == 0 { before.drawn + 1 } else { before.drawn };
    Local { drawn, ..before.clone() }
}

/// Votes that decide the value, as the kernel has it.
fn quorum(values: &Values, value: ValueId) -> usize {
    values.deciding(value).fast_quorum()
}

/// The honest nodes that ever voted for `value`.
fn supporters(publics: &[Arc<Public>], value: ValueId) -> NodeSet {
    let voted = (0..).zip(publics).filter(|(_, public)| public.signed.contains(&value));
    voted.map(|(node, _)| NodeId(node)).collect()
}

/// The values that honest nodes ever voted for.
fn voted(publics: &[Arc<Public>]) -> BTreeSet<ValueId> {
    publics.iter().flat_map(|public| public.signed.iter().copied()).collect()
}

/// The values for which a certificate can be put together, with the help of all
/// faulty nodes.
pub fn decided(setting: &Setting, values: &Values, publics: &[Arc<Public>]) -> BTreeSet<ValueId> {
    voted(publics).into_iter().filter(|value| is_decidable(setting, values, publics, *value)).collect()
}

fn is_decidable(setting: &Setting, values: &Values, publics: &[Arc<Public>], value: ValueId) -> bool {
    let voters = supporters(publics, value).union(setting.faulty());
    places_in(values.deciding(value), voters).len() >= quorum(values, value)
}
