//! Dialling, and sending.

use butterfly_kernel::types::NodeId;
use butterfly_session::{MicroSender, Outgoing};
use embassy_futures::select::{Either, select};
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, IpEndpoint};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_storage::nor_flash::NorFlash;

use super::{LinkMemory, Shared};
use crate::connection::{Connection, Lost};
use crate::queue::Queue;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const DIAL_TIME: Duration = Duration::from_secs(5);
/// A peer that takes nothing for this long is dialled anew.
const STALL_TIME: Duration = Duration::from_secs(10);

type Dialled<'c, 's> = Connection<'c, 's, { MicroSender::FRAME }>;

impl<
    F: NorFlash,
    const N: usize,
    const SEATS: usize,
    const MESSAGE: usize,
    const QUEUE: usize,
    const PARKING: usize,
    const COPY: usize,
    const POSITIONS: usize,
> Shared<'_, F, N, SEATS, MESSAGE, QUEUE, PARKING, COPY, POSITIONS>
{
    /// Dials `node`, if there is such a member, sends until that fails, and
    /// dials again.
    pub(super) async fn link(&self, node: Option<NodeId>, memory: &mut LinkMemory) {
        let Some(node) = node.filter(|node| self.party.peer(*node).is_some()) else { return };
        let mut pause = FIRST_PAUSE;
        loop {
            let LinkMemory { session, receive, transmit } = memory;
            let mut socket = TcpSocket::new(self.stack, receive, transmit);
            let mut connection = Connection::new(&mut socket, session, self.party.local(), self.out);
            if let Ok(Ok(())) = with_timeout(DIAL_TIME, self.dial(&mut connection, node)).await {
                pause = FIRST_PAUSE;
                // It is dialled again whatever the reason.
                let _lost = self.forward(&mut connection, node).await;
                // What was sent of the oldest is lost with the session.
                self.with_queue(node, |queue| queue.rewind());
            }
            socket.abort();
            // A peer that is told so dials no connection that is gone.
            let _late = with_timeout(FIRST_PAUSE, socket.flush()).await;
            drop(socket);
            Timer::after(pause).await;
            pause = LONGEST_PAUSE.min(pause.checked_add(pause).unwrap_or(LONGEST_PAUSE));
        }
    }

    async fn dial(&self, connection: &mut Dialled<'_, '_>, node: NodeId) -> Result<(), Lost> {
        let (peer, address) = self.party.peer(node).ok_or(Lost::Stream)?;
        let [a, b, c, d] = address.host;
        let endpoint = IpEndpoint::new(IpAddress::v4(a, b, c, d), address.port);
        connection.socket.set_timeout(Some(STALL_TIME));
        connection.socket.set_keep_alive(Some(LONGEST_PAUSE));
        connection.socket.set_nagle_enabled(false);
        connection.socket.connect(endpoint).await.map_err(|_| Lost::Stream)?;
        let ephemeral = self.ephemeral().map_err(|_| Lost::Stream)?;
        connection.dial(peer, ephemeral)?;
        connection.confirm().await
    }

    /// Sends what waits until the stream fails.
    async fn forward(&self, connection: &mut Dialled<'_, '_>, node: NodeId) -> Result<(), Lost> {
        let filled = self.filled.get(node.index()).ok_or(Lost::Stream)?;
        loop {
            while self.send_front(connection, node).await? {}
            // A peer says nothing here; this is how it is noticed that it is gone.
            if let Either::Second(said) = select(filled.wait(), connection.hear(&mut |_| {})).await {
                return said.map(drop);
            }
        }
    }

    /// Sends the oldest message; says whether there was one. It is sealed where
    /// it waits, and stays there until its last part is sealed.
    async fn send_front(&self, connection: &mut Dialled<'_, '_>, node: NodeId) -> Result<bool, Lost> {
        let mut sealed = 0;
        loop {
            let left = |queue: &mut Queue<'_, N, QUEUE>| Some(queue.front()?.len().saturating_sub(sealed));
            let Some(left) = self.with_queue(node, left).flatten() else { return Ok(false) };
            if !connection.has_room(left) {
                // Meanwhile it may make room for another, unless it has begun.
                connection.drain().await?;
                continue;
            }
            let sent = self.with_queue(node, |queue| {
                let front = queue.front().unwrap_or_default();
                let mut message = Outgoing::resumed(front, sealed);
                connection.send_frame(&mut message)?;
                sealed = front.len().saturating_sub(message.left());
                let sent = message.is_sent();
                if sent {
                    queue.pop();
                } else {
                    queue.begin();
                }
                Ok::<_, Lost>(sent)
            });
            if sent.ok_or(Lost::Stream)?? {
                return Ok(true);
            }
        }
    }

    fn with_queue<T>(&self, node: NodeId, act: impl FnOnce(&mut Queue<'_, N, QUEUE>) -> T) -> Option<T> {
        self.host.borrow_mut().queue(node).map(|mut queue| act(&mut queue))
    }
}
