//! `butterfly-check simulate` and `butterfly-check replay`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use butterfly_kernel::types::Resilience;
use butterfly_model_check::simulate::campaign::{Campaign, Seeds, Summary};
use butterfly_model_check::simulate::faults::Kind;
use butterfly_model_check::simulate::profile::{self, PROFILES, Profile};
use butterfly_model_check::simulate::workload::{self, WORKLOADS};
use butterfly_model_check::simulate::{Outcome, Scenario, recovery_bound};
use clap::Args;
use serde_json::{Map, Value, json};

use super::{refuse, status};

/// Fewest voters that survive a fault.
pub(crate) const LEAST_NODES: usize = 4;

/// What is run, but for the seed.
#[derive(Args)]
pub(crate) struct Which {
    /// Voters, 4 to 16
    #[arg(long, default_value_t = LEAST_NODES)]
    pub(crate) nodes: usize,
    /// Which faults; an unknown name prints them all
    #[arg(long, default_value = "chaos")]
    pub(crate) profile: String,
    /// What clients ask for; an unknown name prints all of it
    #[arg(long, default_value = WORKLOADS[0].name)]
    pub(crate) workload: String,
}

#[derive(Args)]
pub(crate) struct Simulate {
    #[command(flatten)]
    which: Which,
    /// These seeds, the last one not included, for example 0..100; all of the profile without
    #[arg(long, value_name = "A..B", conflicts_with = "minutes")]
    seeds: Option<String>,
    /// As many seeds as end within so many minutes
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Run each seed twice, and compare
    #[arg(long)]
    twice: bool,
    /// Write what honest members did into this file, one line for each step: of a single seed
    #[arg(long, value_name = "FILE", requires = "seeds")]
    trace: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Replay {
    /// The seed
    seed: u64,
    #[command(flatten)]
    which: Which,
    /// Write what honest members did into this file, one line for each step
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Many seeds.
pub(crate) fn simulate(arguments: &Simulate) -> ExitCode {
    let scenario = match arguments.which.scenario() {
        Ok(scenario) => scenario,
        Err(refused) => return refused,
    };
    let profile = scenario.profile;
    let seeds = match seeds(arguments, profile) {
        Ok(seeds) => seeds,
        Err(refused) => return refused,
    };
    if let Some(path) = &arguments.trace {
        let Seeds::Range(range) = &seeds else { return ExitCode::FAILURE };
        if range.end - range.start != 1 {
            return refuse("a trace is of a single seed", std::iter::once("--seeds 7..8".to_owned()));
        }
        if let Err(error) = write_trace(path, range.start, &scenario) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let whole = seeds == Seeds::Range(0..profile.seeds);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let campaign = Campaign { scenario: &scenario, threads, twice: arguments.twice };
    let stop = stop_on_interrupt();
    let mut progress = Progress::new();
    let summary = campaign.run(&seeds, &stop, &mut |summary| progress.show(summary));
    progress.end();
    let short = short_of(profile, &summary);
    let ok = summary.failures.is_empty()
        && summary.differing.is_empty()
        && !summary.interrupted
        && (short.is_empty() || !whole);
    if arguments.json {
        println!("{}", document(&campaign, &summary, &short, ok));
    } else {
        tell(&campaign, &summary);
        tell_coverage(profile, &summary, &short, whole);
    }
    status(ok)
}

/// One seed, twice.
pub(crate) fn replay(arguments: &Replay) -> ExitCode {
    let scenario = match arguments.which.scenario() {
        Ok(scenario) => scenario,
        Err(refused) => return refused,
    };
    let first = scenario.run(arguments.seed);
    if let Some(path) = &arguments.trace
        && let Err(error) = write_trace(path, arguments.seed, &scenario)
    {
        eprintln!("cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let again = scenario.run(arguments.seed);
    let equal = first.digest == again.digest && first.violation == again.violation;
    if arguments.json {
        println!("{}", replayed(&first, equal));
    } else {
        tell_outcome(&first);
        if !equal {
            println!("! the second run differs: {:016x}", again.digest);
        }
    }
    status(equal && first.violation.is_none())
}

fn write_trace(path: &Path, seed: u64, scenario: &Scenario) -> std::io::Result<()> {
    std::fs::write(path, scenario.run_traced(seed).trace.unwrap_or_default())
}

/// The cluster and the faults, or why there are none such.
pub(crate) fn setting(nodes: usize, name: &str) -> Result<(Resilience, &'static Profile), ExitCode> {
    let profile = profile::find(name).ok_or_else(|| {
        let all = PROFILES.iter().map(|profile| format!("{:<10} {}", profile.name, profile.about));
        refuse(&format!("there is no profile `{name}`"), all)
    })?;
    let resilience = Resilience::largest(nodes).ok().filter(|found| found.f() > 0);
    let resilience = resilience.ok_or_else(|| {
        let sizes = std::iter::once(format!("--nodes {LEAST_NODES} to 16"));
        refuse(&format!("{nodes} voters survive no fault, or are more than there may be"), sizes)
    })?;
    Ok((resilience, profile))
}

impl Which {
    /// What was named, or why there is no such thing.
    pub(crate) fn scenario(&self) -> Result<Scenario, ExitCode> {
        let (nodes, profile) = setting(self.nodes, &self.profile)?;
        let workload = workload::find(&self.workload).ok_or_else(|| {
            let all = WORKLOADS.iter().map(|workload| format!("{:<10} {}", workload.name, workload.about));
            refuse(&format!("there is no workload `{}`", self.workload), all)
        })?;
        Ok(Scenario { workload, ..Scenario::new(nodes, profile) })
    }
}

fn seeds(arguments: &Simulate, profile: &Profile) -> Result<Seeds, ExitCode> {
    let wrong = |what: String| refuse(&what, ["--seeds 0..100", "--minutes 1.5"].map(str::to_owned).into_iter());
    if let Some(minutes) = arguments.minutes {
        let limit = Duration::try_from_secs_f64(minutes * 60.0).ok().filter(|limit| !limit.is_zero());
        return limit.map(|limit| Seeds::During(0, limit)).ok_or_else(|| wrong(format!("{minutes} is no duration")));
    }
    let Some(range) = &arguments.seeds else { return Ok(Seeds::Range(0..profile.seeds)) };
    let ends = range.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    match ends {
        Some((from, to)) if from < to => Ok(Seeds::Range(from..to)),
        _ => Err(wrong(format!("`{range}` is no range of seeds"))),
    }
}

/// Kinds that happened less often than the profile asks for.
fn short_of(profile: &Profile, summary: &Summary) -> Vec<(Kind, u64)> {
    let counted = profile.kinds.iter().map(|kind| (*kind, summary.counts.faults.of(*kind)));
    counted.filter(|(_, times)| *times < profile.least).collect()
}

/// Ctrl-C ends the seeds under way, and what was found is told.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let handled = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nends with the seeds under way; once more to end at once");
    });
    if let Err(error) = handled {
        eprintln!("Ctrl-C will end this without a summary: {error}");
    }
    stop
}

#[allow(clippy::cast_precision_loss, reason = "for people to read")]
fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// Virtual seconds and kernel events for each second of one processor.
fn speed(summary: &Summary) -> (f64, f64) {
    let times = summary.hours() * 3_600.0 / summary.cpu_seconds.max(f64::MIN_POSITIVE);
    (times, per_second(summary.counts.events, summary.cpu_seconds))
}

/// The `share`th of a hundred of `recoveries`, in seconds.
#[allow(clippy::cast_precision_loss, reason = "for people to read")]
fn recovery(summary: &Summary, share: usize) -> Option<f64> {
    let place = summary.recoveries.len().checked_sub(1)? * share / 100;
    summary.recoveries.get(place).map(|micros| *micros as f64 / 1e6)
}

fn tell(campaign: &Campaign<'_>, summary: &Summary) {
    let counts = &summary.counts;
    let (times, events) = speed(summary);
    let Scenario { nodes: r, profile, workload, .. } = *campaign.scenario;
    println!(
        " cluster          n={} f={} p={}, profile {}, requests {}",
        r.n(),
        r.f(),
        r.p(),
        profile.name,
        workload.name
    );
    println!(" seeds            {}", summary.seeds);
    println!(
        " simulated        {:.1} h in {:.1} s, on {} threads that used {:.1} s of processor time",
        summary.hours(),
        summary.wall_seconds,
        campaign.threads,
        summary.cpu_seconds
    );
    println!(" speed            {times:.0}x real time and {events:.0} kernel events/s per core");
    println!(" kernel events    {}, {} of them rejected", counts.events, counts.rejected);
    let hours = summary.hours();
    println!(" epochs           {}, {:.1} a second", counts.epochs, per_second(counts.epochs, hours * 3_600.0));
    println!(" tokens           {}", counts.tokens);
    println!(" view changes     {}", counts.views);
    println!(
        " forgeries        {} refused, {} damaged frames readable, {} times proof of a fault",
        counts.forged, counts.survived_damage, counts.blamed
    );
    println!(" faults           {}, {:.0} an hour", counts.faults.total(), per_second(counts.faults.total(), hours));
    if let (Some(half), Some(most), Some(last)) = (recovery(summary, 50), recovery(summary, 99), recovery(summary, 100))
    {
        #[allow(clippy::cast_precision_loss, reason = "for people to read")]
        let bound = recovery_bound(r) as f64 / 1e6;
        println!(" recovery         p50 {half:.2} s, p99 {most:.2} s, most {last:.2} s, bound {bound:.0} s");
    }
    println!(" digest           {:016x}", summary.digest);
    for failure in &summary.failures {
        let violation = &failure.violation;
        println!("! seed {}: {} does not hold: {}", failure.seed, violation.property, violation.seen);
        println!("  {}", campaign.scenario.replay(failure.seed));
    }
    summary.differing.iter().for_each(|seed| println!("! seed {seed}: its second run was another one"));
    if summary.interrupted {
        println!("! ended before its last seed");
    }
}

fn tell_coverage(profile: &Profile, summary: &Summary, short: &[(Kind, u64)], whole: bool) {
    if profile.kinds.is_empty() {
        return;
    }
    println!("\n fault                       times");
    for kind in profile.kinds {
        println!(" {:<22} {:>10}  {}", kind.name(), summary.counts.faults.of(*kind), kind.about());
    }
    for (kind, times) in short {
        let sign = if whole { '!' } else { ' ' };
        println!("{sign} {} happened {times} times, a whole run asks for {}", kind.name(), profile.least);
    }
}

fn tell_outcome(outcome: &Outcome) {
    let counts = &outcome.counts;
    println!(" seed             {}", outcome.seed);
    #[allow(clippy::cast_precision_loss, reason = "for people to read")]
    let seconds = outcome.time as f64 / 1e6;
    println!(" simulated        {seconds:.3} s");
    println!(" kernel events    {}", counts.events);
    println!(" epochs           {}", counts.epochs);
    println!(" faults           {}", counts.faults.total());
    println!(" digest           {:016x}", outcome.digest);
    if let Some(violation) = &outcome.violation {
        println!("! {} does not hold: {}", violation.property, violation.seen);
    }
}

fn document(campaign: &Campaign<'_>, summary: &Summary, short: &[(Kind, u64)], ok: bool) -> Value {
    let counts = &summary.counts;
    let (times, events) = speed(summary);
    let faults: Map<String, Value> = campaign
        .scenario
        .profile
        .kinds
        .iter()
        .map(|kind| (kind.name().to_owned(), json!(counts.faults.of(*kind))))
        .collect();
    let violations: Vec<Value> = summary
        .failures
        .iter()
        .map(|failure| json!({ "seed": failure.seed, "violation": failure.violation }))
        .collect();
    json!({
        "ok": ok,
        "nodes": campaign.scenario.nodes.n(),
        "profile": campaign.scenario.profile.name,
        "workload": campaign.scenario.workload.name,
        "seeds": summary.seeds,
        "simulated_hours": summary.hours(),
        "wall_seconds": summary.wall_seconds,
        "cpu_seconds": summary.cpu_seconds,
        "times_real_time_per_core": times,
        "events": counts.events,
        "events_per_second_per_core": events,
        "epochs": counts.epochs,
        "commits": counts.epochs,
        "tokens": counts.tokens,
        "faults": faults,
        "short_of": short.iter().map(|(kind, _)| kind.name()).collect::<Vec<_>>(),
        "recovery_seconds": { "p50": recovery(summary, 50), "p99": recovery(summary, 99), "most": recovery(summary, 100) },
        "violations": violations,
        "differing": summary.differing,
        "interrupted": summary.interrupted,
        "digest": format!("{:016x}", summary.digest),
    })
}

fn replayed(outcome: &Outcome, equal: bool) -> Value {
    json!({
        "seed": outcome.seed,
        "events": outcome.counts.events,
        "epochs": outcome.counts.epochs,
        "faults": outcome.counts.faults.total(),
        "recovery_microseconds": outcome.recovery,
        "violation": outcome.violation,
        "digest": format!("{:016x}", outcome.digest),
        "equal": equal,
    })
}

/// Says on standard error how far it is: a line that is written over on a
/// terminal, and one now and then elsewhere.
struct Progress {
    said: Instant,
    every: Duration,
    terminal: bool,
}

impl Progress {
    fn new() -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let every = if terminal { Duration::from_millis(200) } else { Duration::from_secs(20) };
        Progress { said: Instant::now(), every, terminal }
    }

    fn show(&mut self, summary: &Summary) {
        if self.said.elapsed() < self.every {
            return;
        }
        self.said = Instant::now();
        let counts = &summary.counts;
        let line = format!(
            "{} seeds, {:.1} simulated hours, {} faults, {} commits, {} violations",
            summary.seeds,
            summary.hours(),
            counts.faults.total(),
            counts.epochs,
            summary.failures.len()
        );
        if self.terminal {
            eprint!("\r\x1b[K{line}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    fn end(self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
