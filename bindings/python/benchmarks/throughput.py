"""Kernel events a second from Python, by what they are.

    python benchmarks/throughput.py [--json]

Each row feeds one node with frames of 1000 inputs through the packed surface,
from Python's values and back to them. Signatures are what a message costs: a
message that the node listens to takes Ed25519, whatever language asks.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

import butterfly
from butterfly import inputs, outputs, packed, timers

FRAME = 1_000
ROUNDS = 30


def events_per_second(node: butterfly.Node, frame: Sequence[inputs.Input]) -> float:
    """The median round, with packing and unpacking in Python."""
    took = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        steps = packed.unpack_steps(node.step_packed(packed.pack_inputs(frame)))
        took.append(time.process_time() - begin)
        assert len(steps) == len(frame)
    return len(frame) / sorted(took)[ROUNDS // 2]


def epoch_of_messages() -> tuple[butterfly.Node, list[bytes]]:
    """A node that has seen a request through, and every message that it was sent on the way."""
    keys = [butterfly.Keys.generate() for _ in range(4)]
    client = butterfly.Keys.generate()
    roster = butterfly.Roster.found([one.public_key for one in keys], [client.public_key], butterfly.Model())
    nodes = [butterfly.Node(roster, one, roster.first_record(at)) for at, one in enumerate(keys)]
    request = roster.sign_request(client, butterfly.Request(1, b"\1\2\3", 32))
    waiting: list[tuple[int, inputs.Input]] = [(at, inputs.Start(bytes([at] * 16))) for at in range(4)]
    waiting += [(0, inputs.Submit(request)), (1, inputs.Submit(request))]
    heard = []
    while waiting:
        at, one = waiting.pop(0)
        if at == 0 and isinstance(one, inputs.Receive):
            heard.append(one.message)
        for output in nodes[at].step(one).outputs:
            if isinstance(output, outputs.Send):
                waiting += [(to, inputs.Receive(output.message)) for to in output.to]
            elif isinstance(output, outputs.Compute):
                waiting.append((at, inputs.Computed(output.work.ticket, bytes([output.work.position % 96]))))
    return nodes[0], heard


def main() -> None:
    """Prints a table, or one document."""
    arguments = argparse.ArgumentParser(description="Kernel events a second from Python")
    arguments.add_argument("--json", action="store_true")
    as_document = arguments.parse_args().json
    node, heard = epoch_of_messages()
    late = [inputs.Timer(timers.View(0, 0))] * FRAME
    known = [inputs.Receive(heard[at % len(heard)]) for at in range(FRAME)]
    steps = events_per_second(node, late)
    rows = {
        "a timer that is late: one step of the kernel": steps,
        "a message that it does not listen to: decoded, dropped unread": events_per_second(node, known),
    }
    begin = time.process_time()
    fresh, messages = epoch_of_messages()
    rows["a message of a request, all four nodes in one thread: signed, verified"] = 4 * len(messages) / (
        time.process_time() - begin
    )
    fresh.close()
    if as_document:
        print(json.dumps({"events_per_second": int(steps), "rows": rows}))
        return
    for what, rate in rows.items():
        print(f"{rate:>12,.0f}  {what}")


if __name__ == "__main__":
    main()
