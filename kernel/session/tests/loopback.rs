//! Sessions over TCP on loopback: a whole host, blocking and small. It shows
//! what a host does with a session and a gate, and in which order.

mod world;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use butterfly_session::gate::{Arrival, Gate, Moment, Patience, Source, Ticket};
use butterfly_session::{Closed, Event, Outgoing, Peer, ServerSession};
use world::{FOREIGN, LONGEST, Member, ROSTER, Random, member, member_of};

/// A socket and its session.
struct Connection {
    stream: TcpStream,
    session: Box<ServerSession>,
    out: Vec<u8>,
    unread: Vec<u8>,
}

/// An [`Event`] that owns what it says, with long messages put together.
enum Heard {
    Knock,
    Answered,
    Established(Peer),
    Message(Vec<u8>),
    Ended,
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        let session = Box::new(ServerSession::new());
        Connection { stream, session, out: vec![0; ServerSession::ROOM], unread: Vec::new() }
    }

    /// Reads up to the next event.
    fn hear(&mut self, us: &Member) -> io::Result<Heard> {
        let mut message = Vec::new();
        loop {
            let mut bytes = &self.unread[..];
            let event = self.session.receive(&us.local, &mut bytes).map_err(io::Error::other)?;
            let wants_more = event.is_none();
            let heard = match event {
                Some(Event::Knock) => Some(Heard::Knock),
                Some(Event::Answered) => Some(Heard::Answered),
                Some(Event::Established(peer)) => Some(Heard::Established(peer)),
                Some(Event::Message(whole)) => Some(Heard::Message(whole.to_vec())),
                Some(Event::Chunk(chunk)) => {
                    message.extend(chunk.bytes);
                    let is_whole = message.len() == usize::try_from(chunk.total).unwrap();
                    is_whole.then(|| Heard::Message(std::mem::take(&mut message)))
                }
                Some(Event::Ended) => Some(Heard::Ended),
                Some(Event::Applied) => return Err(io::Error::other("nobody is enrolled here")),
                None => None,
            };
            let taken = self.unread.len() - bytes.len();
            self.unread.drain(..taken);
            if let Some(heard) = heard {
                return Ok(heard);
            }
            if wants_more {
                let mut buffer = [0; 4_096];
                let read = self.stream.read(&mut buffer)?;
                if read == 0 {
                    self.session.end_of_bytes().map_err(io::Error::other)?;
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.unread.extend(&buffer[..read]);
            }
        }
    }

    fn say(&mut self, message: &[u8]) -> io::Result<()> {
        let mut message = Outgoing::new(message);
        while !message.is_sent() {
            let written = self.session.seal(&mut message, &mut self.out).map_err(io::Error::other)?;
            self.stream.write_all(&self.out[..written])?;
        }
        Ok(())
    }

    fn say_end(&mut self) -> io::Result<()> {
        let written = self.session.seal_end(&mut self.out).map_err(io::Error::other)?;
        self.stream.write_all(&self.out[..written])
    }
}

/// The gate of a host, with the sockets of connections that are not yet
/// established, and the host's clock, which tests set.
struct Door {
    gate: Mutex<Gate<64>>,
    half_open: Mutex<BTreeMap<Ticket, TcpStream>>,
    clock: AtomicU64,
}

impl Door {
    fn now(&self) -> Moment {
        Moment(self.clock.load(Ordering::SeqCst))
    }

    fn arrive(&self, stream: &TcpStream) -> Ticket {
        let Arrival { ticket, displaced } = self.gate.lock().unwrap().arrive(Source(0), self.now());
        self.half_open.lock().unwrap().insert(ticket, stream.try_clone().unwrap());
        displaced.into_iter().for_each(|displaced| self.cut(displaced));
        ticket
    }

    fn knock(&self, ticket: Ticket) -> io::Result<()> {
        self.gate.lock().unwrap().knock(ticket, self.now()).map_err(io::Error::other)
    }

    /// Whether it had its seat until now.
    fn leave(&self, ticket: Ticket) -> bool {
        self.half_open.lock().unwrap().remove(&ticket);
        self.gate.lock().unwrap().leave(ticket)
    }

    /// What a host does when its timer for `next_deadline` is over.
    fn deadline(&self) {
        let expire = || self.gate.lock().unwrap().expire(self.now());
        std::iter::from_fn(expire).for_each(|late| self.cut(late));
    }

