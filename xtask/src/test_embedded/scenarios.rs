//! What happens to clusters with devices, one scenario after the other.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Outcome;
use super::cluster::{Cluster, Ground, MEMBERS, Tools, finish, flood, free_ports, reference};
use super::hub::{Hub, Trouble};
use super::namespace::Namespace;
use crate::process::succeed;

/// Bytes of stack that a device may use.
pub(super) const STACK: u64 = 60_000;

const PROMPT: &str = "Return the ";
/// Six epochs: every member leads one.
const TOKENS: usize = 24;
/// Requests after which every member must have taken part.
const REQUESTS: usize = 10;
/// Ports of a hub and its cables.
const CABLES: u16 = 64;
/// What a device needs to refuse to start.
const BOOT: Duration = Duration::from_secs(60);

struct Scenario {
    name: &'static str,
    about: &'static str,
    run: fn(&Tools, &mut Outcome) -> Result<()>,
}

const SCENARIOS: [Scenario; 8] = [
    Scenario { name: "refusal", about: "a device without random numbers does not start", run: refusal },
    Scenario { name: "beside-servers", about: "three servers and a device, which votes, attests and leads", run: one },
    Scenario { name: "demo", about: "the demonstration with one device", run: demo },
    Scenario { name: "restart", about: "the device is killed at work, and goes on from its flash", run: restart },
    Scenario { name: "two", about: "two servers and two devices, under a flood of garbage", run: two },
    Scenario { name: "alone", about: "four devices and nobody else", run: four },
    Scenario {
        name: "hub",
        about: "two servers and two devices on a network that loses, repeats, reorders and parts",
        run: on_a_hub,
    },
    Scenario { name: "tap", about: "three servers and a device that is a process on a TAP interface", run: tap },
];

/// Runs those that are `wanted`, or all.
pub(super) fn run(tools: &Tools, wanted: &[String], outcome: &mut Outcome) -> Result<()> {
    if let Some(unknown) = wanted.iter().find(|name| SCENARIOS.iter().all(|scenario| scenario.name != **name)) {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        bail!("there is no scenario `{unknown}`; there are {}", names.join(", "));
    }
    for scenario in
        SCENARIOS.iter().filter(|scenario| wanted.is_empty() || wanted.iter().any(|name| name == scenario.name))
    {
        eprintln!("{}: {}", scenario.name, scenario.about);
        let begin = Instant::now();
        (scenario.run)(tools, outcome).with_context(|| format!("scenario `{}`", scenario.name))?;
        eprintln!("{}: {} s", scenario.name, begin.elapsed().as_secs());
    }
    Ok(())
}

fn refusal(tools: &Tools, _: &mut Outcome) -> Result<()> {
    let mut cluster = Cluster::new(tools, "refusal", &[3], Ground::Loopback)?;
    // It is provisioned, and starts with random numbers.
    cluster.start(3)?;
    cluster.kill(3);
    let flash = cluster.flash(3);
    let mut start = Command::new("qemu-system-arm");
    start.args(["-M", "mps2-an386,memory-backend=flash", "-display", "none", "-monitor", "none", "-nic", "user"]);
    start.args(["-serial", "stdio", "-semihosting-config", "enable=on,target=native", "-object"]);
    start.arg(format!("memory-backend-file,id=flash,size=16M,share=on,mem-path={}", flash.display()));
    start.arg("-kernel").arg(&tools.image).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = start.spawn().context("cannot start the emulator")?;
    let out = child.stdout.take().context("an emulator without a serial line")?;
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _read = std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line);
        // Whoever asked may have given up.
        let _late = sender.send(line);
    });
    let line = receiver.recv_timeout(BOOT);
    child.kill()?;
    child.wait()?;
    let said: Value = serde_json::from_str(&line.context("the device says nothing")?)?;
    let reason = said["reason"].as_str().unwrap_or_default();
    ensure!(said["event"] == "failed" && reason.contains("random"), "the device says {said} instead of refusing");
    Ok(())
}

