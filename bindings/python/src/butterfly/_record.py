"""What a node must not forget, as a file."""

from __future__ import annotations

from pathlib import Path

from ._errors import translated
from ._library import ffi as _ffi
from ._handle import Handle


class VoteRecord(Handle):
    """The open vote record of one member. One process at a time may hold it.

    The scheme and the file of `butterfly` nodes.
    """

    __slots__ = ("_path",)

    _path: str

    def __init__(self, path: str | Path, owner: bytes) -> None:
        """Opens the record of a member; `owner` is `Roster.member_name`."""
        self._path = str(path)
        with translated():
            self._object = _ffi.VoteRecord.open(self._path, bytes(owner))

    @classmethod
    def provision(cls, path: str | Path, owner: bytes, record: bytes) -> VoteRecord:
        """Writes the first record of a member to a file that is not there yet."""
        opened = cls.__new__(cls)
        opened._path = str(path)
        with translated():
            opened._object = _ffi.VoteRecord.provision(opened._path, bytes(owner), bytes(record))
        return opened

    def record(self) -> bytes | None:
        """What was written last; none if no copy is readable: then the member has lost its record, and must say so."""
        with translated():
            record = self._held().record()
        return None if record is None else bytes(record)

    def write(self, record: bytes) -> None:
        """Makes `record` durable: when this returns, it will be read back. The node must stop on any error."""
        with translated():
            self._held().write(bytes(record))

    def close(self) -> None:
        """Lets another process have it. Nothing more can be read or written."""
        if self._object is not None:
            with translated():
                self._object.close()
        super().close()

    def __repr__(self) -> str:
        return f"VoteRecord({self._path!r}{', closed' if self.closed else ''})"
