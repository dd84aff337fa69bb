"""What a call costs: through both surfaces, and beside plain PyO3 and plain ctypes, which reach the same node.

    cargo xtask bindings costs

All numbers are of one run: nanoseconds of processor time, the median of rounds.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import butterfly
from butterfly import inputs, packed, timers
from butterfly._library import ffi as generated

ROUNDS = 15
FRAME = 1_000


def cost(call: Callable[[], object], count: int = 2_000, events: int = 1) -> float:
    """Nanoseconds for each event."""
    call()
    took = []
    for _ in range(ROUNDS):
        begin = time.process_time_ns()
        for _ in range(count):
            call()
        took.append((time.process_time_ns() - begin) / count)
    return sorted(took)[ROUNDS // 2] / events


class Status(ctypes.Structure):
    """As `CStatus`."""

    _fields_ = [
        ("epoch", ctypes.c_uint64),
        ("view", ctypes.c_uint32),
        ("me", ctypes.c_uint8),
        ("leader", ctypes.c_uint8),
        ("role", ctypes.c_uint8),
        ("doing", ctypes.c_uint8),
    ]


def plain(library: Path) -> Any:
    """The yardstick as a Python module."""
    loader = importlib.machinery.ExtensionFileLoader("yardstick", str(library))
    spec = importlib.util.spec_from_loader("yardstick", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def main() -> None:
    """Prints the table."""
    library = Path(sys.argv[1])
    keys, client = butterfly.Keys(bytes([1]) * 32, bytes(32)), butterfly.Keys.generate()
    roster = butterfly.Roster.found([keys.public_key], [client.public_key], butterfly.Model())
    record, encoded = roster.first_record(0), roster.encode()
    ours = butterfly.Node(roster, keys, record)
    typed = ours._held()
    theirs = plain(library).PlainNode(encoded, bytes([1]) * 32, record)
    c = ctypes.CDLL(str(library))
    c.yard_new.restype = ctypes.c_void_p
    c.yard_step_packed.restype = ctypes.c_size_t
    pointer = ctypes.c_void_p(c.yard_new(encoded, len(encoded), bytes([1]) * 32, record, len(record)))
    assert pointer.value
    room = ctypes.create_string_buffer(1 << 16)
    status = Status()
    nothing = generated.TransformerStage(b"\4", 0)

    late = inputs.Timer(timers.View(0, 0))
    one, many = packed.pack_inputs([late]), packed.pack_inputs([late] * FRAME)
    kilobyte = packed.pack_inputs([inputs.Receive(bytes(1_024))])
    late_typed = generated.Input.TIMER(generated.Timer.VIEW(0, 0))
    frame = [late] * FRAME

    def c_step(content: bytes) -> Callable[[], object]:
        return lambda: room.raw[: c.yard_step_packed(pointer, content, len(content), room, len(room))]

    def c_status() -> int:
        c.yard_status(pointer, ctypes.byref(status))
        return int(status.epoch)

    assert ours.step_packed(many) == theirs.step_packed(many)
    rows: list[tuple[str, list[float | None]]] = [
        ("a call that does nothing", [cost(nothing.position), None, cost(theirs.nothing), cost(c.yard_nothing)]),
        ("a record of six fields out", [cost(typed.status), None, cost(theirs.status), cost(c_status)]),
        (
            "a frame with a message of 1 KiB in",
            [
                cost(lambda: typed.step(generated.Input.RECEIVE(bytes(1_024)))),
                cost(lambda: ours.step_packed(kilobyte)),
                cost(lambda: theirs.step_packed(kilobyte)),
                cost(c_step(kilobyte)),
            ],
        ),
        (
            "one step",
            [
                cost(lambda: typed.step(late_typed)),
                cost(lambda: ours.step_packed(one)),
                cost(lambda: theirs.step_packed(one)),
                cost(c_step(one)),
            ],
        ),
        (
            "a step of a frame of 1000",
            [
                None,
                cost(lambda: ours.step_packed(many), 20, FRAME),
                cost(lambda: theirs.step_packed(many), 20, FRAME),
                cost(c_step(many), 20, FRAME),
            ],
        ),
        ("the same, packed and unpacked in Python", [None, cost(lambda: ours.step_all(frame), 20, FRAME), None, None]),
    ]
    print("| nanoseconds | typed | packed | plain PyO3 | plain ctypes |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for what, costs in rows:
        print(f"| {what} | " + " | ".join("" if one is None else f"{one:,.0f}" for one in costs) + " |")


if __name__ == "__main__":
    main()
