//! `butterfly-check shrink`.

use std::process::ExitCode;

use butterfly_kernel::agreement::rules::Mutant;
use butterfly_model_check::simulate::Scenario;
use butterfly_model_check::simulate::shrink::{Shrunk, shrink as shrink_run};
use clap::Args;
use serde_json::json;

use super::simulate::Which;
use super::{refuse, status};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The seed
    seed: u64,
    #[command(flatten)]
    which: Which,
    /// With this bug in the kernel: see `mutants`
    #[arg(long)]
    mutant: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Leaves out the faults that a failing seed does not need. The exit status is
/// 0 if the seed fails no more.
pub(crate) fn shrink(arguments: &Arguments) -> ExitCode {
    let scenario = match arguments.which.scenario() {
        Ok(scenario) => scenario,
        Err(refused) => return refused,
    };
    let name = |mutant: &Mutant| format!("{mutant:?}");
    let bug =
        arguments.mutant.as_ref().map(|wanted| Mutant::ALL.iter().copied().find(|mutant| name(mutant) == *wanted));
    if bug == Some(None) {
        return refuse("there is no such bug", Mutant::ALL.iter().map(name));
    }
    let shrunk = shrink_run(arguments.seed, &Scenario { mutant: bug.flatten(), ..scenario });
    match &shrunk {
        _ if arguments.json => println!("{}", document(shrunk.as_ref())),
        None => println!("seed {} breaks nothing", arguments.seed),
        Some(shrunk) => tell(shrunk),
    }
    status(shrunk.is_none())
}

fn tell(shrunk: &Shrunk) {
    println!("{} of {} faults are needed, found in {} runs:", shrunk.faults.len(), shrunk.before, shrunk.runs);
    shrunk.faults.iter().for_each(|fault| println!("  {fault}"));
    if let Some(violation) = &shrunk.outcome.violation {
        println!("! {} does not hold: {}", violation.property, violation.seen);
    }
}

fn document(shrunk: Option<&Shrunk>) -> serde_json::Value {
    match shrunk {
        None => json!({ "fails": false }),
        Some(shrunk) => json!({
            "fails": true,
            "before": shrunk.before,
            "faults": shrunk.faults,
            "runs": shrunk.runs,
            "violation": shrunk.outcome.violation,
        }),
    }
}
