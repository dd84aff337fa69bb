"""A timer names what it is for, so that a late one is inert."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """The leader of this view has had its time."""

    epoch: int
    """The epoch."""
    view: int
    """The view."""


@dataclass(frozen=True, slots=True)
class Retransmit:
    """What is unanswered is sent again."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """The owners of a stage have had their time; a reserve steps in."""

    epoch: int
    """The epoch."""
    stage: int
    """The stage."""


Timer = View | Retransmit | Escalate
"""Any of them."""
