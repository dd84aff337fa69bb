//! A trace against the specification: which of its actions each step was, or
//! where the trace left it.
//!
//! Each epoch is a run of `spec/Agreement.tla` of its own. What a replica did
//! is what it holds durably, or said: a step of a kernel must be none, one or
//! several actions of the specification, all of that replica. A value that it
//! commits must be one that is decided there. The transcription ends at four
//! views and two values: an epoch that goes beyond is left from there on, and
//! counted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Ballot, Commit, Heading, Record, Statement, Step, VERSION};
use crate::conform::agreement::{leads, name};
use crate::transcription::agreement::{Constants, Entry, MOST_VIEWS, Specification, State};
use crate::world::setting::MOST_HONEST;

/// Epochs behind the newest whose runs are kept.
const KEPT: u64 = 8;

/// What a trace came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Lines, the first included.
    pub lines: usize,
    /// Steps that the specification does not speak of.
    pub stutters: usize,
    /// How often each action of the specification was taken.
    pub actions: BTreeMap<&'static str, usize>,
    /// Decisions that the specification makes as well.
    pub decisions: usize,
    /// Epochs.
    pub epochs: usize,
    /// Epochs that went beyond the views or values of the transcription.
    pub beyond: usize,
}

/// Where a trace is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// From 1.
    pub line: usize,
    /// Which rule does not hold: an action of the specification, or one of the format.
    pub rule: &'static str,
    /// What was seen.
    pub seen: String,
}

/// One epoch.
struct Run {
    specification: Specification,
    state: State,
    /// The values of the epoch, in the order in which they were spoken of.
    values: Vec<String>,
    beyond: bool,
}

/// What a step adds to what one replica did in one epoch.
#[derive(Clone, Debug, Default)]
struct Facts {
    view: u32,
    votes: Vec<Ballot>,
    commits: Vec<Ballot>,
    proposals: Vec<Ballot>,
}

/// A trace as it is read.
pub struct Checker {
    heading: Heading,
    honest: Vec<u8>,
    runs: BTreeMap<u64, Run>,
    /// The value of each epoch that somebody committed.
    committed: BTreeMap<u64, String>,
    records: BTreeMap<u8, Record>,
    time: u64,
    checked: Checked,
}

/// Checks all lines of a trace.
///
/// # Errors
/// The first line that is refused.
pub fn check(text: &str) -> Result<Checked, Refused> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let nothing = || Refused { line: 1, rule: "heading", seen: "there is no line".to_owned() };
    let (_, first) = lines.next().ok_or_else(nothing)?;
    let mut checker = Checker::new(first)?;
    for (number, line) in lines {
        checker.line(line).map_err(|(rule, seen)| Refused { line: number + 1, rule, seen })?;
    }
    Ok(checker.checked)
}

