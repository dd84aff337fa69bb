//! The nodes' traces, put together.
//!
//! Each node's lines keep their order, which is all that a check relies on.
//! Between nodes they stand in the order of the machine's clock, for people.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use butterfly_kernel::types::NodeId;
use butterfly_trace::{Heading, Order, Step, VERSION};
use serde::Serialize;

use super::cluster::Provisioned;
use super::plan::Plan;
use crate::trace::{trace_in, whole_lines};

/// What was written down.
#[derive(Clone, Debug, Serialize)]
pub struct Traced {
    /// Where.
    pub file: PathBuf,
    /// Steps, one line each.
    pub steps: u64,
    /// Nodes that may have said anything: their steps are left out.
    pub left_out: Vec<u8>,
}

/// The file for a trace, there before anything is started.
pub(super) struct Trace {
    path: PathBuf,
    file: File,
}

/// A line with the time that stands in it.
type Timed = (u64, Vec<u8>);

impl Trace {
    pub(super) fn create(path: &Path) -> Result<Trace> {
        let file = File::create(path).with_context(|| format!("cannot write the trace to {}", path.display()))?;
        Ok(Trace { path: path.into(), file })
    }

    /// Writes what the nodes wrote until now.
    pub(super) fn write(self, plan: &Plan, provisioned: &Provisioned) -> Result<Traced> {
        let byzantine = plan.byzantine();
        let honest = provisioned.cluster.voters().iter().filter(|node| !byzantine.contains(*node));
        let mut lines = honest.map(|node| lines_of(provisioned, node)).collect::<Result<Vec<_>>>()?;
        let steps = lines.iter().map(VecDeque::len).sum::<usize>() as u64;
        let left_out: Vec<u8> = byzantine.iter().map(|node| node.0).collect();
        let heading = Heading {
            butterfly_trace: VERSION,
            n: plan.resilience.n(),
            f: plan.resilience.f(),
            p: plan.resilience.p(),
            faulty: left_out.clone(),
            order: Order::PerMember,
            steps,
            replay: None,
        };
        let written = write_all(self.file, &heading, &mut lines);
        written.with_context(|| format!("cannot write the trace to {}", self.path.display()))?;
        Ok(Traced { file: self.path, steps, left_out })
    }
}

fn write_all(file: File, heading: &Heading, lines: &mut [VecDeque<Timed>]) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    serde_json::to_writer(&mut file, heading)?;
    file.write_all(b"\n")?;
    let next = |lines: &mut [VecDeque<Timed>]| {
        let waiting = lines.iter_mut().filter(|lines| !lines.is_empty());
        waiting.min_by_key(|lines| lines.front().map(|(time, _)| *time)).and_then(VecDeque::pop_front)
    };
    while let Some((_, line)) = next(lines) {
        file.write_all(&line)?;
    }
    file.flush()
}

/// A node that never ran has none.
fn lines_of(provisioned: &Provisioned, node: NodeId) -> Result<VecDeque<Timed>> {
    let path = trace_in(&provisioned.folder(node));
    let text = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.with_context(|| format!("cannot read the trace of node {}", node.0)),
    }?;
    let timed = |line: &[u8]| -> Result<Timed> {
        let step: Step = serde_json::from_slice(line)?;
        Ok((step.time, line.to_vec()))
    };
    let lines = whole_lines(&text).split_inclusive(|byte| *byte == b'\n').map(timed);
    lines.collect::<Result<_>>().with_context(|| format!("the trace of node {} is damaged", node.0))
}
