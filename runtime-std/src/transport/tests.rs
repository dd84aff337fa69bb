//! Sessions between parties of one process, over loopback.

mod enrolment;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use butterfly_kernel::cluster::Timing;
use butterfly_kernel::types::{NodeId, Resilience};
use butterfly_session::{KeyRecord, Members, Peer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use super::connection::Connection;
use super::door::Door;
use super::outbound::Mesh;
use super::party::{LONGEST_MESSAGE, Party, Who};
use crate::keys::{Keys, session_cluster};
use crate::lineage::Lineage;
use crate::metrics::Metrics;
use crate::provision::Founded;
use crate::stream::Stream;

/// A client of a cluster, and a party for each of its four members.
fn parties() -> (Arc<Party>, Vec<Arc<Party>>) {
    let folder = tempfile::tempdir().unwrap();
    let founded = Founded::new(Resilience::largest(4).unwrap(), 1, 0, 4, Timing::default()).unwrap();
    let cluster = Arc::new(founded.cluster.clone());
    founded.provision_members(|node| folder.path().join(node.0.to_string())).unwrap();
    let lineage = Arc::new(Lineage::of(Arc::clone(&cluster)));
    let peers: Vec<_> = founded.records.iter().map(|record| record.verify(session_cluster(&cluster)).ok()).collect();
    let party = |keys: &Keys| Arc::new(Party::new(Arc::clone(&lineage), keys, peers.clone()).unwrap());
    let member = |node: u8| party(&Keys::read(&folder.path().join(node.to_string())).unwrap());
    (party(&founded.clients[0]), (0..4).map(member).collect())
}

/// Both ends of a session that `dialler` has with `listener`, whom it takes for `peer`.
async fn connect(
    dialler: &Arc<Party>,
    listener: &Arc<Party>,
    peer: NodeId,
) -> (std::io::Result<Connection>, std::io::Result<(Connection, Peer)>) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let dial =
        async { Connection::dial(TcpStream::connect(address).await?, dialler, dialler.member(peer).unwrap()).await };
    let answer = async { Connection::listen(socket.accept().await?.0, listener).await?.answer().await?.known() };
    tokio::join!(dial, answer)
}

#[tokio::test]
async fn messages_of_every_length_arrive_and_longer_ones_do_not_leave() {
    let (_, members) = parties();
    let (dialled, answered) = connect(&members[0], &members[1], NodeId(1)).await;
    let (mut dialled, (mut answered, peer)) = (dialled.unwrap(), answered.unwrap());
    assert_eq!(members[1].who(&peer.identity()), Some(Who::Member(NodeId(0))));
    let longest = usize::try_from(LONGEST_MESSAGE).unwrap();
    for length in [0, 1, 16_366, 16_367, 16_368, longest] {
        let message = vec![7; length];
        let send = async {
            dialled.send(&message).await.unwrap();
            dialled.flush().await.unwrap();
        };
        let ((), received) = tokio::join!(send, answered.receive());
        assert_eq!(received.unwrap(), Some(&message[..]), "{length}");
    }
    assert!(dialled.send(&vec![7; longest + 1]).await.is_err());
    dialled.end().await.unwrap();
    assert!(matches!(answered.receive().await, Ok(None)));
}

#[tokio::test]
async fn a_client_is_known_by_its_key_and_a_member_cannot_pass_for_another() {
    let (client, members) = parties();
    let (_, answered) = connect(&client, &members[2], NodeId(2)).await;
    let (_, peer) = answered.unwrap();
    assert!(matches!(members[2].who(&peer.identity()), Some(Who::Client(_))));
    let (dialled, answered) = connect(&client, &members[3], NodeId(2)).await;
    assert!(dialled.is_err() && answered.is_err());
}

#[test]
fn an_exchange_key_that_was_given_up_is_admitted_no_more() {
    let (client, members) = parties();
    let keys = Keys::generate().unwrap();
    let cluster = session_cluster(client.cluster());
    let record = |serial| KeyRecord::sign(keys.identity(), cluster, keys.exchange().public(), serial);
    assert!(!client.admits(&record(0).identity, 0));
    client.note(&record(3).verify(cluster).unwrap());
    assert!(!client.admits(&record(3).identity, 3), "being noted is not being in the roster");
    let known = members[0].member(NodeId(1)).unwrap();
    assert!(client.admits(&known.identity(), 0) && client.admits(&known.identity(), 5));
    // No session can show a newer key of a member here, so the note is made by hand.
    client.note_serial(known.identity(), 5);
    assert!(!client.admits(&known.identity(), 4) && client.admits(&known.identity(), 5));
}

