//! A node as long as one cluster lasts: everything is made for its roster, and
//! made anew for the next.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::node::{Coordinator, Role};
use butterfly_kernel::types::{Epoch, NodeSet};
use butterfly_kernel::wire;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use super::Host;
use super::lap::Lap;
use super::measuring::Measuring;
use super::parking::Parking;
use super::process::{NodeOptions, Wishes};
use super::timers::Timers;
use crate::access::{Chronicle, Clients, Standing, Submission};
use crate::admin::{self, Admin, Board, Probe};
use crate::checkpoints::Checkpoints;
use crate::contact::addresses;
use crate::control::{Command, Event};
use crate::executor::Executor;
use crate::faults::Faults;
use crate::folder::Member;
use crate::history::History;
use crate::log::{self, Place};
use crate::metrics::Metrics;
use crate::model::Transformer;
use crate::protocol::{Node, Record, VerifiedEnvelope, encode};
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
/// The folder of checkpoints inside that of the node.
const CHECKPOINTS: &str = "checkpoints";

/// A node as a process, whatever becomes of its cluster.
pub(super) struct Life<'o> {
    pub(super) options: &'o NodeOptions,
    pub(super) workers: &'o Handle,
    pub(super) wishes: Wishes,
    pub(super) listener: Arc<TcpListener>,
    pub(super) admin: Option<(Arc<TcpListener>, SocketAddr)>,
    /// Where the founders listen, by their places in the first cluster.
    pub(super) founders: Peers,
    /// Which tokens newcomers came with, if that is known. What is being noted
    /// when the roster changes is noted here.
    pub(super) used: Option<Arc<UsedTokens>>,
    /// It has said that it listens.
    pub(super) is_ready: bool,
}

/// How a node begins in another cluster.
pub(super) struct Next {
    pub(super) member: Member,
    /// Its last record in the one before.
    pub(super) found: Record,
}

/// What outlives a cluster.
pub(super) struct Kept {
    pub(super) record: RecordFile,
    pub(super) history: History,
    pub(super) traffic: Traffic,
}

impl Life<'_> {
    /// A member of one cluster, until the node is told to finish, or goes on in
    /// another cluster: as whom.
    pub(super) async fn live(
        &mut self,
        member: &Arc<Member>,
        found: Option<Record>,
        kept: Kept,
    ) -> Result<(Kept, Option<Next>)> {
        let Life { options, workers, .. } = *self;
        let node = Box::new(Node::new(&member.seat(), found)?);
        if node.role() == Role::Learner {
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
            blamed: BTreeSet::new(),
            voice: options.voice,
        };
        let receiving = workers.spawn(receive_from_all(Arc::clone(&self.listener), inbound));
        self.tell_ready(&host.node)?;
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

    /// Once: a node that goes on in another cluster listens all the time.
    fn tell_ready(&mut self, node: &Node) -> Result<()> {
        if std::mem::replace(&mut self.is_ready, true) {
            return Ok(());
        }
        self.options.voice.tell(&Event::Ready {
            address: self.listener.local_addr()?,
            admin: self.admin.as_ref().map(|(_, address)| *address),
            learner: node.role() == Role::Learner,
            epoch: node.epoch().0,
        })
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

/// Ends a task, with all that it started.
async fn end<T>(task: JoinHandle<T>) {
    task.abort();
    // It was told to.
    let _aborted = task.await;
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
