"""A member of a cluster of `butterfly` nodes, over their sessions."""

from __future__ import annotations

import asyncio
import contextlib
import tomllib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import inputs, outputs
from ._errors import ButterflyError, ClosedError, RosterError, translated
from ._library import ffi as _ffi
from ._link import Link
from ._member import Member
from ._node import Node
from ._record import VoteRecord
from ._roster import Keys, Roster
from ._session import MemberPeer, Party
from ._stages import StageFunction, Transformer
from .values import Blame, Commit, Fault, Refusal, Status

_QUEUE = 512
"""Messages that wait for a peer. The oldest makes room: the newest say most, and the protocol survives loss."""
_HALF_OPEN = 64
"""Handshakes at once. Whoever comes when there are more is turned away."""
_HANDSHAKE_TIME = 5.0
_DIAL_TIME = 5.0
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_EPOCHS_KEPT = 512
"""Epochs that a client which comes late can still be told of."""
_FORGED = frozenset(
    (
        Refusal.MALFORMED,
        Refusal.TRAILING_BYTES,
        Refusal.NOT_CANONICAL,
        Refusal.STRANGER,
        Refusal.SIGNATURE,
        Refusal.CERTIFICATE,
    )
)


class NetworkMember:
    """A member of a cluster of `butterfly` nodes, in the folder that `butterfly init` made for it.

    It listens where the others expect it, dials them, and keeps its vote record
    in the same file: a `butterfly` process could go on in its place. To be used
    as `async with`, on one event loop. It answers no operators, keeps no history
    beyond 512 epochs in memory, and no checkpoints: after a restart it asks its
    fellows for what it lacks.
    """

    def __init__(self, folder: str | Path, stages: Sequence[StageFunction] | None = None) -> None:
        """Reads the folder; `stages` are what the cluster runs, the integer transformer unless others are given."""
        folder = Path(folder)
        config = tomllib.loads((folder / "node.toml").read_text())
        roster = (folder / "roster").read_bytes()
        self.roster = Roster(roster, view_timeout=config.get("view_timeout_ms", 2000))
        """The cluster's roster."""
        keys = Keys.read(folder)
        if keys.public_key not in self.roster.members:
            raise RosterError("the key in this folder is not that of a member of its roster")
        self.me = self.roster.members.index(keys.public_key)
        """Which member it is."""
        self._peers = [_address(peer) for peer in config["peers"]]
        if len(self._peers) != len(self.roster.members):
            raise RosterError(f"node.toml names {len(self._peers)} peers; the roster has {len(self.roster.members)}")
        self._listen = _address(config["listen"]) if "listen" in config else self._peers[self.me]
        self._party = Party(self.roster, keys, (folder / "key-records").read_bytes())
        self._record = VoteRecord(folder / "vote-record", self.roster.member_name(self.me))
        count = self.roster.model.stages
        functions = [Transformer() for _ in range(count)] if stages is None else list(stages)
        if len(functions) != count:
            raise RosterError(f"{len(functions)} stage functions; the roster's model has {count} stages")
        self._node = Node(self.roster, keys, self._record.record())
        self._member = Member(self._node, functions, self._deliver, self._record.write)
        self._member.on_commit = self._committed
        self._member.on_evidence = self._accused
        self._blamed: dict[tuple[int, Fault], Blame] = {}
        self._told: deque[tuple[int, bytes]] = deque(maxlen=_EPOCHS_KEPT)
        self._last: Commit | None = None
        self._news = asyncio.Condition()
        self._queues = {peer: _Queue() for peer in range(len(self._peers)) if peer != self.me}
        self._inbound: dict[int, Link] = {}
        self._half_open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._closed = False
        self._failed: Exception | None = None

    async def __aenter__(self) -> Self:
        if self._server is not None or self._closed:
            raise ClosedError("a member runs once")
        self._server = await asyncio.start_server(self._attend, *self._listen)
        self._spawn(self._run())
        for peer in self._queues:
            self._spawn(self._forward(peer))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every session, and lets another process have the vote record."""
        self._closed = True
        tasks = self._hang_up()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._news:
            self._news.notify_all()
        self._node.close()
        self._record.close()

    def status(self) -> Status:
        """Where the node is."""
        return self._node.status()

    @property
    def blamed(self) -> tuple[Blame, ...]:
        """Members that this one blames, with proof: the first of each kind against each."""
        return tuple(self._blamed.values())

    @property
    def failures(self) -> tuple[BaseException, ...]:
        """What its stages raised."""
        return tuple(self._member.failures)

    async def reached(self, epoch: int) -> Commit:
        """Waits until this member holds `epoch` or a later one decided, and gives the last that it holds.

        Raises `ClosedError` when it is closed before, or why it had to stop.
        """
        async with self._news:
            while self._last is None or self._last.epoch < epoch:
                if self._failed is not None:
                    raise self._failed
                if self._closed:
                    raise ClosedError("this member is closed")
                await self._news.wait()
            return self._last

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        try:
            await self._member.run()
        except Exception as error:
            # A node whose record cannot be written must say nothing more.
            self._failed = error
            self._hang_up()
        async with self._news:
            self._news.notify_all()

    def _hang_up(self) -> list[asyncio.Task[None]]:
        """Takes no connection any more, and ends those that there are."""
        if self._server is not None:
            self._server.close()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        return tasks

    def _deliver(self, to: Sequence[int], message: bytes) -> None:
        for peer in to:
            self._queues[peer].put(message)

    def _committed(self, commit: Commit) -> None:
        self._last = commit
        with translated():
            told = _ffi.Answer.TOLD(decided=commit.decided, tokens=commit.tokens)
            self._told.append((commit.epoch, bytes(_ffi.encode_answer(told))))
        self._spawn(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _accused(self, evidence: outputs.Evidence) -> None:
        blame = Blame(evidence.accused, evidence.fault, evidence.evidence)
        self._blamed.setdefault((blame.accused, blame.fault), blame)

    async def _forward(self, peer: int) -> None:
        """Dials, sends until that fails, and dials again."""
        pause = _FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(_DIAL_TIME):
                    link = await Link.dial(self._party, peer, *self._peers[peer])
            except (OSError, TimeoutError, ButterflyError):
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)
                continue
            pause = _FIRST_PAUSE
            try:
                await self._send_queued(link, self._queues[peer])
            except (OSError, ButterflyError):
                await asyncio.sleep(pause)
            finally:
                link.close()

    async def _send_queued(self, link: Link, queue: _Queue) -> None:
        # A peer says nothing here; this is how it is noticed that it is gone.
        gone = asyncio.ensure_future(link.receive())
        try:
            while not gone.done():
                filled = asyncio.ensure_future(queue.wait())
                await asyncio.wait((filled, gone), return_when=asyncio.FIRST_COMPLETED)
                filled.cancel()
                await link.send(*queue.take())
        except asyncio.CancelledError:
            with contextlib.suppress(OSError, ButterflyError):
                await link.send(*queue.take())
                await link.end()
            raise
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._half_open >= _HALF_OPEN or self._closed:
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None, "connections are served by tasks"
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A connection ends with the first thing that is not as it must be.
        with contextlib.suppress(OSError, TimeoutError, ButterflyError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._half_open += 1
        try:
            async with asyncio.timeout(_HANDSHAKE_TIME):
                link, who = await Link.accept(self._party, reader, writer)
        finally:
            self._half_open -= 1
        try:
            if isinstance(who, MemberPeer):
                await self._listen_to(who.number, link)
            else:
                await self._answer_client(link)
        finally:
            link.close()

    async def _listen_to(self, peer: int, link: Link) -> None:
        """A member has one session with us: the newest counts."""
        if before := self._inbound.get(peer):
            before.close()
        self._inbound[peer] = link

        def judge(refusal: Refusal | None) -> None:
            if refusal in _FORGED:
                link.close()

        while (message := await link.receive()) is not None:
            await self._member.room()
            self._member.put(inputs.Receive(message), judge)

    async def _answer_client(self, link: Link) -> None:
        following: asyncio.Task[None] | None = None
        try:
            while (asked := await link.receive()) is not None:
                with translated():
                    ask = _ffi.decode_ask(asked)
                if ask.is_STANDING():
                    await link.send(self._standing())
                elif ask.is_SUBMIT():
                    await link.send(await self._submit(bytes(ask.request)))
                elif ask.is_EVIDENCE():
                    await link.send(self._proof(ask.number))
                else:
                    if following is not None:
                        following.cancel()
                    following = asyncio.create_task(self._follow(link, ask.epoch))
            await link.end()
        finally:
            if following is not None:
                following.cancel()

    def _standing(self) -> bytes:
        status = self._node.status()
        standing = _ffi.Standing(
            epoch=status.epoch,
            view=status.view,
            role=_ffi.Role[status.role.name],
            working=status.doing.name not in ("INITIALIZING", "READY"),
            blocked_by=bytes(self._member.blocked_by),
            decided=None if self._last is None else self._last.decided,
        )
        with translated():
            return bytes(_ffi.encode_answer(_ffi.Answer.STANDING(standing)))

    def _proof(self, number: int) -> bytes:
        evidence = next((blame.evidence for blame in self.blamed[number : number + 1]), None)
        with translated():
            return bytes(_ffi.encode_answer(_ffi.Answer.EVIDENCE(evidence)))

    async def _submit(self, request: bytes) -> bytes:
        answered: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self._member.put(inputs.Submit(request), answered.set_result)
        refusal = await answered
        answer = _ffi.Answer.TAKEN()
        if refusal is Refusal.STALE:
            answer = _ffi.Answer.REFUSED(_ffi.Denial.FINISHED)
        elif refusal is Refusal.FULL:
            answer = _ffi.Answer.REFUSED(_ffi.Denial.FULL)
        elif refusal not in (None, Refusal.DUPLICATE):
            answer = _ffi.Answer.REFUSED(_ffi.Denial.INVALID)
        with translated():
            return bytes(_ffi.encode_answer(answer))

    async def _follow(self, link: Link, epoch: int) -> None:
        while True:
            news = [told for told in self._told if told[0] >= epoch]
            for number, told in news:
                await link.send(told)
                epoch = number + 1
            async with self._news:
                if self._closed:
                    return
                if not self._told or self._told[-1][0] < epoch:
                    await self._news.wait()

    def __repr__(self) -> str:
        host, port = self._listen
        state = "closed" if self._closed else repr(self._node)
        return f"NetworkMember({self.me} on {host}:{port}, {state})"


class _Queue:
    """Messages that wait for one peer."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque(maxlen=_QUEUE)
        self._filled = asyncio.Event()

    def put(self, message: bytes) -> None:
        self._messages.append(message)
        self._filled.set()

    async def wait(self) -> None:
        await self._filled.wait()

    def take(self) -> list[bytes]:
        taken = list(self._messages)
        self._messages.clear()
        self._filled.clear()
        return taken


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
