//! `spec/Chain.tla`, with the reduction of `ChainCheck.tla`. Names and order are
//! those of the module; read it first.

mod constants;
mod orbit;
mod properties;
mod value;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use constants::{Constants, Rules};
pub use value::{Chain, Increment, Notice};

/// What a member goes by: one `memory[r]`, or one `record[r]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// Whether it may sign.
    pub role: Role,
    /// Where the cluster begins that it is in.
    pub origin: usize,
    /// The last decision that it holds.
    pub head: Chain,
    /// What it voted for in the epoch after that; [`Chain::NONE`] is nothing.
    pub voted: Chain,
    /// The same once more if it holds the payload, or [`Chain::NONE`].
    pub payload: Chain,
}

/// Whether a member may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It signs.
    Replica,
    /// It lost its record, and was not admitted again so far.
    Learner,
}

/// The variables of the module. Members are the honest ones, from 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// What each member goes by.
    pub memory: Vec<Record>,
    /// What each would read back from its disk.
    pub record: Vec<Record>,
    /// The values that each ever voted for.
    pub signed: Vec<BTreeSet<Chain>>,
    /// The notices that members ever gave.
    pub notices: BTreeSet<Notice>,
    /// How many numbers each has drawn; a learner goes by the last.
    pub drawn: Vec<usize>,
}

/// A step of a member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It votes in the open epoch.
    Vote {
        /// Who.
        member: usize,
        /// For which value.
        value: Chain,
    },
    /// It holds a quorum of votes in the open epoch.
    Close {
        /// Who.
        member: usize,
        /// For which value.
        value: Chain,
    },
    /// It is told of a later decision.
    CatchUp {
        /// Who.
        member: usize,
        /// Which.
        value: Chain,
    },
    /// It goes on in the next cluster.
    Enter {
        /// Who.
        member: usize,
    },
    /// It crashes and starts from what is durable.
    Start {
        /// Who.
        member: usize,
    },
    /// It starts without a record.
    Lose {
        /// Who.
        member: usize,
    },
}

impl Action {
    /// Whose step it is.
    pub fn member(&self) -> usize {
        match self {
            Action::Vote { member, .. }
            | Action::Close { member, .. }
            | Action::CatchUp { member, .. }
            | Action::Enter { member }
            | Action::Start { member }
            | Action::Lose { member } => *member,
        }
    }
}

/// The module with its constants.
#[derive(Clone)]
pub struct Specification {
    constants: Arc<Constants>,
}

impl Record {
    /// `First(role)`: what provisioning writes, and what is left after a loss.
    pub fn first(role: Role) -> Record {
        Record { role, origin: 0, head: Chain::GENESIS, voted: Chain::NONE, payload: Chain::NONE }
    }

    /// `HasEntered(m)`: whether it is of the cluster that goes on with its head.
    pub fn has_entered(&self) -> bool {
        self.origin == self.head.origin()
    }
}

impl Specification {
    /// The module with these constants.
    pub fn new(constants: Constants) -> Specification {
        Specification { constants: Arc::new(constants) }
    }

    /// The constants.
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// `Quorum(n)`: the fewest of n that sign for a decision, on either path.
    pub fn quorum(&self, n: usize) -> usize {
        let Constants { f, p, .. } = *self.constants;
        (n - p).min((n + f + 2) / 2)
    }

    /// `Roster(c)`: the members of the cluster that goes on with `chain`.
    pub fn roster(&self, chain: &Chain) -> BTreeSet<usize> {
        let mut roster = self.constants.founders.clone();
        for increment in chain.increments() {
            match increment {
                Increment::Admit(member) => {
                    roster.insert(*member);
                }
                Increment::Remove(member) => {
                    roster.remove(member);
                }
                Increment::Work(_) | Increment::Readmit(_) => {}
            }
        }
        roster
    }

