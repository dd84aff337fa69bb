//! What a node writes on standard error about itself: one line for whatever
//! happens, for people or, as JSON, for programs.
//!
//! From when the node runs each line has `node`, `epoch` and `view`, where it was
//! at that moment, and what the [happening](crate::stream) has under the names that it has in
//! the stream of events. A line says what happened to this node; what members
//! say to each other in every epoch is in the stream and in the traces.

use std::fmt::{Display, Formatter};
use std::io::{self, IsTerminal};
use std::str::FromStr;

use butterfly_kernel::types::{Epoch, NodeId, NodeSet, View};
use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::{debug, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::protocol::path_name;
use crate::stream::Happening;

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document on each line.
    Json,
}

/// What is worth a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What an operator must see to.
    Warn,
    /// And what changes seldom: views, suspicion.
    #[default]
    Info,
    /// And every decision, session and state.
    Debug,
}

/// How a process writes its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// What is worth a line.
    pub level: LogLevel,
}

impl Log {
    /// Warnings, for people.
    pub const WARNINGS: Log = Log { format: LogFormat::Text, level: LogLevel::Warn };

    /// From now on this process logs like this. The first call counts.
    pub fn begin(self) {
        let level = match self.level {
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
        };
        let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let lines = fmt::layer().with_writer(io::stderr).with_target(false);
        let lines = match self.format {
            LogFormat::Text => lines.with_ansi(colours).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        // What libraries say of themselves is for those who write them.
        let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
        let begun = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
        // Whoever began before has its way.
        let _begun = begun;
    }
}

impl Display for LogFormat {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<LogFormat, String> {
        clap::ValueEnum::from_str(text, false).map_err(|_| "it is neither `text` nor `json`".into())
    }
}

impl Display for LogLevel {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        })
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<LogLevel, String> {
        clap::ValueEnum::from_str(text, false).map_err(|_| "it is none of `warn`, `info` and `debug`".into())
    }
}

/// Where a node is, when something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) node: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) view: View,
}

/// Writes a line about what an operator should see to.
pub(crate) fn complain(place: Place, what: std::fmt::Arguments<'_>) {
    let Place { node: NodeId(node), epoch: Epoch(epoch), view: View(view) } = place;
    warn!(node, epoch, view, "{what}");
}

/// Writes a line for `happening`, if it is worth one.
pub(crate) fn happened(place: Place, happening: &Happening) {
    let Place { node: NodeId(node), epoch: Epoch(epoch), view: View(view) } = place;
    match happening {
        // As often as messages.
        Happening::Assigned { .. } | Happening::Attested { .. } | Happening::Voted { .. } => {}
        Happening::View { epoch: Epoch(epoch), view: View(view), leader } => {
            info!(node, epoch, view, event = "view", leader = leader.0, "left for a later view");
        }
        Happening::Decided { epoch: Epoch(epoch), view: View(view), path, tokens, latency_us, .. } => {
            let path = path_name(*path);
            debug!(node, epoch, view, event = "decided", path, tokens, latency_us, "an epoch was decided");
        }
        Happening::State(coordinator) => {
            let coordinator = coordinator.name();
            debug!(node, epoch, view, event = "state", coordinator, "does something else");
        }
        Happening::Suspects(members) => {
            let members = numbers(*members);
            info!(node, epoch, view, event = "suspects", members, "suspects others than before");
        }
        Happening::Session { member, open } => {
            let member = member.0;
            debug!(node, epoch, view, event = "session", member, open, "a session began or ended");
        }
        Happening::Blocked(Some(by)) => {
            warn!(node, epoch, view, event = "blocked", by = %by, "no epoch can be decided");
        }
        Happening::Blocked(None) => {
            warn!(node, epoch, view, event = "blocked", "epochs can be decided again");
        }
        Happening::Evidence { accused, fault } => {
            let accused = accused.0;
            warn!(node, epoch, view, event = "evidence", accused, fault, "a member is proven faulty");
        }
    }
}

fn numbers(members: NodeSet) -> String {
    members.iter().map(|member| member.0.to_string()).collect::<Vec<_>>().join(",")
}
