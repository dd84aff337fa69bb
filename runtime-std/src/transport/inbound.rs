//! Receiving: frames become verified messages on the tasks of their
//! connections, off the path of the event loop. What the node does not listen
//! to any more is dropped before its signatures are checked, since that is
//! most of what a message costs.

use std::sync::Arc;
use std::time::Duration;

use butterfly_kernel::wire;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::session;
use crate::protocol::{Cluster, Envelope, Horizon, VOTERS, VerifiedEnvelope};
use crate::traffic::Unread;

/// A peer must have introduced itself by then.
const GREETING_TIME: Duration = Duration::from_secs(5);
/// Connections at once: each peer may have an old one that is still closing.
const MAX_CONNECTIONS: usize = 4 * VOTERS;
/// After an accept that failed, for want of file descriptors or so.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where messages go, and what decides which do.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// Whose members are heard.
    pub cluster: Arc<Cluster>,
    /// What the node listens to, after its last step.
    pub horizon: watch::Receiver<Horizon>,
    /// Counts what it does not.
    pub unread: Unread,
    /// Takes every other message, verified, in the order of its connection.
    pub inbox: mpsc::Sender<Box<VerifiedEnvelope>>,
}

/// Accepts connections and receives from them, for as long as somebody takes
/// the messages.
pub async fn receive_from_all(listener: TcpListener, inbound: Inbound) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let inbound = inbound.clone();
        tokio::spawn(async move {
            // A session ends with its stream, or with the first frame that no
            // honest member sends; the peer may dial again.
            let _ended = inbound.receive(stream).await;
            drop(permit);
        });
    }
}

impl Inbound {
    async fn receive(&self, stream: TcpStream) -> anyhow::Result<()> {
        let Inbound { cluster, horizon, unread, inbox } = self;
        let mut session = timeout(GREETING_TIME, session::answer(stream, cluster)).await??;
        loop {
            let envelope: Envelope = wire::decode(session.receive().await?)?;
            if horizon.borrow().wants(cluster, &envelope).is_err() {
                unread.add(envelope.message.kind());
                continue;
            }
            inbox.send(Box::new(cluster.verify(envelope)?)).await?;
        }
    }
}