    fn cut(&self, ticket: Ticket) {
        if let Some(stream) = self.half_open.lock().unwrap().remove(&ticket) {
            // The peer may have been faster.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Everything that a responder does with a connection: it says again what it hears.
fn serve(us: &Member, door: &Door, ticket: Ticket, stream: TcpStream) -> io::Result<Peer> {
    let mut connection = Connection::new(stream);
    let Heard::Knock = connection.hear(us)? else { unreachable!("a responder hears nothing else first") };
    door.knock(ticket)?;
    let ephemeral = Random::new(fastrand::u64(..)).ephemeral();
    let Connection { session, out, stream, .. } = &mut connection;
    let written = session.answer(&us.local, &ROSTER, ephemeral, out).map_err(io::Error::other)?;
    stream.write_all(&out[..written])?;
    let Heard::Established(peer) = connection.hear(us)? else { unreachable!("nor after that") };
    if !door.leave(ticket) {
        return Err(io::Error::other("displaced"));
    }
    loop {
        match connection.hear(us)? {
            Heard::Message(message) => connection.say(&message)?,
            Heard::Ended => {
                connection.say_end()?;
                return Ok(peer);
            }
            Heard::Knock | Heard::Answered | Heard::Established(_) => unreachable!("that is over"),
        }
    }
}

/// Everything that an initiator does: it says things and hears them again.
fn converse(us: &Member, responder: &Peer, address: SocketAddr, messages: &[Vec<u8>]) -> io::Result<()> {
    let mut connection = Connection::new(TcpStream::connect(address)?);
    let ephemeral = Random::new(fastrand::u64(..)).ephemeral();
    let Connection { session, out, stream, .. } = &mut connection;
    let written = session.dial(&us.local, responder, ephemeral, out).map_err(io::Error::other)?;
    stream.write_all(&out[..written])?;
    let Heard::Answered = connection.hear(us)? else { unreachable!("an initiator hears nothing else first") };
    let Connection { session, out, stream, .. } = &mut connection;
    let written = session.confirm(out).map_err(io::Error::other)?;
    stream.write_all(&out[..written])?;
    for message in messages {
        connection.say(message)?;
        let Heard::Message(again) = connection.hear(us)? else { panic!("it says again what it hears") };
        assert_eq!(again, *message);
    }
    connection.say_end()?;
    let Heard::Ended = connection.hear(us)? else { panic!("and then it ends") };
    connection.session.end_of_bytes().map_err(io::Error::other)
}

/// Member 1, who accepts a number of connections and tells what came of each.
struct Server {
    address: SocketAddr,
    door: Arc<Door>,
    thread: JoinHandle<Vec<io::Result<Peer>>>,
}

impl Server {
    fn listen(connections: usize) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let door = Arc::new(Door {
            gate: Mutex::new(Gate::new(Patience::SERVER)),
            half_open: Mutex::default(),
            clock: AtomicU64::new(0),
        });
        let (us, shared) = (Arc::new(member(1)), door.clone());
        let thread = thread::spawn(move || {
            let accept = |_| {
                let (stream, _) = listener.accept().unwrap();
                let ticket = shared.arrive(&stream);
                let (us, door) = (us.clone(), shared.clone());
                thread::spawn(move || {
                    let outcome = serve(&us, &door, ticket, stream);
                    door.leave(ticket);
                    outcome
                })
            };
            let handlers: Vec<_> = (0..connections).map(accept).collect();
            handlers.into_iter().map(|handler| handler.join().unwrap()).collect()
        });
        Server { address, door, thread }
    }

    /// Waits until no more than `taken` seats are taken.
    fn wait_for_seats(&self, taken: usize) {
        let begin = Instant::now();
        while self.door.gate.lock().unwrap().taken() > taken {
            assert!(begin.elapsed() < Duration::from_secs(60), "somebody never ends");
            thread::yield_now();
        }
    }

    /// Who was established, and why the others were not.
    fn outcomes(self) -> (Vec<Peer>, Vec<String>) {
        let (good, bad): (Vec<_>, Vec<_>) = self.thread.join().unwrap().into_iter().partition(Result::is_ok);
        assert_eq!(self.door.gate.lock().unwrap().taken(), 0, "nobody keeps a seat");
        let mut reasons: Vec<String> = bad.into_iter().map(|outcome| outcome.unwrap_err().to_string()).collect();
        reasons.sort();
        (good.into_iter().map(Result::unwrap).collect(), reasons)
    }
}

#[test]
fn members_talk_while_others_misbehave() {
    let server = Server::listen(7);
    let address = server.address;
    // Somebody who says nothing, and is still there when all others are done.
    let silent = TcpStream::connect(address).unwrap();
    TcpStream::connect(address).unwrap().write_all(&[0xff; 500]).unwrap();
    // Somebody who leaves in the middle of its first message.
    TcpStream::connect(address).unwrap().write_all(&[220, 0, 1, 1]).unwrap();
    let clients: Vec<JoinHandle<io::Result<()>>> = [0, 2, 3]
        .map(|number| {
            thread::spawn(move || {
                let longest = usize::try_from(LONGEST).unwrap();
                let messages = [1, 0, 20_000, longest].map(|length| vec![number; length]);
                converse(&member(number), &member(1).peer, address, &messages)
            })
        })
        .into();
    let foreigner = member_of(FOREIGN, 0, 0, LONGEST);
    assert!(converse(&foreigner, &member(1).peer, address, &[]).is_err());
    for client in clients {
        client.join().unwrap().unwrap();
    }
    server.wait_for_seats(1);
    // All others are done when the time of the silent one is up.
    server.door.clock.store(Patience::SERVER.deadline.into(), Ordering::SeqCst);
    server.door.deadline();
    let (mut peers, reasons) = server.outcomes();
    peers.sort_by_key(Peer::identity);
    let mut expected = [0, 2, 3].map(|number| member(number).peer);
    expected.sort_by_key(Peer::identity);
    assert_eq!(peers, expected);
    let closed = [Closed::Length, Closed::Truncated, Closed::Truncated, Closed::NotForUs];
    let mut expected = closed.map(|reason| reason.to_string());
    expected.sort();
    assert_eq!(reasons, expected);
    drop(silent);
}
