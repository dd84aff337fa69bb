"""A node of the kernel, driven by its host."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from . import _convert, inputs, packed
from ._errors import translate, translated
from ._library import ffi as _ffi
from ._handle import Handle
from ._roster import Keys, Roster
from .outputs import Step
from .values import MessageFacts, Status


class Node(Handle):
    """One member of a cluster.

    It does no I/O and reads no clock: it is told what happened, and says what
    is to be done.
    """

    __slots__ = ("_me",)

    _me: int

    def __init__(self, roster: Roster, keys: Keys, record: bytes | None) -> None:
        """The member of `roster` whose keys these are.

        A voter begins from the record that `Roster.first_record` gave, once in
        its life, and after a restart from the last that it was asked to persist.
        Without a record it is a learner, which signs nothing until the cluster
        admits it again.
        """
        with translated():
            self._object = _ffi.Node(roster._held(), keys._held(), None if record is None else bytes(record))
            self._me = self._object.status().me

    @property
    def me(self) -> int:
        """Which member it is."""
        return self._me

    def start(self) -> Step:
        """Takes `Start` with a nonce from the system's random source."""
        return self.step(inputs.Start(secrets.token_bytes(16)))

    def step(self, one: inputs.Input) -> Step:
        """Takes one input.

        The outputs are to be performed in their order, nothing behind a
        `Persist` before its record is durable.
        """
        return self.step_all((one,))[0]

    def step_all(self, several: Iterable[inputs.Input]) -> list[Step]:
        """Takes inputs in one call: the same as `step` for each, for a fraction of the cost."""
        return packed.unpack_steps(self.step_packed(packed.pack_inputs(several)))

    def step_packed(self, frame: bytes) -> bytes:
        """Takes a frame of inputs and gives the frame of their steps.

        The same as `step` for each, for a fraction of the cost. A frame that
        cannot be read changes nothing.
        """
        held = self._held()
        try:
            answer: bytes = held.step_packed(frame)
        except (_ffi.Error, _ffi.InternalError) as error:
            raise translate(error) from None
        return answer

    def status(self) -> Status:
        """Where the node is."""
        with translated():
            status = self._held().status()
        return Status(
            me=status.me,
            epoch=status.epoch,
            view=status.view,
            leader=status.leader,
            role=_convert.role(status.role),
            doing=_convert.doing(status.doing),
        )

    def record(self) -> bytes:
        """What must be durable, as it is now."""
        with translated():
            return bytes(self._held().record())

    def falsify(self, message: bytes) -> bytes:
        """What a lying member would send in place of `message`, signed with this node's key.

        A wrong output, and an attestation that stands by it. Other kinds of
        message come back as they are. For tests and teaching: whoever sends it
        is blamed with proof.
        """
        with translated():
            return bytes(self._held().falsify(bytes(message)))

    def __repr__(self) -> str:
        if self.closed:
            return f"Node({self._me}, closed)"
        status = self.status()
        where = f"epoch {status.epoch}, view {status.view}"
        return f"Node({self._me}: {where}, {status.role.value}, {status.doing.value})"


def read_message(message: bytes) -> MessageFacts:
    """Reads a message. Nothing of it is checked but its encoding."""
    with translated():
        facts = _ffi.read_message(bytes(message))
    return MessageFacts(author=facts.author, kind=facts.kind, epoch=facts.epoch)
