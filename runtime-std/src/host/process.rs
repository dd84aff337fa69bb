//! A node's process: its folder, its socket, its commands.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::node::{Coordinator, Role};
use butterfly_kernel::types::{Epoch, NodeSet, View};
use butterfly_kernel::wire;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use super::Host;
use super::lap::Lap;
use super::measuring::{Measure, Measuring};
use super::parking::Parking;
use super::timers::Timers;
use super::voice::{Commands, Voice};
use crate::access::{Chronicle, Clients, Standing, Submission};
use crate::admin::{self, Admin, Board, Probe};
use crate::checkpoints::Checkpoints;
use crate::contact::Contact;
use crate::control::{Command, Event};
use crate::executor::Executor;
use crate::faults::{Faults, Misbehaviour};
use crate::folder::Member;
use crate::history::History;
use crate::lineage::Lineage;
use crate::log::{self, Log, Place};
use crate::metrics::Metrics;
use crate::model::Transformer;
use crate::protocol::{Newcomer, Node, Record, VerifiedEnvelope, encode, timing};
use crate::spans::Collector;
use crate::storage::RecordFile;
use crate::stream::Stream;
use crate::trace::{self, TraceFile};
use crate::traffic::{Traffic, Unread};
use crate::transport::{Behind, Inbound, Mesh, Peers, receive_from_all};
use crate::used_tokens::UsedTokens;

/// Verified messages that wait for the event loop. When it is full, the
/// connections wait, and their peers' queues drop.
const INBOX: usize = 1024;
/// Requests of clients that wait for the event loop.
const SUBMISSIONS: usize = 16;
/// Questions of operators whether the event loop is there.
const PROBES: usize = 16;
/// Members that are in an earlier cluster, and wait to be shown how it ended.
const BEHIND: usize = 16;
/// A member that was removed is there for so long for those who do not know of it yet.
const FAREWELL: Duration = Duration::from_secs(10);
/// Threads for what is received, with its signature checks, for clients and for
/// operators: what the event loop leaves of the machine, up to this many.
const MOST_WORKERS: usize = 2;
/// The folder of checkpoints inside that of the node.
const CHECKPOINTS: &str = "checkpoints";
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

/// A node as a process, whatever becomes of its cluster.
struct Life<'o> {
    options: &'o NodeOptions,
    workers: &'o Handle,
    wishes: Wishes,
    listener: Arc<TcpListener>,
    admin: Option<(Arc<TcpListener>, SocketAddr)>,
    /// Where the founders listen, by their places in the first cluster.
    founders: Peers,
    /// Which tokens newcomers came with, if that is known. What is being noted
    /// when the roster changes is noted here.
    used: Option<Arc<UsedTokens>>,
}

/// How a node begins in another cluster.
struct Next {
    member: Member,
    /// Its last record in the one before.
    found: Record,
}

/// What outlives a cluster.
struct Kept {
    record: RecordFile,
    history: History,
    traffic: Traffic,
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
    let mut life = Life { options, workers, wishes, listener, admin, founders, used };
    let mut is_first = true;
    loop {
        let entering = member.enter(found.take())?;
        if let Some(record) = &entering {
            // A role that was lost with a record stays lost.
            kept.record.write(&encode(record)?)?;
        }
        let (after, next) = life.live(&member, entering, kept, is_first).await?;
        let Some(next) = next else {
            after.history.close()?;
            // Whoever started this node may be gone.
            let _unheard = options.voice.tell(&Event::Sent { traffic: after.traffic });
            return Ok(());
        };
        (kept, member, found) = (after, Arc::new(next.member), Some(next.found));
        is_first = false;
    }
}