type Refusal = (&'static str, String);

impl Checker {
    /// Begins with the first line.
    ///
    /// # Errors
    /// When it is no heading, or the cluster is larger than the transcription.
    pub fn new(heading: &str) -> Result<Checker, Refused> {
        let refuse = |seen: String| Refused { line: 1, rule: "heading", seen };
        let heading: Heading = serde_json::from_str(heading).map_err(|error| refuse(error.to_string()))?;
        if heading.butterfly_trace != VERSION {
            return Err(refuse(format!("version {} is not known here", heading.butterfly_trace)));
        }
        let members = u8::try_from(heading.n).unwrap_or(u8::MAX);
        let honest: Vec<u8> = (0..members).filter(|node| !heading.faulty.contains(node)).collect();
        if honest.len() > MOST_HONEST || heading.faulty.len() > heading.f {
            let (honest, faulty) = (honest.len(), heading.faulty.len());
            return Err(refuse(format!(
                "{honest} honest and {faulty} faulty members; at most {MOST_HONEST} and f can be checked"
            )));
        }
        let checked = Checked { lines: 1, ..Checked::default() };
        let empty = BTreeMap::new;
        Ok(Checker {
            heading,
            honest,
            runs: empty(),
            committed: BTreeMap::new(),
            records: BTreeMap::new(),
            time: 0,
            checked,
        })
    }

    fn line(&mut self, line: &str) -> Result<(), Refusal> {
        let step: Step = serde_json::from_str(line).map_err(|error| ("format", error.to_string()))?;
        self.checked.lines += 1;
        if step.time < self.time {
            return Err(("time", format!("{} us after {} us", step.time, self.time)));
        }
        self.time = step.time;
        let replica = self.honest.iter().position(|node| *node == step.node);
        let replica = replica.ok_or(("heading", format!("node {} is faulty, or none", step.node)))?;
        if step.rejected.is_some() && (step.record.is_some() || !step.says.is_empty() || !step.commits.is_empty()) {
            return Err(("Rejection", "a rejected input had effects".to_owned()));
        }
        let facts = facts_of(&step);
        if facts.is_empty() && step.commits.is_empty() {
            self.checked.stutters += 1;
        }
        self.durable_before_said(&step)?;
        for (epoch, facts) in facts {
            self.advance(replica, epoch, &facts)?;
        }
        for commit in &step.commits {
            self.decide(commit)?;
        }
        if let Some(record) = step.record {
            self.records.insert(step.node, record);
        }
        Ok(())
    }

    /// What is said in the open epoch is in the record.
    fn durable_before_said(&self, step: &Step) -> Result<(), Refusal> {
        let Some(record) = step.record.as_ref().or_else(|| self.records.get(&step.node)) else { return Ok(()) };
        let held = |held: &Option<Ballot>, said: &Statement| {
            held.as_ref().is_some_and(|held| {
                held.view > said.view || held.view == said.view && said.value.as_deref() == Some(held.value.as_str())
            })
        };
        for said in step.says.iter().filter(|said| said.epoch >= record.epoch) {
            let durable = said.epoch == record.epoch
                && match said.kind.as_str() {
                    "propose" => held(&record.proposed, said),
                    "vote" => held(&record.voted, said),
                    "commit" => held(&record.locked, said),
                    _ => record.view >= said.view,
                };
            if !durable {
                return Err(("Persist", format!("node {} says {said:?}, which is not durable", step.node)));
            }
        }
        Ok(())
    }

    fn run(&mut self, epoch: u64) -> &mut Run {
        let oldest = self.runs.keys().next_back().map_or(0, |newest| newest.saturating_sub(KEPT));
        while self.runs.first_key_value().is_some_and(|(first, _)| *first < oldest) {
            self.runs.pop_first();
        }
        let (heading, honest, checked) = (&self.heading, &self.honest, &mut self.checked);
        self.runs.entry(epoch).or_insert_with(|| {
            checked.epochs += 1;
            let specification = Specification::new(constants(heading, honest, epoch));
            Run { specification, state: State::default(), values: Vec::new(), beyond: false }
        })
    }

    /// One replica did this in one epoch: actions of the specification lead there.
    fn advance(&mut self, replica: usize, epoch: u64, facts: &Facts) -> Result<(), Refusal> {
        let run = self.run(epoch);
        if run.beyond {
            return Ok(());
        }
        let before = run.state;
        let Some(after) = run.with(replica, facts)? else {
            run.beyond = true;
            self.checked.beyond += 1;
            return Ok(());
        };
        let mut path = Vec::new();
        if !leads(&run.specification, &before, &after, replica, &mut path) {
            return Err((
                expected(&before, &after, replica),
                format!("epoch {epoch}: {facts:?} of node {}", self.honest[replica]),
            ));
        }
        run.state = after;
        if path.is_empty() {
            self.checked.stutters += 1;
        }
        for act in path {
            *self.checked.actions.entry(name(&act)).or_default() += 1;
        }
        Ok(())
    }

    fn decide(&mut self, commit: &Commit) -> Result<(), Refusal> {
        let first = self.committed.entry(commit.epoch).or_insert_with(|| commit.value.clone());
        if *first != commit.value {
            return Err(("Agreement", format!("epoch {}: {} and {first}", commit.epoch, commit.value)));
        }
        let run = self.run(commit.epoch);
        if run.beyond {
            return Ok(());
        }
        let Some(value) = run.entry(&commit.value) else {
            run.beyond = true;
            self.checked.beyond += 1;
            return Ok(());
        };
        if !run.specification.decided(&run.state).contains(&value) {
            return Err(("Decide", format!("epoch {}: {} is not decided", commit.epoch, commit.value)));
        }
        self.checked.decisions += 1;
        Ok(())
    }
}

impl Run {
    /// The place of `value` among those of this epoch; none if there are too many.
    fn entry(&mut self, value: &str) -> Option<Entry> {
        let place = self.values.iter().position(|known| known == value).or_else(|| {
            self.values.push(value.to_owned());
            Some(self.values.len() - 1)
        })?;
        (place < 2).then(|| Entry::try_from(place + 1).expect("few values"))
    }

    /// The state with `facts`; none if the transcription has no words for it.
    fn with(&mut self, replica: usize, facts: &Facts) -> Result<Option<State>, Refusal> {
        let mut state = self.state;
        let mut put = |slots: fn(&mut State, usize) -> &mut [Entry; MOST_VIEWS], ballots: &[Ballot], rule| {
            for Ballot { view, value } in ballots {
                let Some(entry) = self.entry(value) else { return Ok(false) };
                let Some(view) = usize::try_from(*view).ok().filter(|view| *view < MOST_VIEWS) else {
                    return Ok(false);
                };
                let slot = &mut slots(&mut state, replica)[view];
                if *slot != 0 && *slot != entry {
                    return Err((rule, format!("a second value in view {view}: {value}")));
                }
                *slot = entry;
            }
            Ok(true)
        };
        let within = put(|state, _| &mut state.proposals, &facts.proposals, "Propose")?
            && put(|state, replica| &mut state.replicas[replica].votes, &facts.votes, "Vote")?
            && put(|state, replica| &mut state.replicas[replica].commits, &facts.commits, "Commit")?
            && usize::try_from(facts.view).is_ok_and(|view| view < MOST_VIEWS);
        if !within {
            return Ok(None);
        }
        let view = &mut state.replicas[replica].view;
        *view = (*view).max(u8::try_from(facts.view).expect("few views"));
        Ok(Some(state))
    }
}

/// The action that should have led there.
fn expected(before: &State, after: &State, replica: usize) -> &'static str {
    let (here, there) = (&before.replicas[replica], &after.replicas[replica]);
    if before.proposals != after.proposals {
        "Propose"
    } else if here.votes != there.votes {
        "Vote"
    } else if here.commits != there.commits {
        "Commit"
    } else {
        "EnterView"
    }
}

