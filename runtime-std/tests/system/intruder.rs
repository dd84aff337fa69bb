//! Somebody on the network who does what no client or member of ours does: a
//! session over a socket, every byte of which a test may keep, change and send
//! again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use butterfly_kernel::cluster::Timing;
use butterfly_kernel::types::NodeId;
use butterfly_runtime_std::folder::open_party;
use butterfly_runtime_std::keys::{Keys, random, session_cluster};
use butterfly_runtime_std::protocol::{Cluster, encode};
use butterfly_session::{Ephemeral, Event, Local, Outgoing, Peer, ServerSession};
use serde::Serialize;

use crate::operated::PATIENCE;

/// Keys, and whom they are to be used with.
pub(crate) struct Intruder {
    local: Local,
    pub(crate) peers: Vec<Peer>,
}

impl Intruder {
    /// With the keys in `folder`, of its cluster.
    pub(crate) fn of(folder: &Path) -> Intruder {
        let (party, keys) = open_party(folder, Timing::default()).unwrap();
        let members = party.cluster().members().iter();
        let peers = members.map(|node: NodeId| *party.member(node).unwrap()).collect();
        Intruder { local: local(party.cluster(), &keys), peers }
    }

    /// With keys that nobody knows, in the cluster of `folder`.
    pub(crate) fn stranger(folder: &Path) -> Intruder {
        let (party, _) = open_party(folder, Timing::default()).unwrap();
        let known = Intruder::of(folder);
        Intruder { local: local(party.cluster(), &Keys::generate().unwrap()), peers: known.peers }
    }

    /// The first message to `peer`, with nothing sent yet.
    pub(crate) fn first(&self, peer: &Peer) -> (Box<ServerSession>, Vec<u8>) {
        let mut session = Box::new(ServerSession::new());
        let mut out = vec![0; ServerSession::ROOM];
        let written = session.dial(&self.local, peer, Ephemeral::from_random(random().unwrap()), &mut out).unwrap();
        out.truncate(written);
        (session, out)
    }

    /// A whole handshake with the node at `address`, which is to be `peer`.
    pub(crate) fn dial(&self, address: SocketAddr, peer: &Peer) -> io::Result<Talk<'_>> {
        let (session, first) = self.first(peer);
        let mut talk = Talk { stream: connect(address), session, local: &self.local, unread: Vec::new() };
        talk.stream.write_all(&first)?;
        talk.wait_for_answer()?;
        let mut out = vec![0; ServerSession::ROOM];
        let written = talk.session.confirm(&mut out).map_err(io::Error::other)?;
        talk.stream.write_all(&out[..written])?;
        Ok(talk)
    }
}

fn local(cluster: &Cluster, keys: &Keys) -> Local {
    Local::new(session_cluster(cluster), &keys.exchange(), keys.record(cluster), 16 * 1024).unwrap()
}

/// A connection that a read or a write does not hang on for ever.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    stream
}

/// An open session.
pub(crate) struct Talk<'i> {
    pub(crate) stream: TcpStream,
    session: Box<ServerSession>,
    local: &'i Local,
    unread: Vec<u8>,
}

impl Talk<'_> {
    /// The frame of `message`, not sent.
    pub(crate) fn frame(&mut self, message: &impl Serialize) -> Vec<u8> {
        let message = encode(message).unwrap();
        let mut out = vec![0; ServerSession::ROOM];
        let written = self.session.seal(&mut Outgoing::new(&message), &mut out).unwrap();
        out.truncate(written);
        out
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Waits until the node has said something.
    pub(crate) fn wait_for_message(&mut self) -> io::Result<()> {
        self.wait_for(|event| matches!(event, Event::Message(_) | Event::Chunk(_)))
    }

    fn wait_for_answer(&mut self) -> io::Result<()> {
        self.wait_for(|event| matches!(event, Event::Answered))
    }

    fn wait_for(&mut self, wanted: impl Fn(&Event<'_>) -> bool) -> io::Result<()> {
        loop {
            let mut bytes = &self.unread[..];
            let event = self.session.receive(self.local, &mut bytes).map_err(io::Error::other)?;
            let (found, wants_more) = (event.as_ref().is_some_and(&wanted), event.is_none());
            let taken = self.unread.len() - bytes.len();
            self.unread.drain(..taken);
            if found {
                return Ok(());
            }
            if wants_more {
                let mut buffer = [0; 4096];
                match self.stream.read(&mut buffer) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(read) => self.unread.extend(&buffer[..read]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Whether the other side has closed the connection, waiting for it; whatever
/// it says before that is read and dropped. Returns how much that was.
pub(crate) fn read_until_closed(stream: &mut TcpStream) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let (mut buffer, mut all) = ([0; 4096], 0);
    loop {
        assert!(Instant::now() < deadline, "the node did not close the connection");
        match stream.read(&mut buffer) {
            Ok(0) => return all,
            Ok(read) => all += read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return all,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Says that nothing more will be sent, and leaves the other direction open.
pub(crate) fn half_close(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}
