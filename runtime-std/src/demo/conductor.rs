//! The course of a demonstration: start, ask, let things go wrong, wait, report.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::{Epoch, NodeId, NodeSet};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until, timeout};

use super::cluster::Provisioned;
use super::ledger::Ledger;
use super::plan::Plan;
use super::process::{News, Process, What};
use super::report::{Blame, Ending, Latency, Report, by_name};
use super::screen::Screen;
use crate::control::{Command, Event};
use crate::document::{self, Statement};
use crate::faults::{Fault, FaultKind};
use crate::model::{Transformer, text_of};
use crate::protocol::{encode, path_name};
use crate::traffic::Traffic;
use crate::transport::Peers;

/// All nodes listen by then.
const START_TIME: Duration = Duration::from_secs(20);
/// Nodes that run reach the last epoch by then, after the first one did.
const CATCH_UP_TIME: Duration = Duration::from_secs(10);
/// After the last epoch, for statements that are still under way.
const ECHO_TIME: Duration = Duration::from_millis(200);
/// Without a commit for this many first views, a cluster of which more than f
/// members failed is taken to have stopped.
const VIEWS_TO_STOP: u32 = 5;
/// Without a commit for this many first views, something is wrong; a cluster
/// with at most f faults needs far fewer.
const VIEWS_TO_STALL: u32 = 30;
/// But never sooner than this: machines are slow at times.
const SHORTEST_STALL: Duration = Duration::from_secs(60);

/// Runs a demonstration to its end.
///
/// # Errors
/// When the cluster cannot be started, or more than f members are proven to
/// have broken it.
pub fn run(plan: &Plan, json: bool) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            report = conduct(plan, json) => report,
            _ = tokio::signal::ctrl_c() => bail!("interrupted; the nodes are stopped"),
        }
    })
}

async fn conduct(plan: &Plan, json: bool) -> Result<Report> {
    let root = tempfile::Builder::new().prefix("butterfly-").tempdir().context("cannot make a folder for the nodes")?;
    let provisioned = Provisioned::new(plan, root.path())?;
    let screen = if json { Screen::Programs } else { Screen::for_people() };
    let mut conductor = Conductor::new(plan, &provisioned, screen)?;
    conductor.start().await?;
    conductor.ask().await?;
    let ending = conductor.follow().await?;
    conductor.finish(ending).await
}

struct Conductor<'d> {
    plan: &'d Plan,
    provisioned: &'d Provisioned,
    ledger: Ledger<'d>,
    screen: Screen,
    processes: BTreeMap<NodeId, Process>,
    /// How often each node was started.
    runs: BTreeMap<NodeId, u32>,
    peers: Peers,
    /// What each start of each node has sent.
    sent: BTreeMap<(NodeId, u32), Traffic>,
    /// Faults that have not begun.
    pending: Vec<Fault>,
    /// Nodes that crashed or misbehave by now.
    failed: NodeSet,
    views: BTreeSet<(u64, u32)>,
    news: UnboundedReceiver<News>,
    sender: UnboundedSender<News>,
}

impl<'d> Conductor<'d> {
    fn new(plan: &'d Plan, provisioned: &'d Provisioned, screen: Screen) -> Result<Self> {
        let (sender, news) = mpsc::unbounded_channel();
        Ok(Conductor {
            plan,
            provisioned,
            ledger: Ledger::new(&provisioned.cluster, provisioned.request(plan)?),
            screen,
            processes: BTreeMap::new(),
            runs: BTreeMap::new(),
            peers: vec![None; plan.resilience.n()],
            sent: BTreeMap::new(),
            pending: plan.faults.clone(),
            failed: NodeSet::EMPTY,
            views: BTreeSet::new(),
            news,
            sender,
        })
    }

    /// Starts every node and tells them of each other.
    async fn start(&mut self) -> Result<()> {
        self.screen.cluster(&self.provisioned.cluster)?;
        for node in self.provisioned.cluster.members().iter() {
            self.start_node(node)?;
        }
        timeout(START_TIME, self.all_listen()).await.context("the nodes did not start in time")??;
        self.introduce().await
    }

    fn start_node(&mut self, node: NodeId) -> Result<()> {
        let run = self.runs.entry(node).and_modify(|run| *run += 1).or_insert(0);
        let process = Process::start(self.plan, self.provisioned, node, *run, &self.sender)?;
        self.processes.insert(node, process);
        Ok(())
    }

    async fn all_listen(&mut self) -> Result<()> {
        while self.peers.contains(&None) {
            let news = self.news.recv().await.context("no node is left")?;
            self.hear(news).await?;
        }
        Ok(())
    }

