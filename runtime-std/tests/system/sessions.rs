//! Sessions of a real node under attack: what is refused, that memory stays
//! within its bound, and that everybody else goes on.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use butterfly_kernel::types::Epoch;
use butterfly_runtime_std::access::Ask;

use crate::harness::{butterfly, progress, reference};
use crate::intruder::{Intruder, Talk, connect, half_close, read_until_closed};
use crate::operated::{Operated, wait_until};

/// Bytes by which a node may grow under any of these: 64 half-open handshakes
/// of 30 kB each, sessions of the roster's own, and what the allocator keeps.
const ROOM_FOR_STRANGERS: u64 = 8 * 1024 * 1024;
/// Bytes of an answer with its length: a stranger who replays a first message
/// gets that, and nothing else.
const ANSWER: usize = 56;

/// More questions than the system's buffers hold.
const TOO_MANY: usize = 4_000_000;

/// Bytes of a process that are in memory.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    1024 * line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
}

/// Runs `attack` on node 1 while a client is served, and holds the node to its
/// bound. The client's first request is before: what a node needs for work is
/// no growth.
fn attack(name: &str, attack: impl FnOnce(&Operated, SocketAddr)) {
    let cluster = Operated::start(4);
    let text = reference(120);
    assert_eq!(cluster.submit(&["--tokens", "120"])["text"], text);
    let node = cluster.ids[&1];
    let mut witness = witness(&cluster);
    let before = resident(node);
    let mut asking = cluster.spawn("submit", &["--tokens", "120"]);
    attack(&cluster, cluster.address(1));
    let after = resident(node);
    assert_eq!(asking.read_to_end(), format!("{text}\n"), "{name}");
    let growth = after.saturating_sub(before);
    progress(&format!("{name}: node 1 has {} kB, {} kB more than before", after / 1024, growth / 1024));
    assert!(growth <= ROOM_FOR_STRANGERS, "{name}: {growth} bytes more");
    // A session that was there all the time still is.
    let (_, talk) = &mut witness;
    let frame = talk.frame(&Ask::Standing);
    talk.send(&frame);
    talk.wait_for_message().unwrap();
    let status = cluster.wait_for_status("every node is there", |status| status["state"] == "whole");
    assert_eq!(status["working"], false);
    assert_eq!(cluster.end(), Some(0));
}

/// Another session of the client with node 1.
fn witness(cluster: &Operated) -> (&'static Intruder, Talk<'static>) {
    let client: &'static Intruder = Box::leak(Box::new(Intruder::of(&cluster.client())));
    (client, client.dial(cluster.address(1), &client.peers[1]).unwrap())
}

#[test]
fn whoever_is_not_in_the_roster_is_refused() {
    attack("strangers", |cluster, address| {
        let closed = |intruder: &Intruder, peer: usize| {
            let (_, first) = intruder.first(&intruder.peers[peer]);
            let mut stream = connect(address);
            stream.write_all(&first).unwrap();
            assert_eq!(read_until_closed(&mut stream), 0, "not even an answer");
        };
        // Keys of nobody; keys of a client, for another node; another cluster.
        closed(&Intruder::stranger(&cluster.client()), 1);
        closed(&Intruder::of(&cluster.client()), 2);
        let folder = tempfile::tempdir().unwrap();
        let foreign = folder.path().join("c");
        assert!(butterfly(&["init", "--dir", foreign.to_str().unwrap()]).status.success());
        closed(&Intruder::of(&foreign.join("client-0")), 1);
        closed(&Intruder::of(&foreign.join("node-1")), 1);
    });
}

#[test]
fn what_was_said_before_is_not_heard_again() {
    attack("replays", |cluster, address| {
        let client = Intruder::of(&cluster.client());
        // A first message may be sent again: it is answered, and nothing comes of it.
        let (_, first) = client.first(&client.peers[1]);
        let mut streams = [(); 3].map(|()| connect(address));
        streams.iter_mut().for_each(|stream| stream.write_all(&first).unwrap());
        assert_eq!(streams.each_mut().map(read_until_closed), [ANSWER; 3]);
        // A frame may not.
        let mut talk = client.dial(address, &client.peers[1]).unwrap();
        let frame = talk.frame(&Ask::Standing);
        talk.send(&frame);
        talk.wait_for_message().unwrap();
        talk.send(&frame);
        assert_eq!(read_until_closed(&mut talk.stream), 0);
        // Nor one that was lost before it.
        let mut talk = client.dial(address, &client.peers[1]).unwrap();
        let _lost = talk.frame(&Ask::Standing);
        let frame = talk.frame(&Ask::Standing);
        talk.send(&frame);
        assert_eq!(read_until_closed(&mut talk.stream), 0);
    });
}