    /// `AdmittedChanges(c)`: the changes that the epoch after `chain` may commit.
    fn admitted_changes(&self, chain: &Chain) -> Vec<Increment> {
        let constants = &*self.constants;
        if chain.changes().count() >= constants.changes {
            return Vec::new();
        }
        let roster = self.roster(chain);
        let is_gone = |member: &usize| chain.increments().contains(&Increment::Remove(*member));
        let joins = constants.joining.difference(&roster).filter(|member| !is_gone(member)).map(|member| {
            let mut larger = roster.clone();
            larger.insert(*member);
            (Increment::Admit(*member), larger)
        });
        let leaves = constants.leaving.intersection(&roster).map(|member| {
            let mut smaller = roster.clone();
            smaller.remove(member);
            (Increment::Remove(*member), smaller)
        });
        joins.chain(leaves).filter(|(_, next)| constants.is_roster(next)).map(|(change, _)| change).collect()
    }

    /// `TakesPart(r)`: whether `member` is one of the cluster that goes on with
    /// its head, and is there.
    fn takes_part(&self, state: &State, member: usize) -> bool {
        let here = &state.memory[member];
        here.has_entered() && self.roster(&here.head).contains(&member)
    }

    // What exists. A Byzantine signature can always be added.

    /// `Decided`: the values for which a decision certificate can be put together.
    pub fn decided(&self, state: &State) -> BTreeSet<Chain> {
        voted(state).filter(|value| self.is_decided(state, value)).cloned().collect()
    }

    fn is_decided(&self, state: &State, value: &Chain) -> bool {
        let Constants { honest, byzantine, rules, .. } = &*self.constants;
        let deciding = self.roster(&value.parent());
        let signed = (0..*honest).filter(|member| state.signed[*member].contains(value));
        let voters = signed.chain(*honest..honest + byzantine);
        let counted = voters.filter(|voter| !rules.members_count || deciding.contains(voter)).count();
        counted >= self.quorum(deciding.len())
    }

    fn decided_after(&self, state: &State, epoch: usize) -> BTreeSet<Chain> {
        voted(state).filter(|value| value.epoch() > epoch && self.is_decided(state, value)).cloned().collect()
    }

    /// `Told(r, e)`: the decisions of epochs after `epoch` that `member` can be told.
    fn told(&self, state: &State, member: usize, epoch: usize) -> BTreeSet<Chain> {
        let others = state.memory.iter().enumerate().filter(|(other, _)| *other != member);
        let mut told: BTreeSet<Chain> = others.flat_map(|(_, other)| shown(&other.head)).collect();
        if self.constants.byzantine > 0 {
            told.extend(self.decided_after(state, epoch));
        }
        told.retain(|value| value.epoch() > epoch && self.is_for(state, member, value));
        told
    }

    /// `IsFor(r, c)`: whether `member` can make something of `value`.
    fn is_for(&self, state: &State, member: usize, value: &Chain) -> bool {
        let before = value.parent();
        before.origin() == state.memory[member].origin
            && (self.roster(&before).contains(&member) || value.last().is_some_and(|last| last.is_change()))
    }

    /// `Known(c)`: whether the payload of `value` can be had.
    fn is_known(&self, state: &State, value: &Chain) -> bool {
        is_supplied(state, value) || !is_repeated(state, value) || self.constants.byzantine > 0
    }

    /// `AdmitsNotice(c, notice)`: whether the epoch after `chain` may commit it.
    fn admits(&self, chain: &Chain, notice: &Notice) -> bool {
        let is_next = notice.incarnation == chain.next_incarnation(notice.member)
            && notice.nonce != chain.readmitted(notice.member).nonce;
        notice.origin == chain.origin()
            && self.roster(chain).contains(&notice.member)
            && (is_next || !self.constants.rules.count_incarnations)
    }

    /// `Valid(c)`: the values that are valid at the end of `chain`.
    fn valid(&self, state: &State, chain: &Chain) -> BTreeSet<Chain> {
        let notices = state.notices.iter().filter(|notice| self.admits(chain, notice));
        let mut increments: Vec<Increment> = notices.copied().map(Increment::Readmit).collect();
        increments.extend(self.admitted_changes(chain));
        let works = if self.constants.notices_first && !increments.is_empty() { 0 } else { self.constants.work };
        increments.extend((0..works).map(Increment::Work));
        increments.into_iter().map(|increment| chain.with(increment)).collect()
    }

