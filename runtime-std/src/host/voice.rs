//! Whom a node tells what happens, and who can tell it to end.

use std::io::{BufRead, Write};

use anyhow::{Context, Result};
use butterfly_kernel::wire;
use tokio::sync::mpsc;

use crate::control::{Command, Event};
use crate::protocol::Evidence;

/// How a node and whoever started it talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Commands on standard input, events on standard output, as JSON; the
    /// node ends with the process that started it.
    Supervised,
    /// As [`Voice::Supervised`], without what is told of each decision: that
    /// costs more than some of what is measured.
    Measured,
    /// Events on standard output, as JSON.
    Programs,
    /// What an operator must know, on standard output.
    People,
}

impl Voice {
    /// What an operator is told of `event`, if anything.
    pub fn line(event: &Event) -> Option<String> {
        match event {
            Event::Ready { address, admin, learner, epoch } => {
                let learner = if *learner { "; it lost its vote record and signs nothing yet" } else { "" };
                let admin = admin.map_or(String::new(), |admin| format!(", http://{admin}"));
                Some(format!("listens on {address}{admin}, in epoch {epoch}{learner}"))
            }
            Event::Failed { reason } => Some(format!("cannot go on: {reason}")),
            Event::Blocked { by: Some(by) } => Some(format!("is blocked: {by}")),
            Event::Blocked { by: None } => Some("is blocked no more".into()),
            Event::Evidence { evidence } => {
                let evidence: Evidence = wire::decode(evidence).ok()?;
                Some(format!("proves that node {} is faulty ({})", evidence.accused.0, evidence.fault.name()))
            }
            Event::Changed { epoch, node: Some(node), members, .. } => {
                Some(format!("the roster changed with epoch {epoch}: this is node {node} of {members} now"))
            }
            Event::Changed { epoch, node: None, .. } => {
                Some(format!("was removed from the roster with epoch {epoch}; it ends soon"))
            }
            Event::Commit(_) | Event::EnterView { .. } | Event::Sent { .. } | Event::Measured(_) => None,
        }
    }

    /// Whether each decision is told, with all that was sent by then.
    pub(crate) fn hears_commits(self) -> bool {
        match self {
            Voice::Supervised | Voice::Programs => true,
            Voice::Measured | Voice::People => false,
        }
    }

    pub(crate) fn tell(self, event: &Event) -> Result<()> {
        let line = match self {
            Voice::Supervised | Voice::Measured | Voice::Programs => Some(serde_json::to_string(event)?),
            // The error is printed when the process ends.
            Voice::People if matches!(event, Event::Failed { .. }) => None,
            Voice::People => Voice::line(event),
        };
        let Some(mut line) = line else { return Ok(()) };
        line.push('\n');
        let mut out = std::io::stdout().lock();
        let told = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        match self {
            Voice::Supervised | Voice::Measured => told.context("nobody listens to this node any more"),
            // Whoever does not look any more does not stop a node that runs by itself.
            Voice::Programs | Voice::People => Ok(()),
        }
    }

    /// What comes on standard input; nothing ever, if nobody supervises.
    pub(crate) fn commands(self) -> Commands {
        let (sender, receiver) = mpsc::channel(64);
        let open = match self {
            // A thread of its own: reading standard input cannot be
            // interrupted, and must not keep the process from ending.
            Voice::Supervised | Voice::Measured => {
                std::thread::spawn(move || read_commands(&sender));
                None
            }
            Voice::Programs | Voice::People => Some(sender),
        };
        Commands { receiver, _open: open }
    }
}

/// Commands to a node.
pub(crate) struct Commands {
    receiver: mpsc::Receiver<Command>,
    /// Keeps the channel open where nobody sends.
    _open: Option<mpsc::Sender<Command>>,
}

impl Commands {
    /// The next one; none when there can be no more.
    pub(crate) async fn next(&mut self) -> Option<Command> {
        self.receiver.recv().await
    }
}

fn read_commands(sender: &mpsc::Sender<Command>) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        match serde_json::from_str(&line) {
            Ok(command) => {
                if sender.blocking_send(command).is_err() {
                    return;
                }
            }
            Err(error) => eprintln!("a command was not understood and is ignored: {error}"),
        }
    }
}
