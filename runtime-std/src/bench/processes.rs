//! The processes of both clusters, started and ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use butterfly_kernel::types::{NodeId, NodeSet};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::floor::Layer;
use super::{AUTHOR, Measured};
use crate::control::{Command, Event};
use crate::process::{News, Process, What};
use crate::provision::node_folder;

/// Nothing that is measured takes as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// How epochs follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// One at a time, with a pause in between.
    One(Duration),
    /// Each as soon as the one before it is decided.
    AllAtOnce,
}

/// What every start of a cluster has in common.
pub(super) struct Processes<'d> {
    pub(super) root: &'d Path,
    pub(super) members: NodeSet,
    pub(super) epochs: u64,
}

impl Processes<'_> {
    /// Butterfly's own: what each measured.
    pub(super) async fn nodes(&self, pace: Pace) -> Result<Vec<Measured>> {
        let arguments = |node: NodeId| {
            let mut arguments = vec!["node".into(), "--measure".into(), self.epochs.to_string().into()];
            match pace {
                Pace::One(pause) if node == AUTHOR => {
                    arguments.extend(["--notices-after-ms".into(), pause.as_millis().to_string().into()]);
                }
                Pace::One(_) => {}
                Pace::AllAtOnce => arguments.push("--notices-as-leader".into()),
            }
            arguments
        };
        let measured = self.run(arguments, 1).await?;
        Ok(measured.into_iter().flatten().collect())
    }

    /// The floor's: what each measured of each layer.
    pub(super) async fn floor(&self, pace: Pace, record_bytes: u64) -> Result<Vec<Vec<Measured>>> {
        let pause = match pace {
            Pace::One(pause) => pause,
            Pace::AllAtOnce => Duration::ZERO,
        };
        let arguments = |_| {
            let numbers = [self.epochs.to_string(), pause.as_millis().to_string(), record_bytes.to_string()];
            let names = ["--epochs", "--pause-ms", "--record-bytes"];
            let numbered = names.into_iter().zip(numbers).flat_map(|(name, number)| [name.into(), number.into()]);
            [OsString::from("floor")].into_iter().chain(numbered).collect()
        };
        self.run(arguments, Layer::ALL.len()).await
    }

    /// Starts one process for each member and waits until each has told
    /// `results` of what it measured.
    async fn run(&self, arguments: impl Fn(NodeId) -> Vec<OsString>, results: usize) -> Result<Vec<Vec<Measured>>> {
        let (sender, mut news) = mpsc::unbounded_channel();
        let mut processes = BTreeMap::new();
        for node in self.members.iter() {
            let folder = ["--folder".into(), node_folder(self.root, node).into()];
            let arguments = arguments(node).into_iter().chain(folder);
            processes.insert(node, Process::start(arguments, node, 0, &sender)?);
        }
        let mut addresses = vec![None; processes.len()];
        let mut measured: BTreeMap<NodeId, Vec<Measured>> = BTreeMap::new();
        while measured.len() < processes.len() || measured.values().any(|told| told.len() < results) {
            let heard = timeout(PATIENCE, news.recv()).await.context("the processes do not come to an end")?;
            let News { node, what, .. } = heard.context("no process is left")?;
            match what {
                What::Event(Event::Ready { address, .. }) => {
                    *addresses.get_mut(node.index()).context("a member beyond the roster")? = Some(address);
                    if !addresses.contains(&None) {
                        let introduce = Command::Peers { addresses: addresses.clone() };
                        for process in processes.values_mut() {
                            process.tell(&introduce).await?;
                        }
                    }
                }
                What::Event(Event::Measured(result)) => measured.entry(node).or_default().push(result),
                What::Event(Event::Failed { reason }) => bail!("node {}: {reason}", node.0),
                What::Ended => bail!("the process of node {} has ended", node.0),
                What::Event(_) | What::PauseOver => {}
            }
        }
        for process in processes.values_mut() {
            process.tell(&Command::Finish).await?;
        }
        for process in processes.into_values() {
            process.finish().await?;
        }
        Ok(measured.into_values().collect())
    }
}
