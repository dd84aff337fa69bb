//! Being dialled, and receiving.

use butterfly_kernel::types::{ClientId, Epoch, NodeId};
use butterfly_kernel::wire;
use butterfly_session::MicroSession;
use butterfly_session::gate::{Arrival, Source, Ticket};
use embassy_futures::select::{Either, select};
use embassy_net::IpAddress;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, with_timeout};
use embedded_storage::nor_flash::NorFlash;
use heapless::Vec;

use super::{ClientMemory, SeatMemory, Shared};
use crate::access::{Answer, Ask, Refusal};
use crate::connection::{Connection, Heard, Lost};
use crate::party::Who;

/// From being accepted to being established; the gate keeps the same time.
const HANDSHAKE_TIME: Duration =
    Duration::from_millis(butterfly_session::gate::Patience::MICROCONTROLLER.deadline as u64);
/// Whoever is silent is asked by TCP whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// Whoever takes or answers nothing for this long is gone.
const STALL_TIME: Duration = Duration::from_secs(10);
/// For the last word to leave.
const FAREWELL: Duration = Duration::from_millis(50);

type Seated<'c, 's> = Connection<'c, 's, { MicroSession::FRAME }>;

impl<
    'm,
    F: NorFlash,
    const N: usize,
    const SEATS: usize,
    const MESSAGE: usize,
    const QUEUE: usize,
    const PARKING: usize,
    const COPY: usize,
    const POSITIONS: usize,