    /// `Proposed(c)`: the values that members at the end of `chain` may vote for.
    fn proposed(&self, state: &State, chain: &Chain) -> BTreeSet<Chain> {
        let has_begun = |value: &&Chain| {
            value.epoch() == chain.epoch() + 1 && (is_repeated(state, value) || self.is_decided(state, value))
        };
        let begun: BTreeSet<Chain> = voted(state).filter(has_begun).cloned().collect();
        if self.constants.equivocation || begun.is_empty() { self.valid(state, chain) } else { begun }
    }

    fn votable(&self, state: &State, member: usize) -> BTreeSet<Chain> {
        let Record { role, head, voted, .. } = &state.memory[member];
        let rules = self.constants.rules;
        if !self.takes_part(state, member) || rules.learners_wait && *role == Role::Learner {
            return BTreeSet::new();
        }
        // `Bases(r)`: what it may sign on top of.
        let base = match (voted.is_none(), rules.wait_for_decision) {
            (true, _) => head,
            (false, false) => voted,
            (false, true) => return BTreeSet::new(),
        };
        let mut votable = self.proposed(state, base);
        votable.retain(|value| value.epoch() <= self.constants.epochs && self.is_known(state, value));
        votable
    }

    /// `Closable(r)`: the values that `member` sees decided in the open epoch.
    fn closable(&self, state: &State, member: usize) -> BTreeSet<Chain> {
        let Record { role, head, .. } = &state.memory[member];
        if !self.takes_part(state, member) || *role == Role::Learner {
            return BTreeSet::new();
        }
        let mut closable = self.decided_after(state, head.epoch());
        closable.retain(|value| value.parent() == *head && (self.constants.byzantine > 0 || is_supplied(state, value)));
        closable
    }

    // Steps.

    /// `Persist(r, m)`: `member` goes by `here` from now on, and it is durable as
    /// far as the rules want it.
    fn persist(&self, state: &mut State, member: usize, here: Record) {
        let rules = self.constants.rules;
        let record = &mut state.record[member];
        record.role = here.role;
        record.origin = here.origin;
        if rules.record_head {
            record.head = here.head.clone();
        }
        record.voted = if rules.record_vote { here.voted.clone() } else { Chain::NONE };
        record.payload = if rules.record_payload { here.payload.clone() } else { Chain::NONE };
        state.memory[member] = here;
    }

    fn redrawn(&self, state: &State, member: usize) -> usize {
        let drawn = state.drawn[member];
        if self.constants.rules.fresh_nonce || drawn == 0 { drawn + 1 } else { drawn }
    }

    fn can_draw(&self, state: &State, member: usize) -> bool {
        self.redrawn(state, member) == state.drawn[member] || state.drawn.iter().sum::<usize>() < self.constants.draws
    }

    /// `VoteFor(r, c)`
    fn vote_for(&self, state: &State, member: usize, value: &Chain) -> State {
        let mut after = state.clone();
        let here = Record { voted: value.clone(), payload: value.clone(), ..state.memory[member].clone() };
        self.persist(&mut after, member, here);
        after.signed[member].insert(value.clone());
        after
    }

    /// `Follow(r, c)`: the decided `value` becomes the head of the member's chain.
    fn follow(&self, state: &State, member: usize, value: &Chain) -> State {
        let mut after = state.clone();
        let here = &state.memory[member];
        let admitted = value.readmitted_since(here.origin, member).nonce == state.drawn[member];
        let role = if here.role == Role::Learner && !admitted { Role::Learner } else { Role::Replica };
        // Nothing, unless it signs on top of what is not decided.
        let ahead = if here.voted.epoch() > value.epoch() { here.voted.clone() } else { Chain::NONE };
        let here = Record { role, origin: here.origin, head: value.clone(), voted: ahead.clone(), payload: ahead };
        self.persist(&mut after, member, here);
        self.give_own_notice(&mut after, member);
        after
    }

    /// `OwnNotice(r, m, nonce)`, of what `member` goes by now.
    fn give_own_notice(&self, state: &mut State, member: usize) {
        let here = &state.memory[member];
        if here.role == Role::Learner && self.takes_part(state, member) {
            let (origin, incarnation) = (here.origin, here.head.next_incarnation(member));
            state.notices.insert(Notice { member, origin, incarnation, nonce: state.drawn[member] });
        }
    }

