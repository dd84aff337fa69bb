//! A Butterfly device as a process of this machine: the same program as on a
//! board, for tests and for a debugger.
//!
//! Its network card is a TAP interface, its flash a file with the rules of NOR
//! flash, its random source the system's. What it does it says on standard
//! output, as a board says it on its serial line.

mod flash;
#[path = "../../program/journal.rs"]
mod journal;
#[path = "../../program/life.rs"]
mod life;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use butterfly_runtime_embedded::board::{NoRandomness, RandomSource};
use clap::Parser;
use embassy_executor::Executor;
use embassy_net_tuntap::TunTapDevice as Card;
use static_cell::StaticCell;

use flash::Flash;

/// A Butterfly device as a process of this machine
#[derive(Parser)]
struct Arguments {
    /// The device's flash: its provisioning block, and behind it its vote record
    #[arg(long)]
    flash: PathBuf,
    /// The TAP interface that is its network card
    #[arg(long)]
    tap: String,
}

static EXECUTOR: StaticCell<Executor> = StaticCell::new();
static TAP: OnceLock<String> = OnceLock::new();

fn main() -> Result<()> {
    let Arguments { flash, tap } = Arguments::parse();
    let flash = Flash::open(&flash).with_context(|| format!("cannot use {}", flash.display()))?;
    TAP.get_or_init(|| tap);
    EXECUTOR.init(Executor::new()).run(|spawner| match life::live(spawner, flash, Random) {
        Ok(task) => spawner.spawn(task),
        Err(_) => journal::tell_failure(&"a task was started twice"),
    })
}

/// The card's driver. Without a card nothing can be done, so the process ends.
fn start_card(hardware: [u8; 6]) -> Card {
    let name = TAP.get().map_or("", String::as_str);
    match Card::new(name) {
        Ok(mut card) => {
            card.set_hardware_address(hardware);
            card
        }
        Err(error) => {
            journal::tell_failure(&format_args!("cannot use the interface {name:?}: {error}"));
            std::process::exit(1);
        }
    }
}

/// The system's random source.
struct Random;

impl RandomSource for Random {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }
}

/// Standard output.
struct Line;

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        io::stdout().write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// Bytes of stack that were ever in use: a process has plenty, nobody looks.
fn stack_used() -> usize {
    0
}
