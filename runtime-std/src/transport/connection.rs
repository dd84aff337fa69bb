//! A TCP connection with its session: what `butterfly-session` asks of a host.

mod enrolment;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use butterfly_session::{Ephemeral, Event, Local, Outgoing, Peer, ServerSession};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::party::Party;
use crate::keys::random;
pub use enrolment::Application;

/// A key is used no longer than this.
const KEY_TIME: Duration = Duration::from_secs(60 * 60);
/// Bytes that are read and written at once. A frame may be longer.
const BUFFER: usize = 4 * 1024;
/// Room for every message of a handshake: a stranger gets no more.
const HANDSHAKE_ROOM: usize = 512;

/// One connection. A call that fails ends it for good; the peer is told nothing.
pub struct Connection {
    local: Arc<Local>,
    stream: BufReader<BufWriter<TcpStream>>,
    session: Box<ServerSession>,
    /// What the session writes into.
    out: Vec<u8>,
    /// What was received of a message, or the last one.
    message: Vec<u8>,
    /// Of the key that frames are sealed with.
    key: KeyAge,
}

/// Since when a key is in use.
struct KeyAge(Instant);

impl KeyAge {
    fn new() -> KeyAge {
        KeyAge(Instant::now())
    }

    /// Whether the key has been in use for too long; if so, another is from now on.
    fn is_over(&mut self) -> bool {
        let is_over = self.0.elapsed() >= KEY_TIME;
        if is_over {
            self.0 = Instant::now();
        }
        is_over
    }
}

/// A connection on which a first message came that was made for us. Nothing
/// that costs more than a hash was computed yet.
pub struct Knocking {
    connection: Connection,
    party: Arc<Party>,
}

/// Who is there, once the handshake is over.
pub enum Visitor {
    /// Somebody whom the roster knows.
    Known(Connection, Peer),
    /// Somebody with a token, who is not let in yet.
    Newcomer(Application),
}

/// An [`Event`] that does not borrow; a message is where the connection keeps it.
enum Heard {
    Knock,
    Answered,
    Established(Peer),
    Applied,
    Message,
    Ended,
}

impl Connection {
    fn new(stream: TcpStream, local: &Arc<Local>) -> io::Result<Connection> {
        // Messages are short and each is waited for.
        stream.set_nodelay(true)?;
        Ok(Connection {
            local: Arc::clone(local),
            stream: BufReader::with_capacity(BUFFER, BufWriter::with_capacity(BUFFER, stream)),
            session: Box::new(ServerSession::new()),
            out: vec![0; HANDSHAKE_ROOM],
            message: Vec::new(),
            key: KeyAge::new(),
        })
    }

    /// Begins a session with `peer` on a connection that we dialled.
    ///
    /// # Errors
    /// When the stream fails, or `peer` is not at its other end.
    pub async fn dial(stream: TcpStream, party: &Arc<Party>, peer: &Peer) -> io::Result<Connection> {
        let mut connection = Connection::new(stream, party.local())?;
        let Connection { local, session, out, .. } = &mut connection;
        let ephemeral = Ephemeral::from_random(random()?);
        let written = session.dial(local, peer, ephemeral, out).map_err(io::Error::other)?;
        connection.write(written).await?;
        let Heard::Answered = connection.hear().await? else { return Err(out_of_turn()) };
        let written = connection.session.confirm(&mut connection.out).map_err(io::Error::other)?;
        connection.write(written).await?;
        connection.open();
        Ok(connection)
    }

    /// Waits for the first message on a connection that somebody else dialled.
    ///
    /// # Errors
    /// When the stream fails, or what comes was not made for us.
    pub async fn listen(stream: TcpStream, party: &Arc<Party>) -> io::Result<Knocking> {
        // Whoever says nothing is given nothing.
        stream.readable().await?;
        let mut connection = Connection::new(stream, party.local())?;
        match connection.hear().await? {
            Heard::Knock => Ok(Knocking { connection, party: Arc::clone(party) }),
            _ => Err(out_of_turn()),
        }
    }

