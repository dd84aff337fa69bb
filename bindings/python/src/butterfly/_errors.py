"""Why a call did nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ._library import ffi as _ffi


class ButterflyError(Exception):
    """Why a call did nothing. Nothing has changed, unless a subclass says so.

    Every error can be pickled, so it survives a process pool and Ray.
    """

    reason: str
    """What was wrong, for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MalformedError(ButterflyError, ValueError):
    """The bytes are not the canonical encoding of what they should be."""


class RosterError(ButterflyError, ValueError):
    """A roster cannot be used, or a number asked of it is outside its bounds."""


class KeysError(ButterflyError):
    """Keys cannot be used, are not those of the roster, or could not be drawn."""


class UnprovenError(ButterflyError):
    """A proof, evidence or decision does not hold for the cluster."""


class RecordError(ButterflyError):
    """A node's vote record cannot be its own, or cannot be read or written.

    A node must stop when its record cannot be written.
    """


class SessionError(ButterflyError):
    """The session is closed for good, or the call does not belong here."""


class StageError(ButterflyError):
    """A stage cannot be run on what it was given, or what it gave is no output."""


class BusyError(ButterflyError):
    """The object is in use by a stage that calls back, or a request is under way."""


class BrokenError(ButterflyError):
    """A call before this one failed half-way: the object cannot be used any more."""


class ClosedError(ButterflyError):
    """The object was closed."""


class RefusedError(ButterflyError):
    """The cluster does not take a request."""


class BlockedError(ButterflyError):
    """Nothing was decided for too long: fewer members than a quorum answer."""


_CLASSES: tuple[tuple[type[BaseException], type[ButterflyError]], ...] = (
    (_ffi.Error.Malformed, MalformedError),
    (_ffi.Error.Roster, RosterError),
    (_ffi.Error.Keys, KeysError),
    (_ffi.Error.Unproven, UnprovenError),
    (_ffi.Error.Record, RecordError),
    (_ffi.Error.Session, SessionError),
    (_ffi.Error.Stage, StageError),
    (_ffi.Error.Busy, BusyError),
    (_ffi.Error.Broken, BrokenError),
    (_ffi.InternalError, BrokenError),
)


def translate(error: BaseException) -> ButterflyError:
    """The public error for one of the generated code."""
    for generated, public in _CLASSES:
        if isinstance(error, generated):
            return public(str(getattr(error, "reason", "") or _FALLBACK.get(public, str(error))))
    raise error


_FALLBACK = {
    BusyError: "the object is in use",
    BrokenError: "the object failed in an earlier call and cannot be used any more",
}


@contextmanager
def translated() -> Iterator[None]:
    """Lets nothing out but public errors."""
    try:
        yield
    except (_ffi.Error, _ffi.InternalError) as error:
        raise translate(error) from None
