//! `cargo xtask costs`: what the kernel costs, in tables.
//!
//! Bytes of state, instructions and signatures of each transition, their time,
//! and the CPU time of agreement against the floor of its signatures. What is
//! the same on every machine is pinned in `kernel/costs/pinned.txt`; times are
//! only shown, except for one ratio of two times from the same run.

mod callgrind;
mod numbers;
mod pinned;
mod program;
mod tables;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use serde::Serialize;

use pinned::Pinned;
use program::{Agreement, Instructions, Number, Program, Size, Timed};

/// Agreement may take this many times the CPU time of its signatures.
const MOST_OVER_FLOOR: f64 = 1.25;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these tables
    tables: Vec<Table>,
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
    /// Fail where a cost is not as pinned, or agreement costs too much
    #[arg(long)]
    check: bool,
    /// Pin what is found, in place of what was pinned
    #[arg(long, conflicts_with = "check")]
    pin: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Table {
    /// Bytes of state
    State,
    /// Instructions and signatures of each transition, by callgrind
    Instructions,
    /// The time of each transition
    Time,
    /// CPU time of agreement against the floor of its signatures
    Agreement,
    /// The design's numbers and ours
    Numbers,
}

/// Everything that was measured; what was not asked for is empty.
#[derive(Default, Serialize)]
struct Costs {
    state: Vec<Size>,
    instructions: Vec<Instructions>,
    time: Vec<Timed>,
    agreement: Vec<Agreement>,
    others: Vec<Number>,
}

/// Prints the tables that were asked for.
///
/// # Errors
/// When something cannot be measured, or with `--check` is not as it must be.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let wants = |table| arguments.tables.is_empty() || arguments.tables.contains(&table);
    let program = Program::build()?;
    let mut costs = Costs::default();
    if wants(Table::State) {
        costs.state = program.state()?;
    }
    if wants(Table::Instructions) {
        costs.instructions = callgrind::count(&program)?;
    }
    if wants(Table::Time) || wants(Table::Numbers) {
        costs.time = program.time()?;
    }
    if wants(Table::Agreement) || wants(Table::Numbers) {
        costs.agreement = program.agreement()?;
    }
    if wants(Table::Numbers) {
        costs.others = program.others()?;
    }
    if arguments.json {
        println!("{:#}", serde_json::to_value(&costs)?);
    } else {
        let shown = [
            (Table::State, tables::state(&costs.state)),
            (Table::Instructions, tables::instructions(&costs.instructions)),
            (Table::Time, tables::time(&costs.time)),
            (Table::Agreement, tables::agreement(&costs.agreement)),
            (Table::Numbers, tables::numbers(&numbers::rows(&costs))),
        ];
        for (_, text) in shown.into_iter().filter(|(table, _)| wants(*table)) {
            println!("{text}");
        }
    }
    if arguments.pin {
        return Pinned::of(&costs)?.write();
    }
    if arguments.check { check(&costs) } else { Ok(()) }
}

/// As `cargo xtask costs state instructions agreement --check`.
pub(crate) fn run_checks() -> Result<()> {
    let tables = vec![Table::State, Table::Instructions, Table::Agreement];
    run(&Arguments { tables, json: false, check: true, pin: false })
}

fn check(costs: &Costs) -> Result<()> {
    let mut complaints = Pinned::read()?.compare(&Pinned::of(costs)?);
    for measured in &costs.agreement {
        let (n, ratio) = (measured.n, measured.ratio_median);
        if ratio > MOST_OVER_FLOOR {
            complaints
                .push(format!("agreement of {n} takes {ratio:.2} times its signatures, more than {MOST_OVER_FLOOR}"));
        }
    }
    ensure!(complaints.is_empty(), "{}\nwhere that is meant, `cargo xtask costs --pin`", complaints.join("\n"));
    Ok(())
}
