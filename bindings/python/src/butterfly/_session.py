"""Encrypted links, without I/O: the same sessions as `butterfly` nodes have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._errors import translated
from ._library import ffi as _ffi
from ._handle import Handle
from ._roster import Keys, Roster


@dataclass(frozen=True, slots=True)
class MemberPeer:
    """A member is at the other end."""

    number: int
    """By number."""


@dataclass(frozen=True, slots=True)
class ClientPeer:
    """Somebody who may ask for work is at the other end."""

    number: int
    """By number."""


Who = MemberPeer | ClientPeer
"""Who is at the other end of a session, as the roster says."""


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody made a first message for us.

    `Session.answer` costs Diffie-Hellman operations: first be sure that there
    are not too many who knock.
    """


@dataclass(frozen=True, slots=True)
class Established:
    """The session is open, and this is who is at its other end."""

    who: Who
    """As the roster says."""


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message."""

    bytes: bytes
    """What the peer said."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The peer will send nothing more."""


SessionEvent = Knock | Established | Message | Ended
"""What came of received bytes."""


@dataclass(frozen=True, slots=True)
class Received:
    """What came of received bytes."""

    reply: bytes
    """To be written to the peer before anything else."""
    events: tuple[SessionEvent, ...]
    """In this order."""


class Party(Handle):
    """A member or a client of a cluster, with what it needs for sessions."""

    __slots__ = ()

    def __init__(self, roster: Roster, keys: Keys, key_records: bytes) -> None:
        """The holder of `keys`, whom `roster` names, and the key records of all members.

        One behind the other, as the file `key-records` has them.
        """
        with translated():
            self._object = _ffi.Party(roster._held(), keys._held(), bytes(key_records))

    def __repr__(self) -> str:
        return "Party(closed)" if self.closed else "Party()"


class Session(Handle):
    """One connection.

    Whatever goes wrong closes it for good: its keys are erased, and the host
    drops the connection.
    """

    __slots__ = ()

    def __init__(self, party: Party) -> None:
        """A connection on which nothing was said."""
        with translated():
            self._object = _ffi.Session(party._held())

    def dial(self, member: int) -> bytes:
        """Begins a session with a member, and gives the bytes to write to it."""
        with translated():
            return bytes(self._held().dial(member))

    def answer(self) -> bytes:
        """Answers whoever knocked, and gives the bytes to write."""
        with translated():
            return bytes(self._held().answer())

    def receive(self, data: bytes) -> Received:
        """Takes bytes that came from the peer, in whatever pieces."""
        with translated():
            received = self._held().receive(bytes(data))
        return Received(bytes(received.reply), tuple(_event(one) for one in received.events))

    def seal(self, message: bytes) -> bytes:
        """Seals a message, and gives the bytes to write."""
        with translated():
            return bytes(self._held().seal(bytes(message)))

    def seal_end(self) -> bytes:
        """Says that nothing more will come, and gives the bytes to write."""
        with translated():
            return bytes(self._held().seal_end())

    def change_key(self) -> None:
        """To be called when a key has been in use for an hour."""
        with translated():
            self._held().change_key()

    def end_of_bytes(self) -> None:
        """To be called when the connection ends. An error when the peer did not say that it would."""
        with translated():
            self._held().end_of_bytes()

    def __repr__(self) -> str:
        return "Session(closed)" if self.closed else "Session()"


def _event(event: Any) -> SessionEvent:
    if event.is_KNOCK():
        return Knock()
    if event.is_ENDED():
        return Ended()
    if event.is_MESSAGE():
        return Message(bytes(event.bytes))
    who = event.who
    return Established(MemberPeer(who.number) if who.is_MEMBER() else ClientPeer(who.number))
