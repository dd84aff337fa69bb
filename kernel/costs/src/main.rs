//! `butterfly-costs`: what the kernel costs. Prints JSON; `cargo xtask costs`
//! makes tables of it.

mod agreement;
mod clock;
mod committee;
mod others;
mod rehearsal;
mod state;
mod steps;
mod transition;
mod unsigned;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "butterfly-costs", about = "What the kernel costs, as JSON")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Bytes of state
    State,
    /// The time of each transition
    Time {
        /// Members: 4, 7 or 16
        members: u8,
    },
    /// Each transition once, for an instruction counter that watches `measured_*`
    Once {
        /// Members: 4, 7 or 16
        members: u8,
    },
    /// A placement and a checkpoint, beside the design's numbers
    Others,
    /// CPU time of agreement against the floor of its signatures
    Agreement {
        /// Rounds; the median of their ratios counts
        #[arg(long, default_value_t = 9)]
        rounds: usize,
        /// Decisions in a round
        #[arg(long, default_value_t = 50)]
        decisions: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let document = match Cli::parse().what {
        What::State => serde_json::to_value(state::sizes())?,
        What::Time { members } => serde_json::to_value(steps::timed(members)?)?,
        What::Once { members } => serde_json::to_value(steps::once(members)?)?,
        What::Others => serde_json::to_value(others::numbers()?)?,
        What::Agreement { rounds, decisions } => {
            let sizes = [4, 7, 10].into_iter().map(|n| agreement::measure(n, rounds, decisions));
            serde_json::to_value(sizes.collect::<anyhow::Result<Vec<_>>>()?)?
        }
    };
    println!("{document:#}");
    Ok(())
}
