//! A TCP connection with its session: what `butterfly-session` asks of a host.

use butterfly_session::{Closed, Ephemeral, Event, Local, MicroSession, Outgoing, Peer, Refused};
use embassy_net::tcp::{Error, TcpSocket};
use embassy_time::{Duration, Instant};
use heapless::Vec;

/// A key is used no longer than this.
const KEY_TIME: Duration = Duration::from_secs(60 * 60);

/// Room for whatever a session writes at once.
pub(crate) type Frame = [u8; MicroSession::ROOM];

/// Why a connection is over. The peer is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The stream failed, or ended.
    Stream,
    /// The peer broke the session's rules, or was not who it should be.
    Session,
}

impl From<Error> for Lost {
    fn from(_: Error) -> Self {
        Lost::Stream
    }
}

impl From<Closed> for Lost {
    fn from(_: Closed) -> Self {
        Lost::Session
    }
}

impl From<Refused> for Lost {
    fn from(_: Refused) -> Self {
        Lost::Session
    }
}

/// An event of a session that does not borrow.
pub(crate) enum Heard {
    Knock,
    Answered,
    Established(Peer),
    /// A message was received, and given to whoever takes messages.
    Message,
    Ended,
}

/// One connection.
pub(crate) struct Connection<'c, 's> {
    pub(crate) socket: &'c mut TcpSocket<'s>,
    session: &'c mut MicroSession,
    local: &'c Local,
    out: &'c mut Frame,
    key_since: Instant,
}

impl<'c, 's> Connection<'c, 's> {
    /// On `socket`, with nothing said yet.
    pub(crate) fn new(
        socket: &'c mut TcpSocket<'s>,
        session: &'c mut MicroSession,
        local: &'c Local,
        out: &'c mut Frame,
    ) -> Self {
        *session = MicroSession::new();
        Connection { socket, session, local, out, key_since: Instant::now() }
    }

    /// Begins a session with `peer`, which was dialled.
    pub(crate) async fn dial(&mut self, peer: &Peer, ephemeral: Ephemeral) -> Result<(), Lost> {
        let written = self.session.dial(self.local, peer, ephemeral, self.out)?;
        self.write(written).await?;
        let Heard::Answered = self.hear(|_| {}, &mut Vec::<u8, 0>::new()).await? else { return Err(Lost::Session) };
        let written = self.session.confirm(self.out)?;
        self.write(written).await?;
        self.key_since = Instant::now();
        Ok(())
    }

    /// Waits for a first message that was made for us.
    pub(crate) async fn knock(&mut self) -> Result<(), Lost> {
        match self.hear(|_| {}, &mut Vec::<u8, 0>::new()).await? {
            Heard::Knock => Ok(()),
            _ => Err(Lost::Session),
        }
    }

    /// Answers it, and waits until somebody shows that it knows the answer.
    pub(crate) async fn answer(
        &mut self,
        members: &impl butterfly_session::Members,
        ephemeral: Ephemeral,
    ) -> Result<Peer, Lost> {
        let written = self.session.answer(self.local, members, ephemeral, self.out)?;
        self.write(written).await?;
        match self.hear(|_| {}, &mut Vec::<u8, 0>::new()).await? {
            Heard::Established(peer) => Ok(peer),
            _ => Err(Lost::Session),
        }
    }

    /// Sends one message.
    pub(crate) async fn send(&mut self, message: &[u8]) -> Result<(), Lost> {
        let mut message = Outgoing::new(message);
        while !message.is_sent() {
            let written = self.seal(&mut message)?;
            self.write(written).await?;
        }
        Ok(())
    }

    /// Seals the next frame of `message`; [`Connection::write`] sends it.
    pub(crate) fn seal(&mut self, message: &mut Outgoing<'_>) -> Result<usize, Lost> {
        if self.key_since.elapsed() >= KEY_TIME {
            self.session.change_key();
            self.key_since = Instant::now();
        }
        Ok(self.session.seal(message, self.out)?)
    }

    /// Sends what was sealed.
    pub(crate) async fn write(&mut self, written: usize) -> Result<(), Lost> {
        let mut rest = self.out.get(..written).unwrap_or_default();
        while !rest.is_empty() {
            let sent = self.socket.write(rest).await?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// Waits for the next event. A message goes to `take` while it is where it
    /// was received; `whole` is where one that comes in parts is put together,
    /// and must be the same from call to call. Nothing is lost when this is
    /// cancelled.
    pub(crate) async fn hear<const MESSAGE: usize>(
        &mut self,
        mut take: impl FnMut(&[u8]),
        whole: &mut Vec<u8, MESSAGE>,
    ) -> Result<Heard, Lost> {
        loop {
            let Connection { session, local, .. } = self;
            let (take, whole) = (&mut take, &mut *whole);
            let heard = self.socket.read_with(move |bytes| {
                let mut rest = &*bytes;
                let heard = hear_buffered(session, local, &mut rest, take, whole);
                (bytes.len().saturating_sub(rest.len()), heard)
            });
            if let Some(heard) = heard.await?? {
                return Ok(heard);
            }
        }
    }
}

fn hear_buffered<const MESSAGE: usize>(
    session: &mut MicroSession,
    local: &Local,
    bytes: &mut &[u8],
    take: &mut impl FnMut(&[u8]),
    whole: &mut Vec<u8, MESSAGE>,
) -> Result<Option<Heard>, Lost> {
    loop {
        return Ok(Some(match session.receive(local, bytes)? {
            None => return Ok(None),
            Some(Event::Knock) => Heard::Knock,
            Some(Event::Answered) => Heard::Answered,
            Some(Event::Established(peer)) => Heard::Established(peer),
            Some(Event::Message(message)) => {
                take(message);
                Heard::Message
            }
            Some(Event::Chunk(chunk)) => {
                if chunk.offset == 0 {
                    whole.clear();
                }
                // What was announced to the peer is what there is room for.
                whole.extend_from_slice(chunk.bytes).map_err(|_| Lost::Session)?;
                if usize::try_from(chunk.total) != Ok(whole.len()) {
                    continue;
                }
                take(whole);
                Heard::Message
            }
            Some(Event::Ended) => Heard::Ended,
            // Newcomers are not enrolled here.
            Some(Event::Applied) => return Err(Lost::Session),
        }));
    }
}
