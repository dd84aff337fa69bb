//! From arguments to actions and exit codes.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::{
    Command, Demo, Device, Node, Reference, STOPPED, Usage, asking, bench, enrolment, operator, remove, shell, top,
    verify,
};
use crate::demo::{self, Ending, Plan, Wishes};
use crate::device::emulator::Cable;
use crate::device::{self, DeviceOptions};
use crate::host::{self, Measure, NodeOptions, Notices, Voice};
use crate::log::Log;
use crate::model::{Transformer, prompt_of, text_of};

pub(super) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(demo) => run_demo(demo),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Reference(reference) => run_reference(&reference),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Init(arguments) => operator::init(&arguments),
        Command::Start(arguments) => operator::start(&arguments),
        Command::Submit(arguments) => asking::submit(&arguments),
        Command::Status(arguments) => asking::status(&arguments),
        Command::Token(arguments) => enrolment::token(&arguments),
        Command::Join(arguments) => enrolment::join(&arguments),
        Command::Remove(arguments) => remove::remove(&arguments),
        Command::Top(arguments) => top::top(&arguments),
        Command::Config(operator::Config::Check(arguments)) => operator::check(&arguments),
        Command::Keygen(arguments) => operator::keygen(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man(arguments) => shell::manual(&arguments),
        Command::Node(node) => run_node(node),
        Command::Floor(floor) => bench::floor(floor),
        Command::Device(device) => run_device(device),
    }
}

fn run_demo(demo: Demo) -> Result<ExitCode> {
    let wishes = Wishes {
        nodes: demo.nodes,
        faults_tolerated: demo.faults_tolerated,
        fast_path_faults: demo.fast_path_faults,
        tokens: demo.tokens,
        tokens_per_epoch: demo.tokens_per_epoch,
        prompt: demo.prompt,
        faults: demo.faults,
        proof: demo.proof,
        evidence: demo.evidence,
        trace: demo.trace,
        base_port: demo.base_port,
        view_timeout: demo.view_timeout_ms,
        firmware: demo.firmware,
        firmware_image: demo.firmware_image,
    };
    let plan = Plan::new(wishes).map_err(|refused| Usage(refused.to_string()))?;
    let report = demo::run(&plan, demo.json)?;
    Ok(match report.ending() {
        Ending::Complete if report.ok => ExitCode::SUCCESS,
        Ending::RightlyStopped => ExitCode::from(STOPPED),
        Ending::Complete | Ending::Stalled => ExitCode::FAILURE,
    })
}

/// The document that `reference --json` prints.
#[derive(Serialize)]
struct Continuation<'t> {
    prompt: &'t str,
    tokens: usize,
    text: String,
}

fn run_reference(reference: &Reference) -> Result<ExitCode> {
    let prompt = prompt_of(&reference.prompt, reference.tokens).map_err(|refused| Usage(format!("{refused:#}")))?;
    // One stage: where the model is cut does not change what it says.
    let text = text_of(Transformer::in_stages(1)?.continue_alone(&prompt, reference.tokens)?);
    if reference.json {
        let document = Continuation { prompt: &reference.prompt, tokens: reference.tokens, text };
        println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        println!("{text}");
    }
    Ok(ExitCode::SUCCESS)
}

fn run_node(node: Node) -> Result<ExitCode> {
    let notices = match node.notices_after_ms {
        Some(pause) => Notices::After(Duration::from_millis(pause)),
        None if node.notices_as_leader => Notices::AsLeader,
        None => Notices::Never,
    };
    let measure = node.measure.map(|epochs| Measure { epochs, notices });
    host::run(&NodeOptions {
        folder: node.folder,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, node.port)),
        admin: None,
        peers: Vec::new(),
        view_timeout: node.view_timeout_ms,
        fault: node.misbehave,
        voice: if measure.is_some() { Voice::Measured } else { Voice::Supervised },
        log: Log::WARNINGS,
        traces: None,
        measure,
        trace_since: node.trace_since.map(Duration::from_micros),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn run_device(device: Device) -> Result<ExitCode> {
    device::run(&DeviceOptions {
        folder: device.folder,
        image: device.image,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, device.port)),
        voice: if device.peers.is_empty() { Voice::Supervised } else { Voice::Programs },
        peers: device.peers.into_iter().map(Some).collect(),
        view_timeout: device.view_timeout_ms,
        cable: match (device.hub, device.tap) {
            (Some(port), _) => Cable::Hub(port),
            (None, Some(interface)) => Cable::Tap(interface),
            (None, None) => Cable::Machine,
        },
    })?;
    Ok(ExitCode::SUCCESS)
}
