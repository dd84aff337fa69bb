"""A TCP connection with its session."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque

from ._errors import SessionError
from ._session import Ended, Established, Knock, Message, Party, Session, SessionEvent, Who

_KEY_TIME = 60 * 60
"""Seconds that a key is used for at most."""
_READ = 16 * 1024
"""Bytes that are read at once."""


class Link:
    """One connection. A call that fails ends it for good; the peer is told nothing."""

    def __init__(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._session = session
        self._reader = reader
        self._writer = writer
        self._events: deque[SessionEvent] = deque()
        self._key_since = time.monotonic()

    @classmethod
    async def dial(cls, party: Party, member: int, host: str, port: int) -> Link:
        """Begins a session with a member that listens there."""
        reader, writer = await asyncio.open_connection(host, port)
        link = cls(Session(party), reader, writer)
        try:
            writer.write(link._session.dial(member))
            await writer.drain()
            if not isinstance(await link._next(), Established):
                raise SessionError("a message of the handshake came out of turn")
        except BaseException:
            link.close()
            raise
        return link

    @classmethod
    async def accept(cls, party: Party, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[Link, Who]:
        """Answers a connection that somebody else dialled, and says who that is."""
        link = cls(Session(party), reader, writer)
        if not isinstance(await link._next(), Knock):
            raise SessionError("a message of the handshake came out of turn")
        writer.write(link._session.answer())
        await writer.drain()
        event = await link._next()
        if not isinstance(event, Established):
            raise SessionError("a message of the handshake came out of turn")
        return link, event.who

    async def send(self, *messages: bytes) -> None:
        """Sends messages, and waits while the peer is slow."""
        if time.monotonic() - self._key_since > _KEY_TIME:
            self._session.change_key()
            self._key_since = time.monotonic()
        for message in messages:
            self._writer.write(self._session.seal(message))
        await self._writer.drain()

    async def receive(self) -> bytes | None:
        """The next message; none when the peer said that there will be no more.

        Nothing is lost when this is cancelled.
        """
        event = await self._next()
        if isinstance(event, Message):
            return event.bytes
        if isinstance(event, Ended):
            return None
        raise SessionError("a message of the handshake came out of turn")

    async def end(self) -> None:
        """Says that nothing more will come, and closes the connection."""
        self._writer.write(self._session.seal_end())
        with contextlib.suppress(OSError):
            await self._writer.drain()
        self.close()

    def close(self) -> None:
        """Drops the connection without a word."""
        self._writer.close()
        self._session.close()

    async def _next(self) -> SessionEvent:
        while not self._events:
            data = await self._reader.read(_READ)
            if not data:
                self._session.end_of_bytes()
                raise SessionError("the connection ended")
            received = self._session.receive(data)
            if received.reply:
                self._writer.write(received.reply)
                await self._writer.drain()
            self._events.extend(received.events)
        return self._events.popleft()
