//! Receiving: frames become verified messages on the tasks of their
//! connections, off the path of the event loop.

use std::sync::Arc;
use std::time::Duration;

use butterfly_kernel::wire;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use super::session;
use crate::protocol::{Cluster, Envelope, VOTERS, VerifiedEnvelope};

/// A peer must have introduced itself by then.
const GREETING_TIME: Duration = Duration::from_secs(5);
/// Connections at once: each peer may have an old one that is still closing.
const MAX_CONNECTIONS: usize = 4 * VOTERS;
/// After an accept that failed, for want of file descriptors or so.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and hands every verified message to `inbox`, in the
/// order of its connection, for as long as somebody takes them.
pub async fn receive_from_all(
    listener: TcpListener,
    cluster: Arc<Cluster>,
    inbox: mpsc::Sender<Box<VerifiedEnvelope>>,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (cluster, inbox) = (Arc::clone(&cluster), inbox.clone());
        tokio::spawn(async move {
            // A session ends with its stream, or with the first frame that no
            // honest member sends; the peer may dial again.
            let _ended = receive(stream, &cluster, &inbox).await;
            drop(permit);
        });
    }
}

async fn receive(
    stream: TcpStream,
    cluster: &Cluster,
    inbox: &mpsc::Sender<Box<VerifiedEnvelope>>,
) -> anyhow::Result<()> {
    let mut session = timeout(GREETING_TIME, session::answer(stream, cluster)).await??;
    loop {
        let envelope: Envelope = wire::decode(session.receive().await?)?;
        inbox.send(Box::new(cluster.verify(envelope)?)).await?;
    }
}
