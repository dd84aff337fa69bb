//! Receiving: frames become verified messages on the tasks of their
//! connections, off the path of the event loop. What the node does not listen
//! to any more is dropped before its signatures are checked, since that is
//! most of what a message costs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::wire;
use butterfly_session::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::door::{Door, HANDSHAKE_TIME, Seat};
use super::party::{Party, Who};
use crate::access::Clients;
use crate::metrics::Metrics;
use crate::protocol::{Envelope, Horizon, VerifiedEnvelope};
use crate::traffic::Unread;

/// Sessions that a member may have with us at once: the newest is the one that
/// it uses.
const SESSIONS_OF_A_MEMBER: usize = 1;
/// Sessions that a client may have with us at once.
const SESSIONS_OF_A_CLIENT: usize = 8;
/// After an accept that failed, for want of file descriptors or so.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where messages go, and what decides which do.
#[derive(Clone)]
pub(crate) struct Inbound {
    /// Who we are, and who is heard.
    pub(crate) party: Arc<Party>,
    /// What the node listens to, after its last step.
    pub(crate) horizon: watch::Receiver<Horizon>,
    /// Counts what comes.
    pub(crate) metrics: Metrics,
    /// Counts what the node does not listen to.
    pub(crate) unread: Unread,
    /// Takes every other message, verified, in the order of its connection.
    /// When it is full, connections wait in line, each with one message.
    pub(crate) inbox: mpsc::Sender<Box<VerifiedEnvelope>>,
    /// Serves clients.
    pub(crate) clients: Clients,
}

/// Accepts connections and receives from them, for as long as it is polled.
pub(crate) async fn receive_from_all(listener: TcpListener, inbound: Inbound) {
    let door = Arc::new(Door::new());
    loop {
        let Ok((stream, address)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        door.seat(address.ip(), |seat| {
            let (inbound, door) = (inbound.clone(), Arc::clone(&door));
            // A connection ends with the first thing that is not as it must
            // be. Whoever it was may dial again.
            let task = async move { drop(inbound.attend(stream, seat, &door).await) };
            tokio::spawn(task).abort_handle()
        });
    }
}

impl Inbound {
    async fn attend(&self, stream: TcpStream, seat: Seat, door: &Door) -> Result<()> {
        let shaken = timeout(HANDSHAKE_TIME, self.shake(stream, seat)).await.map_err(Into::into).flatten();
        let (connection, peer) = shaken.inspect_err(|_| self.metrics.handshake_failed())?;
        let who = self.party.who(&peer.identity()).context("not in the roster")?;
        let limit = match who {
            Who::Member(_) => SESSIONS_OF_A_MEMBER,
            Who::Client(_) => SESSIONS_OF_A_CLIENT,
        };
        let _open = self.metrics.session(who);
        let displaced = door.establish(&peer, limit);
        // In a place of its own: it holds messages, for which a stranger's task has no room.
        let serve = Box::pin(async {
            match who {
                Who::Member(_) => self.receive(connection).await,
                Who::Client(client) => self.clients.serve(connection, client).await,
            }
        });
        tokio::select! {
            _ = displaced => Ok(()),
            ended = serve => ended,
        }
    }

    async fn shake(&self, stream: TcpStream, seat: Seat) -> Result<(Connection, Peer)> {
        let knocking = Connection::listen(stream, &self.party).await?;
        seat.knock()?;
        let established = knocking.answer().await?;
        seat.leave()?;
        Ok(established)
    }

    async fn receive(&self, mut connection: Connection) -> Result<()> {
        let Inbound { party, horizon, metrics, unread, inbox, .. } = self;
        while let Some(message) = connection.receive().await? {
            let envelope: Envelope = wire::decode(message)?;
            let kind = envelope.message.kind();
            metrics.received(kind, message.len());
            if horizon.borrow().wants(party.cluster(), &envelope).is_err() {
                metrics.left_unread(kind);
                unread.add(kind);
                continue;
            }
            inbox.send(Box::new(party.cluster().verify(envelope)?)).await?;
        }
        Ok(())
    }
}
