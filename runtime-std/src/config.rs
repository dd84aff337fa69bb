//! A node's and a client's TOML file, what overrides it, and where each value
//! came from.
//!
//! Flags override the environment, the environment overrides the file, and the
//! file overrides defaults. A field that nobody knows is refused, since it is
//! one that somebody meant.

mod switch;

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use butterfly_kernel::types::NodeId;
use serde::{Deserialize, Serialize};

use crate::folder::read;
use crate::log::{LogFormat, LogLevel};
pub use switch::Switch;

/// The first view of an epoch may take this many milliseconds, unless said otherwise.
pub const VIEW_TIMEOUT: u32 = 2_000;
/// What may be said.
const VIEW_TIMEOUTS: std::ops::RangeInclusive<u32> = 20..=60_000;
/// More than any of these files takes.
const MAX_CONFIG: u64 = 64 * 1024;

const LISTEN: &str = "BUTTERFLY_LISTEN";
const ADMIN: &str = "BUTTERFLY_ADMIN";
const VIEW_TIMEOUT_MS: &str = "BUTTERFLY_VIEW_TIMEOUT_MS";
const LOG_FORMAT: &str = "BUTTERFLY_LOG_FORMAT";
const LOG_LEVEL: &str = "BUTTERFLY_LOG_LEVEL";
const TRACES: &str = "BUTTERFLY_TRACES";

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// The file.
    File,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Source::Default => "default",
            Source::File => "file",
            Source::Environment => "environment",
            Source::Flag => "flag",
        })
    }
}

/// A value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting<T> {
    /// What holds.
    pub value: T,
    /// Who said so.
    pub source: Source,
}

impl<T> Setting<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting { value: change(self.value), source: self.source }
    }
}

/// What is said on the command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// Where to answer operators.
    pub admin: Option<Switch>,
    /// Milliseconds that the first view of an epoch may take.
    pub view_timeout: Option<u32>,
    /// How lines of the log are written.
    pub log_format: Option<LogFormat>,
    /// What is worth a line.
    pub log_level: Option<LogLevel>,
    /// Where traces are sent.
    pub traces: Option<Switch>,
}

/// What a node must know that is not part of the cluster's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeConfig {
    /// Where it listens; by default where the others expect it.
    pub listen: Setting<SocketAddr>,
    /// Where it answers operators, on loopback; nowhere unless it is said.
    pub admin: Setting<Option<SocketAddr>>,
    /// Where the members of the first roster listen, in its order; who came later
    /// told it when it joined.
    pub peers: Setting<Vec<SocketAddr>>,
    /// Milliseconds that the first view of an epoch may take, 20 to 60,000.
    pub view_timeout_ms: Setting<u32>,
    /// How lines of the log are written.
    pub log_format: Setting<LogFormat>,
    /// What is worth a line.
    pub log_level: Setting<LogLevel>,
    /// Where a collector takes traces, on loopback; nowhere unless it is said.
    pub traces: Setting<Option<SocketAddr>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<Switch>,
    peers: Vec<SocketAddr>,
    view_timeout_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_format: Option<LogFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_level: Option<LogLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traces: Option<Switch>,
}

