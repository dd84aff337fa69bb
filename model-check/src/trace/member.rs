//! What one member may put into its lines, whatever others do.

use std::collections::BTreeMap;

use butterfly_trace::{Ballot, Path, Record, START, Statement, StatementKind, Step};

use super::epoch::Facts;
use super::{Refusal, rules};

/// A member as its lines show it.
pub(super) struct Member {
    pub(super) node: u8,
    /// The number and the time of its last step.
    last: Option<(u64, u64)>,
    /// What it holds durably.
    record: Option<Record>,
}

impl Member {
    pub(super) fn new(node: u8) -> Member {
        Member { node, last: None, record: None }
    }

    /// Takes its next step; what that adds to each epoch is returned.
    pub(super) fn take(&mut self, step: &Step) -> Result<BTreeMap<u64, Facts>, Refusal> {
        self.follows(step)?;
        if step.rejected.is_some() && step.has_effects() {
            return Err((rules::REJECTION, format!("node {}: a rejected input had effects", self.node)));
        }
        let before = self.record.take();
        self.record = step.record.clone().or_else(|| before.clone());
        let Some(held) = &self.record else {
            let seen = format!("node {} begins without saying what it holds", self.node);
            return Err((rules::SEQUENCE, seen));
        };
        let begins = step.input == START;
        if let Some(before) = before.as_ref().filter(|_| !(begins && held.learner)) {
            self.takes_nothing_back(before, held)?;
        }
        for said in &step.says {
            let open = before.as_ref().unwrap_or(held);
            self.may_say(said, open, held)?;
        }
        Ok(facts_of(step))
    }

    /// No line is missing.
    fn follows(&mut self, step: &Step) -> Result<(), Refusal> {
        let begins = step.input == START;
        let (expected, earliest) = match self.last {
            Some((last, time)) if !begins => (last + 1, time),
            _ => (1, 0),
        };
        if step.step != expected || begins != (step.step == 1) {
            let (node, number, input) = (self.node, step.step, &step.input);
            let seen = format!("step {number} of node {node}, `{input}`, where step {expected} should be");
            return Err((rules::SEQUENCE, seen));
        }
        if step.time < earliest {
            return Err((rules::SEQUENCE, format!("node {}: {} us after {earliest} us", self.node, step.time)));
        }
        self.last = Some((step.step, step.time));
        Ok(())
    }

    fn takes_nothing_back(&self, before: &Record, held: &Record) -> Result<(), Refusal> {
        let grows = |before: &Option<Ballot>, held: &Option<Ballot>| match (before, held) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(held)) => before.view < held.view || before == held,
        };
        let same_epoch = before.epoch == held.epoch;
        let kept = held.epoch > before.epoch
            || same_epoch
                && held.view >= before.view
                && grows(&before.voted, &held.voted)
                && grows(&before.locked, &held.locked)
                && grows(&before.proposed, &held.proposed);
        if !kept {
            let seen = format!("node {} held {before:?} and now holds {held:?}", self.node);
            return Err((rules::NEVER_TAKEN_BACK, seen));
        }
        if before.learner != held.learner && (same_epoch || held.learner) {
            let seen = format!("node {} held {before:?} and now holds {held:?}", self.node);
            return Err((rules::LEARNER, seen));
        }
        Ok(())
    }

    /// Whether it may say this in a step that begins with the record `open`
    /// and ends with `held`.
    fn may_say(&self, said: &Statement, open: &Record, held: &Record) -> Result<(), Refusal> {
        let refuse = |rule, why| Err((rule, format!("node {} says {said:?}, which {why}", self.node)));
        if said.value.is_none() != (said.kind == StatementKind::ViewChange) {
            return refuse(rules::FORMAT, "has no value, or one too many");
        }
        if held.learner {
            return refuse(rules::LEARNER, "a learner must not");
        }
        if said.epoch < open.epoch || said.epoch == open.epoch && said.view < open.view {
            return refuse(rules::NEVER_TAKEN_BACK, "is about what it left");
        }
        if !is_durable(said, held) {
            return refuse(rules::PERSIST, "is not durable");
        }
        Ok(())
    }
}

/// Whether `held` says that `said` was said, or that its epoch is over.
fn is_durable(said: &Statement, held: &Record) -> bool {
    let covers = |held: &Option<Ballot>| {
        held.as_ref().is_some_and(|held| {
            held.view > said.view || held.view == said.view && said.value.as_ref() == Some(&held.value)
        })
    };
    said.epoch < held.epoch
        || said.epoch == held.epoch
            && match said.kind {
                StatementKind::Propose => covers(&held.proposed),
                StatementKind::Vote => covers(&held.voted),
                StatementKind::Commit => covers(&held.locked),
                StatementKind::ViewChange => held.view >= said.view,
            }
}

/// What a step adds, by epoch.
fn facts_of(step: &Step) -> BTreeMap<u64, Facts> {
    let mut facts: BTreeMap<u64, Facts> = BTreeMap::new();
    for said in &step.says {
        let here = facts.entry(said.epoch).or_default();
        let ballot = said.value.clone().map(|value| Ballot { view: said.view, value });
        match said.kind {
            StatementKind::Propose => here.proposals.extend(ballot),
            StatementKind::Vote => here.votes.extend(ballot),
            StatementKind::Commit => here.commits.extend(ballot),
            StatementKind::ViewChange => here.view = here.view.max(said.view),
        }
    }
    // Its own signature in a certificate may never have been sent.
    for commit in step.commits.iter().filter(|commit| commit.signers.contains(&step.node)) {
        let here = facts.entry(commit.epoch).or_default();
        let ballot = Ballot { view: commit.view, value: commit.value.clone() };
        match commit.path {
            Path::Fast => here.votes.push(ballot),
            Path::Slow => here.commits.push(ballot),
        }
    }
    if let Some(record) = &step.record {
        let here = facts.entry(record.epoch).or_default();
        here.view = here.view.max(record.view);
        here.proposals.extend(record.proposed.clone());
        here.votes.extend(record.voted.clone());
        here.commits.extend(record.locked.clone());
    }
    facts.retain(|_, facts| *facts != Facts::default());
    facts
}
