//! The end of a demonstration: everybody catches up, everything is written down.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::{NodeId, View};

use super::Conductor;
use crate::demo::report::{Blame, Ending, EpochReport, Latency, Report, by_name, milliseconds};
use crate::demo::trace::Traced;
use crate::document::{self, Statement};
use crate::faults::Fault;
use crate::ledger::Decision;
use crate::lineage::Lineage;
use crate::model::{Transformer, text_of};
use crate::protocol::path_name;
use crate::traffic::Traffic;

/// Nodes that run reach the last epoch by then, after the first one did.
const CATCH_UP_TIME: Duration = Duration::from_secs(10);
/// After the last epoch, for statements that are still under way.
const ECHO_TIME: Duration = Duration::from_millis(200);

impl Conductor<'_> {
    /// Lets the others finish as well, stops all nodes, writes the files.
    pub(super) async fn finish(&mut self, ending: Ending) -> Result<Report> {
        if ending == Ending::Complete {
            // Whoever is late is named in the report.
            self.hear_for(CATCH_UP_TIME, |conductor| conductor.behind().is_empty()).await?;
            self.hear_for(ECHO_TIME, |_| false).await?;
        }
        let behind = self.behind();
        self.nodes.finish().await?;
        while let Ok(news) = self.news.try_recv() {
            self.hear(news).await?;
        }
        self.write_files()?;
        let traced = self.write_trace()?;
        let report = Report { traced, ..self.report(ending, &behind)? };
        self.screen.close(&report)?;
        Ok(report)
    }

    /// Nodes that run as they should and have not reported the last epoch.
    fn behind(&self) -> Vec<NodeId> {
        let excused = self.ledger.reached(self.ledger.committed()).union(self.trouble.byzantine());
        self.nodes.running().filter(|node| !excused.contains(*node)).collect()
    }

    /// Puts the nodes' traces together, if that is wanted and not done yet.
    pub(super) fn write_trace(&mut self) -> Result<Option<Traced>> {
        let trace = self.trace.take();
        trace.map(|trace| trace.write(self.plan, self.provisioned)).transpose()
    }

    fn write_files(&self) -> Result<()> {
        let lineage = Lineage::of(Arc::new(self.provisioned.cluster.clone()));
        let write = |statement| document::write(&lineage, 0, statement);
        if let (Some(path), Some(proof)) = (&self.plan.proof, self.ledger.proof()) {
            let bytes = write(Statement::Commit(Box::new(proof)))?;
            fs::write(path, bytes).with_context(|| format!("cannot write the proof to {}", path.display()))?;
        }
        if let Some(folder) = &self.plan.evidence {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            for (node, fault, evidence) in self.ledger.blamed() {
                let bytes = write(Statement::Evidence(Box::new(evidence.clone())))?;
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
        let epochs = self.epochs();
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
            blocked: self.blocked.clone().filter(|_| ending != Ending::Complete),
            learners: self.trouble.learners().iter().map(|node| node.0).collect(),
            behind: behind.iter().map(|node| node.0).collect(),
            traced: None,
            ending,
        })
    }

    fn epochs(&self) -> Vec<EpochReport> {
        let report = |decision: Decision| EpochReport {
            epoch: decision.epoch.0,
            leader: self.provisioned.cluster.leader(decision.epoch, View::ZERO).0,
            view: decision.view.0,
            path: path_name(decision.path),
            latency_ms: decision.latency.map(milliseconds),
        };
        self.ledger.decisions().map(report).collect()
    }

    fn why_stopped(&self, ending: Ending) -> Option<String> {
        let f = self.plan.resilience.f();
        let open = self.ledger.decided().next().0;
        match ending {
            Ending::Complete => None,
            Ending::RightlyStopped => {
                let failed = self.trouble.failed().iter().map(|(node, kind)| format!("node {}: {kind}", node.0));
                Some(format!(
                    "more than {f} of {} nodes failed ({}), so epoch {open} cannot be decided{}; \
                     everything committed before stands",
                    self.plan.resilience.n(),
                    failed.collect::<Vec<_>>().join(", "),
                    self.blocked.as_ref().map(|by| format!(" (blocked: {by})")).unwrap_or_default()
                ))
            }
            Ending::Stalled => Some(format!(
                "epoch {open} was not decided within {} s although at most {f} nodes failed",
                self.longest_pause(false).as_secs()
            )),
        }
    }
}
