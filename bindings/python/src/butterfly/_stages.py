"""Stages: what members compute."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import _convert
from ._errors import StageError, translated
from ._library import ffi as _ffi
from .values import Model, Sampling, Work


@dataclass(frozen=True, slots=True)
class Task:
    """What a stage function is given: everything that went into the stage so far."""

    member: int
    """Who runs it. An honest function does not read this: all members must find the same."""
    stage: int
    """Which stage."""
    cut: bytes
    """The layer behind each stage."""
    inputs: tuple[bytes, ...]
    """One input for each position from 0 on; the output is that of the last. The first stage takes tokens."""
    sampling: Sampling
    """How the last stage chooses a token."""


StageFunction = Callable[[Task], bytes | Awaitable[bytes]]
"""A pure function of a task.

Of the last stage it gives one token, of any other 1 byte to as many as the model's signal has.

A coroutine function is awaited; any other is run in a thread, so that it may
take its time. One that raises says nothing, and the stage's other members make
up for it.
"""


class Desk:
    """The inputs of one node's stages, put together from works."""

    def __init__(self, member: int) -> None:
        self._member = member
        self._inputs: dict[int, list[bytes]] = {}

    def task(self, work: Work) -> Task:
        """Takes in what is new in `work`, in the order in which works come. Another run begins at its first input."""
        history = self._inputs.setdefault(work.stage, [])
        del history[work.first :]
        history.extend(work.inputs)
        return Task(self._member, work.stage, work.cut, tuple(history), work.sampling)


async def run_stage(functions: Sequence[StageFunction], task: Task) -> bytes:
    """What comes out of a stage."""
    function = functions[task.stage]
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):
        output: Any = await function(task)  # type: ignore[misc]  # it is a coroutine function
    else:
        output = await asyncio.to_thread(function, task)
        if inspect.isawaitable(output):
            output = await output
    if not isinstance(output, bytes | bytearray | memoryview):
        raise StageError(f"stage {task.stage} gave {type(output).__name__}; an output is bytes")
    return bytes(output)


class Transformer:
    """A stage of the integer transformer that `butterfly` nodes run, with the weights that come with it.

    A function of the inputs like any other; what it took before is kept, so
    that a next input costs no more than itself. One for each node and stage.
    """

    def __init__(self) -> None:
        self._stage: Any = None
        self._place: tuple[bytes, int] | None = None
        self._taken: list[bytes] = []
        self._outputs: list[bytes] = []
        self._lock = threading.Lock()

    def __call__(self, task: Task) -> bytes:
        """The stage's output for the last input."""
        with self._lock, translated():
            if self._place != (task.cut, task.stage):
                self._stage = _ffi.TransformerStage(task.cut, task.stage)
                self._place = (task.cut, task.stage)
                self._taken, self._outputs = [], []
            same = 0
            for taken, given in zip(self._taken, task.inputs, strict=False):
                if taken != given:
                    break
                same += 1
            # A choice may have been made with another sampling.
            same = min(same, len(task.inputs) - 1)
            self._stage.truncate(same)
            del self._taken[same:], self._outputs[same:]
            sampling = _convert.sampling_to(task.sampling)
            for given in task.inputs[same:]:
                self._outputs.append(bytes(self._stage.advance(given, sampling)))
                self._taken.append(given)
            return self._outputs[-1]

    def __repr__(self) -> str:
        if self._place is None:
            return "Transformer()"
        return f"Transformer(stage {self._place[1]}, {len(self._taken)} inputs taken)"


def transformer_model(stages: int = 4, tokens_per_epoch: int = 4) -> Model:
    """What a roster says of the transformer, cut into `stages`, 1 to 4."""
    with translated():
        return _convert.model_from(_ffi.transformer_model(stages, tokens_per_epoch))


def tokens_of_text(text: str) -> bytes:
    """The tokens of a text, which may have printable ASCII and newlines."""
    with translated():
        return bytes(_ffi.tokens_of_text(text))


def text_of_tokens(tokens: bytes) -> str:
    """The text of tokens."""
    with translated():
        return str(_ffi.text_of_tokens(bytes(tokens)))
