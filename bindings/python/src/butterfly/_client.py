"""A client of a cluster of `butterfly` nodes. It believes no node."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from . import _convert
from ._errors import BlockedError, BusyError, ButterflyError, RefusedError, RosterError, translated
from ._library import ffi as _ffi
from ._ledger import Ledger
from ._link import Link
from ._network import _address
from ._roster import Keys, Roster
from ._session import Party
from ._stages import tokens_of_text
from .values import GREEDY, Answer, Request, Role, Sampling

_ANSWER_TIME = 5.0
"""Seconds after which a node that does not answer is taken to be away."""
_REDIAL_PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class NodeStanding:
    """Where a node says that it is. Nothing of it is proven, but the decision."""

    epoch: int
    """Its open epoch."""
    view: int
    """Its view there."""
    role: Role
    """What it may sign."""
    working: bool
    """Whether a request is under way."""
    blocked_by: frozenset[int]
    """Voters that keep its epoch from being decided; none when it can be."""
    decided: bytes | None
    """The last decision that it holds: the base of a `Ledger`."""

    def __repr__(self) -> str:
        return f"NodeStanding(epoch={self.epoch}, view={self.view}, role={self.role.value}, working={self.working})"


@dataclass(frozen=True, slots=True)
class _LastRequest:
    """What is written down before a request is handed in."""

    request: bytes
    base: bytes | None
    finished: bool


class Client:
    """Somebody whom a cluster's roster admits, in the folder that `butterfly init` made.

    What it signs is written down first, in the same file as `butterfly submit`
    does, so that no number is used for two requests; one that was not finished
    is finished before the next.
    """

    def __init__(self, folder: str | Path) -> None:
        """Reads the folder."""
        self._folder = Path(folder)
        self.roster = Roster((self._folder / "roster").read_bytes())
        """The cluster's roster."""
        self._keys = Keys.read(self._folder)
        if self._keys.public_key not in self.roster.clients:
            raise RosterError("the key in this folder is not that of a client of its roster")
        self.me = self.roster.clients.index(self._keys.public_key)
        """Which client it is."""
        config = tomllib.loads((self._folder / "client.toml").read_text())
        self._nodes = [_address(node) for node in config["nodes"]]
        self._party = Party(self.roster, self._keys, (self._folder / "key-records").read_bytes())

    async def standings(self) -> dict[int, NodeStanding]:
        """What each node says of itself, of those that answer within 5 s and whose decision is genuine."""
        answers = await asyncio.gather(*(self._standing(node) for node in range(len(self._nodes))))
        return {node: answer for node, answer in enumerate(answers) if answer is not None}

    async def submit(
        self, prompt: str | bytes, tokens: int, *, sampling: Sampling = GREEDY, patience: float = 30.0
    ) -> Answer:
        """Hands a request in and waits until the cluster has committed all of its answer.

        A text is given as the tokens of the integer transformer. When it is
        cancelled, the same call goes on with the request. Raises `RefusedError`
        when more than f nodes refuse the request, and `BlockedError` when
        nothing was decided for `patience` seconds.
        """
        given = tokens_of_text(prompt) if isinstance(prompt, str) else bytes(prompt)
        with self._locked():
            base = await self._base()
            last, sequence = self._last(), 1
            if last is not None:
                of_last = self.roster.read_request(last.request)
                sequence = of_last.sequence + 1
                if not last.finished:
                    is_over = of_last.sequence < self.roster.next_sequence(base, self.me)
                    if (of_last.prompt, of_last.tokens) == (given, tokens):
                        return await self._go_on(last, is_over, patience)
                    if not is_over:
                        await self._see_through(last, patience)
                        base = await self._base()
            sequence = max(sequence, self.roster.next_sequence(base, self.me))
            request = Request(sequence, given, tokens, sampling)
            last = _LastRequest(self.roster.sign_request(self._keys, request), base, finished=False)
            self._remember(last)
            return await self._see_through(last, patience)

    async def _go_on(self, last: _LastRequest, is_over: bool, patience: float) -> Answer:
        """Goes on with a request that the cluster may have finished while nobody listened."""
        try:
            return await self._see_through(last, patience)
        except (BlockedError, RefusedError):
            if is_over:
                # None of those that answer knows its text any more: it is given up.
                self._remember(replace(last, finished=True))
            raise

    async def _base(self) -> bytes | None:
        """The latest decision that anybody can prove, when f + 1 voters were asked."""
        answers = await self.standings()
        voters = sum(node < self.roster.voters for node in answers)
        if voters <= self.roster.faults:
            raise BlockedError(f"{voters} nodes answer, and {self.roster.faults + 1} are needed to hand in a request")
        decisions = [answer.decided for answer in answers.values() if answer.decided is not None]
        return max(decisions, key=self.roster.verify_decision, default=None)

    async def _see_through(self, last: _LastRequest, patience: float) -> Answer:
        course = _Course(self, last.request, Ledger(self.roster, last.request, last.base))
        first = course.ledger.next_epoch
        following = [asyncio.create_task(course.follow(node)) for node in range(self.roster.voters)]
        try:
            while not course.ledger.is_complete:
                course.give_up()
                course.news.clear()
                try:
                    await asyncio.wait_for(course.news.wait(), patience)
                except TimeoutError:
                    raise BlockedError(f"no epoch was decided for {patience:g} s") from None
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
        self._remember(replace(last, finished=True))
        proof = course.ledger.proof()
        if proof is None:
            raise RefusedError("the request was finished before: nothing of it is left to prove")
        return Answer(course.ledger.tokens, proof, range(first, course.ledger.next_epoch))

    async def _standing(self, node: int) -> NodeStanding | None:
        try:
            async with asyncio.timeout(_ANSWER_TIME):
                link = await Link.dial(self._party, node, *self._nodes[node])
                try:
                    await link.send(_encoded(_ffi.Ask.STANDING()))
                    answer = _answer(await link.receive())
                    await link.end()
                finally:
                    link.close()
            if not answer.is_STANDING():
                return None
            said = answer.standing
            decided = None if said.decided is None else bytes(said.decided)
            if decided is not None:
                self.roster.verify_decision(decided)
        except (OSError, TimeoutError, ButterflyError):
            return None
        blocked_by = frozenset(said.blocked_by)
        return NodeStanding(said.epoch, said.view, _convert.role(said.role), said.working, blocked_by, decided)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two requests at once would take one number."""
        with open(self._folder / "lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError("another request of this client is under way") from None
            yield

    def _last(self) -> _LastRequest | None:
        """The request that was signed last."""
        path = self._folder / "request"
        if not path.exists():
            return None
        with translated():
            last = _ffi.decode_last_request(path.read_bytes())
        return _LastRequest(bytes(last.request), None if last.base is None else bytes(last.base), last.finished)

    def _remember(self, last: _LastRequest) -> None:
        """Durable when this returns."""
        with translated():
            content = _ffi.encode_last_request(_ffi.LastRequest(**asdict(last)))
        new = self._folder / "request.new"
        with open(new, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._folder / "request")
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def __repr__(self) -> str:
        return f"Client({self.me} of {self.roster!r})"


class _Course:
    """One request on its way: handed to f + 1 voters, and to another for each that is lost or refuses."""

    def __init__(self, client: Client, signed: bytes, ledger: Ledger) -> None:
        self.ledger = ledger
        self.news = asyncio.Event()
        self._client = client
        self._signed = signed
        self._asked = {node: asyncio.Event() for node in range(client.roster.voters)}
        self._refusals: dict[int, str] = {}
        for node in range(client.roster.faults + 1):
            self._asked[node].set()

    def give_up(self) -> None:
        """More than f nodes say that the request is in vain: one of them is honest."""
        if len(self._refusals) > self._client.roster.faults:
            raise RefusedError(f"the nodes refuse the request: {next(iter(self._refusals.values()))}")

    async def follow(self, node: int) -> None:
        """Follows a node for as long as anybody waits, dialling again whenever it is lost."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, ButterflyError):
                await self._listen(node)
            self._ask_another(node)
            await asyncio.sleep(_REDIAL_PAUSE)

    async def _listen(self, node: int) -> None:
        async with asyncio.timeout(_ANSWER_TIME):
            link = await Link.dial(self._client._party, node, *self._client._nodes[node])
        handing_in = asyncio.create_task(self._hand_in(node, link))
        try:
            await link.send(_encoded(_ffi.Ask.FOLLOW(self.ledger.next_epoch)))
            while True:
                answer = _answer(await link.receive())
                if answer.is_TOLD():
                    self.ledger.add(bytes(answer.decided), bytes(answer.tokens))
                    self.news.set()
                elif answer.is_REFUSED():
                    # One that is finished was worked on already.
                    if answer.reason.name != "FINISHED":
                        self._refusals[node] = answer.reason.name.lower()
                        self.news.set()
                    self._ask_another(node)
        finally:
            handing_in.cancel()
            link.close()

    async def _hand_in(self, node: int, link: Link) -> None:
        # Nobody promised to remember a request: it is handed in with each session.
        await self._asked[node].wait()
        with contextlib.suppress(OSError, ButterflyError):
            await link.send(_encoded(_ffi.Ask.SUBMIT(self._signed)))

    def _ask_another(self, lost: int) -> None:
        another = next((event for event in self._asked.values() if not event.is_set()), None)
        if self._asked[lost].is_set() and another is not None:
            another.set()


def _encoded(ask: Any) -> bytes:
    with translated():
        return bytes(_ffi.encode_ask(ask))


def _answer(message: bytes | None) -> Any:
    if message is None:
        raise RefusedError("the node ended the session")
    with translated():
        return _ffi.decode_answer(message)
