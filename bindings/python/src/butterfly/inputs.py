"""What a host tells a node."""

from __future__ import annotations

from dataclasses import dataclass

from . import timers


@dataclass(frozen=True, slots=True)
class Start:
    """The node begins, or begins again after a restart. The first input, once."""

    nonce: bytes
    """16 bytes drawn from the system's random source at this start, kept nowhere."""


@dataclass(frozen=True, slots=True)
class Receive:
    """A message arrived from whomever. Its encoding and every signature in it are checked here."""

    message: bytes
    """As a member's `Send` gave it."""


@dataclass(frozen=True, slots=True)
class Submit:
    """A client handed its signed request to this node."""

    request: bytes
    """As `Roster.sign_request` gave it."""


@dataclass(frozen=True, slots=True)
class Computed:
    """The host ran the stage that `Compute` asked for."""

    ticket: int
    """Of the work that was done."""
    output: bytes
    """What came out: of the last stage one token, of any other 1 byte to as many as the model's signal has."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that was set has run out. Late ones are inert."""

    timer: timers.Timer
    """Which."""


@dataclass(frozen=True, slots=True)
class Revise:
    """What this node can do has changed: requests that begin later are placed accordingly.

    A speed of 0 hands its stages over.
    """

    speed: int
    """Units of work in one millisecond."""
    zone: int = 0
    """Members of one zone are close to each other."""


Input = Start | Receive | Submit | Computed | Timer | Revise
"""Any of them."""
