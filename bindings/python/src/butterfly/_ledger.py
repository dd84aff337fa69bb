"""Decided epochs, and the answer to one request in them."""

from __future__ import annotations

from ._errors import translated
from ._library import ffi as _ffi
from ._handle import Handle
from ._roster import Roster


class Ledger(Handle):
    """Decided epochs and the answer to one request in them.

    It believes nobody: every decision is checked against its certificate.
    """

    __slots__ = ()

    def __init__(self, roster: Roster, request: bytes, base: bytes | None = None) -> None:
        """For a signed request that is handed in when `base` is the last decision that is known.

        A node's standing or a `Commit` has it; none before the first epoch.
        """
        with translated():
            self._object = _ffi.Ledger(roster._held(), bytes(request), None if base is None else bytes(base))

    def add(self, decided: bytes, tokens: bytes) -> bytes:
        """Takes in a decision and the tokens that it is said to have added, and gives those that are new to the answer.

        Tokens that are not those of the decision are dropped; another node will
        show the real ones.
        """
        with translated():
            return bytes(self._held().add(bytes(decided), bytes(tokens)))

    @property
    def tokens(self) -> bytes:
        """The tokens of the answer so far."""
        with translated():
            return bytes(self._held().tokens())

    @property
    def is_complete(self) -> bool:
        """Whether these are all that were asked for."""
        with translated():
            return bool(self._held().is_complete())

    @property
    def next_epoch(self) -> int:
        """The first epoch that is missing."""
        with translated():
            return int(self._held().next_epoch())

    def proof(self) -> bytes | None:
        """The proof of the answer so far, without what was committed before the base."""
        with translated():
            proof = self._held().proof()
        return None if proof is None else bytes(proof)

    def __repr__(self) -> str:
        if self.closed:
            return "Ledger(closed)"
        state = "complete" if self.is_complete else f"next is epoch {self.next_epoch}"
        return f"Ledger({len(self.tokens)} tokens, {state})"
