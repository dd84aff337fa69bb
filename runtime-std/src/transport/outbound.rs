//! Sending: a bounded queue and a task for each peer.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use butterfly_kernel::types::{NodeId, NodeSet};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::party::Party;
use crate::metrics::{Metrics, Present};
use crate::stream::{Happening, Stream};

/// Where the members listen, by their place in the roster; none when unknown.
pub type Peers = Vec<Option<SocketAddr>>;

/// Frames that wait for a peer. When there are more, the oldest is dropped:
/// the newest say most, and the protocol survives loss.
const QUEUE: usize = 512;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const DIAL_TIME: Duration = Duration::from_secs(5);
/// A peer that takes nothing for this long is dialled anew.
const STALL_TIME: Duration = Duration::from_secs(10);
/// What is queued at the end has this long to leave.
const FINISH_TIME: Duration = Duration::from_millis(500);

/// The outgoing side of a member: a queue for every other member.
#[derive(Debug)]
pub struct Mesh {
    queues: Queues,
    /// Something was queued since this was asked last.
    has_more: Cell<bool>,
    metrics: Metrics,
    links: JoinSet<()>,
    finishing: watch::Sender<bool>,
}

type Queues = Arc<[(NodeId, Arc<Queue>)]>;

impl Mesh {
    /// Starts a task for each peer, which dials wherever `peers` says, again
    /// and again.
    pub(crate) fn start(
        party: &Arc<Party>,
        me: NodeId,
        peers: &watch::Receiver<Peers>,
        metrics: &Metrics,
        stream: &Stream,
    ) -> Mesh {
        let others = party.cluster().members().without(me);
        let (finishing, is_finishing) = watch::channel(false);
        let mut links = JoinSet::new();
        let mut start = |peer: NodeId| {
            let queue = Arc::new(Queue::default());
            let link = Link {
                party: Arc::clone(party),
                metrics: metrics.clone(),
                stream: stream.clone(),
                peer,
                queue: Arc::clone(&queue),
                peers: peers.clone(),
                finishing: is_finishing.clone(),
            };
            links.spawn(link.run());
            (peer, queue)
        };
        let queues = others.iter().map(&mut start).collect();
        Mesh { queues, has_more: Cell::new(false), metrics: metrics.clone(), links, finishing }
    }

    /// Queues `frame` for each of `to`, after `delay`.
    pub fn send(&self, to: NodeSet, frame: &Arc<[u8]>, delay: Duration) {
        if delay.is_zero() {
            self.has_more.set(true);
            return push(&self.queues, to, frame, &self.metrics);
        }
        let (queues, frame, metrics) = (Arc::clone(&self.queues), Arc::clone(frame), self.metrics.clone());
        tokio::spawn(async move {
            sleep(delay).await;
            push(&queues, to, &frame, &metrics);
        });
    }

    /// Whether anything was queued since this was asked last: the tasks that send
    /// it share a thread with whoever queues it, who lets them by.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more.take()
    }

    /// Lets what is queued leave, as far as peers take it, and ends every session.
    pub async fn finish(mut self) {
        self.finishing.send_replace(true);
        // Whoever takes nothing now may fetch it from others later.
        let _late = timeout(FINISH_TIME, async { while self.links.join_next().await.is_some() {} }).await;
    }
}

fn push(queues: &Queues, to: NodeSet, frame: &Arc<[u8]>, metrics: &Metrics) {
    for (peer, queue) in queues.iter().filter(|(peer, _)| to.contains(*peer)) {
        if queue.push(Arc::clone(frame)).is_some() {
            metrics.dropped(*peer);
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    frames: Mutex<VecDeque<Arc<[u8]>>>,
    filled: Notify,
}

impl Queue {
    /// Returns what had to make room.
    fn push(&self, frame: Arc<[u8]>) -> Option<Arc<[u8]>> {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = if frames.len() == QUEUE { frames.pop_front() } else { None };
        frames.push_back(frame);
        drop(frames);
        self.filled.notify_one();
        oldest
    }

    fn pop(&self) -> Option<Arc<[u8]>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// The way to one peer.
struct Link {
    party: Arc<Party>,
    metrics: Metrics,
    stream: Stream,
    peer: NodeId,
    queue: Arc<Queue>,
    peers: watch::Receiver<Peers>,
    finishing: watch::Receiver<bool>,
}

/// A session that we dialled, for those who look on, until this is dropped.
struct Open {
    stream: Stream,
    peer: NodeId,
    present: Option<Present>,
}

impl Open {
    fn new(link: &Link) -> Open {
        let Link { stream, peer, metrics, .. } = link;
        let open = Open { stream: stream.clone(), peer: *peer, present: Some(metrics.connected(*peer)) };
        stream.tell(&Happening::Session { member: *peer, open: true });
        open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Counted first: whoever hears of it and asks is told the same.
        self.present.take();
        self.stream.tell(&Happening::Session { member: self.peer, open: false });
    }
}

/// Why a link sends no more on its session.
enum Over {
    /// It is dialled again.
    Elsewhere,
    /// The node ends.
    Finished,
}

impl Link {
    /// Dials, sends until that fails, and dials again. Ends with the node.
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut finishing = self.finishing.clone();
        loop {
            let known = match self.address() {
                None => None,
                Some(address) => {
                    let dialled = tokio::select! {
                        dialled = timeout(DIAL_TIME, self.dial(address)) => dialled.unwrap_or_else(|late| Err(late.into())),
                        _ = finishing.wait_for(|finishing| *finishing) => return,
                    };
                    if let Ok(connection) = dialled {
                        pause = FIRST_PAUSE;
                        let _open = Open::new(&self);
                        if let Ok(Over::Finished) = self.forward(connection, address).await {
                            return;
                        }
                    }
                    Some(address)
                }
            };
            tokio::select! {
                () = sleep(pause), if known.is_some() => pause = LONGEST_PAUSE.min(2 * pause),
                // A new address is tried at once.
                changed = self.peers.changed() => match changed {
                    Ok(()) => pause = FIRST_PAUSE,
                    Err(_) => return,
                },
                _ = finishing.wait_for(|finishing| *finishing) => return,
            }
        }
    }

    fn address(&mut self) -> Option<SocketAddr> {
        self.peers.borrow_and_update().get(self.peer.index()).copied().flatten()
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Connection> {
        let peer = self.party.member(self.peer).ok_or(io::ErrorKind::NotFound)?;
        Connection::dial(TcpStream::connect(address).await?, &self.party, peer).await
    }

    /// Sends what is queued until the stream fails, the peer is elsewhere, or
    /// the node ends.
    async fn forward(&mut self, mut connection: Connection, address: SocketAddr) -> io::Result<Over> {
        loop {
            timeout(STALL_TIME, self.send_queued(&mut connection)).await??;
            if *self.finishing.borrow() {
                timeout(STALL_TIME, connection.end()).await??;
                return Ok(Over::Finished);
            }
            tokio::select! {
                () = self.queue.filled.notified() => {}
                _ = self.finishing.changed() => {}
                // A peer says nothing here; this is how it is noticed that it is gone.
                said = connection.receive() => {
                    said?;
                    return Ok(Over::Elsewhere);
                }
                changed = self.peers.changed() => {
                    if changed.is_err() || self.address() != Some(address) {
                        return Ok(Over::Elsewhere);
                    }
                }
            }
        }
    }

    async fn send_queued(&self, connection: &mut Connection) -> io::Result<()> {
        while let Some(frame) = self.queue.pop() {
            connection.send(&frame).await?;
        }
        connection.flush().await
    }
}
