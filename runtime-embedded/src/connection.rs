//! A TCP connection with its session: what `butterfly-session` asks of a host.

#[cfg(test)]
mod tests;

use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, ready};

use butterfly_session::{Closed, Ephemeral, Event, Local, Members, MicroSession, Outgoing, Peer, Refused, Session};
use embassy_futures::poll_once;
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
    Established,
    /// A message was received, and given to whoever takes messages.
    Message,
    /// The first part of a message: [`Connection::gather`] waits for the others.
    Part,
    Ended,
}

/// One connection.
pub(crate) struct Connection<'c, 's, const FRAME: usize> {
    pub(crate) socket: &'c mut TcpSocket<'s>,
    session: &'c mut Session<FRAME>,
    local: &'c Local,
    /// Where all connections seal: a frame is there no longer than it takes to
    /// hand it to TCP.
    out: &'c RefCell<Frame>,
    key_since: Instant,
}

impl<'c, 's, const FRAME: usize> Connection<'c, 's, FRAME> {
    /// On `socket`, with nothing said yet.
    pub(crate) fn new(
        socket: &'c mut TcpSocket<'s>,
        session: &'c mut Session<FRAME>,
        local: &'c Local,
        out: &'c RefCell<Frame>,
    ) -> Self {
        *session = Session::new();
        Connection { socket, session, local, out, key_since: Instant::now() }
    }

    /// Begins a session with `peer`, which was dialled.
    pub(crate) fn dial(&mut self, peer: &Peer, ephemeral: Ephemeral) -> Result<(), Lost> {
        self.write(|session, local, out| session.dial(local, peer, ephemeral, out))
    }

    /// Waits for its answer. Both may send then.
    pub(crate) async fn confirm(&mut self) -> Result<(), Lost> {
        let Heard::Answered = self.hear(&mut |_| {}).await? else { return Err(Lost::Session) };
        self.write(|session, _, out| session.confirm(out))?;
        self.key_since = Instant::now();
        Ok(())
    }

    /// Waits for a first message that was made for us.
    pub(crate) async fn knock(&mut self) -> Result<(), Lost> {
        match self.hear(&mut |_| {}).await? {
            Heard::Knock => Ok(()),
            _ => Err(Lost::Session),
        }
    }

    /// Answers it.
    pub(crate) fn answer(&mut self, members: &impl Members, ephemeral: Ephemeral) -> Result<(), Lost> {
        self.write(|session, local, out| session.answer(local, members, ephemeral, out))
    }

    /// Waits until somebody shows that it knows the answer.
    pub(crate) async fn establish(&mut self) -> Result<(), Lost> {
        match self.hear(&mut |_| {}).await? {
            Heard::Established => Ok(()),
            _ => Err(Lost::Session),
        }
    }

    /// Who is at the other end of the open session.
    pub(crate) fn peer(&self) -> Option<&Peer> {
        self.session.peer()
    }

