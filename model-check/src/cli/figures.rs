//! `butterfly-check figures`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use butterfly_model_check::simulate::figures::{
    self, LAYER_TIME, LAYERS, Pace, ROUND_TRIP, Recovery, Shape, pace, percentile, recover,
};
use butterfly_model_check::simulate::oracles::Violation;
use clap::Args;
use serde_json::{Value, json};

use super::status;

/// What was promised, as shares and microseconds.
const MOST_OF_INTERVAL: f64 = 0.06;
const MOST_OF_TOKEN: f64 = 0.01;
const LEAST_OF_CEILING: f64 = 0.85;
const MOST_TO_RECOVER: u64 = 500_000;
const MOST_LOST: f64 = 1.05;

/// Tokens that an epoch commits, where nothing else is said.
const TOKENS_PER_EPOCH: u8 = 4;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Draw them into this file (SVG)
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

struct Figures {
    /// Ten members, by the tokens of an epoch.
    paces: Vec<Pace>,
    /// More and fewer members.
    sizes: Vec<Pace>,
    recoveries: Vec<Recovery>,
}

/// The command.
pub(crate) fn figures(arguments: &Arguments) -> ExitCode {
    let figures = match measure() {
        Ok(figures) => figures,
        Err(violation) => {
            eprintln!("{} does not hold: {}", violation.property, violation.seen);
            return ExitCode::FAILURE;
        }
    };
    if let Some(path) = &arguments.chart {
        let picture = figures::draw(&figures.paces, &figures.sizes, &figures.recoveries);
        if let Err(error) = std::fs::write(path, picture) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let missed = figures.missed();
    if arguments.json {
        println!("{}", figures.document(&missed));
    } else {
        figures.tell();
        missed.iter().for_each(|missed| println!("! {missed}"));
    }
    status(missed.is_empty())
}

fn measure() -> Result<Figures, Violation> {
    let shape = |members, f, tokens_per_epoch| Shape { members, f, tokens_per_epoch };
    let ten = shape(10, 1, TOKENS_PER_EPOCH);
    let each = |shapes: Vec<Shape>| shapes.into_iter().map(pace).collect::<Result<Vec<Pace>, Violation>>();
    let paces = each([1, 2, 4, 8, 16].map(|tokens| shape(10, 1, tokens)).to_vec())?;
    let sizes = [(5, 1), (10, 1), (10, 3), (20, 1), (20, 5), (50, 1), (50, 5)];
    let sizes = each(sizes.map(|(members, f)| shape(members, f, TOKENS_PER_EPOCH)).to_vec())?;
    let recoveries =
        [true, false].into_iter().map(|batches| recover(ten, batches, &mut show)).collect::<Result<_, _>>()?;
    Ok(Figures { paces, sizes, recoveries })
}

/// How far the losses are, on a terminal.
fn show(done: usize, all: usize) {
    if std::io::stderr().is_terminal() {
        let end = if done + 1 == all { "\r\x1b[K" } else { "" };
        eprint!("\r\x1b[K{done} of {all} owners lost{end}");
        let _ = std::io::stderr().flush();
    }
}

impl Figures {
    /// What was promised and is not so.
    fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut hold = |holds: bool, what: String| {
            if !holds {
                missed.push(what);
            }
        };
        for pace in &self.paces {
            let tokens = pace.shape.tokens_per_epoch;
            let (token, interval) = (pace.share_of_token(), pace.share_of_interval());
            hold(token <= MOST_OF_TOKEN, format!("{tokens} tokens an epoch: coordination is {token:.4} of a token"));
            hold(
                interval <= MOST_OF_INTERVAL,
                format!("{tokens} tokens an epoch: coordination is {interval:.4} of the pipeline's interval"),
            );
        }
        for pace in &self.sizes {
            let least = pace.of_ceiling().min(pace.of_prompt_ceiling());
            hold(least >= LEAST_OF_CEILING, format!("{} members: {least:.3} of the ceiling", pace.shape.members));
        }
        for recovery in &self.recoveries {
            let late = percentile(&recovery.delays, 99);
            // Who has no batches goes through all positions again, whatever coordinates it.
            let promised = recovery.batches;
            hold(!promised || late < MOST_TO_RECOVER, format!("a loss delays a commit by {late} us"));
            hold(!promised || recovery.longest < MOST_LOST, format!("an answer takes {:.3} times", recovery.longest));
        }
        missed
    }

    fn tell(&self) {
        println!(
            "{LAYERS} layers of {} ms, {} ms round trip; in virtual time, the same on every machine\n",
            LAYER_TIME / 1_000,
            ROUND_TRIP / 1_000
        );
        println!(
            "| members | f | stages | tokens an epoch | first commit ms | token ms | coordination in it | interval ms | coordination in it |"
        );
        println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        self.paces.iter().for_each(|pace| println!("{}", pace_row(pace)));
        println!(
            "| promised | | | | | | at most {:.0} % | | at most {:.0} % |",
            MOST_OF_TOKEN * 100.0,
            MOST_OF_INTERVAL * 100.0
        );
        println!("\n| members | f | stages | answer: of the ceiling | prompt: interval ms | of the ceiling |");
        println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
        self.sizes.iter().for_each(|pace| println!("{}", size_row(pace)));
        println!(
            "| promised | | | at least {:.0} % | | at least {:.0} % |",
            LEAST_OF_CEILING * 100.0,
            LEAST_OF_CEILING * 100.0
        );
        println!(
            "\n| an owner is lost | positions at hand | next commit ms: p50 | p99 | later than without ms: p50 | p99 | most | answer takes at most |"
        );
        println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        self.recoveries.iter().for_each(|recovery| println!("{}", recovery_row(recovery)));
        println!("| promised | all at once | | | | < {} | | < {MOST_LOST} times |", MOST_TO_RECOVER / 1_000);
    }

    fn document(&self, missed: &[String]) -> Value {
        let pace = |pace: &Pace| {
            json!({
                "members": pace.shape.members,
                "f": pace.shape.f,
                "tokens_per_epoch": pace.shape.tokens_per_epoch,
                "stages": pace.stages,
                "first_commit_microseconds": pace.first_commit,
                "token_microseconds": pace.token,
                "interval_microseconds": pace.interval,
                "least_interval_microseconds": pace.least_interval,
                "coordination_in_token": pace.share_of_token(),
                "coordination_in_interval": pace.share_of_interval(),
                "of_ceiling": pace.of_ceiling(),
                "of_prompt_ceiling": pace.of_prompt_ceiling(),
            })
        };
        let recovery = |recovery: &Recovery| {
            let of = |times: &[u64]| json!({ "p50": percentile(times, 50), "p99": percentile(times, 99), "most": times.last() });
            json!({
                "losses": recovery.delays.len(),
                "batches": recovery.batches,
                "next_commit_microseconds": of(&recovery.next_commits),
                "delay_microseconds": of(&recovery.delays),
                "longest_answer": recovery.longest,
            })
        };
        json!({
            "ok": missed.is_empty(),
            "missed": missed,
            "paces": self.paces.iter().map(pace).collect::<Vec<_>>(),
            "sizes": self.sizes.iter().map(pace).collect::<Vec<_>>(),
            "recoveries": self.recoveries.iter().map(recovery).collect::<Vec<_>>(),
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people to read")]
fn milliseconds(time: u64) -> f64 {
    time as f64 / 1e3
}

fn pace_row(pace: &Pace) -> String {
    format!(
        "| {} | {} | {} | {} | {:.1} | {:.2} | {:.2} % | {:.2} | {:.2} % |",
        pace.shape.members,
        pace.shape.f,
        pace.stages,
        pace.shape.tokens_per_epoch,
        milliseconds(pace.first_commit),
        milliseconds(pace.token),
        pace.share_of_token() * 100.0,
        milliseconds(pace.interval),
        pace.share_of_interval() * 100.0
    )
}

fn size_row(pace: &Pace) -> String {
    format!(
        "| {} | {} | {} | {:.2} % | {:.2} | {:.2} % |",
        pace.shape.members,
        pace.shape.f,
        pace.stages,
        pace.of_ceiling() * 100.0,
        milliseconds(pace.interval),
        pace.of_prompt_ceiling() * 100.0
    )
}

fn recovery_row(recovery: &Recovery) -> String {
    let of = |times: &[u64], percent| milliseconds(percentile(times, percent));
    let (next, late) = (&recovery.next_commits, &recovery.delays);
    format!(
        "| {} times | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.3} times |",
        late.len(),
        if recovery.batches { "all at once" } else { "one by one" },
        of(next, 50),
        of(next, 99),
        of(late, 50),
        of(late, 99),
        of(late, 100),
        recovery.longest
    )
}