#[tokio::test]
async fn the_oldest_session_makes_room() {
    let (client, _) = parties();
    let door = Arc::new(Door::new());
    let peer = *client.member(NodeId(0)).unwrap();
    let other = *client.member(NodeId(1)).unwrap();
    let mut sessions: Vec<oneshot::Receiver<()>> = (0..3).map(|_| door.establish(&peer, 3)).collect();
    let mut others = door.establish(&other, 3);
    let is_open = |session: &mut oneshot::Receiver<()>| session.try_recv() == Err(oneshot::error::TryRecvError::Empty);
    let _fourth = door.establish(&peer, 3);
    assert_eq!(sessions.iter_mut().map(is_open).collect::<Vec<_>>(), [false, true, true]);
    // One that ended by itself makes room as well.
    drop(sessions.pop());
    let _fifth = door.establish(&peer, 3);
    assert_eq!(sessions.iter_mut().map(is_open).collect::<Vec<_>>(), [false, true]);
    assert!(is_open(&mut others), "others are left alone");
}

/// Time passes for both ends; the sockets are real.
#[tokio::test]
async fn sessions_outlive_their_keys() {
    let (_, members) = parties();
    let (dialled, answered) = connect(&members[0], &members[1], NodeId(1)).await;
    let (mut dialled, (mut answered, _)) = (dialled.unwrap(), answered.unwrap());
    tokio::time::pause();
    for hour in 0..3_u8 {
        for message in [[hour; 20], [hour + 100; 20]] {
            dialled.send(&message).await.unwrap();
            dialled.flush().await.unwrap();
            assert_eq!(answered.receive().await.unwrap(), Some(&message[..]), "hour {hour}");
        }
        tokio::time::advance(std::time::Duration::from_secs(60 * 60)).await;
    }
}

/// Member 1 reads nothing after the handshake, member 2 everything.
#[tokio::test]
async fn a_peer_that_takes_nothing_holds_up_nobody_else() {
    const FRAMES: u32 = 2_500;
    let (_, members) = parties();
    let cluster = members[0].cluster();
    let listen = || async { TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap() };
    let (stalled, reading) = (listen().await, listen().await);
    let addresses = vec![None, Some(stalled.local_addr().unwrap()), Some(reading.local_addr().unwrap()), None];
    let (_announce, peers) = watch::channel(addresses);
    let metrics = Metrics::new(cluster, NodeId(0));
    let mesh = Mesh::start(&members[0], NodeId(0), &peers, &metrics, &Stream::new(NodeId(0)));
    let answer = |listener: TcpListener, member: Arc<Party>| async move {
        let knocking = Connection::listen(listener.accept().await.unwrap().0, &member).await.unwrap();
        knocking.answer().await.unwrap().known().unwrap().0
    };
    let (_stalled, mut reading) =
        tokio::join!(answer(stalled, Arc::clone(&members[1])), answer(reading, Arc::clone(&members[2])));
    let both = [NodeId(1), NodeId(2)].into_iter().collect();
    for number in 0..FRAMES {
        let frame: Arc<[u8]> = number.to_le_bytes().repeat(4_000).into();
        mesh.send(both, &frame, std::time::Duration::ZERO);
        assert_eq!(reading.receive().await.unwrap(), Some(&*frame));
    }
    let dropped = |peer: u8| {
        let scrape = metrics.scrape().unwrap();
        let series = format!("butterfly_messages_dropped_total{{peer=\"{peer}\"}} ");
        scrape.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse::<u32>().unwrap()
    };
    assert!((1..FRAMES).contains(&dropped(1)), "what is queued for it is bounded: {}", dropped(1));
    assert_eq!(dropped(2), 0);
}

/// A task that waits for ever, as a stranger who says nothing makes one wait.
fn wait_for_ever(seat: super::door::Seat) -> tokio::task::AbortHandle {
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(seat);
    })
    .abort_handle()
}

#[tokio::test]
async fn more_than_64_half_open_connections_displace_each_other() {
    let door = Arc::new(Door::new());
    let mut tasks = Vec::new();
    for _ in 0..200 {
        door.seat(IpAddr::V4(Ipv4Addr::LOCALHOST), |seat| {
            let task = wait_for_ever(seat);
            tasks.push(task.clone());
            task
        });
    }
    // Displaced tasks end as soon as they are polled.
    while tasks.iter().filter(|task| !task.is_finished()).count() > 64 {
        tokio::task::yield_now().await;
    }
    assert!(tasks[200 - 64..].iter().all(|task| !task.is_finished()), "the newest stay");
}
