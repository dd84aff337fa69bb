//! What a device does, in instructions, as QEMU counts them.
//!
//! The program is `src/costs` of the firmware: four hosts in one image. A count
//! is for one message, from its bytes to everything that follows from it.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::process::finish;

/// What the program's lines are about.
const ABOUT: [(&str, &str); 12] = [
    ("sign", "an Ed25519 signature"),
    ("verify", "checking one"),
    ("stage_first", "a token through the first stage, without a past"),
    ("stage_last", "and through the last, which chooses a token"),
    ("forward", "a request, passed on"),
    ("stage_output", "a stage's output, with what is computed because of it"),
    ("attest", "an attestation"),
    ("fetch", "a question"),
    ("propose", "a proposal, with the vote that answers it and its record"),
    ("vote", "a vote; those that come too late are not checked"),
    ("decision", "a vote that decides: its record, the next epoch"),
    ("decided", "a decision that was missed"),
];

/// Runs the program and prints what it counted.
///
/// # Errors
/// When it does not come to its end.
pub(super) fn print(image: &std::path::Path) -> Result<()> {
    let mut start = Command::new("qemu-system-arm");
    start.args(["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none", "-nic", "none"]);
    start.args(["-semihosting-config", "enable=on,target=native", "-icount", "shift=0", "-kernel"]);
    start.arg(image).stdin(Stdio::null());
    let finished = finish(&mut start)?;
    ensure!(finished.status.success(), "the program that counts failed: {}", finished.tail());
    println!("\n{:<16} {:>6} {:>12}   instructions for", "", "times", "each");
    for line in finished.stdout.lines() {
        let mut words = line.split(' ');
        let name = words.next().context("an empty line")?;
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).context("no number");
        let (times, each) = (number()?, number()?);
        let about = ABOUT.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about);
        println!("{name:<16} {times:>6} {each:>12}   {about}");
    }
    ensure!(finished.stdout.lines().any(|line| line.starts_with("decision ")), "nothing was decided");
    Ok(())
}
