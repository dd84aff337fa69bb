//! Many seeds, on as many threads as there are processors.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

use super::engine::{Counts, Outcome};
use super::oracles::Violation;
use super::{Micros, Scenario, digest::Fold};

/// Which seeds to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// These.
    Range(Range<u64>),
    /// From this one on, until so much wall time is over.
    During(u64, Duration),
}

/// A seed in which a property does not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What to replay.
    pub seed: u64,
    /// What was seen.
    pub violation: Violation,
}

/// What came of all seeds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds that were run.
    pub seeds: u64,
    /// Microseconds of virtual time of all runs together.
    pub time: Micros,
    /// Seconds from the first run to the last.
    pub wall_seconds: f64,
    /// Seconds of processor time of all threads: other programs do not count.
    pub cpu_seconds: f64,
    /// What they did.
    pub counts: Counts,
    /// Microseconds that each took to recover, in rising order.
    pub recoveries: Vec<Micros>,
    /// Of all digests, in order of the seeds.
    pub digest: u64,
    /// Seeds in which a property does not hold.
    pub failures: Vec<Failure>,
    /// Seeds whose second run was another one than the first.
    pub differing: Vec<u64>,
    /// It was ended before its last seed.
    pub interrupted: bool,
}

/// A seed that was run.
struct Ran {
    outcome: Outcome,
    differs: bool,
    took: Duration,
}

/// How seeds are run.
#[derive(Clone, Copy, Debug)]
pub struct Campaign<'a> {
    /// What is run.
    pub scenario: &'a Scenario,
    /// Threads.
    pub threads: usize,
    /// Run each seed a second time and compare the digests.
    pub twice: bool,
}

impl Campaign<'_> {
    /// Runs `seeds`; `progress` sees the summary after each, and `stop` ends it.
    pub fn run(&self, seeds: &Seeds, stop: &AtomicBool, progress: &mut dyn FnMut(&Summary)) -> Summary {
        let begun = Instant::now();
        let (first, end) = match seeds {
            Seeds::Range(range) => (range.start, range.end),
            Seeds::During(first, _) => (*first, u64::MAX),
        };
        let over = || match seeds {
            Seeds::During(_, limit) => begun.elapsed() >= *limit,
            Seeds::Range(_) => false,
        };
        let next = AtomicU64::new(first);
        let mut summary = Summary::default();
        let mut digests = Vec::new();
        std::thread::scope(|scope| {
            let (sender, results) = mpsc::channel();
            for _ in 0..self.threads {
                let (sender, next, over) = (sender.clone(), &next, &over);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) && !over() {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || sender.send(self.one(seed)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for Ran { outcome, differs, took } in results {
                summary.cpu_seconds += took.as_secs_f64();
                digests.push((outcome.seed, outcome.digest));
                summary.add(outcome, differs);
                summary.wall_seconds = begun.elapsed().as_secs_f64();
                progress(&summary);
            }
        });
        digests.sort_unstable();
        let mut fold = Fold::default();
        digests.iter().for_each(|(seed, digest)| [*seed, *digest].into_iter().for_each(|number| fold.add(number)));
        summary.digest = fold.value();
        summary.recoveries.sort_unstable();
        summary.failures.sort_by_key(|failure| failure.seed);
        summary.differing.sort_unstable();
        summary.interrupted = matches!(seeds, Seeds::Range(range) if summary.seeds < range.end - range.start);
        summary.wall_seconds = begun.elapsed().as_secs_f64();
        summary
    }

    fn one(&self, seed: u64) -> Ran {
        let begun = ThreadTime::now();
        let outcome = self.scenario.run(seed);
        let took = begun.elapsed();
        let differs = self.twice && self.scenario.run(seed).digest != outcome.digest;
        Ran { outcome, differs, took }
    }
}

impl Summary {
    fn add(&mut self, outcome: Outcome, differs: bool) {
        self.seeds += 1;
        self.time += outcome.time;
        let (here, there) = (&mut self.counts, &outcome.counts);
        here.events += there.events;
        here.rejected += there.rejected;
        here.messages += there.messages;
        here.epochs += there.epochs;
        here.tokens += there.tokens;
        here.views += there.views;
        here.blamed += there.blamed;
        here.forged += there.forged;
        here.survived_damage += there.survived_damage;
        here.faults.add(&there.faults);
        self.recoveries.extend(outcome.recovery);
        if let Some(violation) = outcome.violation {
            self.failures.push(Failure { seed: outcome.seed, violation });
        }
        if differs {
            self.differing.push(outcome.seed);
        }
    }

    /// Virtual hours.
    #[allow(clippy::cast_precision_loss, reason = "years of microseconds fit")]
    pub fn hours(&self) -> f64 {
        self.time as f64 / 3.6e9
    }
}