fn one(tools: &Tools, outcome: &mut Outcome) -> Result<()> {
    let mut cluster = Cluster::new(tools, "beside-servers", &[3], Ground::Loopback)?;
    cluster.start_all()?;
    submit_until_all_take_part(&cluster, tools, &[3])?;
    outcome.count(&cluster.said(3));
    cluster.blames_nobody()
}

fn demo(tools: &Tools, outcome: &mut Outcome) -> Result<()> {
    let mut demo = Command::new(&tools.program);
    demo.args(["demo", "--firmware", "1", "--tokens", &TOKENS.to_string(), "--json", "--firmware-image"]);
    let report: Value = serde_json::from_str(&succeed(demo.arg(&tools.image))?)?;
    outcome.matches_reference &= report["matches_reference"] == true;
    ensure!(report["ok"] == true && report["behind"].as_array().is_some_and(Vec::is_empty), "it says {report}");
    Ok(())
}

fn restart(tools: &Tools, outcome: &mut Outcome) -> Result<()> {
    let mut cluster = Cluster::new(tools, "restart", &[3], Ground::Loopback)?;
    cluster.start_all()?;
    let mut last = 0;
    for _ in 0..2 {
        let request = cluster.begin_submit(PROMPT, TOKENS)?;
        // At work, and at an arbitrary instruction.
        let decided = cluster.wait_for(3, "that an epoch is decided", |line| line["event"] == "commit")?;
        outcome.count(&cluster.said(3));
        cluster.kill(3);
        let ready = cluster.start(3)?;
        ensure!(ready["learner"] == false, "the device lost its vote record");
        let (open, decided) = (ready["epoch"].as_u64().unwrap_or(0), decided["epoch"].as_u64().unwrap_or(0));
        ensure!(open > decided && open >= last, "the device is back in epoch {open} after {decided}");
        last = open;
        ensure!(finish(request)? == reference(tools, PROMPT, TOKENS)?, "the text is another one");
    }
    submit_until_all_take_part(&cluster, tools, &[3])?;
    outcome.count(&cluster.said(3));
    cluster.blames_nobody()
}

fn two(tools: &Tools, outcome: &mut Outcome) -> Result<()> {
    let mut cluster = Cluster::new(tools, "two", &[2, 3], Ground::Loopback)?;
    cluster.start_all()?;
    submit_until_all_take_part(&cluster, tools, &[2, 3])?;
    let expected = reference(tools, PROMPT, TOKENS)?;
    let before = signed(&cluster, 3, "votes");
    let mut connections = 0;
    for _ in 0..REQUESTS {
        let mut request = cluster.begin_submit(PROMPT, TOKENS)?;
        connections += flood(&cluster, 3, || request.try_wait().is_ok_and(|ended| ended.is_some()));
        ensure!(finish(request)? == expected, "the text is another one");
        if signed(&cluster, 3, "votes") > before {
            break;
        }
    }
    ensure!(connections > 0, "nothing of the flood reached the device");
    ensure!(signed(&cluster, 3, "votes") > before, "the device votes no more");
    eprintln!("  {connections} connections with garbage");
    outcome.count(&cluster.said(2));
    outcome.count(&cluster.said(3));
    cluster.blames_nobody()
}

fn four(tools: &Tools, outcome: &mut Outcome) -> Result<()> {
    let mut cluster = Cluster::new(tools, "alone", &[0, 1, 2, 3], Ground::Loopback)?;
    cluster.start_all()?;
    submit_until_all_take_part(&cluster, tools, &[0, 1, 2, 3])?;
    (0..MEMBERS).for_each(|device| outcome.count(&cluster.said(device)));
    cluster.blames_nobody()
}

