//! The costs that are the same on every machine, in a file beside the program
//! that measures them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Costs;
use super::program::Part;
use crate::process::succeed;
use crate::workspace;

/// Instructions may differ by this part of what is pinned, and by a few: how
/// blocks are aligned makes a small difference.
const TOLERANCE: f64 = 0.05;
const A_FEW: u64 = 200;

/// What a line of the file holds, by its key.
#[derive(Default)]
pub(super) struct Pinned {
    compiler: String,
    /// `instructions n transition part`, which may differ a little.
    instructions: BTreeMap<String, u64>,
    /// `signatures n transition made|checked` and `bytes type n`, which may not.
    exact: BTreeMap<String, u64>,
}

impl Pinned {
    /// What was measured. Of instructions, those without signatures: their
    /// arithmetic depends on the processor.
    pub(super) fn of(costs: &Costs) -> Result<Pinned> {
        let mut pinned = Pinned { compiler: compiler()?, ..Pinned::default() };
        for counted in &costs.instructions {
            let (n, transition) = (counted.n, &counted.transition);
            let part = match counted.part {
                Part::Step => "step",
                Part::Arrival => "arrival",
                Part::Signed => {
                    let signatures = counted.signatures;
                    pinned.exact.insert(format!("signatures {n} {transition} made"), signatures.made.into());
                    pinned.exact.insert(format!("signatures {n} {transition} checked"), signatures.checked.into());
                    continue;
                }
            };
            pinned.instructions.insert(format!("instructions {n} {transition} {part}"), counted.instructions);
        }
        for size in &costs.state {
            for (capacity, bytes) in [4, 7, 16].into_iter().zip(size.bytes) {
                pinned.exact.insert(format!("bytes {capacity} {}", size.name), bytes);
            }
        }
        Ok(pinned)
    }

    pub(super) fn read() -> Result<Pinned> {
        let path = path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Pinned::parse(&text).with_context(|| format!("{} is not what `cargo xtask costs --pin` writes", path.display()))
    }

    fn parse(text: &str) -> Result<Pinned> {
        let mut pinned = Pinned::default();
        for line in text.lines() {
            if let Some(compiler) = line.strip_prefix("compiler ") {
                pinned.compiler = compiler.to_owned();
                continue;
            }
            let (key, value) = line.rsplit_once(' ').with_context(|| format!("a line without a number: {line}"))?;
            let value = value.parse().with_context(|| format!("a line without a number: {line}"))?;
            let table = if key.starts_with("instructions ") { &mut pinned.instructions } else { &mut pinned.exact };
            table.insert(key.to_owned(), value);
        }
        ensure!(!pinned.compiler.is_empty(), "it names no compiler");
        Ok(pinned)
    }

    pub(super) fn write(&self) -> Result<()> {
        ensure!(!self.instructions.is_empty() && !self.exact.is_empty(), "to pin, measure state and instructions");
        let lines = self.exact.iter().chain(&self.instructions).map(|(key, value)| format!("{key} {value}\n"));
        let text = format!("compiler {}\n{}", self.compiler, lines.collect::<String>());
        let path = path();
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Everything of `found` that is not as pinned here. What was not measured
    /// this time is not missed.
    pub(super) fn compare(&self, found: &Pinned) -> Vec<String> {
        let mut complaints = Vec::new();
        for (key, value) in &found.exact {
            match self.exact.get(key) {
                Some(pinned) if pinned == value => {}
                Some(pinned) => complaints.push(format!("{key}: {value}, pinned is {pinned}")),
                None => complaints.push(format!("{key}: {value}, nothing is pinned")),
            }
        }
        if found.compiler != self.compiler {
            println!(
                "instructions are pinned for {}, this is {}: they are not compared",
                self.compiler, found.compiler
            );
            return complaints;
        }
        for (key, value) in &found.instructions {
            match self.instructions.get(key) {
                Some(pinned) if value.abs_diff(*pinned) <= tolerance(*pinned) => {}
                Some(pinned) => {
                    let percent = (*value as f64 / *pinned as f64 - 1.0) * 100.0;
                    complaints.push(format!("{key}: {value}, {percent:+.0} % of the pinned {pinned}"));
                }
                None => complaints.push(format!("{key}: {value}, nothing is pinned")),
            }
        }
        complaints
    }
}

fn tolerance(pinned: u64) -> u64 {
    A_FEW.max((pinned as f64 * TOLERANCE) as u64)
}

fn path() -> PathBuf {
    workspace::root().join("kernel/costs/pinned.txt")
}

fn compiler() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(succeed(Command::new(rustc).arg("--version"))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(compiler: &str, instructions: u64, bytes: u64) -> Pinned {
        let line = |key: &str, value| [(key.to_owned(), value)].into_iter().collect();
        Pinned {
            compiler: compiler.into(),
            instructions: line("instructions 4 vote step", instructions),
            exact: line("bytes 4 Node", bytes),
        }
    }

    #[test]
    fn instructions_may_differ_a_little_and_bytes_not_at_all() {
        let held = pinned("one", 10_000, 64);
        assert!(held.compare(&pinned("one", 10_500, 64)).is_empty());
        assert!(held.compare(&pinned("one", 9_500, 64)).is_empty());
        assert_eq!(held.compare(&pinned("one", 10_501, 64)).len(), 1);
        assert_eq!(held.compare(&pinned("one", 9_499, 64)).len(), 1, "pin what was gained");
        assert_eq!(held.compare(&pinned("one", 10_000, 65)).len(), 1);
    }

    #[test]
    fn another_compiler_may_give_other_instructions_but_no_other_sizes() {
        let held = pinned("one", 10_000, 64);
        assert!(held.compare(&pinned("another", 20_000, 64)).is_empty());
        assert_eq!(held.compare(&pinned("another", 20_000, 65)).len(), 1);
    }

    #[test]
    fn what_is_not_pinned_is_complained_about() {
        let held = Pinned { compiler: "one".into(), ..Pinned::default() };
        assert_eq!(held.compare(&pinned("one", 1, 1)).len(), 2);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let read = Pinned::parse("compiler rustc 1\nbytes 4 Node 64\ninstructions 4 vote step 10\n").unwrap();
        assert!(read.compare(&Pinned { compiler: "rustc 1".into(), ..pinned("", 10, 64) }).is_empty());
        assert!(Pinned::parse("bytes 4 Node 64\n").is_err());
        assert!(Pinned::parse("compiler rustc 1\nbytes 4 Node many\n").is_err());
    }
}
