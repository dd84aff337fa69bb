//! Real traces with one line altered, and the rule that each breaks.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{check, record};

/// No digest ends like this by chance.
const OTHER: &str = "another value";

/// A trace, line by line.
#[derive(Clone)]
struct Lines(Vec<Value>);

/// Where an altered trace must be refused: the line, from 1.
type Line = usize;

struct Alteration {
    name: &'static str,
    rule: &'static str,
    /// None if the trace has no line for it.
    alter: fn(&mut Lines) -> Option<Line>,
}

const ALTERATIONS: [Alteration; 21] = [
    Alteration { name: "says another vote than it recorded", rule: "Persist", alter: other_vote_said },
    Alteration { name: "a vote without its record", rule: "Persist", alter: vote_without_record },
    Alteration { name: "votes for what its leader did not propose", rule: "Vote", alter: other_vote },
    Alteration { name: "votes again, for another value", rule: "NeverTakenBack", alter: second_vote },
    Alteration { name: "says a second vote", rule: "Persist", alter: second_vote_said },
    Alteration { name: "proposes in the place of another", rule: "Propose", alter: foreign_proposal },
    Alteration { name: "locks what has no quorum of votes", rule: "Commit", alter: other_lock },
    Alteration { name: "commits another value", rule: "Agreement", alter: other_commit },
    Alteration { name: "commits what nobody voted for", rule: "Decide", alter: commit_of_nothing },
    Alteration { name: "goes back to an earlier view", rule: "NeverTakenBack", alter: earlier_view },
    Alteration { name: "goes back to an earlier epoch", rule: "NeverTakenBack", alter: earlier_epoch },
    Alteration { name: "votes in a view that it left", rule: "NeverTakenBack", alter: vote_in_left_view },
    Alteration { name: "forgets its vote", rule: "NeverTakenBack", alter: forgotten_vote },
    Alteration { name: "votes as a learner", rule: "Learner", alter: learner_votes },
    Alteration { name: "acts on what it rejects", rule: "Rejection", alter: effective_rejection },
    Alteration { name: "a line is lost", rule: "sequence", alter: lost_line },
    Alteration { name: "a line stands there twice", rule: "sequence", alter: repeated_line },
    Alteration { name: "time goes back", rule: "sequence", alter: earlier_time },
    Alteration { name: "the last line is lost", rule: "heading", alter: lost_end },
    Alteration { name: "a step of nobody", rule: "heading", alter: stranger },
    Alteration { name: "a field that nobody knows", rule: "format", alter: unknown_field },
];

/// Alters traces of a calm cluster and of one that changes views, where the
/// fast path survives nobody's silence: so there are votes, locks and views.
pub(super) fn all_are_refused(folder: &Path) -> Result<()> {
    let traces = [record(folder, "1", None)?, record(folder, "0", Some("2:crash@2"))?];
    let traces: Vec<Lines> = traces.iter().map(|file| Lines::read(file)).collect::<Result<_>>()?;
    for Alteration { name, rule, alter } in &ALTERATIONS {
        let altered = traces.iter().find_map(|trace| {
            let mut altered = trace.clone();
            let line = alter(&mut altered)?;
            Some((altered, line))
        });
        let (altered, line) = altered.with_context(|| format!("no trace has a line for: {name}"))?;
        is_refused(folder, name, &altered.text(), line, rule)?;
    }
    let calm = traces.first().context("a trace")?;
    is_refused(folder, "an empty file", "", 1, "heading")?;
    is_refused(folder, "no trace", "once upon a time\n", 1, "heading")?;
    let mut other = calm.clone();
    other.0[0]["butterfly_trace"] = json!(1);
    is_refused(folder, "another version", &other.text(), 1, "heading")?;
    let mut idle = calm.clone();
    idle.0.retain(|line| line["step"].is_null() || line["input"] == "start");
    idle.0[0]["steps"] = json!(idle.0.len() - 1);
    is_refused(folder, "nothing to check", &idle.text(), idle.0.len(), "substance")
}

