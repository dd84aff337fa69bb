//! What a demonstration found, for programs and for people.

use std::collections::BTreeMap;
use std::time::Duration;

use butterfly_kernel::message::Kind;
use comfy_table::{CellAlignment, Table, TableComponent, presets};
use serde::Serialize;

use super::trace::Traced;
use crate::control::Blocked;
use crate::traffic::{Count, Traffic};

/// The document that `demo --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Every token that was asked for is committed and right.
    pub ok: bool,
    /// What was committed, without the prompt.
    pub text: String,
    /// Every committed token equals the single machine's.
    pub matches_reference: bool,
    /// Processes.
    pub nodes: usize,
    /// Members that may be faulty.
    pub f: usize,
    /// Members that may be silent with the fast path still open.
    pub p: usize,
    /// The cluster's id.
    pub cluster: String,
    /// Epochs of the text.
    pub epochs_committed: u64,
    /// Of those, decided by a fast quorum.
    pub fast: u64,
    /// Of those, decided by a slow quorum.
    pub slow: u64,
    /// Views that were left before their epochs were decided.
    pub view_changes: u64,
    /// By kind of message.
    pub messages: BTreeMap<&'static str, Count>,
    /// Of all messages.
    pub bytes: u64,
    /// From one commit to the next.
    pub latency_ms: Latency,
    /// Whose fault is proven.
    pub blamed: Vec<Blame>,
    /// Why there is no more text; none if all of it is there.
    pub stalled: Option<String>,
    /// How each epoch was decided.
    pub epochs: Vec<EpochReport>,
    /// The faults that were asked for.
    pub faults: Vec<String>,
    /// Nodes that lost their record and sign nothing in agreement.
    pub learners: Vec<u8>,
    /// Who kept the last epoch from being decided, as the nodes themselves say.
    pub blocked: Option<Blocked>,
    /// Nodes that run but were not seen to reach the last epoch.
    pub behind: Vec<u8>,
    /// What the honest nodes did, if it was to be written down.
    pub traced: Option<Traced>,
    #[serde(skip)]
    pub(super) ending: Ending,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was committed.
    Complete,
    /// The cluster stopped because more than f nodes failed, as it must.
    RightlyStopped,
    /// It stopped and should not have.
    Stalled,
}

/// In milliseconds; none without a commit.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

/// How one epoch was decided.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EpochReport {
    /// The epoch.
    pub epoch: u64,
    /// Who leads its first view.
    pub leader: u8,
    /// The view that decided.
    pub view: u32,
    /// Which quorum decided: fast or slow.
    pub path: &'static str,
    /// Since the commit before; none if only a node that caught up told of it.
    pub latency_ms: Option<f64>,
}

/// A member and what it is proven to have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blame {
    /// The member.
    pub node: u8,
    /// The kind of contradiction.
    pub kind: &'static str,
}

impl Report {
    /// How it ended.
    pub fn ending(&self) -> Ending {
        self.ending
    }
}

impl Latency {
    /// Of these epochs, by the nearest rank.
    pub(super) fn of(epochs: &[EpochReport]) -> Latency {
        let mut sorted: Vec<f64> = epochs.iter().filter_map(|epoch| epoch.latency_ms).collect();
        sorted.sort_by(f64::total_cmp);
        let rank = |percent: usize| (percent * sorted.len()).div_ceil(100).saturating_sub(1);
        let at = |percent| sorted.get(rank(percent)).copied();
        Latency { p50: at(50), p99: at(99) }
    }
}

/// With three decimals: microseconds are what was measured.
pub(super) fn milliseconds(latency: Duration) -> f64 {
    latency.as_micros() as f64 / 1000.0
}

/// The kinds of which something was sent, by name.
pub(super) fn by_name(traffic: &Traffic) -> BTreeMap<&'static str, Count> {
    let sent = Kind::ALL.into_iter().map(|kind| (kind.name(), traffic.of(kind)));
    sent.filter(|(_, count)| *count != Count::default()).collect()
}

/// The closing tables.
pub(super) fn tables(report: &Report) -> String {
    format!("{}\n\n{}", summary(report), messages(report))
}

fn summary(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let latency = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1} ms"));
    let blamed = report.blamed.iter().map(|blame| format!("node {}: {}", blame.node, blame.kind));
    let reference = match (report.matches_reference, report.ok) {
        (true, true) => "equal, bit for bit",
        (true, false) => "equal as far as it goes",
        (false, _) => "DIFFERENT",
    };
    let rows = [
        (
            "nodes",
            format!("{}, of which {} may be faulty and {} silent on the fast path", report.nodes, report.f, report.p),
        ),
        ("faults asked for", or_none(report.faults.join(", "))),
        (
            "epochs",
            format!(
                "{} ({} fast, {} slow), {} view changes",
                report.epochs_committed, report.fast, report.slow, report.view_changes
            ),
        ),
        ("commit latency", format!("p50 {}, p99 {}", latency(report.latency_ms.p50), latency(report.latency_ms.p99))),
        ("blamed, with proof", or_none(blamed.collect::<Vec<_>>().join(", "))),
        ("learners", nodes(&report.learners, "lost its record, follows and signs nothing")),
        ("behind", nodes(&report.behind, "did not reach the last epoch")),
        ("trace", report.traced.as_ref().map(steps).unwrap_or_default()),
        ("single machine", reference.into()),
        ("cluster", report.cluster.clone()),
    ];
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        table.add_row([name.to_owned(), value]);
    }
    table
}

fn messages(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_style(TableComponent::HeaderLines, '─');
    table.set_header(["message", "first", "again", "bytes", "unread"]);
    for kind in Kind::ALL {
        if let Some(count) = report.messages.get(kind.name()) {
            let numbers =
                [count.first, count.retransmitted, count.bytes, count.unread].map(|number| number.to_string());
            table.add_row([vec![kind.name().to_owned()], numbers.to_vec()].concat());
        }
    }
    table.add_row(["all", "", "", &report.bytes.to_string(), ""]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What is true of each of `nodes`; nothing if there are none.
fn nodes(nodes: &[u8], what: &str) -> String {
    nodes.iter().map(|node| format!("node {node} {what}")).collect::<Vec<_>>().join("; ")
}

fn steps(traced: &Traced) -> String {
    let file = traced.file.display();
    let left_out = nodes(&traced.left_out, "is left out, since it may have said anything");
    let left_out = if left_out.is_empty() { left_out } else { format!("; {left_out}") };
    format!("{} steps in {file}{left_out}", traced.steps)
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".into() } else { text }
}
