"""A cluster that agrees on what Python functions compute, while some of its members lie.

Functions are cut into stages; several members run each, and the cluster agrees,
by Byzantine agreement, on every result that it hands out. With the result comes
a proof that anybody can check offline. The protocol is one kernel in Rust, the
same that is model-checked, runs in `butterfly` nodes and on microcontrollers;
nothing of it is written again in Python.

A cluster in one process::

    import asyncio, butterfly

    def stage(task: butterfly.Task) -> bytes:
        return bytes([sum(given[0] for given in task.inputs) % 96])

    async def main() -> None:
        async with butterfly.LocalCluster(4, [stage] * 4, liars=[2]) as cluster:
            answer = await cluster.submit([1, 2, 3], tokens=8)
            print(cluster.roster.verify_proof(answer.proof), await cluster.blame(2))

    asyncio.run(main())

What there is:

- `LocalCluster`, `Simulation`: whole clusters in one process, in real and in virtual time
- `NetworkMember`, `Client`: a member and a client of `butterfly` nodes, over their sessions
- `Node`: one node of the kernel, driven by `inputs`, asking by `outputs`; `packed`: many at once
- `Roster`, `Keys`, `Ledger`: who takes part, and what is true of the cluster
- `read_document`, `write_proof`, `write_evidence`: proofs and evidence as files
- `Session`, `Party`, `VoteRecord`: what a host of one's own needs for links and for its disk
- `Transformer`: stages of the integer transformer that `butterfly` nodes run

Every error is a `ButterflyError`. Objects that hold a pointer into the library
can be used from any thread, are closed by `close` or `with`, and can be neither
copied nor pickled; everything in `values` can.
"""

from . import inputs, outputs, packed, timers, values
from ._client import Client, NodeStanding
from ._cluster import LocalCluster
from ._document import Document, read_document, write_evidence, write_proof
from ._errors import (
    BlockedError,
    BrokenError,
    BusyError,
    ButterflyError,
    ClosedError,
    KeysError,
    MalformedError,
    RecordError,
    RefusedError,
    RosterError,
    SessionError,
    StageError,
    UnprovenError,
)
from ._ledger import Ledger
from ._member import Member
from ._network import NetworkMember
from ._node import Node, read_message
from ._record import VoteRecord
from ._roster import Keys, Roster
from ._session import (
    ClientPeer,
    Ended,
    Established,
    Knock,
    MemberPeer,
    Message,
    Party,
    Received,
    Session,
    SessionEvent,
    Who,
)
from ._simulation import Decision, Report, Sent, Simulation
from ._stages import StageFunction, Task, Transformer, text_of_tokens, tokens_of_text, transformer_model
from ._version import __version__
from .values import (
    GREEDY,
    Answer,
    Blame,
    CommitProof,
    Evidence,
    Fault,
    MessageFacts,
    Model,
    Path,
    Refusal,
    Request,
    Role,
    Sampling,
    Status,
    Work,
)

__all__ = [
    "GREEDY",
    "Answer",
    "Blame",
    "BlockedError",
    "BrokenError",
    "BusyError",
    "ButterflyError",
    "Client",
    "ClientPeer",
    "ClosedError",
    "CommitProof",
    "Decision",
    "Document",
    "Ended",
    "Established",
    "Evidence",
    "Fault",
    "Keys",
    "KeysError",
    "Knock",
    "Ledger",
    "LocalCluster",
    "MalformedError",
    "Member",
    "MemberPeer",
    "Message",
    "MessageFacts",
    "Model",
    "NetworkMember",
    "Node",
    "NodeStanding",
    "Party",
    "Path",
    "Received",
    "RecordError",
    "Refusal",
    "RefusedError",
    "Report",
    "Request",
    "Role",
    "Roster",
    "RosterError",
    "Sampling",
    "Sent",
    "Session",
    "SessionError",
    "SessionEvent",
    "Simulation",
    "StageError",
    "StageFunction",
    "Status",
    "Task",
    "Transformer",
    "UnprovenError",
    "VoteRecord",
    "Who",
    "Work",
    "__version__",
    "inputs",
    "outputs",
    "packed",
    "read_document",
    "read_message",
    "text_of_tokens",
    "timers",
    "tokens_of_text",
    "transformer_model",
    "values",
    "write_evidence",
    "write_proof",
]
