//! The course of a demonstration: start, ask, let things go wrong, wait, report.

mod closing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use butterfly_kernel::types::{Epoch, NodeId, NodeSet};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::cluster::Provisioned;
use super::nodes::Nodes;
use super::plan::Plan;
use super::report::{Ending, Report};
use super::screen::Screen;
use super::trace::Trace;
use super::trouble::Trouble;
use crate::access::Told;
use crate::control::{Blocked, Command, Event};
use crate::ledger::Ledger;
use crate::model::text_of;
use crate::process::{News, What};
use crate::protocol::encode;
use crate::traffic::Traffic;

/// All nodes listen by then.
const START_TIME: Duration = Duration::from_secs(20);
/// Without a commit for this many first views, a cluster of which more than f
/// members failed is taken to have stopped.
const VIEWS_TO_STOP: u32 = 10;
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
    let trace = plan.trace.as_deref().map(Trace::create).transpose()?;
    let root = tempfile::Builder::new().prefix("butterfly-").tempdir().context("cannot make a folder for the nodes")?;
    let provisioned = Provisioned::new(plan, root.path())?;
    let screen = if json { Screen::Programs } else { Screen::for_people() };
    let mut conductor = Conductor::new(plan, &provisioned, screen)?;
    conductor.trace = trace;
    let outcome = conductor.run().await;
    // What went wrong is best seen in what was done until then.
    let written = conductor.write_trace();
    outcome.and_then(|report| written.map(|_| report))
}

struct Conductor<'d> {
    plan: &'d Plan,
    provisioned: &'d Provisioned,
    ledger: Ledger<'d>,
    screen: Screen,
    nodes: Nodes<'d>,
    trouble: Trouble<'d>,
    /// What each start of each node has sent.
    sent: BTreeMap<(NodeId, u32), Traffic>,
    views: BTreeSet<(u64, u32)>,
    /// Who keeps the open epoch from being decided, as a node said last.
    blocked: Option<Blocked>,
    news: UnboundedReceiver<News>,
    /// Not yet written, if one is wanted.
    trace: Option<Trace>,
}

impl<'d> Conductor<'d> {
    fn new(plan: &'d Plan, provisioned: &'d Provisioned, screen: Screen) -> Result<Self> {
        let (nodes, news) = Nodes::new(plan, provisioned);
        Ok(Conductor {
            plan,
            provisioned,
            ledger: Ledger::after(&provisioned.cluster, provisioned.request(plan)?, None),
            screen,
            nodes,
            trouble: Trouble::new(provisioned, &plan.faults),
            sent: BTreeMap::new(),
            views: BTreeSet::new(),
            blocked: None,
            news,
            trace: None,
        })
    }

    async fn run(&mut self) -> Result<Report> {
        self.start().await?;
        self.ask().await?;
        let ending = self.follow().await?;
        self.finish(ending).await
    }

    /// Starts every node and tells them of each other.
    async fn start(&mut self) -> Result<()> {
        self.screen.cluster(&self.provisioned.cluster)?;
        for node in self.provisioned.cluster.members().iter() {
            self.nodes.start(node)?;
        }
        self.hear_for(START_TIME, |conductor| conductor.nodes.all_listen()).await?;
        ensure!(self.nodes.all_listen(), "the nodes did not start within {} s", START_TIME.as_secs());
        self.nodes.introduce().await
    }

    /// Hands the request to f + 1 nodes, one of which must be honest.
    async fn ask(&mut self) -> Result<()> {
        self.screen.prompt(&text_of(self.plan.prompt.iter().copied()))?;
        for node in self.asked().iter() {
            self.submit_to(node).await?;
        }
        self.begin_faults().await
    }

    fn asked(&self) -> NodeSet {
        NodeSet::first(self.plan.resilience.f() + 1)
    }

    async fn submit_to(&mut self, node: NodeId) -> Result<()> {
        let request = encode(&self.provisioned.request(self.plan)?)?;
        self.nodes.tell(node, &Command::Submit { request }).await
    }

    /// Follows the cluster until the text is complete or does not go on.
    async fn follow(&mut self) -> Result<Ending> {
        let mut progress = Instant::now();
        loop {
            let before = self.ledger.decided();
            let too_many = self.trouble.failed().len() > self.plan.resilience.f();
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

    /// Hears what the nodes say until `done`, or until `time` is over.
    async fn hear_for(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + time;
        while !done(self) {
            let Ok(news) = timeout_at(deadline, self.news.recv()).await else { break };
            self.hear(news.context("no node is left")?).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, News { node, run, what }: News) -> Result<()> {
        let current = self.nodes.is_current(node, run);
        match what {
            What::Event(event) => {
                if current {
                    self.trouble.hear(node, &event, &mut self.nodes, &mut self.screen).await?;
                }
                self.hear_event(node, run, event).await
            }
            What::Ended if current => bail!("node {} ended unexpectedly", node.0),
            What::Ended => Ok(()),
            What::PauseOver => {
                self.screen.goes_on(node);
                self.nodes.resume(node)
            }
        }
    }

    async fn hear_event(&mut self, node: NodeId, run: u32, event: Event) -> Result<()> {
        match event {
            Event::Ready { address, .. } => {
                if self.nodes.is_current(node, run) {
                    let firmware = self.plan.is_firmware(node);
                    self.screen.node(node, self.nodes.process_id(node), address, firmware)?;
                    self.nodes.listens(node, address).await?;
                    // Nobody promised to remember a request that is not decided.
                    if self.nodes.came_back(node) && self.asked().contains(node) {
                        self.submit_to(node).await?;
                    }
                }
            }
            Event::Failed { reason } => bail!("node {}: {reason}", node.0),
            // A node that may say anything may hold certificates that it
            // showed to nobody: a silent one counts its own vote.
            Event::Commit(_) if self.trouble.byzantine().contains(node) => {}
            Event::Commit(commit) => {
                let tokens = self.ledger.add(node, Told::read(&commit)?)?;
                self.screen.text(&text_of(tokens))?;
                self.begin_faults().await?;
            }
            Event::EnterView { epoch, view } => {
                if self.views.insert((epoch, view)) {
                    self.screen.view_change(Epoch(epoch), view);
                }
            }
            Event::Evidence { evidence } => {
                if let Some((accused, fault)) = self.ledger.blame(&evidence) {
                    self.screen.blame(accused, fault);
                }
            }
            Event::Blocked { by } => {
                if !self.trouble.byzantine().contains(node) && self.blocked != by {
                    self.screen.blocked(node, by.as_ref());
                    self.blocked = by;
                }
            }
            Event::Sent { traffic } => {
                self.sent.insert((node, run), traffic);
            }
            // Nobody is measured here, and the roster has no operator.
            Event::Measured(_) | Event::Changed { .. } => {}
        }
        Ok(())
    }

    async fn begin_faults(&mut self) -> Result<()> {
        let open = self.ledger.decided().next();
        self.trouble.begin(open, &mut self.nodes, &mut self.screen).await
    }
}
