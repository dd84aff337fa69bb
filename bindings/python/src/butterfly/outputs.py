"""What a node asks of its host, in the order in which it is to be done."""

from __future__ import annotations

from dataclasses import dataclass

from . import timers
from .values import Commit as DecidedEpoch
from .values import Fault, Refusal, Transmission, Work


@dataclass(frozen=True, slots=True)
class Persist:
    """Make this record durable before doing anything that follows."""

    record: bytes
    """What the node must not forget: give it to `Node` after a restart."""

    def __repr__(self) -> str:
        return f"Persist({len(self.record)} bytes)"


@dataclass(frozen=True, slots=True)
class Send:
    """Send the message to each of these members. Loss, repetition and reordering are survived."""

    to: bytes
    """Members by number, never the node itself."""
    message: bytes
    """Signed, in the kernel's encoding."""
    transmission: Transmission
    """Whether it was sent before."""

    def __repr__(self) -> str:
        return f"Send(to={list(self.to)}, message={len(self.message)} bytes, transmission={self.transmission.name})"


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Hand the timer back after this time. Setting one that is set replaces it."""

    timer: timers.Timer
    """The timer."""
    after: int
    """Milliseconds from now."""


@dataclass(frozen=True, slots=True)
class Compute:
    """Run a stage, and hand back what comes out at the work's position.

    A host that cannot says nothing: the stage's other members make up for it.
    """

    work: Work
    """What is to be run."""


@dataclass(frozen=True, slots=True)
class Commit:
    """An epoch is decided."""

    commit: DecidedEpoch
    """What was decided."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Only a faulty member can have signed this. May be repeated."""

    accused: int
    """Whom it blames."""
    fault: Fault
    """For what."""
    evidence: bytes
    """Anybody can check it: `Roster.verify_evidence`."""

    def __repr__(self) -> str:
        return f"Evidence(accused={self.accused}, fault={self.fault.name}, evidence={len(self.evidence)} bytes)"


@dataclass(frozen=True, slots=True)
class Blocked:
    """The epoch cannot be decided: fewer members than a quorum are heard of."""

    silent: bytes
    """Voters of whom nothing was heard."""
    learners: bytes
    """Voters that lost their vote record and were not admitted again."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What the last `Blocked` said is over."""


@dataclass(frozen=True, slots=True)
class EnterView:
    """The node left for a later view."""

    epoch: int
    """The epoch."""
    view: int
    """The view that it is in now."""


Output = Persist | Send | SetTimer | Compute | Commit | Evidence | Blocked | Resumed | EnterView
"""Any of them."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one input."""

    refusal: Refusal | None
    """Why it changed nothing, if it did not. Evidence may stand beside it."""
    outputs: tuple[Output, ...]
    """To be done, in this order."""