impl Life<'_> {
    /// A member of one cluster, until the node is told to finish, or goes on in
    /// another cluster: as whom.
    async fn live(
        &mut self,
        member: &Arc<Member>,
        found: Option<Record>,
        kept: Kept,
        is_first: bool,
    ) -> Result<(Kept, Option<Next>)> {
        let Life { options, workers, .. } = *self;
        let node = Box::new(Node::new(&member.seat(), found)?);
        let learner = node.role() == Role::Learner;
        if learner {
            let place = Place { node: member.me, epoch: node.epoch(), view: node.agreement().view() };
            log::complain(
                place,
                format_args!(
                    "the vote record is lost. This node cannot know what it signed, so it follows and computes, but \
                     signs nothing in agreement until the cluster admits it again"
                ),
            );
        }
        let cluster = &member.cluster;
        let (announce, peers) = watch::channel(addresses(&member.lineage, &self.founders));
        let (inbox, mut messages) = mpsc::channel(INBOX);
        let (lost, mut behind) = mpsc::channel(BEHIND);
        let (horizon, shown) = watch::channel(node.horizon());
        let unread = Unread::default();
        let metrics = Metrics::new(cluster, member.me);
        let standing = Standing {
            epoch: node.epoch(),
            view: node.agreement().view(),
            role: node.role(),
            working: false,
            blocked: None,
        };
        let Kept { record, history, traffic } = kept;
        let decided = node.head().decided().or(member.lineage.endings().last());
        let chronicle = Arc::new(Chronicle::new(standing, decided.cloned(), history.shelf())?);
        let board = Arc::new(Board::new());
        let stream = Stream::new(member.me);
        let (probes, mut probed) = mpsc::channel(PROBES);
        let (submit, mut submissions) = mpsc::channel(SUBMISSIONS);
        let clients = Clients {
            lineage: Arc::clone(&member.lineage),
            chronicle: Arc::clone(&chronicle),
            board: Arc::clone(&board),
            submissions: submit,
        };
        let inbound = Inbound {
            me: member.me,
            party: Arc::clone(&member.party),
            horizon: shown,
            metrics: metrics.clone(),
            unread: unread.clone(),
            inbox,
            behind: lost,
            clients,
            used: self.used.clone(),
        };
        let answering = self.admin.clone().map(|(listener, address)| {
            let admin = Admin {
                cluster: Arc::clone(cluster),
                me: member.me,
                metrics: metrics.clone(),
                chronicle: Arc::clone(&chronicle),
                board: Arc::clone(&board),
                stream: stream.clone(),
                life: format!("{:x}", trace::now().as_millis()),
                peers: peers.clone(),
                probes,
            };
            workers.spawn(admin::serve(listener, address, admin))
        });
        let collector = options.traces.map(|address| Collector::start(workers, address, cluster, member.me, &metrics));
        let trace = options.trace_since.map(|since| TraceFile::open(&options.folder, since));
        let mut host = Host {
            executor: Executor::new(Transformer::in_stages(usize::from(cluster.model().stages))?, member.me),
            checkpoints: Checkpoints::new(&options.folder.join(CHECKPOINTS)),
            trace: trace.transpose()?,
            mesh: Mesh::start(&member.party, member.me, &peers, &metrics, &stream),
            faults: options.fault.map(|(misbehaviour, from)| Faults::new(misbehaviour, Epoch(from))),
            member: Arc::clone(member),
            node,
            record,
            timers: Timers::default(),
            parking: Parking::default(),
            traffic,
            metrics,
            unread,
            horizon,
            chronicle,
            history,
            board,
            stream,
            doing: Coordinator::Initializing,
            suspects: NodeSet::EMPTY,
            lap: Lap::new(Coordinator::Initializing, std::time::Instant::now()),
            collector,
            outputs: Vec::new(),
            measuring: options.measure.map(Measuring::new),
            said: 0,
            is_over: false,
            blamed: std::collections::BTreeSet::new(),
            voice: options.voice,
        };
        let receiving = workers.spawn(receive_from_all(Arc::clone(&self.listener), inbound));
        if is_first {
            options.voice.tell(&Event::Ready {
                address: self.listener.local_addr()?,
                admin: self.admin.as_ref().map(|(_, address)| *address),
                learner,
                epoch: host.node.epoch().0,
            })?;
        }
        host.start()?;
        let mut senses = Senses {
            messages: &mut messages,
            submissions: &mut submissions,
            probed: &mut probed,
            behind: &mut behind,
            announce: &announce,
        };
        let next = self.act(&mut host, &mut senses).await?;
        // Whoever dials from here on waits, or is refused by the system.
        end(receiving).await;
        if let Some(answering) = answering {
            end(answering).await;
        }
        Ok((host.finish().await?, next))
    }

    /// Acts on whatever comes, until the node is told to finish, nobody can tell
    /// it, or another cluster goes on.
    async fn act(&mut self, host: &mut Host, senses: &mut Senses<'_>) -> Result<Option<Next>> {
        let mut end = None;
        loop {
            if host.is_over && end.is_none() {
                match host.go_on()? {
                    Some(next) => return Ok(Some(next)),
                    None => end = Some(Instant::now() + FAREWELL),
                }
            }
            let next_timer = host.next_timer();
            tokio::select! {
                command = self.wishes.next() => match command {
                    Some(Command::Peers { addresses: founders }) => {
                        self.founders = founders;
                        senses.announce.send_replace(addresses(&host.member.lineage, &self.founders));
                    }
                    Some(Command::Submit { request }) => {
                        host.submit(&request)?;
                    }
                    Some(Command::Finish) | None => return Ok(None),
                },
                Some(message) = senses.messages.recv() => host.receive(message)?,
                Some(submission) = senses.submissions.recv() => host.answer(submission)?,
                Some(behind) = senses.behind.recv() => host.show_ending(behind)?,
                Some(probe) = senses.probed.recv() => {
                    // Whoever asked may have gone.
                    let _gone = probe.send(());
                }
                () = run_out(next_timer) => host.expire_timers()?,
                () = run_out(host.next_notice()) => host.give_notice()?,
                () = run_out(end) => return Ok(None),
            }
            if host.mesh.has_more() {
                // What was said leaves before more is heard.
                yield_now().await;
            }
        }
    }
}