> Shared<'m, F, N, SEATS, MESSAGE, QUEUE, PARKING, COPY, POSITIONS>
{
    /// Hears one connection after the other.
    pub(super) async fn seat(&self, seat: usize, memory: &mut SeatMemory) {
        let Some(displaced) = self.displaced.get(seat) else { return };
        loop {
            let SeatMemory { session, receive, transmit } = memory;
            let mut socket = TcpSocket::new(self.stack, receive, transmit);
            socket.set_timeout(Some(STALL_TIME));
            socket.set_keep_alive(Some(KEEP_ALIVE));
            socket.set_nagle_enabled(false);
            if socket.accept(self.port).await.is_ok() {
                displaced.reset();
                let source = source_of(&socket);
                let ticket = self.arrive(seat, source);
                let mut connection = Connection::new(&mut socket, session, self.party.local(), self.out);
                // Whatever the reason, whoever it was may dial again.
                let _over = select(displaced.wait(), self.attend(&mut connection, seat, ticket)).await;
                self.leave(seat);
            }
            socket.abort();
            let _late = with_timeout(FAREWELL, socket.flush()).await;
        }
    }

    async fn attend(&self, connection: &mut Seated<'_, '_>, seat: usize, ticket: Ticket) -> Result<(), Lost> {
        let shaken = with_timeout(HANDSHAKE_TIME, self.shake(connection, ticket)).await;
        match shaken.map_err(|_| Lost::Session)?? {
            Who::Member(node) => {
                self.establish(seat, node);
                self.receive(connection).await
            }
            Who::Client(client) => {
                // Nobody is its own peer: our number is free for clients.
                self.establish(seat, self.party.me());
                self.serve(connection, client).await
            }
        }
    }

    async fn shake(&self, connection: &mut Seated<'_, '_>, ticket: Ticket) -> Result<Who, Lost> {
        connection.knock().await?;
        let knocked = self.door.borrow_mut().gate.knock(ticket, self.now());
        knocked.map_err(|_| Lost::Session)?;
        connection.answer(self.party, self.ephemeral().map_err(|_| Lost::Session)?)?;
        connection.establish().await?;
        if !self.door.borrow_mut().gate.leave(ticket) {
            return Err(Lost::Session);
        }
        let peer = connection.peer().ok_or(Lost::Session)?;
        self.party.note(peer);
        self.party.who(&peer.identity()).ok_or(Lost::Session)
    }

    /// Gives what a member sends to the node, which knows the author of each
    /// message by its signature.
    async fn receive(&self, connection: &mut Seated<'_, '_>) -> Result<(), Lost> {
        loop {
            let mut genuine = true;
            let mut take = |message: &[u8]| genuine = self.with_host(|host| host.receive(message)).unwrap_or(false);
            match connection.hear(&mut take).await? {
                Heard::Message => {}
                Heard::Part => {
                    let mut room = self.rooms.take().await.ok_or(Lost::Session)?;
                    connection.gather(&mut room.whole).await?;
                    take(&room.whole);
                }
                _ => return Err(Lost::Session),
            }
            if !genuine {
                return Err(Lost::Session);
            }
        }
    }

    /// Answers a client.
    async fn serve(&self, connection: &mut Seated<'_, '_>, client: ClientId) -> Result<(), Lost> {
        let ClientMemory { whole, out } = &mut *self.client.lock().await;
        let mut follows: Option<Epoch> = None;
        loop {
            if let Some(from) = &mut follows {
                while self.copy_told(from, whole) {
                    connection.send(whole, out).await?;
                }
            }
            let mut answered = None;
            let mut take = |message: &[u8]| answered = self.answer(message, client);
            match select(connection.hear(&mut take), self.news.wait()).await {
                Either::First(heard) => match heard? {
                    Heard::Message => {}
                    Heard::Part => {
                        connection.gather(whole).await?;
                        take(whole);
                    }
                    _ => return Err(Lost::Session),
                },
                Either::Second(()) => continue,
            }
            match answered.ok_or(Lost::Session)? {
                Reply::Follow(from) => follows = Some(from),
                reply => {
                    self.encode(reply, whole).ok_or(Lost::Session)?;
                    connection.send(whole, out).await?;
                }
            }
        }
    }

    fn copy_told(&self, from: &mut Epoch, room: &mut Vec<u8, MESSAGE>) -> bool {
        let host = self.host.borrow();
        let Some((epoch, told)) = host.told(*from) else { return false };
        room.clear();
        *from = epoch.next();
        room.extend_from_slice(told).is_ok()
    }

    /// None if a client cannot have said that.
    #[inline(never)]
    fn answer(&self, message: &[u8], client: ClientId) -> Option<Reply> {
        match wire::decode::<Ask<N>>(message).ok()? {
            Ask::Standing => Some(Reply::Standing),
            Ask::Follow(from) => Some(Reply::Follow(from)),
            Ask::Submit(request) => self.with_host(|host| host.submit(request, client)).map(Reply::Submitted),
        }
    }

    #[inline(never)]
    fn encode(&self, reply: Reply, room: &mut Vec<u8, MESSAGE>) -> Option<()> {
        let answer = match reply {
            Reply::Standing => self.host.borrow().standing(),
            Reply::Submitted(taken) => taken.map_or_else(Answer::Refused, |()| Answer::Taken),
            Reply::Follow(_) => return None,
        };
        room.resize_default(MESSAGE).ok()?;
        let length = wire::encode(&answer, room).ok()?.len();
        room.truncate(length);
        Some(())
    }

    /// A connection was accepted; whoever has waited longest at the door may
    /// have to go.
    fn arrive(&self, seat: usize, source: Source) -> Ticket {
        let mut door = self.door.borrow_mut();
        let Arrival { ticket, displaced } = door.gate.arrive(source, self.now());
        if let Some(arriving) = door.arriving.get_mut(seat) {
            *arriving = Some(ticket);
        }
        let displaced = displaced.and_then(|displaced| door.arriving.iter().position(|held| *held == Some(displaced)));
        self.displace(displaced);
        ticket
    }

    /// Whoever sat there is known now, and has no other session any more.
    fn establish(&self, seat: usize, node: NodeId) {
        let mut door = self.door.borrow_mut();
        let before = door.open.iter().position(|open| *open == Some(node));
        self.displace(before.filter(|before| *before != seat));
        if let Some(open) = door.open.get_mut(seat) {
            *open = Some(node);
        }
        if let Some(arriving) = door.arriving.get_mut(seat) {
            *arriving = None;
        }
    }

    fn leave(&self, seat: usize) {
        let mut door = self.door.borrow_mut();
        if let Some(ticket) = door.arriving.get_mut(seat).and_then(Option::take) {
            door.gate.leave(ticket);
        }
        if let Some(open) = door.open.get_mut(seat) {
            *open = None;
        }
    }

    fn displace(&self, seat: Option<usize>) {
        if let Some(displaced) = seat.and_then(|seat| self.displaced.get(seat)) {
            displaced.signal(());
        }
    }
}

/// What a client is to be answered.
enum Reply {
    Standing,
    Submitted(Result<(), Refusal>),
    Follow(Epoch),
}

/// Connections are told apart by the address that they come from.
fn source_of(socket: &TcpSocket<'_>) -> Source {
    Source(socket.remote_endpoint().map_or(0, |endpoint| match endpoint.addr {
        IpAddress::Ipv4(address) => u64::from(address.to_bits()),
    }))
}
