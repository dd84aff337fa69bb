//! A member that is firmware: an image in an emulator, in place of a process of
//! this program.
//!
//! The member's folder is as any other's. At the first start what it holds is
//! written into a flash, the vote record is *moved* there, and from then on the
//! flash is the member: see [`flash`]. The emulator is QEMU; where the others
//! listen is part of the flash, so when that changes the device is started
//! again.

pub mod emulator;
pub mod flash;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::NodeId;
use serde::Deserialize;

use crate::control::{Command, Commit, Event};
use crate::host::{Voice, end_with_parent};
use crate::traffic::Traffic;
use crate::transport::Peers;
use emulator::{Cable, Emulator, Network};
use flash::Flash;

/// How to run a device.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// The member's folder.
    pub folder: PathBuf,
    /// The firmware.
    pub image: PathBuf,
    /// Where it is reached, on this machine; port 0 for any free one.
    pub listen: SocketAddr,
    /// Where the members listen; while that is not known of all, it waits.
    pub peers: Peers,
    /// Milliseconds that the first view of an epoch may take.
    pub view_timeout: u32,
    /// Whom it tells what happens.
    pub voice: Voice,
    /// What its network card is connected to.
    pub cable: Cable,
}

/// What a device says on its serial line.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Said {
    Ready { learner: bool, epoch: u64 },
    Failed { reason: String },
    Commit(Decision),
    EnterView { epoch: u64, view: u32 },
    Evidence { evidence: String },
    Standstill,
    Abstained,
}

/// An epoch that was decided, and what the device has signed so far.
#[derive(Debug, Deserialize)]
struct Decision {
    epoch: u64,
    view: u32,
    path: String,
    decided: String,
    tokens: String,
    learner: bool,
}

/// Runs a device until it is told to finish, or ends.
///
/// # Errors
/// When it cannot be started, or says that it cannot go on.
pub fn run(options: &DeviceOptions) -> Result<()> {
    if options.voice == Voice::Supervised {
        end_with_parent()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(attend(options));
    runtime.shutdown_background();
    if let Err(error) = &outcome {
        // If nobody reads, there is nobody to tell.
        let _unread = options.voice.tell(&Event::Failed { reason: format!("{error:#}") });
    }
    outcome
}

async fn attend(options: &DeviceOptions) -> Result<()> {
    let listen = free_port(options.listen)?;
    let flash = Flash::of(&options.folder, options.view_timeout)?;
    let mut commands = options.voice.commands();
    let mut peers = options.peers.clone();
    let voice = options.voice;
    let mut announced = peers.len() != flash.members() || peers.contains(&None);
    if announced {
        // Others must know where this one will be before it knows them.
        voice.tell(&Event::Ready { address: listen, admin: None, learner: false, epoch: 0 })?;
    }
    let mut emulator: Option<Emulator> = None;
    loop {
        let known: Option<Vec<SocketAddr>> = peers.iter().copied().collect();
        if let (None, Some(known)) = (&emulator, known.filter(|known| known.len() == flash.members())) {
            let network = Network { listen, cable: options.cable.clone() };
            flash.write_block(&known, &network)?;
            emulator = Some(Emulator::start(&options.image, &flash, &network)?);
        }
        let said = async {
            match &mut emulator {
                Some(emulator) => emulator.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            line = said => {
                let Some(line) = line? else {
                    let complaint = emulator.as_ref().map(Emulator::complaint).unwrap_or_default();
                    anyhow::bail!("the emulator ended: {complaint}");
                };
                match read(&line, listen)? {
                    // That was said already, and not that it is a learner.
                    Some(Event::Ready { learner: false, .. }) if announced => announced = false,
                    Some(event) if voice == Voice::Supervised => voice.tell(&event)?,
                    // Programs are shown what the device itself says, which is more.
                    _ if voice == Voice::Supervised => eprintln!("node {}: {line}", flash.number()),
                    _ => println!("{line}"),
                }
            }
            command = commands.next() => match command {
                Some(Command::Peers { addresses }) if addresses != peers => {
                    peers = addresses;
                    if let Some(emulator) = emulator.take() {
                        emulator.kill().await?;
                    }
                }
                Some(Command::Peers { .. }) => {}
                Some(Command::Submit { .. }) => eprintln!("a device takes requests from clients only"),
                Some(Command::Finish) | None => break,
            },
        }
    }
    if let Some(emulator) = emulator {
        emulator.kill().await?;
    }
    // Whoever started this may be gone.
    let _unheard = voice.tell(&Event::Sent { traffic: Traffic::default() });
    Ok(())
}

/// What a line of the device means; none if it is for people only.
fn read(line: &str, address: SocketAddr) -> Result<Option<Event>> {
    let said: Said = serde_json::from_str(line).with_context(|| format!("the device says {line:?}"))?;
    Ok(Some(match said {
        Said::Ready { learner, epoch } => Event::Ready { address, admin: None, learner, epoch },
        Said::Failed { reason } => anyhow::bail!("the device cannot go on: {reason}"),
        Said::Commit(Decision { epoch, view, path, decided, tokens, learner }) => Event::Commit(Commit {
            epoch,
            view,
            path: if path == "fast" { Path::Fast } else { Path::Slow },
            decided: hex::decode(decided)?,
            tokens: hex::decode(tokens)?,
            latency_us: None,
            learner,
        }),
        Said::EnterView { epoch, view } => Event::EnterView { epoch, view },
        Said::Evidence { evidence } => Event::Evidence { evidence: hex::decode(evidence)? },
        Said::Standstill | Said::Abstained => return Ok(None),
    }))
}

/// A port that is free now, if any will do. The emulator binds it right away.
fn free_port(listen: SocketAddr) -> Result<SocketAddr> {
    ensure!(listen.ip() == Ipv4Addr::LOCALHOST, "a device is reached on 127.0.0.1, not on {listen}");
    if listen.port() != 0 {
        return Ok(listen);
    }
    Ok(TcpListener::bind(listen).context("there is no free port")?.local_addr()?)
}

/// Whether `node` is firmware, when the last `devices` of `members` are.
pub fn is_device(node: NodeId, members: usize, devices: usize) -> bool {
    node.index() + devices >= members
}
