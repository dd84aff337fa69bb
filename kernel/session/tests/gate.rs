//! Floods: what strangers can make a responder hold and compute is bounded,
//! and others are served meanwhile.

mod world;

use std::collections::BTreeMap;

use butterfly_session::gate::{Gate, Moment, Patience, Source, Ticket, TurnedAway};
use proptest::collection::vec;
use proptest::prelude::*;
use world::{End, ROSTER, Said, member};

const FRAME: usize = 1024;
const LIFE: u32 = 1 << 20;
const SEATS: usize = 64;
const HONEST: Source = Source(1);
const FLOOD: Source = Source(2);

fn server() -> Gate<SEATS> {
    Gate::new(Patience::SERVER)
}

/// A responder with its gate and a session for each connection that has a seat.
struct Responder<const SEATS: usize> {
    gate: Gate<SEATS>,
    sessions: BTreeMap<Ticket, End<FRAME, LIFE>>,
    now: Moment,
    /// Handshakes that were answered: four Diffie-Hellman operations each.
    answered: usize,
    turned_away: Vec<TurnedAway>,
}

impl<const SEATS: usize> Responder<SEATS> {
    fn new(patience: Patience) -> Self {
        let gate = Gate::new(patience);
        Responder { gate, sessions: BTreeMap::new(), now: Moment(0), answered: 0, turned_away: Vec::new() }
    }

    fn accept(&mut self, source: Source) -> Ticket {
        let arrival = self.gate.arrive(source, self.now);
        if let Some(displaced) = arrival.displaced {
            self.sessions.remove(&displaced).unwrap();
        }
        self.sessions.insert(arrival.ticket, End::new(member(1), self.now.0));
        assert!(self.sessions.len() <= SEATS, "memory is bounded");
        assert_eq!(self.sessions.len(), self.gate.taken());
        arrival.ticket
    }

    /// Reads from a connection; answers if the gate lets it.
    fn read(&mut self, ticket: Ticket, bytes: &[u8]) -> Option<Vec<u8>> {
        let end = self.sessions.get_mut(&ticket)?;
        if end.hear(bytes) != Ok(vec![Said::Knock]) {
            return None;
        }
        if let Err(reason) = self.gate.knock(ticket, self.now) {
            self.turned_away.push(reason);
            self.gate.leave(ticket);
            self.sessions.remove(&ticket);
            return None;
        }
        self.answered += 1;
        end.answer(&ROSTER).ok()
    }
}

/// One handshake of member 0, with `meanwhile` between its steps.
fn is_served<const SEATS: usize>(
    responder: &mut Responder<SEATS>,
    mut meanwhile: impl FnMut(&mut Responder<SEATS>),
) -> bool {
    let mut honest = End::<FRAME, LIFE>::new(member(0), 77);
    let first = honest.dial(&member(1).peer).unwrap();
    let ticket = responder.accept(HONEST);
    meanwhile(responder);
    let Some(answer) = responder.read(ticket, &first) else { return false };
    meanwhile(responder);
    honest.hear(&answer).unwrap();
    let confirmation = honest.confirm().unwrap();
    meanwhile(responder);
    let Some(end) = responder.sessions.get_mut(&ticket) else { return false };
    let established = end.hear(&confirmation) == Ok(vec![Said::Established(honest.member.peer)]);
    responder.sessions.remove(&ticket);
    established && responder.gate.leave(ticket)
}

#[test]
fn connections_that_say_nothing_displace_only_their_like() {
    let mut responder = Responder::<SEATS>::new(Patience::SERVER);
    let flood = |responder: &mut Responder<SEATS>| {
        for _ in 0..1_000 {
            responder.accept(FLOOD);
            responder.now.0 += 1;
        }
    };
    assert!(is_served(&mut responder, flood));
    assert_eq!(responder.gate.taken(), SEATS - 1, "the flood has all other seats");
}

