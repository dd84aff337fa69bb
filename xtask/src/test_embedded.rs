//! `cargo xtask test-embedded`: firmware beside servers, in an emulator.
//!
//! Builds the images, holds their sizes against the limits, and runs whole
//! clusters in which one, two and all four members are firmware: what they
//! commit must be what one machine says, whatever becomes of the devices, their
//! flash and their network. Closes with one document.

mod cluster;
mod hub;
mod namespace;
mod scenarios;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::{debian, firmware, process, test, workspace};
use cluster::Tools;

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Only these scenarios, by name
    scenarios: Vec<String>,
    /// Close with one JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// What the devices of all scenarios did.
#[derive(Serialize)]
pub(crate) struct Outcome {
    /// Of the image for four members, without the model's weights.
    flash_bytes: u64,
    /// Static memory of that image, without what a request takes.
    ram_bytes: u64,
    /// Most that any device ever used of its stack.
    stack_bytes: u64,
    /// Epochs that devices saw decided.
    epochs_committed: u64,
    /// Votes that devices cast.
    firmware_votes: u64,
    /// Proposals that devices made: epochs that they led.
    firmware_proposals: u64,
    /// Attestations of stages that devices signed.
    firmware_attestations: u64,
    /// Every text was what one machine says.
    matches_reference: bool,
}

impl Outcome {
    /// Adds what a device has said.
    pub(crate) fn count(&mut self, said: &[Value]) {
        let number = |line: &Value, name: &str| line[name].as_u64().unwrap_or(0);
        self.epochs_committed += said.iter().filter(|line| line["event"] == "commit").count() as u64;
        self.stack_bytes = said.iter().map(|line| number(line, "stack")).fold(self.stack_bytes, u64::max);
        if let Some(last) = said.iter().rfind(|line| line["event"] == "commit") {
            self.firmware_votes += number(last, "votes");
            self.firmware_proposals += number(last, "proposals");
            self.firmware_attestations += number(last, "attestations");
        }
    }
}

/// Everything, as a step of `cargo xtask test`.
pub(crate) fn step() -> Result<()> {
    run(&Arguments::default())
}

/// Runs the scenarios.
///
/// # Errors
/// When one of them does not go as it must.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    install()?;
    let (image, sizes) = firmware::build_all()?;
    test::cargo(&["test", "-p", "butterfly-provisioning"])?;
    // With the bounds of either image.
    for bounds in ["compact", "compact-four"] {
        test::cargo(&["test", "-p", "butterfly-runtime-embedded", "--features", bounds])?;
    }
    test::cargo(&["build", "--release", "-p", "butterfly-runtime-std"])?;
    test::cargo(&["build", "--release", "-p", "butterfly-embedded-host"])?;
    let built = |name: &str| workspace::target().join("release").join(name);
    let (program, host) = (built("butterfly"), built("butterfly-embedded-host"));
    let folder = workspace::target().join("test-embedded");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let tools = Tools { program, image, host, folder };
    let mut outcome = Outcome {
        flash_bytes: sizes.flash,
        ram_bytes: sizes.ram,
        stack_bytes: 0,
        epochs_committed: 0,
        firmware_votes: 0,
        firmware_proposals: 0,
        firmware_attestations: 0,
        matches_reference: true,
    };
    scenarios::run(&tools, &arguments.scenarios, &mut outcome)?;
    ensure!(outcome.matches_reference, "a text is not the one of a single machine");
    ensure!(
        outcome.stack_bytes <= scenarios::STACK,
        "a device used {} bytes of stack, and may use {}",
        outcome.stack_bytes,
        scenarios::STACK
    );
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        let Outcome { flash_bytes, ram_bytes, stack_bytes, .. } = outcome;
        println!(
            "image of four      {flash_bytes} bytes of flash, {ram_bytes} of static memory, {stack_bytes} of stack"
        );
        println!("epochs             {} seen decided by devices", outcome.epochs_committed);
        println!(
            "devices            {} votes, {} proposals, {} attestations",
            outcome.firmware_votes, outcome.firmware_proposals, outcome.firmware_attestations
        );
        println!("single machine     {}", if outcome.matches_reference { "equal" } else { "NOT equal" });
    }
    Ok(())
}

/// QEMU, if it is not there.
fn install() -> Result<()> {
    let has = |program: &str| process::finish(Command::new(program).arg("--version")).is_ok();
    if !has("qemu-system-arm") {
        debian::install(&["qemu-system-arm"])?;
    }
    if process::finish(Command::new("ip").arg("-Version")).is_err() {
        debian::install(&["iproute2"])?;
    }
    ensure!(has("setpriv") || Path::new("/usr/bin/setpriv").exists(), "`setpriv` of util-linux is missing");
    Ok(())
}
