//! `butterfly-check crash-points`.

use std::process::ExitCode;

use butterfly_model_check::simulate::Scenario;
use butterfly_model_check::simulate::crash_points::Images;
use butterfly_model_check::simulate::oracles::Violation;
use clap::Args;
use serde_json::{Value, json};

use super::simulate::{LEAST_NODES, setting};
use super::{Meter, status};

/// A run that opened fewer images has shown nothing.
const LEAST_IMAGES: u64 = 10_000;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Voters, 4 to 16
    #[arg(long, default_value_t = LEAST_NODES)]
    nodes: usize,
    /// How many seeds, from 0 on
    #[arg(long, default_value_t = 2)]
    seeds: u64,
    /// What else happens meanwhile; an unknown name prints all profiles
    #[arg(long, default_value = "process")]
    profile: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The command.
pub(crate) fn crash_points(arguments: &Arguments) -> ExitCode {
    let (nodes, profile) = match setting(arguments.nodes, &arguments.profile) {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let mut images = Images::default();
    let mut failures: Vec<(u64, Violation)> = Vec::new();
    for seed in 0..arguments.seeds {
        let meter = Meter::new(format!("[{}/{}] crash points of seed {seed}", seed + 1, arguments.seeds));
        let outcome = Scenario::new(nodes, profile).run_crash_points(seed);
        meter.end();
        images.add(&outcome.images);
        failures.extend(outcome.violation.map(|violation| (seed, violation)));
    }
    let ok = failures.is_empty() && images.total() >= LEAST_IMAGES;
    if arguments.json {
        println!("{}", document(&images, &failures, ok));
    } else {
        tell(&images, &failures);
    }
    status(ok)
}

fn rows(images: &Images) -> [(&'static str, u64, &'static str); 7] {
    [
        ("none", images.none, "nothing of the write is there"),
        ("all", images.all, "all of it is"),
        ("prefix", images.prefix, "its first sectors are"),
        ("suffix", images.suffix, "its last sectors are: they went down the other way round"),
        ("subset", images.subset, "any of its sectors are"),
        ("tear", images.tear, "its first sectors are, and the next one in part"),
        ("lied", images.lied, "the write before it is not, though the disk said so"),
    ]
}

fn tell(images: &Images, failures: &[(u64, Violation)]) {
    println!(" {:<8} {:>9}  what survives a power failure in the middle of a write", "pattern", "images");
    for (name, count, about) in rows(images) {
        println!(" {name:<8} {count:>9}  {about}");
    }
    println!(" {:<8} {:>9}  at {} writes of records", "all", images.total(), images.boundaries);
    println!(
        "\n after a lie {} members forgot what they signed: nobody can notice, and they count towards f",
        images.forgotten
    );
    if images.total() < LEAST_IMAGES {
        println!("! fewer than {LEAST_IMAGES} images show nothing");
    }
    for (seed, violation) in failures {
        println!("! seed {seed}: {} does not hold: {}", violation.property, violation.seen);
    }
}

fn document(images: &Images, failures: &[(u64, Violation)], ok: bool) -> Value {
    let patterns: serde_json::Map<String, Value> =
        rows(images).into_iter().map(|(name, count, _)| (name.to_owned(), json!(count))).collect();
    let violations: Vec<Value> =
        failures.iter().map(|(seed, violation)| json!({ "seed": seed, "violation": violation })).collect();
    json!({
        "ok": ok,
        "boundaries": images.boundaries,
        "images": images.total(),
        "patterns": patterns,
        "forgotten_after_a_lie": images.forgotten,
        "violations": violations,
    })
}
