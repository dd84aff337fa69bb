"""What is dropped is freed."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import butterfly
from butterfly import inputs, packed, timers

NODES = 100_000
FRAMES = 20_000
WARM_UP = 2_000
ALLOWED = 16 * 1024 * 1024
"""Bytes that the process may grow by: what an allocator keeps, and less than one byte in a hundred that was used."""


def used() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_a_hundred_thousand_nodes_leave_nothing(roster: butterfly.Roster, keys: list[butterfly.Keys]) -> None:
    record = roster.first_record(0)

    def live() -> None:
        node = butterfly.Node(roster, keys[0], record)
        node.step(inputs.Timer(timers.Retransmit()))
        node.close()

    for _ in range(WARM_UP):
        live()
    gc.collect()
    before = used()
    for _ in range(NODES):
        live()
    gc.collect()
    assert used() - before < ALLOWED


def test_frames_and_errors_leave_nothing(node: butterfly.Node) -> None:
    frame = packed.pack_inputs([inputs.Receive(bytes(1_000))] * 20)

    def use() -> None:
        node.step_packed(frame)
        try:
            node.step_packed(b"garbage")
        except butterfly.MalformedError:
            pass

    for _ in range(WARM_UP):
        use()
    gc.collect()
    before = used()
    for _ in range(FRAMES):
        use()
    gc.collect()
    assert used() - before < ALLOWED