    async fn introduce(&mut self) -> Result<()> {
        self.tell_all(&Command::Peers { addresses: self.peers.clone() }).await
    }

    async fn tell_all(&mut self, command: &Command) -> Result<()> {
        for process in self.processes.values_mut() {
            process.tell(command).await?;
        }
        Ok(())
    }

    /// Hands the request to f + 1 nodes, one of which must be honest.
    async fn ask(&mut self) -> Result<()> {
        self.screen.prompt(&text_of(self.plan.prompt.iter().copied()))?;
        let request = encode(&self.provisioned.request(self.plan)?)?;
        let command = Command::Submit { request };
        for process in self.processes.values_mut().take(self.plan.resilience.f() + 1) {
            process.tell(&command).await?;
        }
        self.begin_faults().await
    }

    /// Follows the cluster until the text is complete or does not go on.
    async fn follow(&mut self) -> Result<Ending> {
        let mut progress = Instant::now();
        loop {
            let before = self.ledger.decided();
            let too_many = self.failed.len() > self.plan.resilience.f();
            let deadline = progress + self.longest_pause(too_many);
            tokio::select! {
                news = self.news.recv() => self.hear(news.context("no node is left")?).await?,
                () = sleep_until(deadline) => {
                    return Ok(if too_many { Ending::RightlyStopped } else { Ending::Stalled });
                }
            }
            if usize::from(self.plan.tokens) <= self.ledger.text().len() {
                return Ok(Ending::Complete);
            }
            if self.ledger.decided() > before {
                progress = Instant::now();
            }
        }
    }

    fn longest_pause(&self, too_many_failed: bool) -> Duration {
        let view = Duration::from_millis(u64::from(self.plan.view_timeout));
        if too_many_failed { view * VIEWS_TO_STOP } else { SHORTEST_STALL.max(view * VIEWS_TO_STALL) }
    }

    async fn hear(&mut self, News { node, run, what }: News) -> Result<()> {
        let current = self.runs.get(&node) == Some(&run);
        match what {
            What::Event(Event::Ready { address, learner }) if current => {
                if learner {
                    bail!("node {} lost its vote record although its disk was left alone", node.0);
                }
                let known = self.peers.get_mut(node.index()).context("a node beyond the roster")?;
                *known = Some(address);
                let process = self.processes.get(&node).and_then(Process::id);
                self.screen.node(node, process, address)?;
                if run > 0 {
                    self.introduce().await?;
                }
            }
            What::Event(Event::Failed { reason }) => bail!("node {}: {reason}", node.0),
            // A failing node may hold certificates that it showed to nobody:
            // a silent one counts its own vote.
            What::Event(Event::Commit(_)) if self.failed.contains(node) => {}
            What::Event(Event::Commit(commit)) => {
                let tokens = self.ledger.add(node, &commit)?;
                self.screen.text(&text_of(tokens))?;
                self.begin_faults().await?;
            }
            What::Event(Event::EnterView { epoch, view }) => {
                if self.views.insert((epoch, view)) {
                    self.screen.view_change(Epoch(epoch), view);
                }
            }
            What::Event(Event::Evidence { evidence }) => {
                if let Some((accused, fault)) = self.ledger.blame(&evidence) {
                    self.screen.blame(accused, fault);
                }
            }
            What::Event(Event::Blocked { .. }) => {}
            What::Event(Event::Sent { traffic }) => {
                self.sent.insert((node, run), traffic);
            }
            What::Ended if current && self.processes.contains_key(&node) => bail!("node {} ended unexpectedly", node.0),
            What::Event(Event::Ready { .. }) | What::Ended => {}
        }
        Ok(())
    }

    /// Begins the faults whose epoch has come.
    async fn begin_faults(&mut self) -> Result<()> {
        let open = self.ledger.decided().next();
        let (due, later) = self.pending.iter().copied().partition(|fault| fault.epoch <= open);
        self.pending = later;
        let due: Vec<Fault> = due;
        for fault in due {
            self.screen.fault(&fault);
            match fault.kind {
                FaultKind::Byzantine(_) => self.failed = self.failed.with(fault.node),
                FaultKind::Crash => {
                    self.failed = self.failed.with(fault.node);
                    self.kill(fault.node).await?;
                }
                FaultKind::Restart => {
                    self.kill(fault.node).await?;
                    self.start_node(fault.node)?;
                }
            }
        }
        Ok(())
    }