/// Where the event loop learns what happens.
struct Senses<'s> {
    messages: &'s mut mpsc::Receiver<Box<VerifiedEnvelope>>,
    submissions: &'s mut mpsc::Receiver<Submission>,
    probed: &'s mut mpsc::Receiver<Probe>,
    behind: &'s mut mpsc::Receiver<Behind>,
    announce: &'s watch::Sender<Peers>,
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

/// Where the members of the last cluster listen.
fn addresses(lineage: &Lineage, founders: &Peers) -> Peers {
    let address = |newcomer: &Newcomer| Contact::read(&newcomer.contact).map(|contact| contact.address);
    lineage.gather(founders, address).into_iter().map(Option::flatten).collect()
}

/// Ends a task, with all that it started.
async fn end<T>(task: JoinHandle<T>) {
    task.abort();
    // It was told to.
    let _aborted = task.await;
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

impl Host {
    /// The cluster is over: how this node goes on, if it does.
    fn go_on(&mut self) -> Result<Option<Next>> {
        let ending = self.node.last().context("a cluster that is over without an ending")?;
        let epoch = ending.header.epoch.0;
        let lineage = self.member.advance(ending.clone())?;
        let cluster = lineage.cluster();
        let node = lineage.place(&self.member.public());
        self.voice.tell(&Event::Changed {
            epoch,
            cluster: cluster.id().to_string(),
            node: node.map(|node| node.0),
            members: cluster.members().len(),
        })?;
        if node.is_none() {
            return Ok(None);
        }
        let found = wire::decode(&encode(&self.node.record())?).context("a record that cannot be read")?;
        Ok(Some(Next { member: Member::open(self.member.folder(), cluster.timing)?, found }))
    }

    /// After the last step: what was said leaves.
    async fn finish(self) -> Result<Kept> {
        let Host { mesh, mut traffic, unread, mut trace, record, history, .. } = self;
        trace.as_mut().map_or(Ok(()), TraceFile::close)?;
        mesh.finish().await;
        traffic.add_unread(&unread);
        Ok(Kept { record, history, traffic })
    }
}

async fn run_out(timer: Option<Instant>) {
    match timer {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What a node is told from outside the cluster.
struct Wishes {
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
    async fn next(&mut self) -> Option<Command> {
        tokio::select! {
            command = self.commands.next() => command,
            _ = self.interrupt.recv() => Some(Command::Finish),
            _ = self.terminate.recv() => Some(Command::Finish),
        }
    }
}