    /// Sends one message, at the latest with the next [`Connection::flush`].
    ///
    /// # Errors
    /// When the stream fails, or the peer takes no message of that length.
    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if self.key.is_over() {
            self.session.change_key();
        }
        let mut message = Outgoing::new(message);
        while !message.is_sent() {
            let written = self.session.seal(&mut message, &mut self.out).map_err(io::Error::other)?;
            self.stream.write_all(self.out.get(..written).unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Puts everything sent on its way.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.stream.flush().await
    }

    /// The next message; none when the peer said that there will be no more.
    /// Nothing is lost when this is cancelled.
    ///
    /// # Errors
    /// When the stream fails, ends without a word, or carries what the peer
    /// did not seal.
    pub async fn receive(&mut self) -> io::Result<Option<&[u8]>> {
        match self.hear().await? {
            Heard::Message => Ok(Some(&self.message)),
            Heard::Ended => Ok(None),
            Heard::Knock | Heard::Answered | Heard::Established(_) | Heard::Applied => Err(out_of_turn()),
        }
    }

    /// Says that nothing more will come.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn end(&mut self) -> io::Result<()> {
        let written = self.session.seal_end(&mut self.out).map_err(io::Error::other)?;
        self.write(written).await
    }

    async fn hear(&mut self) -> io::Result<Heard> {
        loop {
            if let Some(heard) = self.hear_buffered()? {
                return Ok(heard);
            }
            if self.stream.fill_buf().await?.is_empty() {
                self.session.end_of_bytes().map_err(io::Error::other)?;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// What came of the bytes that are here; none when it takes more.
    fn hear_buffered(&mut self) -> io::Result<Option<Heard>> {
        loop {
            let mut bytes = self.stream.buffer();
            let before = bytes.len();
            let event = self.session.receive(&self.local, &mut bytes).map_err(io::Error::other)?;
            let is_end = event.is_none();
            let heard = match event {
                Some(Event::Knock) => Some(Heard::Knock),
                Some(Event::Answered) => Some(Heard::Answered),
                Some(Event::Established(peer)) => Some(Heard::Established(peer)),
                Some(Event::Message(message)) => {
                    self.message.clear();
                    self.message.extend(message);
                    Some(Heard::Message)
                }
                Some(Event::Chunk(chunk)) => {
                    if chunk.offset == 0 {
                        self.message.clear();
                    }
                    // Room is made for what came, not for what was declared.
                    self.message.extend(chunk.bytes);
                    (self.message.len() as u64 == u64::from(chunk.total)).then_some(Heard::Message)
                }
                Some(Event::Ended) => Some(Heard::Ended),
                Some(Event::Applied) => Some(Heard::Applied),
                None => None,
            };
            let taken = before - bytes.len();
            self.stream.consume(taken);
            if heard.is_some() || is_end {
                return Ok(heard);
            }
        }
    }

    async fn write(&mut self, written: usize) -> io::Result<()> {
        self.stream.write_all(self.out.get(..written).unwrap_or_default()).await?;
        self.stream.flush().await
    }

    /// The handshake is over: frames may be as long as they can be.
    fn open(&mut self) {
        self.out.resize(ServerSession::ROOM, 0);
        self.key = KeyAge::new();
    }
}

impl Knocking {
    /// Computes and sends the answer, and waits until somebody shows that it
    /// knows the answer: only then is it known who is there, now.
    ///
    /// # Errors
    /// When the stream fails, or whoever is there is neither in the roster nor
    /// has a token of an operator's for us.
    pub async fn answer(self) -> io::Result<Visitor> {
        let Knocking { mut connection, party } = self;
        let Connection { local, session, out, .. } = &mut connection;
        let ephemeral = Ephemeral::from_random(random()?);
        let written = session.answer(local, &*party, ephemeral, out).map_err(io::Error::other)?;
        connection.write(written).await?;
        match connection.hear().await? {
            Heard::Established(peer) => {
                party.note(&peer);
                connection.open();
                Ok(Visitor::Known(connection, peer))
            }
            Heard::Applied => Application::examine(connection, &party).map(Visitor::Newcomer),
            _ => Err(out_of_turn()),
        }
    }
}

impl Visitor {
    /// Where no newcomer is let in.
    ///
    /// # Errors
    /// When there is one.
    pub fn known(self) -> io::Result<(Connection, Peer)> {
        match self {
            Visitor::Known(connection, peer) => Ok((connection, peer)),
            Visitor::Newcomer(_) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "a newcomer is not let in here"))
            }
        }
    }
}

fn out_of_turn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message of the handshake came out of turn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_given_up_after_each_hour() {
        let mut key = KeyAge::new();
        for _ in 0..3 {
            tokio::time::advance(KEY_TIME - Duration::from_secs(1)).await;
            assert!(!key.is_over());
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(key.is_over());
            assert!(!key.is_over(), "once");
        }
    }
}
