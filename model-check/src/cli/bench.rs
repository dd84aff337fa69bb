//! `butterfly-check bench`: one specification, four programs.
//!
//! Each runs in a process of its own, one after the other, and is measured
//! from outside: processor time, and memory at its peak. The counts must be
//! equal; otherwise the times compare nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use butterfly_model_check::transcription::configuration::{self, Configuration};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Meter, refuse, status};

/// Our engine has to be so many times as fast as TLC.
const AT_LEAST: f64 = 20.0;
/// Processor time is counted in hundredths of a second.
const TICKS: f64 = 100.0;

/// What one program took.
#[derive(Serialize)]
struct Measured {
    program: &'static str,
    distinct: u64,
    cpu_seconds: f64,
    states_per_cpu_second: f64,
    peak_bytes: u64,
    bytes_per_state: u64,
}

/// The command.
pub(crate) fn bench(name: &str, json: bool) -> ExitCode {
    if configuration::must_fail(name) {
        return refuse("it has to be explored to its end", unreduced().into_iter());
    }
    let root = match configuration::read(name) {
        Ok(Configuration { constants, .. }) if !constants.are_of_orbits() => constants.root(),
        Ok(_) => return refuse("a reduction would be measured as well", unreduced().into_iter()),
        Err(error) => return refuse(&format!("{name}: {error}"), unreduced().into_iter()),
    };
    match measure(name, root) {
        Ok(all) => {
            let equal = all.iter().all(|measured| measured.distinct == all[0].distinct);
            let ratio = all[3].states_per_cpu_second / all[0].states_per_cpu_second;
            let ok = equal && ratio >= AT_LEAST;
            if json {
                println!("{}", json!({ "ok": ok, "configuration": name, "equal": equal, "runs": all }));
            } else {
                print(&all);
                if !equal {
                    println!("! the counts differ");
                }
                if ratio < AT_LEAST {
                    println!("! the graph is {ratio:.0} times as fast as TLC, not {AT_LEAST}");
                }
            }
            status(ok)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn unreduced() -> Vec<String> {
    let full = |name: &String| {
        let read = configuration::read(name);
        read.is_ok_and(|found| !found.constants.are_of_orbits()) && !configuration::must_fail(name)
    };
    configuration::names().into_iter().filter(full).collect()
}

fn print(all: &[Measured]) {
    println!(
        "{:<12}  {:>9}  {:>11}  {:>14}  {:>8}  {:>9}  {:>11}",
        "program", "distinct", "CPU seconds", "states/CPU s", "x TLC", "peak MiB", "bytes/state"
    );
    for one in all {
        println!(
            "{:<12}  {:>9}  {:>11.2}  {:>14.0}  {:>8.1}  {:>9.1}  {:>11}",
            one.program,
            one.distinct,
            one.cpu_seconds,
            one.states_per_cpu_second,
            one.states_per_cpu_second / all[0].states_per_cpu_second,
            one.peak_bytes as f64 / f64::from(1 << 20),
            one.bytes_per_state
        );
    }
}

fn measure(name: &str, root: &str) -> Result<Vec<Measured>, String> {
    let tools = configuration::folder().join("../target/tools");
    let missing = |what: &str| format!("{what} is not in {}: `cargo xtask spec` installs it", tools.display());
    let jar = find(&tools.join("tlc"), "tla2tools.jar").ok_or_else(|| missing("TLC"))?;
    let checker = find(&tools, "tla").ok_or_else(|| missing("tla-checker"))?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let config = format!("{name}.cfg");
    let scratch = std::env::temp_dir().join(format!("butterfly-bench-{}", std::process::id()));
    let mut tlc = Command::new("java");
    tlc.arg("-XX:+UseSerialGC").arg("-cp").arg(jar).args(["tlc2.TLC", "-workers", "1", "-deadlock", "-metadir"]);
    tlc.arg(&scratch).args(["-config", &config, root]);
    let mut tla = Command::new(checker);
    tla.args([&format!("{root}.tla"), "--config", &config, "--allow-deadlock", "--json"]);
    let engine = |engine: &str| {
        let mut command = Command::new(&own);
        command.args(["spec", name, "--json", "--engine", engine]);
        command
    };
    let stated = |text: &str| {
        let line = text.lines().find(|line| line.contains(" distinct states found, 0 states left"))?;
        line.split(" states generated, ").nth(1)?.split(' ').next()?.replace(',', "").parse().ok()
    };
    let explored = |text: &str| {
        let report: Value = serde_json::from_str(text.lines().last()?).ok()?;
        report["stats"]["states_explored"].as_u64().or_else(|| report["runs"][0]["distinct"].as_u64())
    };
    let all = [
        run("TLC", tlc, stated),
        run("tla-checker", tla, explored),
        run("Stateright", engine("stateright"), explored),
        run("graph", engine("graph"), explored),
    ];
    let _ = std::fs::remove_dir_all(&scratch);
    all.into_iter().collect()
}

fn run(program: &'static str, mut command: Command, read: impl Fn(&str) -> Option<u64>) -> Result<Measured, String> {
    let meter = Meter::new(format!("measuring {program}"));
    let output = std::env::temp_dir().join(format!("butterfly-bench-{}-{program}", std::process::id()));
    let file = std::fs::File::create(&output).map_err(|error| error.to_string())?;
    command.current_dir(configuration::folder()).stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
    let before = children_ticks().ok_or("processor time cannot be read from /proc")?;
    let mut child = command.spawn().map_err(|error| format!("cannot start {program}: {error}"))?;
    let mut peak = 0;
    let ended = loop {
        peak = peak.max(peak_bytes(&child).unwrap_or(0));
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(ended) => break ended,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let ticks = children_ticks().unwrap_or(before).saturating_sub(before);
    meter.end();
    let text = std::fs::read_to_string(&output).unwrap_or_default();
    let _ = std::fs::remove_file(&output);
    let distinct = read(&text).filter(|_| ended.success());
    let distinct = distinct.ok_or_else(|| format!("{program} did not complete ({ended}):\n{text}"))?;
    // Below one tick nothing can be told.
    let cpu_seconds = ticks.max(1) as f64 / TICKS;
    Ok(Measured {
        program,
        distinct,
        cpu_seconds,
        states_per_cpu_second: distinct as f64 / cpu_seconds,
        peak_bytes: peak,
        bytes_per_state: peak / distinct.max(1),
    })
}

/// Processor time of all children that have ended.
fn children_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold anything, stands the third field.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(13)?.parse::<u64>().ok()? + fields.get(14)?.parse::<u64>().ok()?)
}

fn peak_bytes(child: &Child) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir() && !path.is_symlink());
    let named = |path: &PathBuf| path.file_name().is_some_and(|found| found == name);
    files.into_iter().find(named).or_else(|| folders.iter().find_map(|folder| find(folder, name)))
}
