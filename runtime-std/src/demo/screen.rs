//! What people see while a demonstration runs.

use std::io::{self, IsTerminal, Write};

use butterfly_kernel::types::{Epoch, NodeId};

use super::report::{Ending, Report, tables};
use crate::control::Blocked;
use crate::faults::Fault;
use crate::protocol::Cluster;

const DIM: &str = "2";
const BOLD: &str = "1";
const RED: &str = "31";

/// Progress and tables for people, on standard output; nothing for programs,
/// which get the report.
pub(super) enum Screen {
    People(Paper),
    Programs,
}

/// Standard output, coloured if it is a terminal and nobody minds.
pub(super) struct Paper {
    colour: bool,
    /// The text has begun.
    writing: bool,
    /// What happened besides; shown below the text, so as not to tear it.
    notes: Vec<String>,
}

impl Screen {
    pub(super) fn for_people() -> Screen {
        let minds = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Screen::People(Paper { colour: !minds && io::stdout().is_terminal(), writing: false, notes: Vec::new() })
    }

    pub(super) fn cluster(&mut self, cluster: &Cluster) -> io::Result<()> {
        let Screen::People(paper) = self else { return Ok(()) };
        let resilience = cluster.resilience();
        paper.line(
            BOLD,
            &format!(
                "{} nodes run {} stages; {} may be faulty in any way, {} silent without slowing a decision down",
                resilience.n(),
                cluster.model().stages,
                resilience.f(),
                resilience.p()
            ),
        )
    }

    pub(super) fn node(
        &mut self,
        node: NodeId,
        process: Option<u32>,
        address: std::net::SocketAddr,
        firmware: bool,
    ) -> io::Result<()> {
        let Screen::People(paper) = self else { return Ok(()) };
        let process = process.map_or(String::new(), |id| format!(", process {id}"));
        let firmware = if firmware { ", firmware in an emulator" } else { "" };
        let line = format!("node {} on {address}{process}{firmware}", node.0);
        if paper.writing {
            paper.notes.push(line);
            return Ok(());
        }
        paper.line(DIM, &line)
    }

    pub(super) fn prompt(&mut self, prompt: &str) -> io::Result<()> {
        let Screen::People(paper) = self else { return Ok(()) };
        paper.writing = true;
        paper.line("", "")?;
        paper.write(DIM, prompt)
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        let Screen::People(paper) = self else { return Ok(()) };
        paper.write(BOLD, text)
    }

    pub(super) fn fault(&mut self, fault: &Fault) {
        let what = if fault.kind.severity().counts() { "begins to fail" } else { "is in trouble" };
        self.note(format!("epoch {}: node {} {what}: {}", fault.epoch.0, fault.node.0, fault.kind));
    }

    pub(super) fn learner(&mut self, node: NodeId) {
        self.note(format!("node {} lost its vote record: it is a learner, follows, and signs nothing", node.0));
    }

    pub(super) fn blocked(&mut self, node: NodeId, by: Option<&Blocked>) {
        self.note(match by {
            Some(by) => format!("node {} is blocked: {by}", node.0),
            None => format!("node {} is blocked no more", node.0),
        });
    }

    pub(super) fn rolled_back(&mut self, node: NodeId, epoch: Epoch) {
        self.note(format!("node {} has an older copy of its disk and is back in epoch {}", node.0, epoch.0));
    }

    pub(super) fn goes_on(&mut self, node: NodeId) {
        self.note(format!("node {} goes on after its pause", node.0));
    }

    pub(super) fn readmitted(&mut self, node: NodeId, epoch: Epoch) {
        self.note(format!("epoch {}: node {} is admitted again", epoch.0, node.0));
    }

    pub(super) fn blame(&mut self, node: NodeId, what: &str) {
        self.note(format!("proven: node {} is faulty ({what})", node.0));
    }

    pub(super) fn view_change(&mut self, epoch: Epoch, view: u32) {
        self.note(format!("epoch {}: on to view {view}", epoch.0));
    }

    fn note(&mut self, note: String) {
        if let Screen::People(paper) = self {
            paper.notes.push(note);
        }
    }

    pub(super) fn close(&mut self, report: &Report) -> io::Result<()> {
        match self {
            Screen::Programs => {
                let mut out = io::stdout().lock();
                serde_json::to_writer_pretty(&mut out, report)?;
                writeln!(out)
            }
            Screen::People(paper) => {
                paper.line("", "\n")?;
                let notes = std::mem::take(&mut paper.notes);
                for note in &notes {
                    paper.line(RED, note)?;
                }
                if !notes.is_empty() {
                    paper.line("", "")?;
                }
                paper.line("", &tables(report))?;
                match (&report.stalled, report.ending) {
                    (Some(reason), Ending::RightlyStopped) => {
                        paper.line(BOLD, &format!("\nStopped, rightly: {reason}"))
                    }
                    (Some(reason), _) => paper.line(RED, &format!("\nStalled: {reason}")),
                    (None, _) => Ok(()),
                }
            }
        }
    }
}

impl Paper {
    fn line(&mut self, style: &str, text: &str) -> io::Result<()> {
        self.write(style, text)?;
        self.write("", "\n")
    }

    fn write(&mut self, style: &str, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.colour && !style.is_empty() {
            write!(out, "\x1b[{style}m{text}\x1b[0m")?;
        } else {
            write!(out, "{text}")?;
        }
        out.flush()
    }
}