/// A first message that somebody recorded is as good as new. Sent again and
/// again it costs the responder what it is willing to spend, and no more.
#[test]
fn a_flood_of_replayed_first_messages_leaves_others_their_share() {
    let recorded = End::<FRAME, LIFE>::new(member(3), 5).dial(&member(1).peer).unwrap();
    let mut responder = Responder::<SEATS>::new(Patience::SERVER);
    let flood = |responder: &mut Responder<SEATS>| {
        for _ in 0..300 {
            let ticket = responder.accept(FLOOD);
            responder.read(ticket, &recorded);
        }
    };
    flood(&mut responder);
    let burst = usize::from(Patience::SERVER.burst);
    assert_eq!(responder.answered, burst / 2, "one source gets half of what there is");
    assert!(is_served(&mut responder, flood));
    assert_eq!(responder.answered, burst / 2 + 1);
    assert!(responder.turned_away.iter().all(|reason| *reason == TurnedAway::Rationed));
    responder.now.0 += 10_000;
    flood(&mut responder);
    assert_eq!(responder.answered, burst + 1, "after a quiet time it is as before");
}

#[test]
fn a_microcontroller_serves_others_through_a_flood() {
    let recorded = End::<FRAME, LIFE>::new(member(3), 5).dial(&member(1).peer).unwrap();
    let mut responder = Responder::<2>::new(Patience::MICROCONTROLLER);
    let flood = |responder: &mut Responder<2>| {
        for _ in 0..50 {
            let ticket = responder.accept(FLOOD);
            responder.read(ticket, &recorded);
        }
    };
    assert!(is_served(&mut responder, flood));
    assert!(responder.answered <= 3, "{} answered", responder.answered);
}

#[test]
fn a_flood_from_everywhere_costs_no_more_than_all_rations() {
    let recorded = End::<FRAME, LIFE>::new(member(3), 5).dial(&member(1).peer).unwrap();
    let mut responder = Responder::<SEATS>::new(Patience::SERVER);
    for source in 0..2_000 {
        let ticket = responder.accept(Source(1_000 + source));
        responder.read(ticket, &recorded);
        responder.now.0 += 1;
    }
    // Two seconds at the steady rate, on top of the burst.
    let most = usize::from(Patience::SERVER.burst) + 2 * usize::from(Patience::SERVER.per_second);
    assert!((most - 1..=most).contains(&responder.answered), "{} answered", responder.answered);
}

#[test]
fn among_equals_the_oldest_that_has_not_knocked_goes() {
    let mut gate = server();
    let tickets: Vec<Ticket> = (0..64).map(|source| gate.arrive(Source(source), Moment(0)).ticket).collect();
    gate.knock(tickets[0], Moment(0)).unwrap();
    gate.knock(tickets[2], Moment(0)).unwrap();
    let displaced: Vec<Ticket> =
        (64..67).filter_map(|source| gate.arrive(Source(source), Moment(1)).displaced).collect();
    assert_eq!(displaced, [tickets[1], tickets[3], tickets[4]]);
    assert_eq!(gate.knock(tickets[1], Moment(1)), Err(TurnedAway::NoSeat));
    assert!(!gate.leave(tickets[1]));
    assert_eq!(gate.knock(tickets[0], Moment(1)), Err(TurnedAway::Again));
}

#[test]
fn who_comes_during_a_flood_displaces_the_flood_and_not_who_came_before_it() {
    let mut gate = server();
    let before = gate.arrive(HONEST, Moment(0)).ticket;
    let flood: Vec<Ticket> = (0..63).map(|_| gate.arrive(FLOOD, Moment(1)).ticket).collect();
    for (number, oldest) in flood.into_iter().take(10).enumerate() {
        let arrival = gate.arrive(Source(100 + u64::try_from(number).unwrap()), Moment(2));
        assert_eq!(arrival.displaced, Some(oldest));
    }
    assert_eq!(gate.knock(before, Moment(3)), Ok(()));
}

