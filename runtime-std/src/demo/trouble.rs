//! Lets things go wrong when their time has come, and keeps account of who
//! failed.
//!
//! | kind | what is done here |
//! | --- | --- |
//! | crash | SIGKILL |
//! | restart | SIGKILL, and started again |
//! | pause | SIGSTOP, and SIGCONT 3 s later |
//! | wipe | SIGKILL, the vote record deleted, started again |
//! | rollback | the vote record is copied when the epoch begins; as soon as the node has decided it or left its first view, SIGKILL, the copy put back, started again: it forgot what it signed in that epoch |
//! | all others | nothing: the node was told how to misbehave when it was started |

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use butterfly_kernel::types::{Epoch, NodeId, NodeSet};

use super::cluster::Provisioned;
use super::nodes::Nodes;
use super::screen::Screen;
use crate::control::{Commit, Event};
use crate::faults::{Fault, FaultKind, Mishap, Severity};
use crate::folder::record_in;

/// How long a paused node stands still.
const PAUSE: Duration = Duration::from_secs(3);

/// The faults of a demonstration.
pub(super) struct Trouble<'d> {
    provisioned: &'d Provisioned,
    /// Faults that have not begun.
    pending: Vec<Fault>,
    /// Who counts towards f by now, and why.
    failed: BTreeMap<NodeId, FaultKind>,
    /// Nodes that go back to the copy of their record once they are through
    /// with this epoch.
    copied: BTreeMap<NodeId, Epoch>,
    /// Nodes that lost their record and were not admitted again.
    learners: NodeSet,
}

impl<'d> Trouble<'d> {
    pub(super) fn new(provisioned: &'d Provisioned, faults: &[Fault]) -> Trouble<'d> {
        Trouble {
            provisioned,
            pending: faults.to_vec(),
            failed: BTreeMap::new(),
            copied: BTreeMap::new(),
            learners: NodeSet::EMPTY,
        }
    }

    /// Begins the faults whose epoch has come, now that `open` is open.
    pub(super) async fn begin(&mut self, open: Epoch, nodes: &mut Nodes<'_>, screen: &mut Screen) -> Result<()> {
        let (due, later) = std::mem::take(&mut self.pending).into_iter().partition(|fault| fault.epoch <= open);
        self.pending = later;
        let due: Vec<Fault> = due;
        for fault in due {
            screen.fault(&fault);
            if fault.kind.severity().counts() {
                self.failed.insert(fault.node, fault.kind);
            }
            if let FaultKind::Process(mishap) = fault.kind {
                self.befall(fault.node, mishap, open, nodes).await?;
            }
        }
        Ok(())
    }

    async fn befall(&mut self, node: NodeId, mishap: Mishap, open: Epoch, nodes: &mut Nodes<'_>) -> Result<()> {
        match mishap {
            Mishap::Crash => nodes.kill(node).await,
            Mishap::Restart => {
                nodes.kill(node).await?;
                nodes.start(node)
            }
            Mishap::Pause => nodes.pause(node, PAUSE),
            Mishap::Wipe => {
                nodes.kill(node).await?;
                fs::remove_file(self.record(node)).context("cannot delete a vote record")?;
                nodes.start(node)
            }
            Mishap::Rollback => {
                fs::copy(self.record(node), self.copy(node)).context("cannot copy a vote record")?;
                self.copied.insert(node, open);
                Ok(())
            }
        }
    }

    /// What a node says of itself may complete a fault.
    pub(super) async fn hear(
        &mut self,
        node: NodeId,
        event: &Event,
        nodes: &mut Nodes<'_>,
        screen: &mut Screen,
    ) -> Result<()> {
        match event {
            Event::Ready { learner: true, .. } => self.lost_its_record(node, screen),
            Event::Ready { epoch, .. } if self.failed.get(&node) == Some(&FaultKind::Process(Mishap::Rollback)) => {
                screen.rolled_back(node, Epoch(*epoch));
                Ok(())
            }
            Event::Commit(Commit { learner: false, epoch, .. }) if self.learners.contains(node) => {
                screen.readmitted(node, Epoch(*epoch));
                self.learners = self.learners.without(node);
                self.failed.remove(&node);
                Ok(())
            }
            Event::Commit(Commit { epoch, .. }) | Event::EnterView { epoch, .. }
                if self.copied.get(&node).is_some_and(|copied| Epoch(*epoch) >= *copied) =>
            {
                self.roll_back(node, nodes).await
            }
            _ => Ok(()),
        }
    }

    fn lost_its_record(&mut self, node: NodeId, screen: &mut Screen) -> Result<()> {
        if self.failed.get(&node) != Some(&FaultKind::Process(Mishap::Wipe)) {
            bail!("node {} lost its vote record although its disk was left alone", node.0);
        }
        screen.learner(node);
        self.learners = self.learners.with(node);
        Ok(())
    }

    async fn roll_back(&mut self, node: NodeId, nodes: &mut Nodes<'_>) -> Result<()> {
        self.copied.remove(&node);
        nodes.kill(node).await?;
        fs::copy(self.copy(node), self.record(node)).context("cannot put a vote record back")?;
        nodes.start(node)
    }

    /// Who counts towards f by now, and why.
    pub(super) fn failed(&self) -> &BTreeMap<NodeId, FaultKind> {
        &self.failed
    }

    /// Nodes that lost their record and were not admitted again.
    pub(super) fn learners(&self) -> NodeSet {
        self.learners
    }

    /// Nodes that may say anything: what they tell is not used, and they need
    /// not reach the end.
    pub(super) fn byzantine(&self) -> NodeSet {
        let byzantine = self.failed.iter().filter(|(_, kind)| kind.severity() == Severity::Byzantine);
        byzantine.map(|(node, _)| *node).collect()
    }

    fn record(&self, node: NodeId) -> PathBuf {
        record_in(&self.provisioned.folder(node))
    }

    fn copy(&self, node: NodeId) -> PathBuf {
        self.record(node).with_extension("copy")
    }
}
