//! `butterfly-check hunt`.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_model_check::simulate::Scenario;
use butterfly_model_check::simulate::hunt::{Found, hunt as hunt_one};
use clap::Args;
use serde_json::{Value, json};

use super::simulate::setting;
use super::{refuse, status};

/// Of at least so many bugs a whole hunt must notice.
const LEAST_FOUND: usize = 30;

#[derive(Args)]
pub(crate) struct Arguments {
    /// This bug only: see `mutants`
    mutant: Option<String>,
    /// Seeds of each at most
    #[arg(long, default_value_t = 40)]
    seeds: u64,
    /// Which faults; an unknown name prints them all
    #[arg(long, default_value = "chaos")]
    profile: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The command.
pub(crate) fn hunt(arguments: &Arguments) -> ExitCode {
    // Four voters decide fast only; seven have a slow path as well.
    let mut scenarios: Vec<Scenario> = Vec::new();
    for nodes in [4, 7] {
        match setting(nodes, &arguments.profile) {
            Ok((resilience, profile)) => scenarios.push(Scenario::new(resilience, profile)),
            Err(refused) => return refused,
        }
    }
    let name = |mutant: &Mutant| format!("{mutant:?}");
    let chosen: Vec<Mutant> = match &arguments.mutant {
        None => Mutant::ALL.to_vec(),
        Some(wanted) => Mutant::ALL.iter().copied().filter(|mutant| name(mutant) == *wanted).collect(),
    };
    if chosen.is_empty() {
        let wanted = arguments.mutant.clone().unwrap_or_default();
        return refuse(&format!("there is no bug `{wanted}`"), Mutant::ALL.iter().map(name));
    }
    let (next, found) = (AtomicUsize::new(0), Mutex::new(vec![None; chosen.len()]));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mutant) = chosen.get(place) else { return };
                    let one = hunt_one(*mutant, &scenarios, arguments.seeds);
                    eprintln!("[{}/{}] {}", place + 1, chosen.len(), line(*mutant, one.as_ref()));
                    found.lock().expect("nobody panics with it")[place] = one;
                }
            });
        }
    });
    let found = found.into_inner().expect("nobody panicked with it");
    let count = found.iter().flatten().count();
    let ok = if arguments.mutant.is_some() { count == 1 } else { count >= LEAST_FOUND };
    if arguments.json {
        println!("{}", document(&chosen, &found, ok));
    } else {
        println!("| bug | noticed after seeds | voters | by |\n| --- | ---: | ---: | --- |");
        chosen.iter().zip(&found).for_each(|(mutant, found)| println!("{}", row(*mutant, found.as_ref())));
        println!("\n{count} of {} within {} seeds", chosen.len(), arguments.seeds);
    }
    status(ok)
}

fn line(mutant: Mutant, found: Option<&Found>) -> String {
    match found {
        None => format!("{mutant:?}: not noticed"),
        Some(found) => format!("{mutant:?}: {} after {} seeds", found.violation.property, found.seeds),
    }
}

fn row(mutant: Mutant, found: Option<&Found>) -> String {
    match found {
        None => format!("| `{mutant:?}` | - | - | - |"),
        Some(found) => format!("| `{mutant:?}` | {} | {} | {} |", found.seeds, found.nodes, found.violation.property),
    }
}

fn document(chosen: &[Mutant], found: &[Option<Found>], ok: bool) -> Value {
    let rows: Vec<Value> = chosen
        .iter()
        .zip(found)
        .map(|(mutant, found)| match found {
            None => json!({ "mutant": format!("{mutant:?}"), "seeds": null }),
            Some(found) => json!({
                "mutant": format!("{mutant:?}"),
                "seeds": found.seeds,
                "nodes": found.nodes,
                "violation": found.violation,
            }),
        })
        .collect();
    json!({ "ok": ok, "mutants": rows })
}
