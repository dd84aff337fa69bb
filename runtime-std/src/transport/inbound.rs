//! Receiving: frames become verified messages on the tasks of their
//! connections, off the path of the event loop. What the node does not listen
//! to any more is dropped before its signatures are checked, since that is
//! most of what a message costs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use butterfly_kernel::types::{Epoch, NodeId};
use butterfly_kernel::wire;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::connection::{Application, Connection, Visitor};
use super::door::{Door, HANDSHAKE_TIME, Seat};
use super::party::{Party, Who};
use crate::access::{Clients, Standing};
use crate::log::{self, Place};
use crate::metrics::Metrics;
use crate::protocol::{Envelope, Horizon, Message, VerifiedEnvelope};
use crate::traffic::Unread;
use crate::used_tokens::{NotNoted, UsedTokens};

/// Sessions that a member may have with us at once: the newest is the one that
/// it uses.
const SESSIONS_OF_A_MEMBER: usize = 1;
/// Sessions that a client, or an operator, may have with us at once.
const SESSIONS_OF_A_CLIENT: usize = 8;
/// Sessions that a newcomer may have with us at once.
const SESSIONS_OF_A_NEWCOMER: usize = 1;
/// After an accept that failed, for want of file descriptors or so.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where messages go, and what decides which do.
#[derive(Clone)]
pub(crate) struct Inbound {
    /// Our place in the roster.
    pub(crate) me: NodeId,
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
    /// Takes members that are in an earlier cluster, as their questions show.
    pub(crate) behind: mpsc::Sender<Behind>,
    /// Serves clients, and newcomers.
    pub(crate) clients: Clients,
    /// Which tokens were used; without it no newcomer is let in.
    pub(crate) used: Option<Arc<UsedTokens>>,
}

/// A member does not know that the roster changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    /// Who, in the roster as it is now.
    pub(crate) member: NodeId,
    /// Its open epoch.
    pub(crate) epoch: Epoch,
}

/// Accepts connections and receives from them, for as long as it is polled. When
/// it is dropped, they end.
pub(crate) async fn receive_from_all(listener: Arc<TcpListener>, inbound: Inbound) {
    let door = Arc::new(Door::new());
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Whoever is gone takes no more room.
            Some(_) = tasks.join_next() => continue,
        };
        let Ok((stream, address)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        door.seat(address.ip(), |seat| {
            let (inbound, door) = (inbound.clone(), Arc::clone(&door));
            // A connection ends with the first thing that is not as it must
            // be. Whoever it was may dial again.
            let task = async move { drop(inbound.attend(stream, seat, &door).await) };
            tasks.spawn(task)
        });
    }
}

impl Inbound {
    async fn attend(&self, stream: TcpStream, seat: Seat, door: &Door) -> Result<()> {
        let shaken = timeout(HANDSHAKE_TIME, self.shake(stream, seat)).await.map_err(Into::into).flatten();
        let (connection, peer) = match shaken.inspect_err(|_| self.metrics.handshake_failed())? {
            Visitor::Known(connection, peer) => (connection, peer),
            // In a place of its own, as what follows.
            Visitor::Newcomer(application) => return Box::pin(self.attend_newcomer(application, door)).await,
        };
        let who = self.party.who(&peer.identity()).context("not in the roster")?;
        let limit = match who {
            Who::Member(_) => SESSIONS_OF_A_MEMBER,
            Who::Client(_) | Who::Operator(_) => SESSIONS_OF_A_CLIENT,
        };
        let _open = self.metrics.session(who);
        let displaced = door.establish(&peer, limit);
        // In a place of its own: it holds messages, for which a stranger's task has no room.
        let serve = Box::pin(async {
            match who {
                Who::Member(member) => self.receive(connection, member).await,
                Who::Client(_) | Who::Operator(_) => self.clients.serve(connection, who).await,
            }
        });
        tokio::select! {
            _ = displaced => Ok(()),
            ended = serve => ended,
        }
    }

    async fn shake(&self, stream: TcpStream, seat: Seat) -> Result<Visitor> {
        let knocking = Connection::listen(stream, &self.party).await?;
        seat.knock()?;
        let visitor = knocking.answer().await?;
        seat.leave()?;
        Ok(visitor)
    }

    /// Its token is in order; that it is used once is seen to here.
    async fn attend_newcomer(&self, application: Application, door: &Door) -> Result<()> {
        let _place = door.place_for_newcomer().context("as many newcomers are here as there may be")?;
        let used = Arc::clone(self.used.as_ref().context("nobody knows which tokens were used")?);
        let (newcomer, number) = (application.newcomer(), application.number());
        // The disk takes its time. Once begun this goes on, whoever is gone meanwhile.
        let noted = spawn_blocking(move || used.note(number, newcomer.identity())).await?;
        noted.inspect_err(|why| self.complain_of(why))?;
        let connection = application.accept()?;
        let _open = self.metrics.session_of_newcomer();
        let displaced = door.establish(&newcomer, SESSIONS_OF_A_NEWCOMER);
        tokio::select! {
            _ = displaced => Ok(()),
            ended = self.clients.serve_newcomer(connection, &newcomer) => ended,
        }
    }

    /// What an operator must see to. That a token is used again is no such thing.
    fn complain_of(&self, why: &NotNoted) {
        let Standing { epoch, view, .. } = self.clients.chronicle.stands();
        let place = Place { node: self.me, epoch, view };
        match why {
            NotNoted::Used => {}
            NotNoted::Full | NotNoted::Disk(_) => {
                log::complain(place, format_args!("a newcomer is not let in: {why:#}"))
            }
        }
    }

    async fn receive(&self, mut connection: Connection, member: NodeId) -> Result<()> {
        let Inbound { party, horizon, metrics, unread, inbox, behind, .. } = self;
        let cluster = party.cluster();
        let begin = cluster.descent().map_or(Epoch::GENESIS, |descent| descent.epoch);
        while let Some(message) = connection.receive().await? {
            let envelope: Envelope = wire::decode(message)?;
            let (kind, epoch) = (envelope.message.kind(), envelope.message.epoch());
            metrics.received(kind, message.len());
            if let Message::Fetch(fetch) = &envelope.message
                && fetch.epoch <= begin
            {
                // Whoever asks for so much that it cannot be answered asks again.
                let _full = behind.try_send(Behind { member, epoch: fetch.epoch });
            }
            let wanted = horizon.borrow().wants(cluster, &envelope).is_ok() && epoch.is_none_or(|epoch| epoch > begin);
            let verified = wanted.then(|| cluster.verify(envelope)).transpose();
            match verified {
                Ok(Some(verified)) => inbox.send(Box::new(verified)).await?,
                Err(forged) if !self.may_be_elsewhere(epoch) => return Err(forged.into()),
                Ok(None) | Err(_) => {
                    metrics.left_unread(kind);
                    unread.add(kind);
                }
            }
        }
        Ok(())
    }

    /// Whether something of this epoch that does not hold in our cluster may
    /// hold in one before or behind it, in which its author is.
    fn may_be_elsewhere(&self, epoch: Option<Epoch>) -> bool {
        let cluster = self.party.cluster();
        let changes = cluster.descent().is_some() || !cluster.roster().operators.is_empty();
        changes && epoch.is_none_or(|epoch| epoch > self.horizon.borrow().epoch())
    }
}
