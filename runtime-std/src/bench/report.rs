//! What was measured, for programs and for people.

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, TableComponent, presets};
use serde::Serialize;

use super::floor::Layer;
use super::{AUTHOR, Measured, Plan, Round, SignatureTimes, WARM_UP, of_layer};

/// The document that `bench --json` prints. Times are in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    version: u32,
    nodes: usize,
    f: usize,
    p: usize,
    rounds: usize,
    epochs: u64,
    /// Of the leader, one epoch at a time.
    latency: Vec<Latency>,
    /// Butterfly's median over the floor's: the middle of the rounds.
    ratio: f64,
    /// The same of each round, in rising order.
    ratios: Vec<f64>,
    /// Of one epoch at one node, when epochs follow each other at once.
    floor: PerEpoch,
    butterfly: PerEpoch,
    signature: SignatureTimes,
}

#[derive(Clone, Debug, Serialize)]
struct Latency {
    what: &'static str,
    p50_us: u64,
    p99_us: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct PerEpoch {
    epochs_per_second: f64,
    signed: f64,
    checked: f64,
    sent: f64,
    bytes: f64,
    flushes: f64,
    record_bytes: f64,
    sleeps: f64,
    processor_us: f64,
    system_us: f64,
}

impl Report {
    pub(super) fn new(plan: &Plan, rounds: &[Round], throughput: &Round, signature: SignatureTimes) -> Result<Report> {
        let mut latency = Vec::new();
        for (layer, what) in Layer::ALL.into_iter().zip(LAYERS) {
            let of_round = |round: &Round| of_layer(&round.floor, layer).flat_map(times).collect::<Vec<u64>>();
            latency.push(Latency::of(what, rounds.iter().flat_map(of_round).collect())?);
        }
        latency.push(Latency::of(BUTTERFLY, rounds.iter().flat_map(|round| led(&round.butterfly)).collect())?);
        let mut ratios = Vec::new();
        for round in rounds {
            let floor = of_layer(&round.floor, Layer::Flushes).flat_map(times).collect();
            let (butterfly, floor) = (median(led(&round.butterfly).collect())?, median(floor)?);
            ratios.push(butterfly as f64 / floor as f64);
        }
        ratios.sort_by(f64::total_cmp);
        let floor: Vec<Measured> = of_layer(&throughput.floor, Layer::Flushes).cloned().collect();
        Ok(Report {
            version: 1,
            nodes: plan.resilience.n(),
            f: plan.resilience.f(),
            p: plan.resilience.p(),
            rounds: rounds.len(),
            epochs: plan.epochs,
            latency,
            ratio: ratios.get(ratios.len() / 2).copied().context("no round")?,
            ratios,
            floor: PerEpoch::of(&floor),
            butterfly: PerEpoch::of(&throughput.butterfly),
            signature,
        })
    }
}

const LAYERS: [&str; 4] =
    ["a message and one back", "the messages of agreement", "and their signatures", "and their flushes: the floor"];
const BUTTERFLY: &str = "butterfly, from proposal to commit";

fn times(measured: &Measured) -> impl Iterator<Item = u64> + '_ {
    measured.agreement_us.iter().copied()
}

/// Of those leaders that did not give the notice as well.
fn led(nodes: &[Measured]) -> impl Iterator<Item = u64> + '_ {
    nodes.iter().enumerate().filter(|(node, _)| *node != AUTHOR.index()).flat_map(|(_, measured)| times(measured))
}

/// By the nearest rank.
fn rank(sorted: &[u64], percent: usize) -> Option<u64> {
    sorted.get((percent * sorted.len()).div_ceil(100).saturating_sub(1)).copied()
}

fn median(mut times: Vec<u64>) -> Result<u64> {
    times.sort_unstable();
    rank(&times, 50).context("nothing was measured")
}

impl Latency {
    fn of(what: &'static str, mut times: Vec<u64>) -> Result<Latency> {
        times.sort_unstable();
        let at = |percent| rank(&times, percent).context("nothing was measured");
        Ok(Latency { what, p50_us: at(50)?, p99_us: at(99)? })
    }
}

impl PerEpoch {
    fn of(nodes: &[Measured]) -> PerEpoch {
        let sum = |count: fn(&Measured) -> u64| nodes.iter().map(count).sum::<u64>() as f64;
        let epochs = sum(|node| node.epochs).max(1.0);
        let flushes = sum(|node| node.flushes);
        PerEpoch {
            epochs_per_second: epochs / (sum(|node| node.took_us) / 1e6),
            signed: sum(|node| node.said) / epochs,
            checked: sum(|node| node.checked) / epochs,
            sent: sum(|node| node.sent) / epochs,
            bytes: sum(|node| node.bytes) / epochs,
            flushes: flushes / epochs,
            record_bytes: sum(|node| node.record_bytes) / flushes.max(1.0),
            sleeps: sum(|node| node.cost.sleeps) / epochs,
            processor_us: sum(|node| node.cost.used_us) / epochs,
            system_us: sum(|node| node.cost.system_us) / epochs,
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { nodes, f, p, rounds, epochs, .. } = self;
        writeln!(out, "{nodes} processes on loopback, f = {f}, p = {p}")?;
        writeln!(
            out,
            "one epoch at a time, {rounds} rounds of {epochs} after {WARM_UP}, microseconds at the leader\n"
        )?;
        writeln!(out, "{}\n", self.latencies())?;
        let ratios: Vec<String> = self.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        writeln!(out, "butterfly over the floor: {:.2} (rounds: {})\n", self.ratio, ratios.join(", "))?;
        writeln!(out, "each epoch as soon as the one before it is decided; of one epoch, at one node\n")?;
        writeln!(out, "{}", self.per_epoch())
    }
}

impl Report {
    fn latencies(&self) -> Table {
        let mut table = table(["", "p50", "p99"]);
        for Latency { what, p50_us, p99_us } in &self.latency {
            table.add_row([(*what).to_owned(), p50_us.to_string(), p99_us.to_string()]);
        }
        table
    }

    fn per_epoch(&self) -> Table {
        let mut table = table(["", "floor", "butterfly"]);
        let mut row = |name: &str, number: fn(&PerEpoch) -> f64, decimals: usize| {
            let shown = [&self.floor, &self.butterfly].map(|of| format!("{:.decimals$}", number(of)));
            table.add_row([vec![name.to_owned()], shown.to_vec()].concat());
        };
        row("epochs a second", |of| of.epochs_per_second, 0);
        row("messages sent", |of| of.sent, 2);
        row("bytes sent", |of| of.bytes, 0);
        row("signatures made", |of| of.signed, 2);
        row("signatures checked", |of| of.checked, 2);
        row("flushes", |of| of.flushes, 2);
        row("bytes of a record", |of| of.record_bytes, 0);
        row("times that a thread slept", |of| of.sleeps, 1);
        row("processor, microseconds", |of| of.processor_us, 0);
        row("  in the system", |of| of.system_us, 0);
        let SignatureTimes { made_us, checked_us } = self.signature;
        let shown = |number: fn(&PerEpoch) -> f64, time: f64| {
            [&self.floor, &self.butterfly].map(|of| format!("{:.0}", number(of) * time)).to_vec()
        };
        table.add_row(
            [vec![format!("  checking signatures, {checked_us:.1} each")], shown(|of| of.checked, checked_us)].concat(),
        );
        table.add_row(
            [vec![format!("  making signatures, {made_us:.1} each")], shown(|of| of.signed, made_us)].concat(),
        );
        table
    }
}

fn table(header: [&str; 3]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_style(TableComponent::HeaderLines, '─');
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