fn is_refused(folder: &Path, name: &str, text: &str, line: Line, rule: &str) -> Result<()> {
    let file = folder.join("altered.ndjson");
    fs::write(&file, text)?;
    let Some(refused) = check(&file)?.refused else { bail!("{name}: accepted, see {}", file.display()) };
    ensure!(
        (refused.line, refused.rule.as_str()) == (line, rule),
        "{name}: line {line} breaks {rule}, not {refused:?}"
    );
    println!("refused  {name}: line {line}, {rule}: {}", refused.seen.chars().take(60).collect::<String>());
    Ok(())
}

impl Lines {
    fn read(file: &Path) -> Result<Lines> {
        let text = fs::read_to_string(file)?;
        Ok(Lines(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?))
    }

    fn text(&self) -> String {
        self.0.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The first place after the heading where `is` holds.
    fn find(&self, is: impl Fn(&Value) -> bool) -> Option<usize> {
        (1..self.0.len()).find(|at| is(&self.0[*at]))
    }

    /// The record that the member of the line at `at` writes next.
    fn next_record(&self, at: usize) -> &Value {
        let later = self.0.iter().skip(at + 1).filter(|line| line["node"] == self.0[at]["node"]);
        later.map(|line| &line["record"]).find(|record| !record.is_null()).unwrap_or(&Value::Null)
    }

    /// Puts a step behind the line at `at`, of the same member, with `effects`.
    fn insert(&mut self, at: usize, effects: Value) -> Line {
        let before = self.0[at].clone();
        let mut step = json!({ "time": before["time"], "node": before["node"], "input": "timer" });
        for (name, effect) in effects.as_object().into_iter().flatten() {
            step[name] = effect.clone();
        }
        let number = |line: &Value| line["step"].as_u64().unwrap_or_default();
        let same = |line: &&mut Value| line["node"] == before["node"];
        let later = self.0.iter_mut().skip(at + 1).filter(same);
        later.take_while(|line| line["input"] != "start").for_each(|line| line["step"] = json!(number(line) + 1));
        step["step"] = json!(number(&before) + 1);
        self.0[0]["steps"] = json!(self.0[0]["steps"].as_u64().unwrap_or_default() + 1);
        self.0.insert(at + 1, step);
        at + 2
    }
}

/// Whether the line says its member's vote, and writes it down.
fn votes(line: &Value) -> bool {
    says(line, "vote").is_some() && !line["record"]["voted"].is_null()
}

/// Whether it votes for what somebody else proposed.
fn follows(line: &Value) -> bool {
    votes(line) && line["record"]["proposed"].is_null() && line["commits"].is_null()
}

/// The first statement of this kind.
fn says(line: &Value, kind: &str) -> Option<usize> {
    line["says"].as_array()?.iter().position(|said| said["kind"] == kind)
}

fn other_vote_said(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    let said = says(&trace.0[at], "vote")?;
    trace.0[at]["says"][said]["value"] = json!(OTHER);
    Some(at + 1)
}

fn vote_without_record(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    trace.0[at].as_object_mut()?.remove("record");
    Some(at + 1)
}

fn other_vote(trace: &mut Lines) -> Option<Line> {
    let last = |trace: &Lines, at| trace.next_record(at)["epoch"] != trace.0[at]["record"]["epoch"];
    let at = (1..trace.0.len()).find(|at| follows(&trace.0[*at]) && last(trace, *at))?;
    let said = says(&trace.0[at], "vote")?;
    trace.0[at]["says"][said]["value"] = json!(OTHER);
    trace.0[at]["record"]["voted"]["value"] = json!(OTHER);
    Some(at + 1)
}

fn second_vote(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    let mut record = trace.0[at]["record"].clone();
    record["voted"]["value"] = json!(OTHER);
    Some(trace.insert(at, json!({ "record": record })))
}

fn second_vote_said(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    let mut said = trace.0[at]["says"][says(&trace.0[at], "vote")?].clone();
    said["value"] = json!(OTHER);
    Some(trace.insert(at, json!({ "says": [said] })))
}

fn foreign_proposal(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(follows)?;
    let said = says(&trace.0[at], "vote")?;
    trace.0[at]["record"]["proposed"] = trace.0[at]["record"]["voted"].clone();
    trace.0[at]["says"][said]["kind"] = json!("propose");
    Some(at + 1)
}

fn other_lock(trace: &mut Lines) -> Option<Line> {
    let locks = |line: &Value| says(line, "commit").is_some() && !line["record"]["locked"].is_null();
    let last = |trace: &Lines, at| trace.next_record(at)["epoch"] != trace.0[at]["record"]["epoch"];
    let at = (1..trace.0.len()).find(|at| locks(&trace.0[*at]) && last(trace, *at))?;
    let said = says(&trace.0[at], "commit")?;
    trace.0[at]["says"][said]["value"] = json!(OTHER);
    trace.0[at]["record"]["locked"]["value"] = json!(OTHER);
    Some(at + 1)
}

/// The last commit of the first epoch: others were before it.
fn other_commit(trace: &mut Lines) -> Option<Line> {
    let at = (1..trace.0.len()).rev().find(|at| trace.0[*at]["commits"][0]["epoch"] == 1)?;
    trace.0[at]["commits"][0]["value"] = json!(OTHER);
    trace.0[at]["commits"][0]["signers"] = json!([]);
    Some(at + 1)
}

fn commit_of_nothing(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(|line| line["commits"].is_array())?;
    trace.0[at]["commits"][0]["epoch"] = json!(1_000);
    trace.0[at]["commits"][0]["signers"] = json!([]);
    Some(at + 1)
}

fn earlier_view(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(|line| line["record"]["view"].as_u64() > Some(0))?;
    let mut record = trace.0[at]["record"].clone();
    record["view"] = json!(0);
    Some(trace.insert(at, json!({ "record": record })))
}

fn earlier_epoch(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(|line| line["record"]["epoch"].as_u64() > Some(1))?;
    let mut record = trace.0[at]["record"].clone();
    record["epoch"] = json!(1);
    Some(trace.insert(at, json!({ "record": record })))
}

fn vote_in_left_view(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(|line| line["record"]["view"].as_u64() > Some(0))?;
    let vote = json!({ "kind": "vote", "epoch": trace.0[at]["record"]["epoch"], "view": 0, "value": OTHER });
    Some(trace.insert(at, json!({ "says": [vote] })))
}

fn forgotten_vote(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    let mut record = trace.0[at]["record"].clone();
    record["voted"] = Value::Null;
    Some(trace.insert(at, json!({ "record": record })))
}

fn learner_votes(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    trace.0[at]["record"]["learner"] = json!(true);
    Some(at + 1)
}

fn effective_rejection(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    trace.0[at]["rejected"] = json!("its time is over");
    Some(at + 1)
}

/// The next line of the same member is where it shows.
fn lost_line(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    let lost = trace.0.remove(at);
    let next = (at..trace.0.len()).find(|next| trace.0[*next]["node"] == lost["node"])?;
    Some(next + 1)
}

fn repeated_line(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    trace.0.insert(at + 1, trace.0[at].clone());
    Some(at + 2)
}

fn earlier_time(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    trace.0[at]["time"] = json!(0);
    Some(at + 1)
}

fn lost_end(trace: &mut Lines) -> Option<Line> {
    trace.0.pop().map(|_| 1)
}

fn stranger(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    trace.0[at]["node"] = json!(9);
    Some(at + 1)
}

fn unknown_field(trace: &mut Lines) -> Option<Line> {
    let at = trace.find(votes)?;
    trace.0[at]["mode"] = json!("fast");
    Some(at + 1)
}
