//! Sessions with the other members and with clients, over TCP.
//!
//! As on a server: the device dials every other member and sends on what it
//! dialled; it receives on what others dialled. Peers are known by their keys.
//! A connection that others dial has one of the *seats*; before its handshake
//! is over it also has one of the gate's two places, for five seconds at most.
//! A member has one session, clients together have one: the newest counts.

mod links;
mod rooms;
mod seats;

use core::cell::RefCell;
use core::pin::{Pin, pin};

use butterfly_kernel::types::NodeId;
use butterfly_session::gate::{Gate, Moment, Patience, Ticket};
use butterfly_session::{Ephemeral, MicroSender, MicroSession};
use embassy_futures::join::{join_array, join3};
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::{Instant, Timer};
use embedded_storage::nor_flash::NorFlash;
use heapless::Vec;

use crate::board::{NoRandomness, RandomSource};
use crate::connection::Frame;
use crate::host::{Host, Stopped};
use crate::party::Party;
use rooms::{Rooms, RoomsMemory};

/// Half-open handshakes at once.
const HALF_OPEN: usize = 2;
/// Bytes that a peer may send before they are looked at: two usual messages.
/// With room for less TCP is told again and again that it may go on, and
/// whenever that is lost the peer waits for seconds.
const RECEIVE: usize = 768;
/// Bytes that may be on their way to a peer: a long frame, or several short ones.
const TRANSMIT: usize = 772;
/// Bytes that may come from somebody who was dialled: an answer, and nothing later.
const ANSWER: usize = 64;
/// Bytes that may be on their way to somebody who dialled: an answer. What
/// clients are told takes its time.
const LITTLE: usize = 128;

/// The memory of all connections, for a static. `LINKS` is one less than N: one
/// for each other member. `SEATS` is N and three more: one for each other
/// member, one for clients, two for handshakes, one so that whoever comes is
/// heard at all. `ROOMS` is one more than members that may be faulty: as many
/// messages in parts are put together at a time.
pub struct NetworkMemory<
    const N: usize,
    const LINKS: usize,
    const SEATS: usize,
    const ROOMS: usize,
    const MESSAGE: usize,
> {
    links: [LinkMemory; LINKS],
    seats: [SeatMemory; SEATS],
    rooms: RoomsMemory<ROOMS, MESSAGE>,
    client: Mutex<NoopRawMutex, ClientMemory<MESSAGE>>,
    out: RefCell<Frame>,
}

struct LinkMemory {
    session: MicroSender,
    receive: [u8; ANSWER],
    transmit: [u8; TRANSMIT],
}

struct SeatMemory {
    session: MicroSession,
    receive: [u8; RECEIVE],
    transmit: [u8; LITTLE],
}

/// For whoever is served as a client, the one at a time.
struct ClientMemory<const MESSAGE: usize> {
    /// What it asks, or what it is told.
    whole: Vec<u8, MESSAGE>,
    /// A frame of that, on its way.
    out: Frame,
}

impl<const N: usize, const LINKS: usize, const SEATS: usize, const ROOMS: usize, const MESSAGE: usize>
    NetworkMemory<N, LINKS, SEATS, ROOMS, MESSAGE>
{
    const ENOUGH: () = {
        assert!(LINKS + 1 == N, "a link to each other member");
        assert!(ROOMS > (N - 1) / 3, "a room for each faulty member, and one more");
        assert!(TRANSMIT >= MicroSession::ROOM, "a frame leaves at once");
        assert!(SEATS > N + HALF_OPEN, "a seat for each member and client, and those at the door");
    };

    /// Unused.
    pub const fn new() -> Self {
        let () = Self::ENOUGH;
        NetworkMemory {
            links: [const { LinkMemory { session: MicroSender::new(), receive: [0; ANSWER], transmit: [0; TRANSMIT] } };
                LINKS],
            seats: [const { SeatMemory { session: MicroSession::new(), receive: [0; RECEIVE], transmit: [0; LITTLE] } };
                SEATS],
            rooms: [const { RefCell::new(Vec::new()) }; ROOMS],
            client: Mutex::new(ClientMemory { whole: Vec::new(), out: [0; MicroSession::ROOM] }),
            out: RefCell::new([0; MicroSession::ROOM]),
        }
    }
}

impl<const N: usize, const LINKS: usize, const SEATS: usize, const ROOMS: usize, const MESSAGE: usize> Default
    for NetworkMemory<N, LINKS, SEATS, ROOMS, MESSAGE>
{
    fn default() -> Self {
        NetworkMemory::new()
    }
}

/// What all connections share. Everything runs in one task, so each borrow is
/// over before the next begins.
struct Shared<
    'm,
    F: NorFlash,
    const N: usize,
    const SEATS: usize,
    const MESSAGE: usize,
    const QUEUE: usize,
    const PARKING: usize,
    const COPY: usize,
    const POSITIONS: usize,