    async fn kill(&mut self, node: NodeId) -> Result<()> {
        match self.processes.remove(&node) {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Lets the others finish as well, stops all nodes, writes the files.
    async fn finish(mut self, ending: Ending) -> Result<Report> {
        if ending == Ending::Complete {
            // Whoever is late is named in the report.
            let _late = timeout(CATCH_UP_TIME, self.all_reach_the_end()).await;
            let _over = timeout(ECHO_TIME, self.hear_more()).await;
        }
        let behind = self.behind();
        self.tell_all(&Command::Finish).await?;
        let running = std::mem::take(&mut self.processes);
        for process in running.into_values() {
            process.finish().await?;
        }
        while let Ok(news) = self.news.try_recv() {
            self.hear(news).await?;
        }
        self.write_files()?;
        let report = self.report(ending, &behind)?;
        self.screen.close(&report)?;
        Ok(report)
    }

    async fn all_reach_the_end(&mut self) -> Result<()> {
        while !self.behind().is_empty() {
            let news = self.news.recv().await.context("no node is left")?;
            self.hear(news).await?;
        }
        Ok(())
    }

    async fn hear_more(&mut self) -> Result<()> {
        loop {
            let news = self.news.recv().await.context("no node is left")?;
            self.hear(news).await?;
        }
    }

    /// Nodes that run as they should and have not reported the last epoch.
    fn behind(&self) -> Vec<NodeId> {
        let excused = self.ledger.reached(self.ledger.committed()).union(self.failed);
        self.processes.keys().copied().filter(|node| !excused.contains(*node)).collect()
    }

    fn write_files(&self) -> Result<()> {
        let cluster = &self.provisioned.cluster;
        if let (Some(path), Some(proof)) = (&self.plan.proof, self.ledger.proof()) {
            let bytes = document::write(cluster, Statement::Commit(Box::new(proof)))?;
            fs::write(path, bytes).with_context(|| format!("cannot write the proof to {}", path.display()))?;
        }
        if let Some(folder) = &self.plan.evidence {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            for (node, fault, evidence) in self.ledger.blamed() {
                let bytes = document::write(cluster, Statement::Evidence(Box::new(evidence.clone())))?;
                let path = folder.join(format!("node-{}-{fault}.evidence", node.0));
                fs::write(&path, bytes).with_context(|| format!("cannot write evidence to {}", path.display()))?;
            }
        }
        Ok(())
    }

    fn report(&self, ending: Ending, behind: &[NodeId]) -> Result<Report> {
        let resilience = self.plan.resilience;
        let model = Transformer::for_nodes(resilience.n())?;
        let expected = model.continue_alone(&self.plan.prompt, usize::from(self.plan.tokens))?;
        let matches_reference = expected.starts_with(self.ledger.text());
        let mut traffic = Traffic::default();
        self.sent.values().for_each(|sent| traffic.merge(sent));
        let epochs = self.ledger.epochs();
        let decided_by = |path| epochs.iter().filter(|epoch| epoch.path == path_name(path)).count() as u64;
        let blamed = self.ledger.blamed().map(|(node, kind, _)| Blame { node: node.0, kind });
        Ok(Report {
            ok: matches_reference && expected.len() == self.ledger.text().len(),
            text: text_of(self.ledger.text().iter().copied()),
            matches_reference,
            nodes: resilience.n(),
            f: resilience.f(),
            p: resilience.p(),
            cluster: self.provisioned.cluster.id().to_string(),
            epochs_committed: self.ledger.committed().0,
            fast: decided_by(Path::Fast),
            slow: decided_by(Path::Slow),
            view_changes: epochs.iter().map(|epoch| u64::from(epoch.view)).sum(),
            messages: by_name(&traffic),
            bytes: traffic.bytes(),
            latency_ms: Latency::of(&epochs),
            blamed: blamed.collect(),
            stalled: self.why_stopped(ending),
            epochs,
            faults: self.plan.faults.iter().map(Fault::to_string).collect(),
            behind: behind.iter().map(|node| node.0).collect(),
            ending,
        })
    }

    fn why_stopped(&self, ending: Ending) -> Option<String> {
        let f = self.plan.resilience.f();
        let open = self.ledger.decided().next().0;
        match ending {
            Ending::Complete => None,
            Ending::RightlyStopped => {
                let failed: Vec<String> = self.failed.iter().map(|node| node.0.to_string()).collect();
                Some(format!(
                    "more than {f} of {} nodes failed (nodes {}), so epoch {open} cannot be decided; \
                     everything committed before stands",
                    self.plan.resilience.n(),
                    failed.join(", ")
                ))
            }
            Ending::Stalled => Some(format!(
                "epoch {open} was not decided within {} s although at most {f} nodes failed",
                self.longest_pause(false).as_secs()
            )),
        }
    }
}
