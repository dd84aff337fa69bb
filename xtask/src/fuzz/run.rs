//! One target: running it, and understanding what libFuzzer prints.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::corpus;
use crate::process::succeed;

/// No input is longer: the longest that the targets take.
const LONGEST: &str = "-max_len=2048";
/// An input that takes so many seconds is a finding.
const TIME_OUT: &str = "-timeout=10";
/// How often a target says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// How a target is to be run.
pub(super) struct Plan {
    pub(super) target: String,
    pub(super) program: PathBuf,
    pub(super) runs: u64,
    pub(super) seed: u32,
    /// What is always begun with.
    pub(super) seeds: PathBuf,
    /// Parts of inputs that are hard to come by.
    pub(super) words: PathBuf,
    /// What earlier runs have found worth keeping, packed.
    pub(super) kept: PathBuf,
    /// The same, a file for each input.
    pub(super) unpacked: PathBuf,
    /// What this run finds worth keeping.
    pub(super) work: PathBuf,
    /// Where inputs go that must not be.
    pub(super) findings: PathBuf,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) target: String,
    pub(super) executions: u64,
    /// Executions in a second.
    pub(super) rate: u64,
    /// Branches reached.
    pub(super) reached: u64,
    /// Inputs that each reached something new.
    pub(super) corpus: u64,
    pub(super) finding: Option<Finding>,
}

/// An input that must not be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) reason: String,
    /// The command that shows it.
    pub(super) again: String,
}

impl Plan {
    /// Runs the target to its end or its first finding.
    pub(super) fn fuzz(&self) -> Result<Outcome> {
        renew(&self.work)?;
        renew(&self.unpacked)?;
        corpus::unpack(&self.kept, &self.unpacked)?;
        fs::create_dir_all(&self.findings).with_context(|| format!("cannot make {}", self.findings.display()))?;
        let mut command = Command::new(&self.program);
        command.arg(format!("-runs={}", self.runs)).arg(format!("-seed={}", self.seed)).args([LONGEST, TIME_OUT]);
        command.arg(format!("-artifact_prefix={}/{}-", self.findings.display(), self.target));
        command.arg(format!("-dict={}", self.words.display()));
        command.args([&self.work, &self.unpacked, &self.seeds]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let begin = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let mut log = Log::default();
        let mut said = begin;
        for line in BufReader::new(child.stderr.take().context("the target has no output")?).split(b'\n') {
            log.take(&String::from_utf8_lossy(&line?));
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                println!("{:<14} {:>12} of {}", self.target, log.executions, self.runs);
            }
        }
        let status = child.wait()?;
        let outcome = log.outcome(&self.target, &self.program, begin.elapsed());
        ensure!(outcome.reached > 0 || outcome.finding.is_some(), "{} counts no branches: {}", self.target, log.last);
        ensure!(status.success() == outcome.finding.is_none(), "{} ended with {status}: {}", self.target, log.last);
        println!("{:<14} {:>12} done, {} reached", self.target, outcome.executions, outcome.reached);
        Ok(outcome)
    }

    /// Leaves in `kept` the fewest inputs that reach all that was reached.
    pub(super) fn keep(&self) -> Result<()> {
        let fewest = self.work.with_extension("fewest");
        renew(&fewest)?;
        let mut command = Command::new(&self.program);
        command.args(["-set_cover_merge=1", LONGEST]).args([&fewest, &self.unpacked, &self.work, &self.seeds]);
        succeed(&mut command)?;
        corpus::pack(&fewest, &self.kept)?;
        Ok(())
    }
}

/// `folder`, without anything in it.
fn renew(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
    .with_context(|| format!("cannot make {} anew", folder.display()))
}

/// What libFuzzer has printed so far, as far as it matters.
#[derive(Default)]
struct Log {
    executions: u64,
    reached: u64,
    corpus: u64,
    /// What a panic said, or what libFuzzer calls it.
    reason: Option<String>,
    /// The file with the input that must not be.
    artifact: Option<String>,
    /// A panic's own words stand in the line behind its place.
    panicked: bool,
    last: String,
}