fn on_a_hub(tools: &Tools, outcome: &mut Outcome) -> Result<()> {
    const DEVICES: [u8; 2] = [2, 3];
    /// Four epochs, each of which waits some seconds for what was lost.
    const TOKENS: usize = 16;
    let port = free_ports(CABLES)?;
    let mut cluster = Cluster::new(tools, "hub", &DEVICES, Ground::Hub(port))?;
    let hub = Hub::start(port, cluster.base, u16::from(MEMBERS), &DEVICES)?;
    cluster.start_all()?;
    hub.trouble(Trouble { lost: 3, repeated: 5, late: 5 });
    submit_until(&cluster, tools, TOKENS, || DEVICES.iter().all(|device| signed(&cluster, *device, "votes") > 0))?;
    // One is cut off in the middle of a request, which the others finish.
    let request = cluster.begin_submit(PROMPT, TOKENS)?;
    let before = (newest_epoch(&cluster, 2), signed(&cluster, 3, "votes"));
    cluster.wait_for(2, "that another epoch is decided", |line| epoch_of(line) > before.0)?;
    hub.cut(&[3]);
    ensure!(finish(request)? == reference(tools, PROMPT, TOKENS)?, "the text is another one");
    let decided = newest_epoch(&cluster, 2);
    ensure!(hub.counts().cut > 0, "nothing was cut off");
    hub.cut(&[]);
    cluster.wait_for(3, "what was decided without it", |line| epoch_of(line) >= decided)?;
    submit_until(&cluster, tools, TOKENS, || signed(&cluster, 3, "votes") > before.1)?;
    DEVICES.iter().for_each(|device| outcome.count(&cluster.said(*device)));
    let counts = hub.counts();
    ensure!(counts.lost > 0 && counts.repeated > 0 && counts.late > 0, "nothing went wrong: {counts:?}");
    eprintln!(
        "  {} frames, {} lost, {} repeated, {} late, {} cut off",
        counts.carried, counts.lost, counts.repeated, counts.late, counts.cut
    );
    cluster.blames_nobody()
}

fn tap(tools: &Tools, _: &mut Outcome) -> Result<()> {
    let mut cluster = Cluster::new(tools, "tap", &[3], Ground::Namespace(Namespace::new()?))?;
    cluster.start_all()?;
    submit_until_all_take_part(&cluster, tools, &[3])?;
    cluster.kill(3);
    let ready = cluster.start(3)?;
    ensure!(ready["learner"] == false && ready["epoch"].as_u64() > Some(1), "the device lost its vote record: {ready}");
    submit_until_all_take_part(&cluster, tools, &[3])?;
    cluster.blames_nobody()
}

/// The epoch that a line says is decided.
fn epoch_of(line: &Value) -> Option<u64> {
    line["epoch"].as_u64().filter(|_| line["event"] == "commit")
}

fn newest_epoch(cluster: &Cluster<'_>, device: u8) -> Option<u64> {
    cluster.said(device).iter().filter_map(epoch_of).max()
}

fn check_text(cluster: &Cluster<'_>, tools: &Tools, tokens: usize) -> Result<()> {
    let (text, expected) = (cluster.submit(PROMPT, tokens)?, reference(tools, PROMPT, tokens)?);
    ensure!(text == expected, "the cluster says {text:?}, and one machine {expected:?}");
    Ok(())
}

/// Submits until each of `devices` has voted, attested and led an epoch. One
/// that is not connected yet, or slower than the others, is no part of an epoch
/// that these decide without it.
fn submit_until_all_take_part(cluster: &Cluster<'_>, tools: &Tools, devices: &[u8]) -> Result<()> {
    let takes_part = |device: &u8| ROLES.iter().all(|role| signed(cluster, *device, role) > 0);
    submit_until(cluster, tools, TOKENS, || devices.iter().all(takes_part)).with_context(|| {
        let said: Vec<Vec<u64>> =
            devices.iter().map(|device| ROLES.iter().map(|role| signed(cluster, *device, role)).collect()).collect();
        format!("{devices:?} have made {said:?} {ROLES:?}")
    })
}

fn submit_until(cluster: &Cluster<'_>, tools: &Tools, tokens: usize, holds: impl Fn() -> bool) -> Result<()> {
    for _ in 0..REQUESTS {
        check_text(cluster, tools, tokens)?;
        if holds() {
            return Ok(());
        }
    }
    bail!("{REQUESTS} requests were not enough")
}

/// What a device signs when it takes part.
const ROLES: [&str; 3] = ["votes", "proposals", "attestations"];

/// How many of these `device` has signed in this life.
fn signed(cluster: &Cluster<'_>, device: u8, role: &str) -> u64 {
    cluster.said(device).iter().filter_map(|line| line[role].as_u64()).max().unwrap_or(0)
}
