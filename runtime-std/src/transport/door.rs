//! The door: who may be half-open, and who stays.
//!
//! Before a handshake is over a connection has one of the gate's 64 seats, for
//! five seconds at most; afterwards it is one of its owner's few. So what
//! strangers and newcomers hold of this process is bounded by constants, and
//! what the roster's parties hold by the roster.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use butterfly_session::gate::{Arrival, Gate, Moment, Patience, Source, Ticket, TurnedAway};
use butterfly_session::{IdentityKey, Peer};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::task::AbortHandle;

/// Half-open handshakes at once.
const SEATS: usize = 64;
/// Newcomers that are here at once.
const NEWCOMERS: usize = 4;
/// From being accepted to being established.
pub(super) const HANDSHAKE_TIME: Duration = Duration::from_millis(Patience::SERVER.deadline as u64);

/// One for all connections that a listener accepts.
pub(super) struct Door {
    began: Instant,
    waiting: Mutex<Waiting>,
    established: Mutex<BTreeMap<IdentityKey, VecDeque<oneshot::Sender<()>>>>,
    newcomers: Semaphore,
}

struct Waiting {
    gate: Gate<SEATS>,
    tasks: BTreeMap<Ticket, AbortHandle>,
}

/// A place at the gate, given back when dropped.
pub(super) struct Seat {
    door: Arc<Door>,
    ticket: Ticket,
}

impl Door {
    pub(super) fn new() -> Door {
        let waiting = Waiting { gate: Gate::new(Patience::SERVER), tasks: BTreeMap::new() };
        Door {
            began: Instant::now(),
            waiting: Mutex::new(waiting),
            established: Mutex::default(),
            newcomers: Semaphore::new(NEWCOMERS),
        }
    }

    /// Gives a connection from `address` a seat, and to `attend`, which starts
    /// the task that has it. Whoever was displaced is dropped.
    pub(super) fn seat(self: &Arc<Self>, address: IpAddr, attend: impl FnOnce(Seat) -> AbortHandle) {
        let mut waiting = self.lock();
        let Arrival { ticket, displaced } = waiting.gate.arrive(source_of(address), self.now());
        // Under the lock: a task that ends at once waits until it is known.
        let task = attend(Seat { door: Arc::clone(self), ticket });
        waiting.tasks.insert(ticket, task);
        let displaced = displaced.and_then(|displaced| waiting.tasks.remove(&displaced));
        drop(waiting);
        displaced.inspect(AbortHandle::abort);
    }

    /// `peer` is here, one of at most `limit` sessions of its own: its oldest
    /// makes room. What is returned resolves when this one must.
    pub(super) fn establish(&self, peer: &Peer, limit: usize) -> oneshot::Receiver<()> {
        let (displace, displaced) = oneshot::channel();
        let mut established = self.established.lock().unwrap_or_else(PoisonError::into_inner);
        let own = established.entry(peer.identity()).or_default();
        own.retain(|session| !session.is_closed());
        own.push_back(displace);
        while own.len() > limit {
            own.pop_front();
        }
        displaced
    }

    /// One of the few places for newcomers, if there is one.
    pub(super) fn place_for_newcomer(&self) -> Option<SemaphorePermit<'_>> {
        self.newcomers.try_acquire().ok()
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Whether the handshake may go on to what costs Diffie-Hellman operations.
    pub(super) fn knock(&self) -> Result<(), TurnedAway> {
        self.door.lock().gate.knock(self.ticket, self.door.now())
    }

    /// The handshake is over: the seat is given back.
    ///
    /// # Errors
    /// When it was somebody else's by then.
    pub(super) fn leave(self) -> Result<(), TurnedAway> {
        if self.give_back() { Ok(()) } else { Err(TurnedAway::NoSeat) }
    }

    fn give_back(&self) -> bool {
        let mut waiting = self.door.lock();
        waiting.tasks.remove(&self.ticket);
        waiting.gate.leave(self.ticket)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Where a connection comes from: an address, or the network that one
/// subscriber of the newer protocol has for itself.
fn source_of(address: IpAddr) -> Source {
    match address.to_canonical() {
        IpAddr::V4(address) => Source(u64::from(address.to_bits())),
        IpAddr::V6(address) => Source(u64::try_from(address.to_bits() >> 64).unwrap_or(u64::MAX)),
    }
}