> {
    party: &'m Party<N>,
    stack: Stack<'m>,
    port: u16,
    host: RefCell<Host<'m, F, N, MESSAGE, QUEUE, PARKING, COPY, POSITIONS>>,
    random: RefCell<&'m mut dyn RandomSource>,
    door: RefCell<Door<SEATS>>,
    /// Whoever has the seat must leave it.
    displaced: [Signal<NoopRawMutex, ()>; SEATS],
    /// Something waits for a member.
    filled: [Signal<NoopRawMutex, ()>; N],
    /// A timer was set.
    timed: Signal<NoopRawMutex, ()>,
    /// An epoch was decided, or the node stands otherwise.
    news: Signal<NoopRawMutex, ()>,
    stopped: Signal<NoopRawMutex, Stopped>,
    rooms: Rooms<'m, SEATS, MESSAGE>,
    client: &'m Mutex<NoopRawMutex, ClientMemory<MESSAGE>>,
    out: &'m RefCell<Frame>,
}

/// Who sits where.
struct Door<const SEATS: usize> {
    gate: Gate<HALF_OPEN>,
    /// Connections whose handshake is not over.
    arriving: [Option<Ticket>; SEATS],
    /// Whose sessions are open; ours are those of clients.
    open: [Option<NodeId>; SEATS],
}

/// Runs the node of `host` on a network, until it must stop. The runner of
/// `stack` is polled elsewhere.
///
/// # Errors
/// Never returns but with the reason why the device can do nothing more.
pub async fn run<
    'm,
    F: NorFlash,
    const N: usize,
    const LINKS: usize,
    const SEATS: usize,
    const ROOMS: usize,
    const MESSAGE: usize,
    const QUEUE: usize,
    const PARKING: usize,
    const COPY: usize,
    const POSITIONS: usize,
>(
    party: &'m Party<N>,
    host: Host<'m, F, N, MESSAGE, QUEUE, PARKING, COPY, POSITIONS>,
    (stack, port): (Stack<'m>, u16),
    random: &'m mut dyn RandomSource,
    memory: &'m mut NetworkMemory<N, LINKS, SEATS, ROOMS, MESSAGE>,
) -> Stopped {
    let NetworkMemory { links, seats, rooms, client, out } = memory;
    let shared = Shared {
        party,
        stack,
        port,
        host: RefCell::new(host),
        random: RefCell::new(random),
        door: RefCell::new(Door {
            gate: Gate::new(Patience::MICROCONTROLLER),
            arriving: [None; SEATS],
            open: [None; SEATS],
        }),
        displaced: [const { Signal::new() }; SEATS],
        filled: [const { Signal::new() }; N],
        timed: Signal::new(),
        news: Signal::new(),
        stopped: Signal::new(),
        rooms: Rooms::new(rooms),
        client,
        out,
    };
    // What the start of the node wants sent waits already.
    shared.wake();
    let mut all = pin!(None);
    put_in_place(all.as_mut(), || {
        let mut others = (0..u8::MAX).map(NodeId).filter(|node| *node != party.me());
        let links = links.each_mut().map(|memory| shared.link(others.next(), memory));
        let mut place = 0..SEATS;
        let seats = seats.each_mut().map(|memory| shared.seat(place.next().unwrap_or(0), memory));
        join3(join_array(links), join_array(seats), shared.keep_time())
    });
    let Some(all) = all.as_mut().as_pin_mut() else { return Stopped::Flash };
    match select(shared.stopped.wait(), all).await {
        Either::First(stopped) => stopped,
        Either::Second(_) => Stopped::Flash,
    }
}

/// Makes a value in a function of its own: what making it needs of the stack is
/// not needed again each time that it is polled.
#[inline(never)]
fn put_in_place<T>(place: Pin<&mut Option<T>>, make: impl FnOnce() -> T) {
    let mut place = place;
    place.set(Some(make()));
}

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
    /// Has the node do something, and wakes whoever must act on it.
    fn with_host<T>(
        &self,
        act: impl FnOnce(&mut Host<'m, F, N, MESSAGE, QUEUE, PARKING, COPY, POSITIONS>) -> Result<T, Stopped>,
    ) -> Option<T> {
        let outcome = act(&mut self.host.borrow_mut());
        match outcome {
            Ok(outcome) => {
                self.wake();
                Some(outcome)
            }
            Err(stopped) => {
                self.stopped.signal(stopped);
                None
            }
        }
    }

    fn wake(&self) {
        for node in self.host.borrow().waiting().iter() {
            if let Some(filled) = self.filled.get(node.index()) {
                filled.signal(());
            }
        }
        self.timed.signal(());
        self.news.signal(());
    }

    /// Gives the node its timers.
    async fn keep_time(&self) {
        loop {
            let next = self.host.borrow().next_timer();
            let runs_out = async {
                match next {
                    Some(at) => Timer::at(at).await,
                    None => core::future::pending().await,
                }
            };
            if let Either::First(()) = select(runs_out, self.timed.wait()).await {
                self.with_host(Host::expire_timers);
            }
        }
    }

    fn ephemeral(&self) -> Result<Ephemeral, NoRandomness> {
        let mut bytes = [0; 32];
        self.random.borrow_mut().fill(&mut bytes)?;
        Ok(Ephemeral::from_random(bytes))
    }

    fn now(&self) -> Moment {
        Moment(Instant::now().as_millis())
    }
}