/// What a step adds, by epoch.
fn facts_of(step: &Step) -> BTreeMap<u64, Facts> {
    let mut facts: BTreeMap<u64, Facts> = BTreeMap::new();
    for said in &step.says {
        let here = facts.entry(said.epoch).or_default();
        here.view = here.view.max(if said.kind == "view_change" { said.view } else { 0 });
        let Some(value) = said.value.clone() else { continue };
        let ballot = Ballot { view: said.view, value };
        match said.kind.as_str() {
            "propose" => here.proposals.push(ballot),
            "vote" => here.votes.push(ballot),
            "commit" => here.commits.push(ballot),
            _ => {}
        }
    }
    // Its own signature in a certificate may never have been sent.
    for commit in step.commits.iter().filter(|commit| commit.signers.contains(&step.node)) {
        let here = facts.entry(commit.epoch).or_default();
        let ballot = Ballot { view: commit.view, value: commit.value.clone() };
        if commit.path == "fast" { here.votes.push(ballot) } else { here.commits.push(ballot) }
    }
    if let Some(record) = &step.record {
        let here = facts.entry(record.epoch).or_default();
        here.view = here.view.max(record.view);
        here.proposals.extend(record.proposed.clone());
        here.votes.extend(record.voted.clone());
        here.commits.extend(record.locked.clone());
    }
    facts.retain(|_, facts| {
        facts.view > 0 || !(facts.votes.is_empty() && facts.commits.is_empty() && facts.proposals.is_empty())
    });
    facts
}

fn constants(heading: &Heading, honest: &[u8], epoch: u64) -> Constants {
    let leader = |view: u64| {
        let turn = u8::try_from((epoch + view) % u64::try_from(heading.n).expect("few members")).expect("few members");
        honest.iter().position(|node| *node == turn)
    };
    Constants {
        n: heading.n,
        f: heading.f,
        p: heading.p,
        byzantine: heading.faulty.len(),
        leaders: (0..).take(MOST_VIEWS).map(leader).collect(),
        slow_path: heading.p < heading.f,
        strongest_only: true,
        exclude_equivocator: true,
        report_locked: true,
        report_certified: true,
        smallest_of_equals: false,
        orbits: false,
    }
}
