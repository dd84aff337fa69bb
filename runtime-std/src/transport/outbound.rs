//! Sending: a bounded queue and a task for each peer.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use butterfly_kernel::types::{NodeId, NodeSet};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::session::{self, Sender};
use crate::protocol::Cluster;

/// Where the members listen, by their place in the roster; none when unknown.
pub type Peers = Vec<Option<SocketAddr>>;

/// Frames that wait for a peer. When there are more, the oldest is dropped:
/// the newest say most, and the protocol survives loss.
const QUEUE: usize = 512;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const DIAL_TIME: Duration = Duration::from_secs(5);

/// The outgoing side of a member: a queue for every other member.
#[derive(Clone, Debug)]
pub struct Mesh {
    queues: Vec<(NodeId, Arc<Queue>)>,
}

impl Mesh {
    /// Starts a task for each peer, which dials wherever `peers` says, again
    /// and again.
    pub fn start(cluster: &Arc<Cluster>, me: NodeId, peers: &watch::Receiver<Peers>) -> Mesh {
        let others = cluster.members().without(me);
        let start = |peer: NodeId| {
            let queue = Arc::new(Queue::default());
            let link = Link { cluster: Arc::clone(cluster), me, peer, queue: Arc::clone(&queue), peers: peers.clone() };
            tokio::spawn(link.run());
            (peer, queue)
        };
        Mesh { queues: others.iter().map(start).collect() }
    }

    /// Queues `frame` for each of `to`, after `delay`.
    pub fn send(&self, to: NodeSet, frame: &Arc<[u8]>, delay: Duration) {
        if delay.is_zero() {
            return self.send_now(to, frame);
        }
        let (mesh, frame) = (self.clone(), Arc::clone(frame));
        tokio::spawn(async move {
            sleep(delay).await;
            mesh.send_now(to, &frame);
        });
    }

    fn send_now(&self, to: NodeSet, frame: &Arc<[u8]>) {
        for (_, queue) in self.queues.iter().filter(|(peer, _)| to.contains(*peer)) {
            queue.push(Arc::clone(frame));
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    frames: Mutex<VecDeque<Arc<[u8]>>>,
    filled: Notify,
}

impl Queue {
    fn push(&self, frame: Arc<[u8]>) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if frames.len() == QUEUE {
            frames.pop_front();
        }
        frames.push_back(frame);
        drop(frames);
        self.filled.notify_one();
    }

    fn pop(&self) -> Option<Arc<[u8]>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// The way to one peer.
struct Link {
    cluster: Arc<Cluster>,
    me: NodeId,
    peer: NodeId,
    queue: Arc<Queue>,
    peers: watch::Receiver<Peers>,
}

impl Link {
    /// Dials, sends until that fails, and dials again. Ends with the node.
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let Some(address) = self.address() else {
                if self.peers.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let dialled = timeout(DIAL_TIME, self.dial(address)).await.unwrap_or_else(|late| Err(late.into()));
            if let Ok(session) = dialled {
                pause = FIRST_PAUSE;
                let Err(_lost) = self.forward(session, address).await;
            }
            tokio::select! {
                () = sleep(pause) => pause = LONGEST_PAUSE.min(2 * pause),
                // A new address is tried at once.
                changed = self.peers.changed() => match changed {
                    Ok(()) => pause = FIRST_PAUSE,
                    Err(_) => return,
                },
            }
        }
    }

    fn address(&mut self) -> Option<SocketAddr> {
        self.peers.borrow_and_update().get(self.peer.index()).copied().flatten()
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Sender> {
        session::dial(TcpStream::connect(address).await?, &self.cluster, self.me).await
    }

    /// Sends what is queued until the stream fails or the peer is elsewhere.
    async fn forward(&mut self, mut session: Sender, address: SocketAddr) -> io::Result<Infallible> {
        loop {
            while let Some(frame) = self.queue.pop() {
                session.send(&frame).await?;
            }
            session.flush().await?;
            tokio::select! {
                () = self.queue.filled.notified() => {}
                changed = self.peers.changed() => {
                    if changed.is_err() || self.address() != Some(address) {
                        return Err(io::ErrorKind::ConnectionReset.into());
                    }
                }
            }
        }
    }
}
