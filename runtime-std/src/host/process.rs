//! A node's process: its folder, its socket, its commands.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::types::{Epoch, View};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::life::{Kept, Life};
use super::measuring::Measure;
use super::voice::{Commands, Voice};
use crate::control::{Command, Event};
use crate::faults::Misbehaviour;
use crate::folder::Member;
use crate::log::{self, Log, Place};
use crate::protocol::{Record, encode, timing};
use crate::traffic::Traffic;
use crate::transport::Peers;
use crate::used_tokens::UsedTokens;

/// Threads for what is received, with its signature checks, for clients and for
/// operators: what the event loop leaves of the machine, up to this many.
const MOST_WORKERS: usize = 2;
/// Messages are kilobytes and have no heap to live on, so frames are large.
const STACK: usize = 8 * 1024 * 1024;

/// How to run a node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its folder.
    pub folder: PathBuf,
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// Where operators are answered, if anywhere; port 0 for any.
    pub admin: Option<SocketAddr>,
    /// Where the members listen, as far as it is known.
    pub peers: Peers,
    /// Milliseconds that the first view of an epoch may take.
    pub view_timeout: u32,
    /// How it misbehaves, and from which epoch on.
    pub fault: Option<(Misbehaviour, u64)>,
    /// Whom it tells what happens.
    pub voice: Voice,
    /// What it writes on standard error.
    pub log: Log,
    /// Where a collector takes traces, if anywhere.
    pub traces: Option<SocketAddr>,
    /// What is measured of it, if anything is.
    pub measure: Option<Measure>,
    /// If it writes down what it does: when that began, after the Unix epoch.
    pub trace_since: Option<Duration>,
}

/// Runs a node until it is told to finish, by a command, SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start or its disk fails; standard output was told.
pub fn run(options: &NodeOptions) -> Result<()> {
    options.log.begin();
    if matches!(options.voice, Voice::Supervised | Voice::Measured) {
        end_with_parent()?;
    }
    let builder = std::thread::Builder::new().name("node".into()).stack_size(STACK);
    let outcome = std::thread::scope(|scope| {
        let node = builder.spawn_scoped(scope, || run_here(options))?;
        node.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the node panicked")))
    });
    if let Err(error) = &outcome {
        // If nobody reads, there is nobody to tell.
        let _unread = options.voice.tell(&Event::Failed { reason: format!("{error:#}") });
    }
    outcome
}

/// A process that is stopped does not see its standard input end. So that it
/// outlives nobody all the same, the system kills it when whoever started it
/// is gone.
#[cfg(target_os = "linux")]
pub(crate) fn end_with_parent() -> Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot ask to end with the parent process")
}

/// Other systems have no such service: there, a node that is stopped stays.
#[cfg(not(target_os = "linux"))]
pub(crate) fn end_with_parent() -> Result<()> {
    Ok(())
}

fn run_here(options: &NodeOptions) -> Result<()> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let count = cores.saturating_sub(1).clamp(1, MOST_WORKERS);
    let workers = Builder::new_multi_thread().worker_threads(count).thread_stack_size(STACK).enable_all().build()?;
    let outcome = Builder::new_current_thread().enable_all().build()?.block_on(serve(options, workers.handle()));
    // Connections have nothing to finish: what they carry may be lost.
    workers.shutdown_background();
    outcome
}

/// The event loop, and on its thread what members are sent: a message leaves
/// without waking anybody. Everything else has the `workers`.
///
/// When the roster changes, the node ends and begins again in the same process,
/// with what is on its disk: there is one way into a cluster, whether or not
/// something failed on the way. What it was asked for is handed in again, since
/// nobody promised to remember it.
async fn serve(options: &NodeOptions, workers: &Handle) -> Result<()> {
    // From here on a signal is a wish, and not the end.
    let wishes = Wishes::new(options.voice)?;
    let mut member = Arc::new(Member::open(&options.folder, timing(options.view_timeout))?);
    let (record, mut found) = member.open_record()?;
    let history = member.open_history(&record)?;
    let mut kept = Kept { record, history, traffic: Traffic::default() };
    let address = options.listen;
    let listener = listen(workers, address).await.with_context(|| {
        format!(
            "cannot listen on {address}; if the port is in use, choose another with --base-port, \
             or with `listen` in node.toml"
        )
    })?;
    let admin = listen_for_operators(workers, options.admin).await?;
    let (listener, founders) = (Arc::new(listener), options.peers.clone());
    let used = used_tokens(&member, found.as_ref());
    let mut life = Life { options, workers, wishes, listener, admin, founders, used, is_ready: false };
    loop {
        let entering = member.enter(found.clone())?;
        if let Some(record) = entering.as_ref().filter(|_| entering != found) {
            // A role that was lost with a record stays lost.
            kept.record.write(&encode(record)?)?;
        }
        let (after, next) = life.live(&member, entering, kept).await?;
        let Some(next) = next else {
            after.history.close()?;
            // Whoever started this node may be gone.
            let _unheard = options.voice.tell(&Event::Sent { traffic: after.traffic });
            return Ok(());
        };
        // What is told from memory is forgotten with the cluster, so it must be on disk.
        kept = Kept { history: after.history.settle()?, ..after };
        (member, found) = (Arc::new(next.member), Some(next.found));
    }
}

/// Which tokens newcomers came with. A node that does not know it does
/// everything else.
fn used_tokens(member: &Member, found: Option<&Record>) -> Option<Arc<UsedTokens>> {
    let used = member.open_used_tokens().inspect_err(|error| {
        if !member.cluster.roster().operators.is_empty() {
            let epoch = found.map_or(Epoch::GENESIS, |record| record.head.epoch());
            let place = Place { node: member.me, epoch, view: View::ZERO };
            let consequence = "this node does not know which tokens were used at it, so it lets no newcomer in";
            log::complain(place, format_args!("{consequence}; others do: {error:#}"));
        }
    });
    used.ok().map(Arc::new)
}

/// A listener of which the workers accept.
async fn listen(workers: &Handle, address: SocketAddr) -> Result<TcpListener> {
    Ok(workers.spawn(TcpListener::bind(address)).await??)
}

async fn listen_for_operators(
    workers: &Handle,
    admin: Option<SocketAddr>,
) -> Result<Option<(Arc<TcpListener>, SocketAddr)>> {
    let Some(address) = admin else { return Ok(None) };
    let listener = listen(workers, address).await.with_context(|| {
        format!("operators cannot be answered on {address}; choose another `admin` in node.toml, or take it out")
    })?;
    let address = listener.local_addr()?;
    Ok(Some((Arc::new(listener), address)))
}

/// What a node is told from outside the cluster.
pub(super) struct Wishes {
    commands: Commands,
    interrupt: Signal,
    terminate: Signal,
}

impl Wishes {
    fn new(voice: Voice) -> Result<Wishes> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Wishes {
            commands: voice.commands(),
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// The next one; none when nobody can have any.
    pub(super) async fn next(&mut self) -> Option<Command> {
        tokio::select! {
            command = self.commands.next() => command,
            _ = self.interrupt.recv() => Some(Command::Finish),
            _ = self.terminate.recv() => Some(Command::Finish),
        }
    }
}
