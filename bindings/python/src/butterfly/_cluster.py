"""A whole cluster in one process: for tests, teaching, and functions of one's own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from . import inputs, outputs
from ._errors import BlockedError, ClosedError, RosterError, StageError
from ._ledger import Ledger
from ._member import Member
from ._node import Node
from ._roster import Keys, Roster
from ._stages import StageFunction
from .values import GREEDY, Answer, Blame, Commit, Fault, Model, Request, Sampling


class LocalCluster:
    """Members in one process that agree on what stage functions compute.

    Real nodes, keys and signatures; messages pass through memory. To be used as
    `async with`, on one event loop.
    """

    def __init__(
        self,
        members: int,
        stages: Sequence[StageFunction] | Callable[[int], Sequence[StageFunction]],
        *,
        liars: Iterable[int] = (),
        model: Model | None = None,
        view_timeout: int = 2000,
    ) -> None:
        """A cluster of `members`, 1 to 16, all of which vote.

        `stages` are the functions, the same for everybody, or what gives those
        of each member. `liars` say wrong things about what they computed.
        """
        functions = [stages(member) if callable(stages) else stages for member in range(members)]
        if not functions:
            raise RosterError("0 members: a cluster has 1 to 16")
        self._functions = functions
        self._liars = frozenset(liars)
        if strangers := self._liars - frozenset(range(members)):
            raise RosterError(f"there is no member {min(strangers)}")
        count = len(functions[0])
        named = model or Model(manifest=_manifest(functions[0]), layers=count, stages=count)
        keys = [Keys.generate() for _ in range(members)]
        self._client = Keys.generate()
        public = [one.public_key for one in keys]
        self.roster = Roster.found(public, [self._client.public_key], named, view_timeout=view_timeout)
        """Who takes part. Anybody who has it can check proofs and evidence."""
        self._nodes = [Node(self.roster, own, self.roster.first_record(at)) for at, own in enumerate(keys)]
        self._blamed: dict[tuple[int, Fault], Blame] = {}
        self._members: list[Member] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._sequence = 0
        self._open: tuple[Request, Ledger] | None = None
        self._last: Commit | None = None
        self._failed: dict[int, BaseException] = {}
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._proven = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self._loop is not None or self._closed:
            raise ClosedError("a cluster runs once")
        self._loop = asyncio.get_running_loop()
        for node in self._nodes:
            member = Member(
                node, self._functions[node.me], self._deliver, lambda record: None, lies=node.me in self._liars
            )
            member.on_commit = self._heard
            if node.me not in self._liars:
                member.on_evidence = self._accused
                member.on_failure = lambda error, at=node.me: self._stage_failed(at, error)  # type: ignore[misc]
            self._members.append(member)
        self._tasks = [asyncio.create_task(member.run(), name=f"member {member.me}") for member in self._members]
        for task in self._tasks:
            task.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every member. What waits for an answer gets `ClosedError`."""
        self._closed = True
        self._news.set()
        self._proven.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for node in self._nodes:
            node.close()

    @property
    def blamed(self) -> tuple[Blame, ...]:
        """Members that honest ones blame, with proof: the first of each kind against each."""
        return tuple(self._blamed.values())

    async def blame(self, accused: int, *, patience: float = 30.0) -> Blame:
        """Waits until an honest member can prove that `accused` is faulty, and gives the proof.

        That may be a moment after the answer: what a liar says late is compared
        as well. Raises `BlockedError` when nothing is proven for `patience` seconds.
        """
        self._check_loop()
        while True:
            proven = next((one for one in self._blamed.values() if one.accused == accused), None)
            if proven is not None:
                return proven
            if self._closed:
                raise ClosedError("this cluster is closed")
            self._proven.clear()
            try:
                await asyncio.wait_for(self._proven.wait(), patience)
            except TimeoutError:
                raise BlockedError(f"nothing was proven against member {accused} for {patience:g} s") from None

    @property
    def members(self) -> tuple[Member, ...]:
        """The members that run."""
        return tuple(self._members)

    async def submit(
        self, prompt: bytes | Sequence[int], tokens: int, *, sampling: Sampling = GREEDY, patience: float = 30.0
    ) -> Answer:
        """Hands a request in and waits until the cluster has committed all of its answer.

        Requests are worked on one after the other, in the order of these calls.
        One that is cancelled goes on in the cluster, and is finished before the
        next. Raises `StageError` when more than f members' stages failed, and
        `BlockedError` when nothing was decided for `patience` seconds.
        """
        self._check_loop()
        async with self._turn:
            await self._finish(patience)
            request = Request(self._sequence + 1, bytes(prompt), tokens, sampling)
            signed = self.roster.sign_request(self._client, request)
            base = None if self._last is None else self._last.decided
            ledger = Ledger(self.roster, signed, base)
            first = self.roster.verify_decision(base) + 1 if base else 1
            self._sequence += 1
            self._open = (request, ledger)
            self._failed.clear()
            for member in self._members[: self.roster.faults + 1]:
                member.put(inputs.Submit(signed))
            await self._finish(patience)
            proof = ledger.proof()
            assert proof is not None, "a complete answer has a proof"
            return Answer(ledger.tokens, proof, range(first, ledger.next_epoch))

    async def _finish(self, patience: float) -> None:
        """Waits until no request is under way."""
        while self._open is not None:
            self._raise_failure()
            _, ledger = self._open
            if ledger.is_complete:
                self._open = None
                return
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), patience)
            except TimeoutError:
                raise BlockedError(f"nothing was decided for {patience:g} s") from None

    def _raise_failure(self) -> None:
        if self._closed:
            raise ClosedError("this cluster is closed")
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error
        if len(self._failed) > self.roster.faults:
            error = next(iter(self._failed.values()))
            raise StageError(f"stages of {len(self._failed)} members failed, the first with {error!r}") from error

    def _check_loop(self) -> None:
        if self._closed:
            raise ClosedError("this cluster is closed")
        if self._loop is None:
            raise ClosedError("this cluster does not run yet; use it as `async with`")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("a cluster belongs to the event loop on which it was entered")

    def _deliver(self, to: Sequence[int], message: bytes) -> None:
        for receiver in to:
            self._members[receiver].put(inputs.Receive(message))

    def _heard(self, commit: Commit) -> None:
        # Whoever says it: it is checked.
        if self._last is None or commit.epoch > self._last.epoch:
            self._last = commit
        if self._open is not None:
            self._open[1].add(commit.decided, commit.tokens)
        self._news.set()

    def _accused(self, evidence: outputs.Evidence) -> None:
        blame = Blame(evidence.accused, evidence.fault, evidence.evidence)
        self._blamed.setdefault((blame.accused, blame.fault), blame)
        self._proven.set()

    def _stage_failed(self, member: int, error: BaseException) -> None:
        self._failed.setdefault(member, error)
        self._news.set()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "running" if self._loop else "not started"
        return f"LocalCluster({len(self._nodes)} members, {len(self._liars)} of them lie, {state})"


def _manifest(stages: Sequence[StageFunction]) -> bytes:
    """Names functions: whoever runs others has another cluster."""
    names = [f"{getattr(one, '__module__', '')}.{getattr(one, '__qualname__', repr(type(one)))}" for one in stages]
    return hashlib.sha256("\n".join(["butterfly functions", *names]).encode()).digest()
