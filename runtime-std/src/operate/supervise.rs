//! `start --all`: one process for each node, and what they say.
//!
//! A node that ends is not started again: an operator should know why it did.
//! It can be started by itself while the others run. The nodes end with this
//! process; what a node of its own terminal does not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use butterfly_kernel::types::NodeId;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{nodes_in, removed};
use crate::control::{Command, Event};
use crate::host::Voice;
use crate::process::{News, Process, What};

/// Every node listens by then, or has said why not.
const START_TIME: Duration = Duration::from_secs(30);

/// A line of `start --all --json`.
#[derive(Serialize)]
struct Line<'e> {
    node: u8,
    #[serde(flatten)]
    event: &'e Event,
}

/// Runs every node in `dir` until this process is told to end, or no node is left.
///
/// # Errors
/// When a node cannot be started, or all have ended by themselves.
pub fn supervise(dir: &Path, json: bool) -> Result<()> {
    let mut nodes = nodes_in(dir)?;
    let mut gone = Vec::new();
    for node in &nodes {
        gone.extend(removed(dir, *node)?.map(|removed| (*node, removed)));
    }
    nodes.retain(|node| gone.iter().all(|(gone, _)| gone != node));
    if !json {
        gone.iter().for_each(|(node, removed)| show(&format!("node {} is not started: {removed}", node.0)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Supervisor::run(dir, &nodes, json))
}

struct Supervisor<'d> {
    dir: &'d Path,
    json: bool,
    processes: BTreeMap<NodeId, Process>,
    ready: usize,
    /// Who was removed from the roster, and ends.
    leaving: BTreeSet<NodeId>,
}

impl Supervisor<'_> {
    async fn run(dir: &Path, nodes: &[NodeId], json: bool) -> Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, mut news) = mpsc::unbounded_channel();
        let mut supervisor = Supervisor { dir, json, processes: BTreeMap::new(), ready: 0, leaving: BTreeSet::new() };
        for node in nodes {
            let number = node.0.to_string();
            let arguments =
                ["start".into(), "--dir".into(), dir.into(), "--node".into(), number.into(), "--supervised".into()];
            supervisor.processes.insert(*node, Process::start(arguments, *node, 0, &sender)?);
        }
        let deadline = Instant::now() + START_TIME;
        loop {
            let starting = supervisor.ready < nodes.len();
            tokio::select! {
                news = news.recv() => supervisor.hear(news.context("no node is left")?)?,
                () = sleep_until(deadline), if starting => {
                    bail!("the nodes did not start within {} s", START_TIME.as_secs());
                }
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
            }
            if starting && supervisor.ready == nodes.len() {
                supervisor.say(&format!(
                    "{} nodes run; `butterfly submit --dir {} --prompt TEXT` asks them, Ctrl-C ends them",
                    nodes.len(),
                    dir.display()
                ));
            }
            if supervisor.processes.is_empty() {
                bail!("no node is left; what they said above tells why");
            }
        }
        supervisor.finish(&mut news).await
    }

    fn hear(&mut self, News { node, what, .. }: News) -> Result<()> {
        match what {
            What::Event(event) => self.hear_event(node, &event),
            What::Ended => {
                if self.leaving.contains(&node) {
                    self.processes.remove(&node);
                    self.say(&format!("node {} has ended; it is no member any more", node.0));
                } else if self.processes.remove(&node).is_some() {
                    self.say(&format!(
                        "node {0} has ended; `butterfly start --dir {1} --node {0}` starts it again",
                        node.0,
                        self.dir.display()
                    ));
                }
                Ok(())
            }
            What::PauseOver => Ok(()),
        }
    }

    fn hear_event(&mut self, node: NodeId, event: &Event) -> Result<()> {
        if self.json {
            show(&serde_json::to_string(&Line { node: node.0, event })?);
        }
        match event {
            Event::Ready { address, admin, .. } => {
                self.ready += 1;
                let process = self.processes.get(&node).and_then(Process::id);
                let process = process.map_or(String::new(), |id| format!(", process {id}"));
                let admin = admin.map_or(String::new(), |admin| format!(", http://{admin}"));
                self.say(&format!("node {} on {address}{admin}{process}", node.0));
                Ok(())
            }
            Event::Failed { reason } if self.ready < self.processes.len() => bail!("node {}: {reason}", node.0),
            other => {
                if matches!(other, Event::Changed { node: None, .. }) {
                    self.leaving.insert(node);
                }
                if let Some(line) = Voice::line(other) {
                    self.say(&format!("node {}: {line}", node.0));
                }
                Ok(())
            }
        }
    }

    /// Lets every node finish its step and end.
    async fn finish(mut self, news: &mut mpsc::UnboundedReceiver<News>) -> Result<()> {
        for process in self.processes.values_mut() {
            process.tell(&Command::Finish).await?;
        }
        for (_, process) in std::mem::take(&mut self.processes) {
            process.finish().await?;
        }
        let soon = Instant::now() + Duration::from_millis(100);
        while let Ok(Some(said)) = timeout_at(soon, news.recv()).await {
            self.hear(said)?;
        }
        self.say("all nodes have ended");
        Ok(())
    }

    /// For people only.
    fn say(&self, line: &str) {
        if !self.json {
            show(line);
        }
    }
}

/// Whoever does not look any more does not stop the cluster.
fn show(line: &str) {
    let _unseen = writeln!(std::io::stdout(), "{line}");
}