#[test]
fn a_seat_past_its_deadline_is_taken_before_any_other() {
    let mut gate = server();
    let late = gate.arrive(HONEST, Moment(0)).ticket;
    for _ in 0..63 {
        gate.arrive(FLOOD, Moment(100));
    }
    assert_eq!(gate.arrive(Source(3), Moment(5_050)).displaced, Some(late));
}

#[test]
fn nobody_keeps_a_seat_beyond_the_deadline() {
    let mut gate = server();
    assert_eq!(gate.next_deadline(), None);
    let slow = gate.arrive(HONEST, Moment(100)).ticket;
    let later = gate.arrive(HONEST, Moment(200)).ticket;
    assert_eq!(gate.next_deadline(), Some(Moment(5_100)));
    assert_eq!(gate.expire(Moment(5_099)), None);
    assert_eq!(gate.knock(slow, Moment(5_100)), Err(TurnedAway::NoSeat));
    assert_eq!(gate.expire(Moment(5_100)), Some(slow));
    assert_eq!(gate.expire(Moment(5_100)), None);
    assert_eq!(gate.next_deadline(), Some(Moment(5_200)));
    assert!(gate.leave(later));
    assert_eq!(gate.taken(), 0);
}

#[derive(Clone, Debug)]
enum Act {
    Arrive(u64),
    Knock(usize),
    Leave(usize),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u64..4).prop_map(Act::Arrive),
        3 => (0_usize..40).prop_map(Act::Knock),
        2 => (0_usize..40).prop_map(Act::Leave),
        2 => (0_u64..2_000).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Against a model that is nothing but a list of who is there.
    #[test]
    fn seats_are_bounded_and_tickets_are_used_once(acts in vec(act(), 1..200)) {
        let patience = Patience { deadline: 3_000, burst: 6, per_second: 2 };
        let mut gate = Gate::<5>::new(patience);
        let (mut now, mut present, mut all) = (Moment(0), Vec::new(), Vec::new());
        let (mut answered, mut begun) = (0, Vec::new());
        for act in acts {
            match act {
                Act::Arrive(source) => {
                    let full = present.len() == 5;
                    let arrival = gate.arrive(Source(source), now);
                    prop_assert!(!all.contains(&arrival.ticket));
                    prop_assert_eq!(arrival.displaced.is_some(), full);
                    present.retain(|ticket| Some(*ticket) != arrival.displaced);
                    present.push(arrival.ticket);
                    all.push(arrival.ticket);
                }
                Act::Knock(at) if at < all.len() => {
                    let expected_seat = present.contains(&all[at]);
                    match gate.knock(all[at], now) {
                        Ok(()) => {
                            prop_assert!(expected_seat && !begun.contains(&all[at]));
                            answered += 1;
                        }
                        Err(TurnedAway::NoSeat) => prop_assert!(!expected_seat),
                        Err(TurnedAway::Again) => prop_assert!(begun.contains(&all[at])),
                        Err(TurnedAway::Rationed) => prop_assert!(expected_seat),
                    }
                    begun.push(all[at]);
                }
                Act::Leave(at) if at < all.len() => {
                    let was_present = present.contains(&all[at]);
                    prop_assert_eq!(gate.leave(all[at]), was_present);
                    present.retain(|ticket| *ticket != all[at]);
                }
                Act::Wait(time) => {
                    now.0 += time;
                    while let Some(ticket) = gate.expire(now) {
                        prop_assert!(present.contains(&ticket));
                        present.retain(|other| *other != ticket);
                    }
                }
                Act::Knock(_) | Act::Leave(_) => {}
            }
            prop_assert_eq!(gate.taken(), present.len());
            prop_assert!(answered <= 6 + now.0 * 2 / 1_000, "{} answered in {} ms", answered, now.0);
        }
    }
}