    /// Whether TCP takes the next frame of a message of which `bytes` are not sent.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let frame = bytes.saturating_add(butterfly_session::wire::FRAME_OVERHEAD + butterfly_session::wire::TOTAL);
        let free = self.socket.send_capacity().saturating_sub(self.socket.send_queue());
        frame.min(MicroSession::ROOM) <= free
    }

    /// Waits until TCP has delivered all that it took.
    pub(crate) async fn drain(&mut self) -> Result<(), Lost> {
        self.socket.flush().await?;
        // It also says so when it gives up.
        if self.socket.send_queue() == 0 { Ok(()) } else { Err(Lost::Stream) }
    }

    /// Sends the next frame of `message`, for which there is room.
    pub(crate) fn send_frame(&mut self, message: &mut Outgoing<'_>) -> Result<(), Lost> {
        self.turn_key();
        self.write(|session, _, out| session.seal(message, out))
    }

    /// Sends a message through `out`, however little TCP takes at once.
    pub(crate) async fn send(&mut self, message: &[u8], out: &mut Frame) -> Result<(), Lost> {
        let mut message = Outgoing::new(message);
        while !message.is_sent() {
            self.turn_key();
            let written = self.session.seal(&mut message, out)?;
            let mut rest = out.get(..written).unwrap_or_default();
            while !rest.is_empty() {
                let sent = self.socket.write(rest).await?;
                rest = rest.get(sent..).unwrap_or_default();
            }
        }
        Ok(())
    }

    fn turn_key(&mut self) {
        if self.key_since.elapsed() >= KEY_TIME {
            self.session.change_key();
            self.key_since = Instant::now();
        }
    }

    /// Hands to TCP what the session makes, at once or never.
    fn write(
        &mut self,
        make: impl FnOnce(&mut Session<FRAME>, &Local, &mut Frame) -> Result<usize, Refused>,
    ) -> Result<(), Lost> {
        let mut out = self.out.borrow_mut();
        let written = make(self.session, self.local, &mut out)?;
        let frame = out.get(..written).unwrap_or_default();
        match poll_once(self.socket.write(frame)) {
            Poll::Ready(taken) if taken? == written => Ok(()),
            _ => Err(Lost::Stream),
        }
    }

    /// Waits for the next event. A message goes to `take` while it is where it
    /// was received. Nothing is lost when this is cancelled.
    pub(crate) fn hear(&mut self, take: &mut dyn FnMut(&[u8])) -> impl Future<Output = Result<Heard, Lost>> {
        // What is read is read anew in each poll: a read that waits takes more
        // room than all else that does, and remembers nothing.
        poll_fn(move |context| {
            loop {
                let Connection { socket, session, local, .. } = &mut *self;
                let read = pin!(socket.read_with(|bytes| {
                    let mut rest = &*bytes;
                    let heard = hear_buffered(session, local, &mut rest, take);
                    (bytes.len().saturating_sub(rest.len()), heard)
                }));
                match ready!(read.poll(context))? {
                    Ok(None) => {}
                    Ok(Some(heard)) => return Poll::Ready(Ok(heard)),
                    Err(lost) => return Poll::Ready(Err(lost)),
                }
            }
        })
    }

    /// Puts the message together in `whole` of which a part was heard last. When
    /// this is cancelled the message is lost, and the session with it.
    pub(crate) async fn gather<const MESSAGE: usize>(&mut self, whole: &mut Vec<u8, MESSAGE>) -> Result<(), Lost> {
        whole.clear();
        loop {
            let part = self.session.chunk().ok_or(Lost::Session)?;
            // What was announced to the peer is what there is room for.
            whole.extend_from_slice(part.bytes).map_err(|_| Lost::Session)?;
            if usize::try_from(part.total) == Ok(whole.len()) {
                return Ok(());
            }
            let Heard::Part = self.hear(&mut |_| {}).await? else { return Err(Lost::Session) };
        }
    }
}

fn hear_buffered<const FRAME: usize>(
    session: &mut Session<FRAME>,
    local: &Local,
    bytes: &mut &[u8],
    take: &mut dyn FnMut(&[u8]),
) -> Result<Option<Heard>, Lost> {
    Ok(Some(match next_event(session, local, bytes)? {
        None => return Ok(None),
        Some(Event::Knock) => Heard::Knock,
        Some(Event::Answered) => Heard::Answered,
        Some(Event::Established(_)) => Heard::Established,
        Some(Event::Message(message)) => {
            take(message);
            Heard::Message
        }
        Some(Event::Chunk(_)) => Heard::Part,
        Some(Event::Ended) => Heard::Ended,
        // Newcomers are not enrolled here.
        Some(Event::Applied) => return Err(Lost::Session),
    }))
}

/// In a function of its own: what a handshake needs of the stack is free again
/// when a message is taken.
#[inline(never)]
fn next_event<'s, const FRAME: usize>(
    session: &'s mut Session<FRAME>,
    local: &Local,
    bytes: &mut &[u8],
) -> Result<Option<Event<'s>>, Closed> {
    session.receive(local, bytes)
}
