//! The nodes' processes: started, commanded, killed, always reaped.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::types::NodeId;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command as Program};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::control::{Command, Event};

/// A node that was told to finish must have ended by then.
const FINISH_TIME: Duration = Duration::from_secs(5);

/// What comes from the nodes.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) node: NodeId,
    /// Which start of the node it is from.
    pub(crate) run: u32,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Event(Event),
    /// The process closed its standard output: it is gone.
    Ended,
    /// It has been stopped for as long as it should.
    PauseOver,
}

/// A node's process. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    commands: Option<ChildStdin>,
}

impl Process {
    /// Starts `node` for the `run`th time, as this very program with the given
    /// arguments; everything it says goes to `news`.
    pub(crate) fn start(
        arguments: impl IntoIterator<Item = OsString>,
        node: NodeId,
        run: u32,
        news: &mpsc::UnboundedSender<News>,
    ) -> Result<Process> {
        let program = std::env::current_exe().context("cannot find this program to start the nodes with")?;
        let mut start = Program::new(program);
        start.args(arguments);
        start.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = start.spawn().context("cannot start a node")?;
        let commands = child.stdin.take();
        let events = child.stdout.take().context("a node without standard output")?;
        let news = news.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(events).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(event) = serde_json::from_str(&line)
                    && news.send(News { node, run, what: What::Event(event) }).is_err()
                {
                    return;
                }
            }
            // Nobody listens any more when the demonstration is over.
            let _over = news.send(News { node, run, what: What::Ended });
        });
        Ok(Process { child, commands })
    }

    /// The number that the system gave it, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Tells the node. One that is gone hears nothing, and is noticed otherwise.
    pub(crate) async fn tell(&mut self, command: &Command) -> Result<()> {
        let mut line = serde_json::to_string(command)?;
        line.push('\n');
        if let Some(commands) = &mut self.commands
            && commands.write_all(line.as_bytes()).await.is_err()
        {
            self.commands = None;
        }
        Ok(())
    }

    /// Sends a signal to the process, if it was not waited for: until then its
    /// number is nobody else's.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        id.map_or(Ok(()), |id| kill_process(id, signal)).context("cannot send a signal to a node")
    }

    /// SIGKILL, and waits until the process is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill a node")
    }

    /// Lets the process end by itself, for a while.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.commands = None;
        match timeout(FINISH_TIME, self.child.wait()).await {
            Ok(ended) => ended.map(|_| ()).context("cannot wait for a node"),
            Err(_late) => self.kill().await,
        }
    }
}
