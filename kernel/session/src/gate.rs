//! Who may begin a handshake while others do.
//!
//! A responder keeps one gate for all connections that it accepts. It bounds
//! what strangers can make it hold and compute:
//!
//! * At most `SEATS` connections are between being accepted and being
//!   established, and none of them for longer than a deadline.
//! * Whoever comes when all seats are taken takes one from the source that
//!   holds the most, the newcomer itself counted: a source that floods us
//!   displaces itself. Among equals the oldest that has not even knocked goes.
//! * Diffie-Hellman operations are rationed, before the first of them: all
//!   sources together get so many handshakes a second, one source half as many.
//!
//! A *source* is whatever a host can tell connections apart by before it knows
//! a key, for example a network address; it is used for nothing else.

mod ration;

use ration::Rations;

/// A moment of the host's own clock, in milliseconds. It must not run backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(pub u64);

/// Names one connection at the gate. None is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// How patient and how generous a gate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Milliseconds from being accepted to being established.
    pub deadline: u32,
    /// Handshakes that may be answered at once, after a quiet time.
    pub burst: u16,
    /// Handshakes that may be answered in each second, on and on.
    pub per_second: u16,
}

impl Patience {
    /// All members of the largest cluster may come at once, from one source. An
    /// answer takes a server a third of a millisecond (the example `costs`
    /// measures it), so a flood costs it a fiftieth of a core.
    pub const SERVER: Patience = Patience { deadline: 5_000, burst: 128, per_second: 64 };
    /// A microcontroller has other work to do.
    pub const MICROCONTROLLER: Patience = Patience { deadline: 5_000, burst: 4, per_second: 1 };
}

/// Why a connection is turned away. The host drops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnedAway {
    /// It has no seat any more: displaced, or past its deadline.
    NoSeat,
    /// It has knocked before.
    Again,
    /// There is no ration left, for its source or for all.
    Rationed,
}

impl core::fmt::Display for TurnedAway {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            TurnedAway::NoSeat => "the connection was displaced or is past its deadline",
            TurnedAway::Again => "the connection has knocked before",
            TurnedAway::Rationed => "too many handshakes were asked for",
        })
    }
}

impl core::error::Error for TurnedAway {}

/// The gate. 64 seats on a server, 2 on a microcontroller.
#[derive(Clone, Debug)]
pub struct Gate<const SEATS: usize> {
    seats: [Option<Seat>; SEATS],
    rations: Rations<SEATS>,
    deadline: u32,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    ticket: Ticket,
    source: Source,
    deadline: Moment,
    has_knocked: bool,
}

/// A seat, and who had to leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The new connection.
    pub ticket: Ticket,
    /// The connection that was displaced: the host drops it.
    pub displaced: Option<Ticket>,
}

impl<const SEATS: usize> Gate<SEATS> {
    const HAS_SEATS: () = assert!(SEATS > 0);

    /// Nobody is there yet.
    pub const fn new(patience: Patience) -> Self {
        let () = Self::HAS_SEATS;
        Gate { seats: [None; SEATS], rations: Rations::new(patience), deadline: patience.deadline, next: 0 }
    }

    /// A connection was accepted. It gets a seat in any case.
    pub fn arrive(&mut self, source: Source, now: Moment) -> Arrival {
        let ticket = Ticket(self.next);
        self.next = self.next.wrapping_add(1);
        let deadline = Moment(now.0.saturating_add(u64::from(self.deadline)));
        let newcomer = Seat { ticket, source, deadline, has_knocked: false };
        let displaced = match self.seats.iter().position(|seat| seat.is_none_or(|seat| seat.deadline <= now)) {
            Some(free) => self.take_seat(free, newcomer),
            None => self.victim(source).and_then(|victim| self.take_seat(victim, newcomer)),
        };
        Arrival { ticket, displaced }
    }

    /// The connection has a first message with a right code. `Ok` when it may
    /// be answered: that uses up a part of the ration.
    ///
    /// # Errors
    /// Why it is turned away.
    pub fn knock(&mut self, ticket: Ticket, now: Moment) -> Result<(), TurnedAway> {
        let seat = self.seats.iter_mut().flatten().find(|seat| seat.ticket == ticket && now < seat.deadline);
        let seat = seat.ok_or(TurnedAway::NoSeat)?;
        if seat.has_knocked {
            return Err(TurnedAway::Again);
        }
        seat.has_knocked = true;
        if self.rations.take(seat.source, now) { Ok(()) } else { Err(TurnedAway::Rationed) }
    }

    /// The connection is established, or gone. Says whether it still had its
    /// seat: one that had not is dropped, even if it is established.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        match self.seats.iter_mut().find(|seat| seat.is_some_and(|seat| seat.ticket == ticket)) {
            Some(seat) => seat.take().is_some(),
            None => false,
        }
    }

    /// When the next connection is past its deadline.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.seats.iter().flatten().map(|seat| seat.deadline).min()
    }

    /// A connection that is past its deadline: the host drops it. To be called
    /// until there is none.
    pub fn expire(&mut self, now: Moment) -> Option<Ticket> {
        let seat = self.seats.iter_mut().find(|seat| seat.is_some_and(|seat| seat.deadline <= now))?;
        seat.take().map(|seat| seat.ticket)
    }

    /// Seats that are taken.
    pub fn taken(&self) -> usize {
        self.seats.iter().flatten().count()
    }

    fn take_seat(&mut self, at: usize, newcomer: Seat) -> Option<Ticket> {
        self.seats.get_mut(at)?.replace(newcomer).map(|seat| seat.ticket)
    }

    /// Who leaves for somebody from `newcomer`, when all seats are taken.
    fn victim(&self, newcomer: Source) -> Option<usize> {
        let count = |source| self.seats.iter().flatten().filter(|seat| seat.source == source).count();
        let most = self.seats.iter().flatten().map(|seat| count(seat.source)).max()?;
        let own = count(newcomer);
        let leaves = |seat: &Seat| if own >= most { seat.source == newcomer } else { count(seat.source) == most };
        let taken = self.seats.iter().enumerate().filter_map(|(at, seat)| seat.map(|seat| (at, seat)));
        taken.filter(|(_, seat)| leaves(seat)).min_by_key(|(_, seat)| (seat.has_knocked, seat.ticket)).map(|(at, _)| at)
    }
}
