//! A node's process: its folder, its socket, its commands.

use std::io::{BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::Epoch;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Host;
use super::parking::Parking;
use super::timers::Timers;
use crate::checkpoints::Checkpoints;
use crate::control::{Command, Event};
use crate::executor::Executor;
use crate::faults::{Faults, Misbehaviour};
use crate::folder::Member;
use crate::model::Transformer;
use crate::protocol::{Node, VerifiedEnvelope, timing};
use crate::traffic::{Traffic, Unread};
use crate::transport::{Inbound, Mesh, Peers, receive_from_all};

/// Verified messages that wait for the event loop. When it is full, the
/// connections wait, and their peers' queues drop.
const INBOX: usize = 1024;
/// Threads for sockets and signature checks. Members of a demonstration share
/// one machine.
const WORKERS: usize = 2;
/// The folder of checkpoints inside that of the node.
const CHECKPOINTS: &str = "checkpoints";
/// Messages are kilobytes and have no heap to live on, so frames are large.
const STACK: usize = 8 * 1024 * 1024;

/// How to run a node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its folder.
    pub folder: PathBuf,
    /// The port on the loopback interface; 0 for any.
    pub port: u16,
    /// Milliseconds that the first view of an epoch may take.
    pub view_timeout: u32,
    /// How it misbehaves, and from which epoch on.
    pub fault: Option<(Misbehaviour, u64)>,
}

/// Runs a node until it is told to finish or its standard input ends.
///
/// # Errors
/// When it cannot start or its disk fails; standard output was told.
pub fn run(options: &NodeOptions) -> Result<()> {
    end_with_parent()?;
    let builder = std::thread::Builder::new().name("node".into()).stack_size(STACK);
    let outcome = std::thread::scope(|scope| {
        let node = builder.spawn_scoped(scope, || run_here(options))?;
        node.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the node panicked")))
    });
    if let Err(error) = &outcome {
        // If nobody reads, there is nobody to tell.
        let _unread = tell(Event::Failed { reason: format!("{error:#}") });
    }
    outcome
}

/// A process that is stopped does not see its standard input end. So that it
/// outlives nobody all the same, the system kills it when whoever started it
/// is gone.
#[cfg(target_os = "linux")]
fn end_with_parent() -> Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot ask to end with the parent process")
}

/// Other systems have no such service: there, a node that is stopped stays.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() -> Result<()> {
    Ok(())
}

fn run_here(options: &NodeOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_stack_size(STACK)
        .enable_all()
        .build()?;
    let commands = read_commands();
    let outcome = runtime.block_on(serve(options, commands));
    // Connections have nothing to finish: what they carry may be lost.
    runtime.shutdown_background();
    outcome
}

async fn serve(options: &NodeOptions, mut commands: mpsc::Receiver<Command>) -> Result<()> {
    let member = Arc::new(Member::open(&options.folder, timing(options.view_timeout))?);
    let (record, found) = member.open_record()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; if the port is in use, choose another with --base-port, or none for any free one")
    })?;
    let address = listener.local_addr()?;
    let node = Box::new(Node::new(&member.seat(), found)?);
    let learner = node.role() == Role::Learner;
    if learner {
        eprintln!(
            "node {}: the vote record is lost. This node cannot know what it signed, so it follows and computes, \
             but signs nothing in agreement until the cluster admits it again.",
            member.me.0
        );
    }
    let cluster = Arc::clone(&member.cluster);
    let (announce, peers) = watch::channel(Peers::new());
    let (inbox, mut messages) = mpsc::channel(INBOX);
    let (horizon, shown) = watch::channel(node.horizon());
    let unread = Unread::default();
    let inbound = Inbound { party: Arc::clone(&member.party), horizon: shown, unread: unread.clone(), inbox };
    let mut host = Host {
        executor: Executor::new(Transformer::in_stages(usize::from(cluster.model().stages))?, member.me),
        checkpoints: Checkpoints::new(&options.folder.join(CHECKPOINTS)),
        mesh: Mesh::start(&member.party, member.me, &peers),
        faults: options.fault.map(|(misbehaviour, from)| Faults::new(misbehaviour, Epoch(from))),
        member,
        node,
        record,
        timers: Timers::default(),
        parking: Parking::default(),
        traffic: Traffic::default(),
        unread,
        horizon,
        began: None,
        blamed: std::collections::BTreeSet::new(),
        tell: Box::new(tell),
    };
    let receiving = tokio::spawn(receive_from_all(listener, inbound));
    tell(Event::Ready { address, learner, epoch: host.node.epoch().0 })?;
    host.start()?;
    host.act(&mut commands, &mut messages, &announce).await?;
    // Whoever dials from here on is refused by the system.
    receiving.abort();
    host.finish().await
}

impl Host {
    /// Acts on whatever comes, until it is told to finish or nobody can tell it.
    async fn act(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        messages: &mut mpsc::Receiver<Box<VerifiedEnvelope>>,
        announce: &watch::Sender<Peers>,
    ) -> Result<()> {
        loop {
            let next_timer = self.next_timer();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Peers { addresses }) => {
                        announce.send_replace(addresses);
                    }
                    Some(Command::Submit { request }) => {
                        self.submit(&request)?;
                    }
                    Some(Command::Finish) | None => return Ok(()),
                },
                Some(message) = messages.recv() => self.receive(message)?,
                () = run_out(next_timer) => self.expire_timers()?,
            }
        }
    }

    /// After the last step: what was said leaves, and everything is told.
    async fn finish(self) -> Result<()> {
        let Host { mesh, mut traffic, unread, mut tell, .. } = self;
        mesh.finish().await;
        traffic.add_unread(&unread);
        // Whoever started this node may be gone.
        let _unheard = tell(Event::Sent { traffic });
        Ok(())
    }
}

async fn run_out(timer: Option<Instant>) {
    match timer {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A thread of its own: reading standard input cannot be interrupted, and must
/// not keep the process from ending.
fn read_commands() -> mpsc::Receiver<Command> {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::spawn(move || {
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
    });
    receiver
}

fn tell(event: Event) -> Result<()> {
    let mut line = serde_json::to_string(&event)?;
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).context("nobody listens to this node any more")
}