impl NodeConfig {
    /// Writes the file of a member of a new cluster.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn provision(path: &Path, me: NodeId, peers: &[SocketAddr], admin: SocketAddr) -> Result<()> {
        let file = NodeFile {
            admin: Some(Switch::At(admin)),
            peers: peers.to_vec(),
            view_timeout_ms: Some(VIEW_TIMEOUT),
            ..NodeFile::default()
        };
        let about = format!(
            "# Node {0}. `peers`: where the members of the first roster listen, in its order; this one listens at\n\
             # its own address there unless `listen` says otherwise. `admin`: where it shows operators its health, metrics and\n\
             # state, on this machine only; nowhere without it, or with \"off\". `butterfly config check` shows what holds.\n",
            me.0
        );
        write(path, &about, &file)
    }

    /// Writes the file of a member that came later, which told the others that
    /// it would `listen` there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn provision_newcomer(
        path: &Path,
        listen: SocketAddr,
        peers: &[SocketAddr],
        admin: Option<SocketAddr>,
    ) -> Result<()> {
        let file = NodeFile {
            listen: Some(listen),
            admin: admin.map(Switch::At),
            peers: peers.to_vec(),
            view_timeout_ms: Some(VIEW_TIMEOUT),
            ..NodeFile::default()
        };
        let about = "# A node that joined. `peers`: where the members of the first roster listen, in its order. `listen`: where\n\
                     # this one does, as it told the others when it joined. `admin`: where it shows operators its health, metrics\n\
                     # and state, on this machine only; nowhere without it, or with \"off\". `butterfly config check` shows what\n\
                     # holds.\n";
        write(path, about, &file)
    }

    /// What holds for a member, which is `founder` among so many `founders`, or
    /// came later.
    ///
    /// # Errors
    /// When the file cannot be read, has a field that nobody knows, or a value
    /// is not one.
    pub fn load(
        path: &Path,
        founder: Option<NodeId>,
        founders: usize,
        environment: impl Fn(&str) -> Option<String>,
        overrides: Overrides,
    ) -> Result<NodeConfig> {
        let NodeFile { listen, admin, peers, view_timeout_ms, log_format, log_level, traces } = parse(path)?;
        ensure!(
            peers.len() == founders,
            "{}: `peers` names {} addresses; the first roster has {founders} members, so give one for each, in its order",
            path.display(),
            peers.len()
        );
        let own = founder.and_then(|founder| peers.get(founder.index()).copied());
        let said = settle(own, listen.map(Some), from(&environment, LISTEN)?.map(Some), overrides.listen.map(Some));
        let listen = said.value.with_context(|| {
            format!("{}: say where this node listens, as it told the others when it joined: `listen`", path.display())
        })?;
        let config = NodeConfig {
            listen: Setting { value: listen, source: said.source },
            admin: settle(Switch::Off, admin, from(&environment, ADMIN)?, overrides.admin).map(Switch::address),
            peers: Setting { value: peers, source: Source::File },
            view_timeout_ms: settle(
                VIEW_TIMEOUT,
                view_timeout_ms,
                from(&environment, VIEW_TIMEOUT_MS)?,
                overrides.view_timeout,
            ),
            log_format: settle(LogFormat::default(), log_format, from(&environment, LOG_FORMAT)?, overrides.log_format),
            log_level: settle(LogLevel::default(), log_level, from(&environment, LOG_LEVEL)?, overrides.log_level),
            traces: settle(Switch::Off, traces, from(&environment, TRACES)?, overrides.traces).map(Switch::address),
        };
        let Setting { value, source } = config.view_timeout_ms;
        ensure!(
            VIEW_TIMEOUTS.contains(&value),
            "`view_timeout_ms` is {value} ({source}); it may be {} to {}",
            VIEW_TIMEOUTS.start(),
            VIEW_TIMEOUTS.end()
        );
        if let Setting { value: Some(address), source } = config.admin {
            ensure!(
                address.ip().is_loopback(),
                "`admin` is {address} ({source}); whoever can reach it is answered, without a token, so it must be on \
                 loopback: 127.0.0.1:{}",
                address.port()
            );
        }
        if let Setting { value: Some(address), source } = config.traces {
            ensure!(
                address.ip().is_loopback(),
                "`traces` is {address} ({source}); they are sent in the clear, so the collector must be on loopback: \
                 one that passes them on, at 127.0.0.1:{}",
                address.port()
            );
        }
        Ok(config)
    }
}

/// Where a client finds the members, in the roster's order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// Their addresses.
    pub nodes: Vec<SocketAddr>,
}

impl ClientConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or has a field that nobody knows.
    pub fn read(path: &Path) -> Result<ClientConfig> {
        parse(path)
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write(path, "# Where the members listen, in the roster's order.\n", self)
    }
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = String::from_utf8(read(path, MAX_CONFIG)?).with_context(|| format!("{} is no text", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} cannot be used", path.display()))
}

fn write(path: &Path, about: &str, file: &impl Serialize) -> Result<()> {
    let text = format!("{about}{}", toml::to_string(file)?);
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn from<T: FromStr<Err: fmt::Display>>(environment: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<T>> {
    let Some(text) = environment(name) else { return Ok(None) };
    match text.parse() {
        Ok(value) => Ok(Some(value)),
        Err(error) => bail!("the environment says {name}={text:?}, which cannot be used: {error}"),
    }
}

fn settle<T>(default: T, file: Option<T>, environment: Option<T>, flag: Option<T>) -> Setting<T> {
    let said = [(flag, Source::Flag), (environment, Source::Environment), (file, Source::File)];
    let first = said.into_iter().find_map(|(value, source)| value.map(|value| Setting { value, source }));
    first.unwrap_or(Setting { value: default, source: Source::Default })
}
