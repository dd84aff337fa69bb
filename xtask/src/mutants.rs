//! `cargo xtask mutants`: the kernel, broken in one place at a time.
//!
//! What is broken stands in `.cargo/mutants.toml`. Judges hear the mutants one
//! after the other, the quickest first; each hears only what those before it
//! let through. What all of them let through must be explained, by name, in
//! `kernel/MUTANTS.md`. Seeded bugs are another thing: `butterfly-check mutants`.

mod explained;
mod judge;
mod shipped;
mod tool;

use std::path::Path;

use anyhow::{Result, ensure};

use crate::workspace;
use explained::Explained;
use judge::{Heard, Which};

/// Of a hundred mutants that compile, so many must be caught.
const LEAST_CAUGHT: usize = 95;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only one part of several, such as 0/8: every eighth mutant, from the first on
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Only mutants with this in their name, such as a file or a function
    #[arg(long, value_name = "WORDS", conflicts_with = "shard")]
    only: Option<String>,
    /// List the mutants and stop
    #[arg(long)]
    list: bool,
}

/// # Errors
/// When too few mutants are caught, one that is let through is not explained,
/// or the unbroken kernel does not pass.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = tool::cargo_mutants()?;
    let first = asked(&program, arguments)?;
    if arguments.list {
        match &first {
            Which::Named(names) => names.iter().for_each(|name| println!("{name}")),
            part => print!("{}", judge::list(&program, part)?),
        }
        return Ok(());
    }
    let place = workspace::target().join("kernel-mutants");
    let mut rows: Vec<(&str, Heard)> = Vec::new();
    for judge in &judge::JUDGES {
        let which = match rows.last() {
            None => first.clone(),
            Some((_, before)) if before.missed.is_empty() => break,
            Some((_, before)) => Which::Named(before.missed.clone()),
        };
        println!("\n== {}", judge.name);
        let mut heard = judge.hear(&program, &which, &place)?;
        if rows.is_empty() {
            // No other judge need hear these, and none could notice them.
            println!("\n== what a shipped build has of those that were missed");
            heard.unshipped = shipped::unshipped(&program, &heard.missed, &place)?;
            heard.missed.retain(|name| !heard.unshipped.contains(name));
        }
        rows.push((judge.name, heard));
    }
    let explained = Explained::read()?;
    report(&rows, &explained)?;
    if matches!(first, Which::Part(None)) {
        explained.survive(survivors(&rows))?;
    }
    Ok(())
}

/// What is to be judged.
fn asked(program: &Path, arguments: &Arguments) -> Result<Which> {
    let part = Which::Part(arguments.shard.clone());
    let Some(words) = &arguments.only else { return Ok(part) };
    let list = judge::list(program, &part)?;
    let names: Vec<String> = list.lines().filter(|name| name.contains(words)).map(str::to_owned).collect();
    ensure!(!names.is_empty(), "no mutant has `{words}` in its name");
    Ok(Which::Named(names))
}

/// What every judge let through.
fn survivors<'h>(rows: &'h [(&str, Heard)]) -> &'h [String] {
    rows.last().map_or(&[], |(_, last)| &last.missed)
}

fn report(rows: &[(&str, Heard)], explained: &Explained) -> Result<()> {
    let row = |name: &str, numbers: [&str; 5]| {
        let [caught, hung, missed, unviable, unshipped] = numbers;
        println!("{name:<42} {caught:>7} {hung:>7} {missed:>7} {unviable:>9} {unshipped:>11}");
    };
    println!();
    row("judge", ["caught", "hung", "missed", "unviable", "not shipped"]);
    for (name, heard) in rows {
        let Heard { caught, hung, missed, unviable, unshipped } = heard;
        let numbers = [caught, hung, missed, unviable, unshipped].map(|names| names.len().to_string());
        row(name, numbers.each_ref().map(String::as_str));
    }
    let caught: usize = rows.iter().map(|(_, heard)| heard.caught.len() + heard.hung.len()).sum();
    let survivors = survivors(rows);
    let all = caught + survivors.len();
    ensure!(all > 0, "there was nothing to judge");
    println!("\n{caught} of {all} caught, {}.{} %", caught * 100 / all, caught * 1000 / all % 10);
    for name in survivors {
        println!("missed: {name}");
    }
    let bare: Vec<&str> = survivors.iter().map(String::as_str).filter(|name| !explained.has(name)).collect();
    ensure!(bare.is_empty(), "{} does not explain\n{}", explained::FILE, bare.join("\n"));
    ensure!(caught * 100 >= all * LEAST_CAUGHT, "that is less than {LEAST_CAUGHT} %");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(caught: usize, missed: &[&str]) -> Heard {
        let caught = (0..caught).map(|at| format!("kernel/src/a.rs:{at}:1: replace a with b")).collect();
        let missed = missed.iter().map(|name| (*name).to_owned()).collect();
        Heard { caught, missed, ..Heard::default() }
    }

    #[test]
    fn survivors_are_explained_and_few() {
        let explained = Explained::parse("- `kernel/src/a.rs: replace < with <= in f`: equal there.\n");
        let known = "kernel/src/a.rs:7:9: replace < with <= in f";
        let quick = heard(10, &[known, "kernel/src/a.rs:8:9: delete ! in f"]);
        assert!(report(&[("quick", quick.clone()), ("slow", heard(9, &[known]))], &explained).is_ok());
        assert!(report(&[("quick", quick)], &explained).is_err(), "one is not explained");
        assert!(report(&[("quick", heard(18, &[known]))], &explained).is_err(), "18 of 19 are less than 95 %");
        assert!(report(&[], &explained).is_err(), "nothing was judged");
    }
}