#[test]
fn what_is_no_frame_closes_the_connection() {
    attack("garbage", |cluster, address| {
        let client = Intruder::of(&cluster.client());
        let talk = || client.dial(address, &client.peers[1]).unwrap();
        // Too long, told by the length alone; garbage; a bit that is wrong; half a frame.
        let mut oversize = talk();
        oversize.send(&[0xff, 0xff]);
        assert_eq!(read_until_closed(&mut oversize.stream), 0);
        let mut garbage = talk();
        garbage.send(&[[200, 0].to_vec(), vec![0xaa; 200]].concat());
        assert_eq!(read_until_closed(&mut garbage.stream), 0);
        let mut altered = talk();
        let mut frame = altered.frame(&Ask::Follow(Epoch(1)));
        frame[5] ^= 1;
        altered.send(&frame);
        assert_eq!(read_until_closed(&mut altered.stream), 0);
        let mut truncated = talk();
        let frame = truncated.frame(&Ask::Standing);
        truncated.send(&frame[..frame.len() / 2]);
        half_close(&truncated.stream);
        assert_eq!(read_until_closed(&mut truncated.stream), 0);
        // The same before a handshake.
        for bytes in [&[0xff; 300][..], &[220, 0, 9, 9], &[0, 0], b"GET / HTTP/1.1\r\n\r\n"] {
            let mut stream = connect(address);
            stream.write_all(bytes).unwrap();
            half_close(&stream);
            assert_eq!(read_until_closed(&mut stream), 0);
        }
    });
}

#[test]
fn a_flood_of_handshakes_displaces_itself() {
    attack("flood", |cluster, address| {
        let client = Intruder::of(&cluster.client());
        let flooded = [(); 2].map(|()| {
            flood(&client, address);
            resident(cluster.ids[&1])
        });
        let more = flooded[1].saturating_sub(flooded[0]);
        assert!(
            more <= ROOM_FOR_STRANGERS / 4,
            "the same again takes {more} bytes more: what is held grows with the flood"
        );
    });
}

/// Two thousand connections, of which five hundred are open at once.
fn flood(client: &Intruder, address: SocketAddr) {
    let mut open: Vec<TcpStream> = Vec::new();
    let mut answered = 0;
    for round in 0..400 {
        // Those who say nothing, and those who begin and do not go on.
        open.extend((0..4).map(|_| connect(address)));
        let (_, first) = client.first(&client.peers[1]);
        let mut stream = connect(address);
        // It may be displaced before it has spoken.
        let _displaced = stream.write_all(if round % 2 == 0 { &first } else { &first[..100] });
        open.push(stream);
        if open.len() > 500 {
            open.drain(..250).for_each(|mut oldest| answered += usize::from(read_until_closed(&mut oldest) > 0));
        }
    }
    progress(&format!("flood: 2000 connections, of which {answered} of those that were closed got an answer"));
}

/// First messages that are in order cost the node an answer, so one source
/// gets 64 at once and 32 a second.
#[test]
fn answers_are_rationed() {
    attack("rations", |cluster, address| {
        let client = Intruder::of(&cluster.client());
        let begin = Instant::now();
        let is_answered = |_: &u64| {
            let (_, first) = client.first(&client.peers[1]);
            let mut stream = connect(address);
            stream.write_all(&first).unwrap();
            stream.read_exact(&mut [0; ANSWER]).is_ok()
        };
        let answered = (0..400).filter(is_answered).count() as u64;
        let most = 64 + 32 * (begin.elapsed().as_secs() + 1);
        progress(&format!("rations: {answered} of 400 answered, of at most {most} in that time"));
        assert!((1..=most).contains(&answered), "{answered} answers, and not {most} at most");
    });
}

/// Somebody who asks and asks and never reads: what it was not told waits in
/// its own questions.
#[test]
fn a_client_that_does_not_read_holds_nothing() {
    attack("slow", |cluster, address| {
        let client = Intruder::of(&cluster.client());
        let mut slow = client.dial(address, &client.peers[1]).unwrap();
        let mut asked = 0;
        // Until nothing more is taken, or the node has had enough of it.
        while asked < TOO_MANY {
            let frames: Vec<u8> = (0..100).flat_map(|_| slow.frame(&Ask::Standing)).collect();
            if slow.stream.write_all(&frames).is_err() {
                break;
            }
            asked += 100;
        }
        assert!(asked < TOO_MANY, "the node reads on although nobody reads what it says");
        progress(&format!("slow: {asked} questions until nothing more was taken"));
        // It is not read from, so that it stays slow, until the node has dropped it.
        let dropped = |mut stream: &TcpStream| match stream.write(&[0]) {
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        wait_until("the node drops who does not read", || dropped(&slow.stream));
    });
}
