//! Sessions over TCP on loopback: a whole host, blocking and small. It shows
//! what a host does with a session and a gate, and in which order.

mod world;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use butterfly_session::gate::{Gate, Moment, Patience, Source, Ticket};
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

/// The gate of a host, and the host's clock.
struct Door {
    gate: Mutex<Gate<64>>,
    begin: Instant,
}

impl Door {
    fn now(&self) -> Moment {
        Moment(u64::try_from(self.begin.elapsed().as_millis()).unwrap())
    }

    fn knock(&self, ticket: Ticket) -> io::Result<()> {
        self.gate.lock().unwrap().knock(ticket, self.now()).map_err(io::Error::other)
    }

    /// Whether it had its seat until now.
    fn leave(&self, ticket: Ticket) -> bool {
        self.gate.lock().unwrap().leave(ticket)
    }
}

/// Everything that a responder does with a connection: it says again what it hears.
fn serve(us: &Member, door: &Door, ticket: Ticket, stream: TcpStream) -> io::Result<Peer> {
    stream.set_read_timeout(Some(Duration::from_millis(PATIENCE.deadline.into())))?;
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
    connection.stream.set_read_timeout(None)?;
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

/// Short: somebody in here waits for it to pass.
const PATIENCE: Patience = Patience { deadline: 300, ..Patience::SERVER };

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
        let door = Arc::new(Door { gate: Mutex::new(Gate::new(PATIENCE)), begin: Instant::now() });
        let (us, shared) = (Arc::new(member(1)), door.clone());
        let thread = thread::spawn(move || {
            let accept = |_| {
                let (stream, _) = listener.accept().unwrap();
                let arrival = shared.gate.lock().unwrap().arrive(Source(0), shared.now());
                assert_eq!(arrival.displaced, None, "there are more seats than connections here");
                let (us, door) = (us.clone(), shared.clone());
                thread::spawn(move || {
                    let outcome = serve(&us, &door, arrival.ticket, stream);
                    door.leave(arrival.ticket);
                    outcome
                })
            };
            let handlers: Vec<_> = (0..connections).map(accept).collect();
            handlers.into_iter().map(|handler| handler.join().unwrap()).collect()
        });
        Server { address, door, thread }
    }

    /// How often each reason closed a session, and who was established.
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
    let (mut peers, reasons) = server.outcomes();
    peers.sort_by_key(Peer::identity);
    let mut expected = [0, 2, 3].map(|number| member(number).peer);
    expected.sort_by_key(Peer::identity);
    assert_eq!(peers, expected);
    let closed = [Closed::Length, Closed::Truncated, Closed::NotForUs].map(|reason| reason.to_string());
    assert!(closed.iter().all(|reason| reasons.contains(reason)), "{reasons:?}");
    assert_eq!(reasons.len(), 4, "and the silent one, whose time was up: {reasons:?}");
    drop(silent);
}
