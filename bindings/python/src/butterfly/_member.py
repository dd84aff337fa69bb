"""One node in an asyncio program: it is fed, and what it asks for is done."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence

from . import inputs, outputs, timers
from ._node import Node
from ._stages import Desk, StageFunction, run_stage
from .values import Commit, Refusal

Deliver = Callable[[Sequence[int], bytes], None]
"""Takes a message to members, without waiting."""

Judge = Callable[[Refusal | None], None]
"""Is told why an input changed nothing, if it did not."""

_INBOX = 1024
"""Inputs that may wait before those who bring messages have to."""


class Member:
    """A node with its timers, its stages and its inbox.

    Everything happens on one event loop, the one on which `run` runs.
    """

    def __init__(
        self,
        node: Node,
        stages: Sequence[StageFunction],
        deliver: Deliver,
        persist: Callable[[bytes], None],
        *,
        lies: bool = False,
    ) -> None:
        self.node = node
        self.me = node.me
        self.failures: list[BaseException] = []
        """What its stages raised."""
        self.on_commit: Callable[[Commit], None] = lambda commit: None
        self.on_evidence: Callable[[outputs.Evidence], None] = lambda evidence: None
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        self._stages = stages
        self._deliver = deliver
        self._persist = persist
        self._lies = lies
        self._desk = Desk(node.me)
        self.blocked_by = b""
        """Voters that keep its epoch from being decided; none when it can be."""
        self._inbox: asyncio.Queue[tuple[inputs.Input, Judge | None]] = asyncio.Queue()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._timers: dict[timers.Timer, asyncio.TimerHandle] = {}
        self._running: set[asyncio.Task[None]] = set()

    def put(self, one: inputs.Input, judge: Judge | None = None) -> None:
        """Gives the node an input; it is taken in its turn, and `judge` is told what came of it."""
        self._inbox.put_nowait((one, judge))
        if self._inbox.qsize() > _INBOX:
            self._has_room.clear()

    async def room(self) -> None:
        """Waits until the inbox is not too full: whoever brings messages from others waits here before."""
        await self._has_room.wait()

    async def run(self) -> None:
        """Runs the node until it is cancelled, or its record cannot be written."""
        try:
            self._perform(self.node.step_all([inputs.Start(secrets.token_bytes(16))]))
            while True:
                waiting = [await self._inbox.get()]
                while not self._inbox.empty():
                    waiting.append(self._inbox.get_nowait())
                self._has_room.set()
                steps = self.node.step_all(one for one, _ in waiting)
                self._perform(steps)
                for (_, judge), step in zip(waiting, steps, strict=True):
                    if judge is not None:
                        judge(step.refusal)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            for task in self._running:
                task.cancel()

    def _perform(self, steps: Sequence[outputs.Step]) -> None:
        asked = [output for step in steps for output in step.outputs]
        # The last record covers all that was signed in the steps before it: one
        # write makes every output durable that stands behind any of them.
        records = [output.record for output in asked if isinstance(output, outputs.Persist)]
        if records:
            self._persist(records[-1])
        for output in asked:
            self._do(output)

    def _do(self, output: outputs.Output) -> None:
        match output:
            case outputs.Send(to, message):
                self._deliver(to, self.node.falsify(message) if self._lies else message)
            case outputs.SetTimer(timer, after):
                if before := self._timers.pop(timer, None):
                    before.cancel()
                loop = asyncio.get_running_loop()
                self._timers[timer] = loop.call_later(after / 1000, self._expire, timer)
            case outputs.Compute(work):
                stage = run_stage(self._stages, self._desk.task(work))
                running = asyncio.create_task(self._compute(work.ticket, stage))
                self._running.add(running)
                running.add_done_callback(self._running.discard)
            case outputs.Commit(commit):
                self.on_commit(commit)
            case outputs.Evidence():
                self.on_evidence(output)
            case outputs.Blocked(silent, learners):
                self.blocked_by = silent + learners
            case outputs.Resumed():
                self.blocked_by = b""
            case _:
                pass

    def _expire(self, timer: timers.Timer) -> None:
        del self._timers[timer]
        self.put(inputs.Timer(timer))

    async def _compute(self, ticket: int, stage: Awaitable[bytes]) -> None:
        try:
            output = await stage
        except Exception as error:  # whatever a stage raises: the node says nothing
            self.failures.append(error)
            self.on_failure(error)
        else:
            self.put(inputs.Computed(ticket, output))

    def __repr__(self) -> str:
        return f"Member({self.node!r})"
