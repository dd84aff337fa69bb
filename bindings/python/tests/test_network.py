"""Beside processes of `butterfly`: a member, a client, files that both read."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import butterfly
from butterfly._client import _answer, _encoded
from butterfly._library import ffi
from butterfly._link import Link

from .conftest import summing

BINARY = os.environ.get("BUTTERFLY_BINARY", str(Path(__file__).parents[3] / "target/release/butterfly"))
PATIENCE = 120.0
PROMPT = "Return the "


def run(*arguments: str) -> str:
    """What a command prints, when it succeeds."""
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on now."""
    for first in range(21_000 + os.getpid() % 1_000 * 10, 60_000, count):
        taken: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                one = socket.socket()
                taken.append(one)
                one.bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for one in taken:
                one.close()
        return first
    raise AssertionError("no ports are free")


class Processes:
    """A cluster's folder, and those of its nodes that are processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: dict[int, subprocess.Popen[bytes]] = {}
        port = free_ports(8)
        ports = ["--base-port", str(port), "--admin-port", str(port + 4)]
        run("init", "--nodes", "4", "--dir", str(folder), *ports)

    def start(self, *nodes: int) -> None:
        for node in nodes:
            command = [BINARY, "start", "--dir", str(self.folder), "--node", str(node)]
            self.nodes[node] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self, node: int) -> None:
        process = self.nodes.pop(node)
        process.kill()
        process.wait()

    def end(self) -> None:
        for node in list(self.nodes):
            self.kill(node)

    def status(self) -> Any:
        return json.loads(run("status", "--dir", str(self.folder), "--json"))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits for a state."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.05)


async def answering(client: butterfly.Client, count: int) -> None:
    """Waits until so many nodes answer."""

    async def enough() -> bool:
        return len(await client.standings()) >= count

    await until(enough)


@pytest_asyncio.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    cluster = Processes(tmp_path / "c")
    try:
        yield cluster
    finally:
        cluster.end()


def reference(tokens: int) -> str:
    """What one machine says, with the sampling of `butterfly submit`."""
    return run("reference", "--prompt", PROMPT, "--tokens", str(tokens)).removesuffix("\n")


SAMPLING = butterfly.Sampling(seed=7, temperature=128)


async def test_a_member_in_python_is_the_fourth_voter(processes: Processes) -> None:
    processes.start(0, 1, 2)
    client = butterfly.Client(processes.folder / "client-0")
    async with butterfly.NetworkMember(processes.folder / "node-3") as member:
        await answering(client, 4)
        answer = await client.submit(PROMPT, 16, sampling=SAMPLING, patience=PATIENCE)
        assert butterfly.text_of_tokens(answer.tokens) == reference(16)
        await asyncio.wait_for(member.reached(answer.epochs[-1]), PATIENCE)

        # Without one of the others nothing is decided unless this member votes.
        processes.kill(2)
        answer = await client.submit(PROMPT, 12, sampling=SAMPLING, patience=PATIENCE)
        assert butterfly.text_of_tokens(answer.tokens) == reference(12)
        assert 3 in client.roster.verify_proof(answer.proof).signers
        status = await asyncio.to_thread(processes.status)
        assert [one["state"] for one in status["members"]] == ["replica", "replica", "unreachable", "replica"]
        assert member.blamed == ()
        assert member.failures == ()
        before = member.status().epoch

    # It goes on from its vote record, as a process of `butterfly` could.
    async with butterfly.NetworkMember(processes.folder / "node-3") as member:
        assert member.status().epoch == before
        assert member.status().role is butterfly.Role.REPLICA
        answer = await client.submit(PROMPT, 8, sampling=SAMPLING, patience=PATIENCE)
        assert 3 in client.roster.verify_proof(answer.proof).signers
    processes.start(2, 3)
    answer = await client.submit(PROMPT, 4, sampling=SAMPLING, patience=PATIENCE)
    assert butterfly.text_of_tokens(answer.tokens) == reference(4)


async def test_a_member_comes_back_in_the_middle_of_a_request(processes: Processes) -> None:
    processes.start(0, 1, 2)
    client = butterfly.Client(processes.folder / "client-0")
    async with butterfly.NetworkMember(processes.folder / "node-3") as member:
        await answering(client, 4)
        asking = asyncio.create_task(client.submit(PROMPT, 60, sampling=SAMPLING, patience=PATIENCE))
        await asyncio.wait_for(member.reached(3), PATIENCE)
    async with butterfly.NetworkMember(processes.folder / "node-3") as member:
        # From here on it is needed.
        processes.kill(1)
        answer = await asking
        assert butterfly.text_of_tokens(answer.tokens) == reference(60)
        await asyncio.wait_for(member.reached(answer.epochs[-1]), PATIENCE)
        assert member.blamed == ()


async def test_proofs_are_read_by_both(processes: Processes, tmp_path: Path) -> None:
    processes.start(0, 1, 2, 3)
    client = butterfly.Client(processes.folder / "client-0")
    await answering(client, 4)
    answer = await client.submit(PROMPT, 8, sampling=SAMPLING, patience=PATIENCE)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(butterfly.write_proof(client.roster, answer.proof))
    verify = ("verify", str(ours), "--cluster", client.roster.id.hex(), "--json")
    verified = json.loads(await asyncio.to_thread(run, *verify))
    assert verified["text"] == butterfly.text_of_tokens(answer.tokens)

    submit = ("submit", "--dir", str(processes.folder), "--prompt", PROMPT, "--tokens", "8", "--proof", str(theirs))
    await asyncio.to_thread(run, *submit)
    document = butterfly.read_document(theirs.read_bytes())
    assert document.roster == client.roster
    assert isinstance(document.statement, butterfly.CommitProof)
    assert document.statement.tokens == answer.tokens
    # The command took the next number, and so does Python after it.
    assert document.statement.sequence == 2
    again = await client.submit(PROMPT, 4, sampling=SAMPLING, patience=PATIENCE)
    assert client.roster.verify_proof(again.proof).sequence == 3


async def test_a_request_that_was_cancelled_is_gone_on_with(processes: Processes) -> None:
    client = butterfly.Client(processes.folder / "client-0")
    processes.start(0, 1)
    await answering(client, 2)
    asking = asyncio.create_task(client.submit(PROMPT, 8, sampling=SAMPLING, patience=PATIENCE))

    async def is_signed() -> bool:
        return (processes.folder / "client-0" / "request").exists()

    await until(is_signed)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    processes.start(2, 3)
    answer = await client.submit(PROMPT, 8, sampling=SAMPLING, patience=PATIENCE)
    assert butterfly.text_of_tokens(answer.tokens) == reference(8)
    assert client.roster.verify_proof(answer.proof).sequence == 1


async def test_a_client_says_what_is_wrong(processes: Processes) -> None:
    client = butterfly.Client(processes.folder / "client-0")
    assert await client.standings() == {}
    with pytest.raises(butterfly.BlockedError, match="0 nodes answer"):
        await client.submit(PROMPT, 8)
    with pytest.raises(butterfly.MalformedError):
        await client.submit("caffè", 8)
    processes.start(0, 1)
    await answering(client, 2)
    with pytest.raises(butterfly.BlockedError, match="no epoch was decided"):
        await client.submit(PROMPT, 8, patience=0.3)


async def test_strangers_and_their_bytes_end_no_member(processes: Processes) -> None:
    async with butterfly.NetworkMember(processes.folder / "node-3") as member:
        host, port = member._listen
        for content in (b"", b"\xff" * 400, b"\xdc\x00\x01\x01" + bytes(220), b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(content)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
            writer.close()
        assert member.status().epoch == 1
        with pytest.raises(butterfly.RecordError, match="must not run twice"):
            butterfly.NetworkMember(processes.folder / "node-3")


async def test_who_is_proven_to_be_faulty_is_said(processes: Processes) -> None:
    # So many stages that each member has one.
    async with butterfly.LocalCluster(4, [summing] * 4, liars=[2]) as cluster:
        await cluster.submit([1], tokens=8)
        blame = await cluster.blame(2)
    proof = butterfly.outputs.Evidence(blame.accused, blame.fault, blame.evidence)
    client = butterfly.Client(processes.folder / "client-0")
    async with butterfly.NetworkMember(processes.folder / "node-3") as member:
        link = await Link.dial(client._party, member.me, *member._listen)

        async def proofs(count: int) -> list[bytes | None]:
            said = []
            for number in range(count):
                await link.send(_encoded(ffi.Ask.EVIDENCE(number)))
                said.append(_answer(await link.receive()).evidence)
            return said

        assert await proofs(1) == [None]
        # The second says no more than the first.
        for _ in range(2):
            member._accused(proof)
        assert await proofs(2) == [blame.evidence, None]
        # The session goes on.
        await link.send(_encoded(ffi.Ask.STANDING()))
        assert _answer(await link.receive()).is_STANDING()
        link.close()


async def test_a_disk_that_fails_stops_the_member(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    processes.start(0, 1, 2)

    def fail(self: butterfly.VoteRecord, record: bytes) -> None:
        raise butterfly.RecordError("the disk is full")

    monkeypatch.setattr(butterfly.VoteRecord, "write", fail)
    client = butterfly.Client(processes.folder / "client-0")
    async with butterfly.NetworkMember(processes.folder / "node-3") as member:
        await answering(client, 4)
        asking = asyncio.create_task(client.submit(PROMPT, 8, sampling=SAMPLING, patience=PATIENCE))
        with pytest.raises(butterfly.RecordError, match="the disk is full"):
            await asyncio.wait_for(member.reached(1), PATIENCE)
        await asking
    proof = client.roster.verify_proof((await asking).proof)
    assert 3 not in proof.signers


async def test_the_examples_do_what_they_say(processes: Processes, tmp_path: Path) -> None:
    processes.start(0, 1, 2)
    examples, proof = Path(__file__).parents[1] / "examples", tmp_path / "proof"
    member = await asyncio.create_subprocess_exec(
        sys.executable,
        str(examples / "member.py"),
        str(processes.folder / "node-3"),
        stdout=asyncio.subprocess.PIPE,
        # Whoever runs the tests in the background may ignore interrupts, which is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        await answering(butterfly.Client(processes.folder / "client-0"), 4)
        asked = [str(processes.folder / "client-0"), PROMPT, "--tokens", "8", "--proof", str(proof)]
        client = await asyncio.create_subprocess_exec(
            sys.executable, str(examples / "client.py"), *asked, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await asyncio.wait_for(client.communicate(), PATIENCE)
        assert client.returncode == 0
        assert b"node 3: " in printed and b"epochs 1 to 2" in printed
        assert PROMPT in await asyncio.to_thread(run, "verify", str(proof))
        assert member.stdout is not None
        first = await asyncio.wait_for(member.stdout.readline(), PATIENCE)
        assert first.startswith(b"NetworkMember(3 on 127.0.0.1:")
    finally:
        member.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(member.wait(), PATIENCE) == 0


def test_the_local_example_blames_the_liar() -> None:
    example = Path(__file__).parents[1] / "examples" / "local_cluster.py"
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "proven: member 3 is faulty (attestation)" in done.stdout
