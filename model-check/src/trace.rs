//! A trace ([`butterfly_trace`]) against the specification: which of its
//! actions each step was, or where the trace left it.
//!
//! Each epoch is a run of `spec/Agreement.tla` of its own. What a replica did
//! is what it holds durably, or said: a step of a kernel must be none, one or
//! several actions of the specification, all of that replica. A value that it
//! commits must be one that is decided there. Besides, a member takes nothing
//! back and says nothing that is not durable, and none of its lines is missing.
//!
//! Where members have no clock in common, a line that does not fit yet waits
//! until others have made it fit. Nothing is lost by taking at once what fits:
//! in the specification an action that is possible stays so whatever other
//! replicas do, and what one replica does takes nothing from another.
//!
//! | module | subject |
//! | --- | --- |
//! | `member` | what one member may put into its lines |
//! | `epoch` | one epoch as a run of the specification |

mod epoch;
mod member;

use std::collections::{BTreeMap, VecDeque};

use butterfly_trace::{Commit, Heading, Order, Step};
use serde::Serialize;

use self::epoch::{Facts, Placed, Run};
use self::member::Member;
use crate::conform::agreement::name;
use crate::records::Act;
use crate::transcription::agreement::{Constants, MOST_VIEWS, Specification};
use crate::world::setting::MOST_HONEST;

/// What a trace came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Steps: all lines but the first.
    pub steps: u64,
    /// Of these, actions or decisions of the specification.
    pub taken: u64,
    /// Of these, such that the specification does not speak of.
    pub stutters: u64,
    /// Of these, such as were in part or in whole left unchecked.
    pub left: u64,
    /// How often each action of the specification was taken.
    pub actions: BTreeMap<&'static str, u64>,
    /// Decisions that the specification makes as well.
    pub decisions: u64,
    /// Epochs.
    pub epochs: u64,
    /// Epochs that went beyond the views or values of the transcription, and
    /// were left from there on.
    pub beyond: u64,
}

/// Where a trace is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// From 1.
    pub line: u64,
    /// Which rule does not hold: an action of the specification, or one of [`rules`].
    pub rule: &'static str,
    /// What was seen.
    pub seen: String,
}

/// Rules that are no actions of the specification.
pub mod rules {
    /// The first line says what the others are about.
    pub const HEADING: &str = "heading";
    /// Each other line is a step.
    pub const FORMAT: &str = "format";
    /// No line of a member is missing, and time does not go back.
    pub const SEQUENCE: &str = "sequence";
    /// Something can be checked.
    pub const SUBSTANCE: &str = "substance";
    /// What is rejected has no effects.
    pub const REJECTION: &str = "Rejection";
    /// What is said is durable.
    pub const PERSIST: &str = "Persist";
    /// No statement is taken back: the module's property of that name.
    pub const NEVER_TAKEN_BACK: &str = "NeverTakenBack";
    /// Who lost its record signs nothing until it is admitted again.
    pub const LEARNER: &str = "Learner";
    /// No two values are committed: the module's property of that name.
    pub const AGREEMENT: &str = "Agreement";
    /// What is committed is decided.
    pub const DECIDE: &str = "Decide";
}