    // Actions.

    /// `Init`
    pub fn init(&self) -> State {
        let honest = self.constants.honest;
        State {
            memory: vec![Record::first(Role::Replica); honest],
            record: vec![Record::first(Role::Replica); honest],
            signed: vec![BTreeSet::new(); honest],
            notices: BTreeSet::new(),
            drawn: vec![0; honest],
        }
    }

    /// `Enter(r)`
    fn enter(&self, state: &State, member: usize) -> Option<State> {
        let mut here = state.memory[member].clone();
        if here.has_entered() {
            return None;
        }
        here.origin = here.head.origin();
        if !self.constants.rules.keep_role {
            here.role = Role::Replica;
        }
        let mut after = state.clone();
        self.persist(&mut after, member, here);
        self.give_own_notice(&mut after, member);
        Some(after)
    }

    /// `Start(r)`
    fn start(&self, state: &State, member: usize) -> Option<State> {
        let mut here = state.record[member].clone();
        // A vote in another epoch than the open one says nothing about it.
        if self.constants.rules.wait_for_decision && here.voted.epoch() != here.head.epoch() + 1 {
            here.voted = Chain::NONE;
        }
        let mut after = state.clone();
        if here.role == Role::Learner {
            if !self.can_draw(state, member) {
                return None;
            }
            after.drawn[member] = self.redrawn(state, member);
        }
        after.memory[member] = here;
        self.give_own_notice(&mut after, member);
        Some(after)
    }

    /// `Lose(r)`
    fn lose(&self, state: &State, member: usize) -> Option<State> {
        let others = || state.memory.iter().enumerate().filter(|(other, _)| *other != member);
        let learners = others().filter(|(_, other)| other.role == Role::Learner).count();
        let may = self.constants.fallible.contains(&member)
            && learners < self.constants.together
            && self.can_draw(state, member);
        may.then(|| {
            let mut after = state.clone();
            after.memory[member] = Record::first(Role::Learner);
            after.record[member] = Record::first(Role::Learner);
            after.drawn[member] = self.redrawn(state, member);
            self.give_own_notice(&mut after, member);
            after
        })
    }

    /// `Next`: every step that the module allows from `state`, also those that
    /// change nothing.
    pub fn next(&self, state: &State) -> Vec<(Action, State)> {
        let mut next = Vec::new();
        for member in 0..self.constants.honest {
            for value in self.votable(state, member) {
                let after = self.vote_for(state, member, &value);
                next.push((Action::Vote { member, value }, after));
            }
            for value in self.closable(state, member) {
                let after = self.follow(state, member, &value);
                next.push((Action::Close { member, value }, after));
            }
            for value in self.told(state, member, state.memory[member].head.epoch()) {
                let after = self.follow(state, member, &value);
                next.push((Action::CatchUp { member, value }, after));
            }
            next.extend(self.enter(state, member).map(|after| (Action::Enter { member }, after)));
            next.extend(self.start(state, member).map(|after| (Action::Start { member }, after)));
            next.extend(self.lose(state, member).map(|after| (Action::Lose { member }, after)));
        }
        next
    }
}

/// `Voted`, with repetitions.
fn voted(state: &State) -> impl Iterator<Item = &Chain> {
    state.signed.iter().flatten()
}

/// Whether an honest member hands out the payload of `value`.
fn is_supplied(state: &State, value: &Chain) -> bool {
    state.memory.iter().any(|member| member.payload == *value)
}

/// `Repeating(c) # {}`: somebody stands by a vote for `value` and repeats it.
fn is_repeated(state: &State, value: &Chain) -> bool {
    state.memory.iter().any(|member| member.voted == *value)
}

/// `Shown(q)`, of one whose chain ends with `head`: that, and what changed the roster.
fn shown(head: &Chain) -> BTreeSet<Chain> {
    head.changes().map(|epoch| head.until(epoch)).chain([head.clone()]).filter(|value| !value.is_none()).collect()
}
