//! The nodes of a demonstration: started, told of each other, ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::types::NodeId;
use rustix::process::Signal;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

use super::cluster::Provisioned;
use super::plan::Plan;
use crate::control::Command;
use crate::faults::FaultKind;
use crate::process::{News, Process, What};
use crate::transport::Peers;

/// The processes of all nodes.
pub(super) struct Nodes<'d> {
    plan: &'d Plan,
    provisioned: &'d Provisioned,
    processes: BTreeMap<NodeId, Process>,
    /// How often each node was started, without the first time.
    runs: BTreeMap<NodeId, u32>,
    peers: Peers,
    sender: UnboundedSender<News>,
}

impl<'d> Nodes<'d> {
    /// None of them started yet, and what they will have to say.
    pub(super) fn new(plan: &'d Plan, provisioned: &'d Provisioned) -> (Nodes<'d>, UnboundedReceiver<News>) {
        let (sender, news) = mpsc::unbounded_channel();
        let peers = vec![None; plan.resilience.n()];
        let nodes = Nodes { plan, provisioned, processes: BTreeMap::new(), runs: BTreeMap::new(), peers, sender };
        (nodes, news)
    }

    /// Starts `node`, from whatever its folder holds.
    pub(super) fn start(&mut self, node: NodeId) -> Result<()> {
        let run = self.runs.entry(node).and_modify(|run| *run += 1).or_insert(0);
        let process = Process::start(arguments(self.plan, self.provisioned, node), node, *run, &self.sender)?;
        self.processes.insert(node, process);
        Ok(())
    }

    /// `node` listens at `address`. If it was away, the others are told, and
    /// it is told of them.
    pub(super) async fn listens(&mut self, node: NodeId, address: SocketAddr) -> Result<()> {
        let known = self.peers.get_mut(node.index()).context("a node beyond the roster")?;
        *known = Some(address);
        if self.came_back(node) { self.introduce().await } else { Ok(()) }
    }

    /// Whether every node has said where it listens.
    pub(super) fn all_listen(&self) -> bool {
        !self.peers.contains(&None)
    }

    /// Tells everybody of everybody.
    pub(super) async fn introduce(&mut self) -> Result<()> {
        self.tell_all(&Command::Peers { addresses: self.peers.clone() }).await
    }

    pub(super) async fn tell_all(&mut self, command: &Command) -> Result<()> {
        for process in self.processes.values_mut() {
            process.tell(command).await?;
        }
        Ok(())
    }

    pub(super) async fn tell(&mut self, node: NodeId, command: &Command) -> Result<()> {
        match self.processes.get_mut(&node) {
            Some(process) => process.tell(command).await,
            None => Ok(()),
        }
    }

    /// Those that run.
    pub(super) fn running(&self) -> impl Iterator<Item = NodeId> {
        self.processes.keys().copied()
    }

    /// Whether `run` is the last start of `node`, and it was not killed since.
    pub(super) fn is_current(&self, node: NodeId, run: u32) -> bool {
        self.processes.contains_key(&node) && self.runs.get(&node) == Some(&run)
    }

    /// Whether `node` was started more than once.
    pub(super) fn came_back(&self, node: NodeId) -> bool {
        self.runs.get(&node) > Some(&0)
    }

    /// The number that the system gave the process of `node`, while it runs.
    pub(super) fn process_id(&self, node: NodeId) -> Option<u32> {
        self.processes.get(&node).and_then(Process::id)
    }

    /// SIGKILL.
    pub(super) async fn kill(&mut self, node: NodeId) -> Result<()> {
        match self.processes.remove(&node) {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// SIGSTOP, and news when the pause is over.
    pub(super) fn pause(&self, node: NodeId, pause: Duration) -> Result<()> {
        let (Some(process), Some(run)) = (self.processes.get(&node), self.runs.get(&node)) else { return Ok(()) };
        process.signal(Signal::STOP)?;
        let (sender, over) = (self.sender.clone(), News { node, run: *run, what: What::PauseOver });
        tokio::spawn(async move {
            sleep(pause).await;
            // Nobody listens any more when the demonstration is over.
            let _over = sender.send(over);
        });
        Ok(())
    }

    /// SIGCONT; nothing to a node that is not stopped.
    pub(super) fn resume(&self, node: NodeId) -> Result<()> {
        self.processes.get(&node).map_or(Ok(()), |process| process.signal(Signal::CONT))
    }

    /// Lets every process report and end, the stopped ones as well.
    pub(super) async fn finish(&mut self) -> Result<()> {
        for process in self.processes.values() {
            process.signal(Signal::CONT)?;
        }
        self.tell_all(&Command::Finish).await?;
        for process in std::mem::take(&mut self.processes).into_values() {
            process.finish().await?;
        }
        Ok(())
    }
}

/// How this program becomes `node`.
fn arguments(plan: &Plan, provisioned: &Provisioned, node: NodeId) -> Vec<OsString> {
    let role = if plan.is_firmware(node) { "device" } else { "node" };
    let mut arguments: Vec<OsString> = vec![role.into(), "--folder".into(), provisioned.folder(node).into()];
    if plan.is_firmware(node) {
        arguments.extend(["--image".into(), plan.firmware_image.clone().into()]);
    }
    let mut add = |name: &str, value: String| arguments.extend([name.into(), value.into()]);
    add("--port", plan.port(node).to_string());
    add("--view-timeout-ms", plan.view_timeout.to_string());
    if let Some((misbehaviour, epoch)) = plan.misbehaviour(node) {
        add("--misbehave", format!("{}@{epoch}", FaultKind::Node(misbehaviour)));
    }
    if let Some(since) = provisioned.traced_since {
        add("--trace-since", since.as_micros().to_string());
    }
    arguments
}