impl Log {
    fn take(&mut self, line: &str) {
        if std::mem::take(&mut self.panicked) && self.reason.is_none() {
            self.reason = Some(line.to_owned());
        }
        let mut words = line.split_whitespace();
        if let Some(executions) = words.next().and_then(|first| first.strip_prefix('#')?.parse().ok()) {
            self.executions = executions;
            let mut numbers = words.clone().zip(words.skip(1));
            let mut after = |name| numbers.find(|(word, _)| *word == name).map(|(_, number)| leading(number));
            self.reached = after("cov:").unwrap_or(self.reached);
            self.corpus = after("corp:").unwrap_or(self.corpus);
        } else if let Some((_, error)) = line.split_once("ERROR: libFuzzer: ") {
            self.reason.get_or_insert(error.to_owned());
        } else if let Some((_, file)) = line.split_once("Test unit written to ") {
            self.artifact = Some(file.to_owned());
        }
        self.panicked = line.starts_with("thread ") && line.contains(" panicked at ");
        if !line.is_empty() {
            self.last = line.to_owned();
        }
    }

    fn outcome(&self, target: &str, program: &Path, time: Duration) -> Outcome {
        let again = self.artifact.as_ref().map(|file| format!("{} {file}", program.display()));
        let finding =
            again.map(|again| Finding { reason: self.reason.clone().unwrap_or_else(|| self.last.clone()), again });
        let rate = u128::from(self.executions) * 1_000 / time.as_millis().max(1);
        Outcome {
            target: target.to_owned(),
            executions: self.executions,
            rate: u64::try_from(rate).unwrap_or(u64::MAX),
            reached: self.reached,
            corpus: self.corpus,
            finding,
        }
    }
}

/// The number that `word` begins with.
fn leading(word: &str) -> u64 {
    let digits = word.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(word.len());
    word[..digits].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(lines: &[&str]) -> Outcome {
        let mut log = Log::default();
        lines.iter().for_each(|line| log.take(line));
        log.outcome("vote", Path::new("/fuzz/vote"), Duration::from_secs(2))
    }

    #[test]
    fn a_quiet_run_is_counted() {
        let outcome = outcome(&[
            "INFO: Loaded 1 modules   (12827 inline 8-bit counters): 12827 [0x5612ec73dac0, 0x5612ec740cdb), ",
            "#79	INITED cov: 1986 ft: 2757 corp: 28/839b exec/s: 0 rss: 30Mb",
            "#200000	DONE   cov: 3226 ft: 4696 corp: 840/39Kb lim: 402 exec/s: 100000 rss: 31Mb",
            "Done 200000 runs in 2 second(s)",
        ]);
        assert_eq!((outcome.executions, outcome.rate), (200_000, 100_000));
        assert_eq!((outcome.reached, outcome.corpus, outcome.finding), (3_226, 840, None));
    }

    #[test]
    fn a_finding_has_the_words_of_the_panic_and_a_way_to_see_it_again() {
        let outcome = outcome(&[
            "#512	NEW    cov: 7 ft: 9 corp: 3/9b lim: 4 exec/s: 0 rss: 30Mb L: 4/4 MS: 1 ChangeByte-",
            "thread '<unnamed>' (15812) panicked at src/nodes.rs:60:5:",
            "what it refused has changed it",
            "==15812== ERROR: libFuzzer: deadly signal",
            "artifact_prefix='/findings/vote-'; Test unit written to /findings/vote-crash-3330b4",
        ]);
        let finding = outcome.finding.unwrap();
        assert_eq!(finding.reason, "what it refused has changed it");
        assert_eq!(finding.again, "/fuzz/vote /findings/vote-crash-3330b4");
    }

    #[test]
    fn an_input_that_takes_too_long_is_a_finding_too() {
        let outcome = outcome(&[
            "#16	pulse  cov: 7 ft: 9 corp: 3/9b lim: 4 exec/s: 0 rss: 30Mb",
            "==99== ERROR: libFuzzer: timeout after 11 seconds",
            "artifact_prefix='/findings/vote-'; Test unit written to /findings/vote-timeout-99",
        ]);
        assert_eq!(outcome.finding.unwrap().reason, "timeout after 11 seconds");
    }
}