/// A rule that does not hold, and what was seen.
type Refusal = (&'static str, String);

/// Checks all lines of a trace.
///
/// # Errors
/// The first line that is refused.
pub fn check(text: &str) -> Result<Checked, Refused> {
    let mut lines = text.lines().zip(1..);
    let (first, _) = lines.next().unwrap_or_default();
    let mut checker = Checker::new(first)?;
    for (line, number) in lines {
        checker.read(number, line)?;
    }
    checker.end()
}

/// What a step adds, as far as no place was found for it.
struct Pending {
    line: u64,
    facts: VecDeque<(u64, Facts)>,
    commits: VecDeque<Commit>,
    taken: bool,
    left: bool,
}

/// A trace as it is read.
struct Checker {
    heading: Heading,
    members: Vec<Member>,
    /// By member, the steps that wait for others.
    waiting: Vec<VecDeque<Pending>>,
    /// The module with the leaders of each epoch, by the epoch's turn.
    specifications: Vec<Specification>,
    runs: BTreeMap<u64, Run>,
    /// The value of each epoch that somebody committed.
    committed: BTreeMap<u64, String>,
    time: u64,
    checked: Checked,
}

impl Checker {
    /// Begins with the first line.
    fn new(heading: &str) -> Result<Checker, Refused> {
        let refuse = |seen: String| Refused { line: 1, rule: rules::HEADING, seen };
        let heading = Heading::read(heading).map_err(|error| refuse(error.to_string()))?;
        let count = u8::try_from(heading.n).map_err(|_| refuse(format!("{} voters", heading.n)))?;
        let honest: Vec<u8> = (0..count).filter(|node| !heading.faulty.contains(node)).collect();
        let faulty = heading.n - honest.len();
        if honest.is_empty() || honest.len() > MOST_HONEST || faulty > heading.f {
            return Err(refuse(format!(
                "{} honest and {faulty} faulty voters; what can be checked has 1 to {MOST_HONEST} honest ones, \
                 and no more than {} faulty",
                honest.len(),
                heading.f
            )));
        }
        let specifications: Vec<_> =
            (0..heading.n).map(|turn| Specification::new(constants(&heading, &honest, turn))).collect();
        if !specifications.iter().all(|specification| specification.constants().are_within_bound()) {
            return Err(refuse(format!("n = {}, f = {}, p = {} are no cluster", heading.n, heading.f, heading.p)));
        }
        Ok(Checker {
            members: honest.iter().map(|node| Member::new(*node)).collect(),
            waiting: honest.iter().map(|_| VecDeque::new()).collect(),
            heading,
            specifications,
            runs: BTreeMap::new(),
            committed: BTreeMap::new(),
            time: 0,
            checked: Checked::default(),
        })
    }

    fn read(&mut self, line: u64, text: &str) -> Result<(), Refused> {
        let refuse = |(rule, seen)| Refused { line, rule, seen };
        let step: Step = serde_json::from_str(text).map_err(|error| refuse((rules::FORMAT, error.to_string())))?;
        self.checked.steps += 1;
        if self.heading.order == Order::Total && step.time < self.time {
            return Err(refuse((rules::SEQUENCE, format!("{} us after {} us", step.time, self.time))));
        }
        self.time = step.time;
        let replica = self.members.iter().position(|member| member.node == step.node);
        let replica = replica.ok_or_else(|| refuse((rules::HEADING, format!("node {} has no lines", step.node))))?;
        let facts = self.members[replica].take(&step).map_err(refuse)?;
        let (facts, commits) = (facts.into_iter().collect(), step.commits.into());
        self.waiting[replica].push_back(Pending { line, facts, commits, taken: false, left: false });
        let stuck = self.place_all()?;
        match stuck {
            Some(refused) if self.heading.order == Order::Total => Err(refused),
            _ => Ok(()),
        }
    }

    /// Finds a place for whatever has one; returns the earliest line that has none.
    fn place_all(&mut self) -> Result<Option<Refused>, Refused> {
        loop {
            let (mut moved, mut stuck) = (false, None::<Refused>);
            for replica in 0..self.members.len() {
                while let Some(mut pending) = self.waiting[replica].pop_front() {
                    let line = pending.line;
                    let refuse = |(rule, seen)| Refused { line, rule, seen };
                    match self.place(replica, &mut pending, &mut moved).map_err(refuse)? {
                        None => self.count(&pending),
                        Some(refusal) => {
                            if stuck.as_ref().is_none_or(|stuck| line < stuck.line) {
                                stuck = Some(refuse(refusal));
                            }
                            self.waiting[replica].push_front(pending);
                            break;
                        }
                    }
                }
            }
            if !moved || stuck.is_none() {
                return Ok(stuck);
            }
        }
    }

    fn count(&mut self, pending: &Pending) {
        let Checked { taken, left, stutters, .. } = &mut self.checked;
        *taken += u64::from(pending.taken);
        *left += u64::from(pending.left);
        *stutters += u64::from(!pending.taken && !pending.left);
    }

    /// Takes what it can of a step; says what the rest must wait for, if there
    /// is a rest. What no wait would help is an error.
    fn place(&mut self, replica: usize, pending: &mut Pending, moved: &mut bool) -> Result<Option<Refusal>, Refusal> {
        while let Some((epoch, facts)) = pending.facts.front() {
            let node = self.members[replica].node;
            match self.run(*epoch).advance(replica, facts)? {
                Placed::Beyond => pending.left = true,
                Placed::By(path) => {
                    pending.taken |= !path.is_empty();
                    self.count_actions(&path);
                }
                Placed::Not(rule) => return Ok(Some((rule, format!("epoch {epoch}: {facts:?} of node {node}")))),
            }
            *moved = true;
            pending.facts.pop_front();
        }
        while let Some(commit) = pending.commits.front() {
            let first = self.committed.entry(commit.epoch).or_insert_with(|| commit.value.clone());
            if *first != commit.value {
                let seen = format!("epoch {}: {} and {first}", commit.epoch, commit.value);
                return Err((rules::AGREEMENT, seen));
            }
            match self.run(commit.epoch).decides(&commit.value) {
                None => pending.left = true,
                Some(true) => {
                    pending.taken = true;
                    self.checked.decisions += 1;
                }
                Some(false) => {
                    let seen = format!("epoch {}: {} is not decided", commit.epoch, commit.value);
                    return Ok(Some((rules::DECIDE, seen)));
                }
            }
            *moved = true;
            pending.commits.pop_front();
        }
        Ok(None)
    }

    fn count_actions(&mut self, path: &[Act]) {
        for act in path {
            *self.checked.actions.entry(name(act)).or_default() += 1;
        }
    }

    fn run(&mut self, epoch: u64) -> &mut Run {
        let turns = u64::try_from(self.specifications.len()).expect("few members");
        let turn = usize::try_from(epoch % turns).expect("few members");
        self.runs.entry(epoch).or_insert_with(|| Run::new(self.specifications[turn].clone()))
    }

    /// Nothing may be missing, nothing may be left over, and something must
    /// have been checked.
    fn end(mut self) -> Result<Checked, Refused> {
        let refuse = |seen: String| Refused { line: 1, rule: rules::HEADING, seen };
        if self.checked.steps != self.heading.steps {
            let (said, found) = (self.heading.steps, self.checked.steps);
            return Err(refuse(format!("{said} lines should follow, and {found} do")));
        }
        if let Some(stuck) = self.place_all()? {
            return Err(stuck);
        }
        self.checked.epochs = u64::try_from(self.runs.len()).expect("few");
        self.checked.beyond = u64::try_from(self.runs.values().filter(|run| run.is_beyond()).count()).expect("few");
        if self.checked.taken == 0 {
            let seen = format!("in {} steps nothing can be held against the specification", self.checked.steps);
            return Err(Refused { line: self.checked.steps + 1, rule: rules::SUBSTANCE, seen });
        }
        Ok(self.checked)
    }
}

/// The constants of the module in epochs whose first leader is `turn`.
fn constants(heading: &Heading, honest: &[u8], turn: usize) -> Constants {
    let leader = |view: usize| {
        let leader = (turn + view) % heading.n;
        honest.iter().position(|node| usize::from(*node) == leader)
    };
    let leaders = (0..MOST_VIEWS).map(leader).collect();
    Constants::with_every_guard((heading.n, heading.f, heading.p), heading.n - honest.len(), leaders)
}
