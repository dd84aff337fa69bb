//! Dialling, and sending.

use butterfly_kernel::types::NodeId;
use butterfly_session::Outgoing;
use embassy_futures::select::{Either, select};
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, IpEndpoint};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_storage::nor_flash::NorFlash;
use heapless::Vec;

use super::{LinkMemory, Shared};
use crate::connection::{Connection, Lost};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const DIAL_TIME: Duration = Duration::from_secs(5);
/// A peer that takes nothing for this long is dialled anew.
const STALL_TIME: Duration = Duration::from_secs(10);

impl<
    F: NorFlash,
    const N: usize,
    const SEATS: usize,
    const MESSAGE: usize,
    const PARKING: usize,
    const COPY: usize,
    const POSITIONS: usize,
> Shared<'_, F, N, SEATS, MESSAGE, PARKING, COPY, POSITIONS>
{
    /// Dials `node`, if there is such a member, sends until that fails, and
    /// dials again.
    pub(super) async fn link(&self, node: Option<NodeId>, memory: &mut LinkMemory) {
        let Some(node) = node.filter(|node| self.party.peer(*node).is_some()) else { return };
        let mut pause = FIRST_PAUSE;
        loop {
            let LinkMemory { session, receive, transmit, out } = memory;
            let mut socket = TcpSocket::new(self.stack, receive, transmit);
            let mut connection = Connection::new(&mut socket, session, self.party.local(), out);
            if let Ok(Ok(())) = with_timeout(DIAL_TIME, self.dial(&mut connection, node)).await {
                pause = FIRST_PAUSE;
                // It is dialled again whatever the reason.
                let _lost = self.forward(&mut connection, node).await;
            }
            socket.abort();
            // A peer that is told so dials no connection that is gone.
            let _late = with_timeout(FIRST_PAUSE, socket.flush()).await;
            drop(socket);
            Timer::after(pause).await;
            pause = LONGEST_PAUSE.min(pause.checked_add(pause).unwrap_or(LONGEST_PAUSE));
        }
    }

    async fn dial(&self, connection: &mut Connection<'_, '_>, node: NodeId) -> Result<(), Lost> {
        let (peer, address) = self.party.peer(node).ok_or(Lost::Stream)?;
        let [a, b, c, d] = address.host;
        let endpoint = IpEndpoint::new(IpAddress::v4(a, b, c, d), address.port);
        connection.socket.set_timeout(Some(STALL_TIME));
        connection.socket.set_keep_alive(Some(LONGEST_PAUSE));
        connection.socket.set_nagle_enabled(false);
        connection.socket.connect(endpoint).await.map_err(|_| Lost::Stream)?;
        let ephemeral = self.ephemeral().map_err(|_| Lost::Stream)?;
        connection.dial(peer, ephemeral).await
    }

    /// Sends what waits until the stream fails.
    async fn forward(&self, connection: &mut Connection<'_, '_>, node: NodeId) -> Result<(), Lost> {
        let filled = self.filled.get(node.index()).ok_or(Lost::Stream)?;
        loop {
            while self.send_front(connection, node).await? {}
            // A peer says nothing here; this is how it is noticed that it is gone.
            if let Either::Second(said) = select(filled.wait(), connection.hear(|_| {}, &mut Vec::<u8, 0>::new())).await
            {
                return said.map(drop);
            }
        }
    }

    /// Sends the oldest message; says whether there was one. One that fits in a
    /// frame is sealed where it waits; a longer one waits elsewhere while its
    /// parts are sent.
    async fn send_front(&self, connection: &mut Connection<'_, '_>, node: NodeId) -> Result<bool, Lost> {
        let length = self.host.borrow_mut().queue(node).and_then(|queue| queue.front().map(<[u8]>::len));
        let Some(length) = length else { return Ok(false) };
        if length <= FITS_IN_A_FRAME {
            let sealed = self.take_front(node, |message| connection.seal(&mut Outgoing::new(message)));
            if let Some(written) = sealed {
                connection.write(written?).await?;
            }
            return Ok(true);
        }
        let mut long = self.long.lock().await;
        long.clear();
        // No message is longer than that. What waited in front may be another by now.
        self.take_front(node, |message| long.extend_from_slice(message));
        connection.send(&long).await?;
        Ok(true)
    }

    fn take_front<T>(&self, node: NodeId, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut host = self.host.borrow_mut();
        let queue = host.queue(node)?;
        let taken = take(queue.front()?);
        queue.pop();
        Some(taken)
    }
}

/// Bytes of a message that fit in any frame that peers may agree on.
const FITS_IN_A_FRAME: usize = butterfly_session::limits::LEAST_FRAME - 17;
