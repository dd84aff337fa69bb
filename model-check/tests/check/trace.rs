//! Traces of simulated clusters against the specification. Those of real ones
//! are checked, and altered in more ways, by `cargo xtask test trace`.

use std::sync::LazyLock;

use butterfly_kernel::types::Resilience;
use butterfly_model_check::simulate::Scenario;
use butterfly_model_check::simulate::profile::find;
use butterfly_model_check::trace::{Checked, check, rules};
use butterfly_trace::{Heading, Order, Step};

fn traced(seed: u64, profile: &str) -> String {
    let nodes = Resilience::largest(4).unwrap();
    Scenario::new(nodes, find(profile).unwrap()).run_traced(seed).trace.unwrap()
}

static CHAOS: LazyLock<String> = LazyLock::new(|| traced(1, "chaos"));

/// The line and the rule.
fn refused(text: &str) -> (u64, &'static str) {
    let refused = check(text).expect_err("an altered trace");
    (refused.line, refused.rule)
}

/// The trace with another heading, and the same steps in the order of `key`.
fn reordered<K: Ord>(trace: &str, key: impl Fn(&Step) -> K) -> String {
    let (heading, steps) = trace.split_once('\n').unwrap();
    let heading = Heading { order: Order::PerMember, ..Heading::read(heading).unwrap() };
    let mut steps: Vec<(K, &str)> =
        steps.lines().map(|line| (key(&serde_json::from_str(line).unwrap()), line)).collect();
    steps.sort_by(|(one, _), (other, _)| one.cmp(other));
    let lines: Vec<&str> = steps.into_iter().map(|(_, line)| line).collect();
    format!("{}\n{}\n", serde_json::to_string(&heading).unwrap(), lines.join("\n"))
}

#[test]
fn a_trace_is_one_of_the_specification() {
    let checked = check(&CHAOS).unwrap();
    for action in ["Propose", "Vote", "EnterView"] {
        assert!(checked.actions.get(action).is_some_and(|times| *times > 10), "{checked:?}");
    }
    assert!(checked.decisions > 100 && checked.beyond * 10 < checked.epochs, "{checked:?}");
    let Checked { steps, taken, stutters, left, .. } = checked;
    assert!(taken > 100 && taken + stutters + left == steps, "{checked:?}");
}

/// What fits does so in whatever order members are heard of.
#[test]
fn without_a_common_clock_the_same_actions_are_found() {
    let trace = traced(1, "process");
    let checked = check(&trace).unwrap();
    // Which values come first, and so where an epoch is left, depends on the order.
    assert!(checked.taken > 100 && checked.beyond == 0, "{checked:?}");
    for last in 0..4 {
        let by_member = reordered(&trace, |step| (step.node == last, step.node));
        assert_eq!(check(&by_member), Ok(checked.clone()), "node {last} last");
        // With a common clock the same lines are no run.
        let total = by_member.replacen("per_member", "total", 1);
        assert!(check(&total).is_err(), "node {last} last");
    }
}

/// The trace with one line changed, and the number of the line.
fn altered(pick: impl Fn(&Step) -> bool, alter: impl Fn(&mut Step)) -> (u64, String) {
    let mut changed = None;
    let mut lines = Vec::new();
    for (line, number) in CHAOS.lines().zip(1..) {
        let step = serde_json::from_str::<Step>(line).ok().filter(|step| changed.is_none() && pick(step));
        lines.push(step.map_or(line.to_owned(), |mut step| {
            alter(&mut step);
            changed = Some(number);
            serde_json::to_string(&step).unwrap()
        }));
    }
    (changed.expect("there is such a line"), lines.join("\n"))
}

#[test]
fn a_vote_for_what_nobody_proposed_is_refused() {
    let led = |epoch: u64| CHAOS.contains(&format!(r#"{{"kind":"propose","epoch":{epoch},"view":0"#));
    let follows = |step: &Step| {
        let first = |record: &butterfly_trace::Record| {
            record.view == 0 && record.voted.is_some() && record.proposed.is_none() && led(record.epoch)
        };
        step.commits.is_empty() && step.record.as_ref().is_some_and(first)
    };
    let (line, text) = altered(follows, |step| {
        let other = Some("0".to_owned());
        step.record.as_mut().unwrap().voted.as_mut().unwrap().value = "0".to_owned();
        step.says.iter_mut().for_each(|said| said.value = said.value.as_ref().and(other.clone()));
    });
    assert_eq!(refused(&text), (line, "Vote"));
}

#[test]
fn a_decision_without_its_votes_is_refused() {
    let (line, text) = altered(
        |step| !step.commits.is_empty(),
        |step| {
            step.commits[0].epoch = 1_000_000;
            step.commits[0].signers.clear();
        },
    );
    assert_eq!(refused(&text), (line, rules::DECIDE));
}

#[test]
fn a_line_before_its_time_is_refused() {
    let (line, text) = altered(|step| step.time > 1_000_000, |step| step.time = 1);
    assert_eq!(refused(&text), (line, rules::SEQUENCE));
}

#[test]
fn what_is_no_trace_is_refused_with_what_it_is() {
    for (text, why) in [
        ("", "this is not a trace"),
        ("once upon a time\n", "this is not a trace"),
        (r#"{"butterfly_trace":1,"n":4,"f":1,"p":1,"faulty":[],"replay":null}"#, "of version 1; only version 2"),
        (r#"{"butterfly_trace":2,"n":4}"#, "missing field"),
        (r#"{"butterfly_trace":2,"n":7,"f":2,"p":1,"faulty":[],"order":"total","steps":0}"#, "7 honest"),
        (r#"{"butterfly_trace":2,"n":4,"f":1,"p":1,"faulty":[1,2],"order":"total","steps":0}"#, "2 faulty"),
        (r#"{"butterfly_trace":2,"n":3,"f":1,"p":0,"faulty":[],"order":"total","steps":0}"#, "are no cluster"),
        (r#"{"butterfly_trace":2,"n":4,"f":1,"p":1,"faulty":[],"order":"total","steps":7}"#, "7 lines should follow"),
    ] {
        let refused = check(text).unwrap_err();
        assert_eq!((refused.line, refused.rule), (1, rules::HEADING), "{text}");
        assert!(refused.seen.contains(why), "{text}: {}", refused.seen);
    }
}

#[test]
fn where_nothing_can_be_checked_nothing_is_accepted() {
    let empty = r#"{"butterfly_trace":2,"n":4,"f":1,"p":1,"faulty":[],"order":"total","steps":0}"#;
    assert_eq!(refused(empty), (1, rules::SUBSTANCE));
    let begins = r#"{"time":1,"node":0,"step":1,"input":"start","record":{"epoch":1,"view":0,"voted":null,"locked":null,"proposed":null}}"#;
    let idle = format!("{}\n{begins}\n", empty.replace(r#""steps":0"#, r#""steps":1"#));
    assert_eq!(refused(&idle), (2, rules::SUBSTANCE));
}
