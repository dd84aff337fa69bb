"""A whole cluster in virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from . import _convert
from ._errors import translated
from ._library import ffi as _ffi
from ._handle import Handle
from ._roster import Roster
from ._stages import Desk, StageFunction, Task
from .values import GREEDY, Blame, Commit, Model, Sampling, Work


@dataclass(frozen=True, slots=True)
class Sent:
    """A message on its way."""

    at: int
    """Microseconds from the beginning."""
    arrives: int | None
    """When it arrives; never, if it is lost."""
    sender: int
    """Who sends it."""
    receiver: int
    """To whom."""
    kind: str
    """Its kind, as `read_message` names it."""
    bytes: int
    """How long it is."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of one member."""

    at: int
    """Microseconds from the beginning."""
    member: int
    """Whose."""
    commit: Commit
    """What was decided."""


@dataclass(frozen=True, slots=True)
class Report:
    """What happened."""

    now: int
    """Microseconds from the beginning."""
    tokens: bytes
    """The answer to the last request, as far as it is committed."""
    proof: bytes | None
    """What proves it."""
    decisions: tuple[Decision, ...]
    """Each decision of each honest member, in order."""
    blamed: tuple[Blame, ...]
    """The first proof of each kind against each member."""
    sent: tuple[Sent, ...]
    """Messages, in the order in which they were sent."""
    failures: tuple[str, ...]
    """Stages that failed, by member, and what they said."""

    def __repr__(self) -> str:
        counts = f"{len(self.tokens)} tokens, {len(self.decisions)} decisions, {len(self.sent)} messages"
        return f"Report({self.now} us: {counts}, {len(self.blamed)} blamed)"


class Simulation(Handle):
    """A cluster in virtual time: real nodes, keys and signatures, a network that delays and loses.

    The same plan and seed give the same run, so a test or a lesson takes a few
    lines and no time.
    """

    __slots__ = ("_members",)

    _members: int

    def __init__(
        self,
        members: int,
        stages: Sequence[StageFunction],
        *,
        model: Model | None = None,
        seed: int = 0,
        loss: int = 0,
        delay: tuple[int, int] = (100, 200),
        liars: Iterable[int] = (),
        silent: Iterable[int] = (),
    ) -> None:
        """A cluster of `members` that has just begun; `stages` are plain functions, run when the time comes.

        Of 1000 messages `loss` are lost; the others take `delay` microseconds,
        at least and at most. `liars` say wrong things about what they computed,
        and `silent` say nothing.
        """
        self._members = members
        named = model or Model(layers=len(stages), stages=len(stages))
        with translated():
            plan = _ffi.Plan(
                members=members,
                model=_convert.model_to(named),
                seed=seed,
                loss=loss,
                least_delay=delay[0],
                most_delay=delay[1],
                liars=bytes(liars),
                silent=bytes(silent),
            )
            self._object = _ffi.Simulation(plan, _Stages(stages))

    @property
    def roster(self) -> Roster:
        """The cluster's roster."""
        with translated():
            return Roster._of(self._held().roster())

    def submit(self, prompt: bytes | Sequence[int], tokens: int, *, sampling: Sampling = GREEDY) -> None:
        """The client hands in its next request. One must be finished before."""
        with translated():
            self._held().submit(bytes(prompt), tokens, _convert.sampling_to(sampling))

    def run(self, milliseconds: int = 60_000) -> bool:
        """Lets time pass until the answer is complete at every honest member, or for so many milliseconds.

        Says whether it is complete.
        """
        with translated():
            return bool(self._held().run(milliseconds))

    def crash(self, member: int) -> None:
        """A member ends, in the middle of whatever it does."""
        with translated():
            self._held().crash(member)

    def restart(self, member: int) -> None:
        """A member that ended begins again, from what it was asked to persist."""
        with translated():
            self._held().restart(member)

    def report(self) -> Report:
        """What happened so far."""
        with translated():
            report = self._held().report()
        return Report(
            now=report.now,
            tokens=bytes(report.tokens),
            proof=None if report.proof is None else bytes(report.proof),
            decisions=tuple(Decision(one.at, one.member, _convert.commit(one.commit)) for one in report.decisions),
            blamed=tuple(Blame(one.accused, _convert.fault(one.fault), bytes(one.evidence)) for one in report.blamed),
            sent=tuple(
                Sent(one.at, one.arrives, one.sender, one.receiver, one.kind, one.bytes) for one in report.sent
            ),
            failures=tuple(report.failures),
        )

    def __repr__(self) -> str:
        return f"Simulation({self._members} members{', closed' if self.closed else ''})"


class _Stages(_ffi.StageFunctions):  # type: ignore[misc]  # generated code has no types
    """Plain functions behind the library's callback."""

    def __init__(self, stages: Sequence[StageFunction]) -> None:
        self._stages = stages
        self._desks: dict[int, Desk] = {}

    def run(self, member: int, work: Any) -> bytes:
        desk = self._desks.setdefault(member, Desk(member))
        task: Task = desk.task(
            Work(
                ticket=work.ticket,
                run=bytes(work.run),
                stage=work.stage,
                cut=bytes(work.cut),
                position=work.position,
                first=work.first,
                inputs=tuple(bytes(signal) for signal in work.inputs),
                sampling=_convert.sampling_from(work.sampling),
            )
        )
        try:
            output = self._stages[task.stage](task)
        except Exception as error:
            raise _ffi.Error.Stage(reason=repr(error)) from error
        if not isinstance(output, bytes):
            raise _ffi.Error.Stage(reason=f"stage {task.stage} gave {type(output).__name__}; an output is bytes")
        return output
