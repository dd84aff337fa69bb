//! Sessions over TCP with as little room as a device gives it, and one place to
//! seal in for both ends: whoever kept it while it waits would spoil what the
//! other seals.

mod cable;

use core::cell::RefCell;
use std::vec::Vec;

use butterfly_session::{
    ClusterId, Ephemeral, ExchangeSecret, IdentityKey, KeyRecord, Local, Members, MicroSender, MicroSession, Outgoing,
    Session,
};
use cable::{Rings, between};
use ed25519_dalek::SigningKey;
use embassy_futures::join::join;

use super::{Connection, Frame, Heard, Lost};

const CLUSTER: ClusterId = ClusterId([1; 32]);
const LONGEST: usize = 2_000;

struct Anybody;

impl Members for Anybody {
    fn admits(&self, _: &IdentityKey, _: u32) -> bool {
        true
    }
}

fn member(number: u8) -> Local {
    let secret = ExchangeSecret::from_random([number; 32]);
    let record = KeyRecord::sign(&SigningKey::from_bytes(&[number; 32]), CLUSTER, secret.public(), 0);
    Local::new(CLUSTER, &secret, record, LONGEST as u32).unwrap()
}

fn message(length: usize) -> Vec<u8> {
    (0..length).map(|at| at.to_le_bytes()[0]).collect()
}

fn little(transmit: usize) -> [Rings; 2] {
    [Rings { receive: 64, transmit }, Rings { receive: 256, transmit: 128 }]
}

async fn shake<const THERE: usize, const HERE: usize>(
    dials: &mut Connection<'_, '_, THERE>,
    listens: &mut Connection<'_, '_, HERE>,
) {
    let peer = member(2).record().verify(CLUSTER).unwrap();
    let dialling = async {
        dials.dial(&peer, Ephemeral::from_random([3; 32]))?;
        dials.confirm().await
    };
    let listening = async {
        listens.knock().await?;
        listens.answer(&Anybody, Ephemeral::from_random([4; 32]))?;
        listens.establish().await
    };
    assert_eq!(join(dialling, listening).await, (Ok(()), Ok(())));
    assert_eq!(listens.peer().map(|peer| peer.identity()), Some(member(1).record().identity));
}

/// As a link sends what lies in a queue.
async fn send<const FRAME: usize>(connection: &mut Connection<'_, '_, FRAME>, message: &[u8]) -> Result<(), Lost> {
    let mut sealed = 0;
    loop {
        if !connection.has_room(message.len() - sealed) {
            connection.drain().await?;
            continue;
        }
        let mut outgoing = Outgoing::resumed(message, sealed);
        connection.send_frame(&mut outgoing)?;
        if outgoing.is_sent() {
            return Ok(());
        }
        sealed = message.len() - outgoing.left();
    }
}

async fn hear<const FRAME: usize>(connection: &mut Connection<'_, '_, FRAME>) -> Result<Vec<u8>, Lost> {
    let mut heard = Vec::new();
    match connection.hear(&mut |message| heard = message.to_vec()).await? {
        Heard::Message => Ok(heard),
        Heard::Part => {
            let mut whole = heapless::Vec::<u8, LONGEST>::new();
            connection.gather(&mut whole).await?;
            Ok(whole.to_vec())
        }
        _ => Err(Lost::Session),
    }
}

#[test]
fn messages_of_every_size_pass_through_little_room() {
    let (alice, bob, out) = (member(1), member(2), RefCell::new([0; MicroSession::ROOM]));
    let lengths = [0, 1, 100, 340, 494, 495, 496, 1_000, 340, LONGEST, 7];
    let heard = between(little(MicroSession::ROOM), async |mut there, mut here| {
        let (mut sender, mut session) = (MicroSender::new(), MicroSession::new());
        let mut dials = Connection::new(&mut there, &mut sender, &alice, &out);
        let mut listens = Connection::new(&mut here, &mut session, &bob, &out);
        shake(&mut dials, &mut listens).await;
        let sending = async {
            for length in lengths {
                send(&mut dials, &message(length)).await.unwrap();
            }
        };
        let hearing = async {
            let mut heard = Vec::new();
            for _ in lengths {
                heard.push(hear(&mut listens).await.unwrap());
            }
            heard
        };
        join(sending, hearing).await.1
    });
    assert_eq!(heard, lengths.map(message));
}

#[test]
fn a_client_is_told_through_even_less() {
    let (alice, bob, out) = (member(1), member(2), RefCell::new([0; MicroSession::ROOM]));
    let heard = between(little(MicroSession::ROOM), async |mut there, mut here| {
        let (mut client, mut session) = (MicroSession::new(), MicroSession::new());
        let mut dials = Connection::new(&mut there, &mut client, &alice, &out);
        let mut listens = Connection::new(&mut here, &mut session, &bob, &out);
        shake(&mut dials, &mut listens).await;
        let mut frame: Frame = [0; MicroSession::ROOM];
        let told = message(1_500);
        let (sent, heard) = join(listens.send(&told, &mut frame), hear(&mut dials)).await;
        sent.and(heard)
    });
    assert_eq!(heard, Ok(message(1_500)));
}

#[test]
fn whoever_waits_for_room_notices_that_the_peer_is_gone() {
    let (alice, bob, out) = (member(1), member(2), RefCell::new([0; MicroSession::ROOM]));
    let lost = between(little(MicroSession::ROOM), async |mut there, mut here| {
        let (mut sender, mut session) = (MicroSender::new(), MicroSession::new());
        let mut dials = Connection::new(&mut there, &mut sender, &alice, &out);
        let mut listens = Connection::new(&mut here, &mut session, &bob, &out);
        shake(&mut dials, &mut listens).await;
        let leaving = async {
            hear(&mut listens).await.unwrap();
            listens.socket.abort();
            listens.socket.flush().await.unwrap();
        };
        let sending = async {
            loop {
                if let Err(lost) = send(&mut dials, &message(495)).await {
                    return lost;
                }
            }
        };
        join(sending, leaving).await.0
    });
    assert_eq!(lost, Lost::Stream);
}

#[test]
fn a_sender_has_no_room_for_what_it_does_not_expect() {
    let (alice, bob, out) = (member(1), member(2), RefCell::new([0; MicroSession::ROOM]));
    let heard = between(little(MicroSession::ROOM), async |mut there, mut here| {
        let (mut sender, mut session): (MicroSender, MicroSession) = (Session::new(), Session::new());
        let mut dials = Connection::new(&mut there, &mut sender, &alice, &out);
        let mut listens = Connection::new(&mut here, &mut session, &bob, &out);
        shake(&mut dials, &mut listens).await;
        let mut frame: Frame = [0; MicroSession::ROOM];
        join(listens.send(&[0; 48], &mut frame), hear(&mut dials)).await.1
    });
    assert_eq!(heard, Err(Lost::Session));
}
