"""What is passed around: plain, frozen, comparable, and safe to pickle."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Path(Enum):
    """Which quorum decided."""

    FAST = 0
    """A fast quorum of votes: two message delays."""
    SLOW = 1
    """A slow quorum of commits: three message delays."""


class Transmission(Enum):
    """Whether a message goes out for the first time."""

    FIRST = 0
    """For the first time."""
    AGAIN = 1
    """Again, since nothing tells whether it arrived."""


class Fault(Enum):
    """What a member did that no honest one does."""

    PROPOSALS = 0
    """Two proposals in one view."""
    VOTES = 1
    """Two votes in one view."""
    COMMITS = 2
    """Two commits in one view."""
    VIEW_CHANGES = 3
    """Two reports on entering one view."""
    ATTESTATION = 4
    """An attestation that contradicts a stage certificate."""


class Refusal(Enum):
    """Why an input changed nothing."""

    EARLY = 0
    """Its time has not come. If it is near, the node keeps it until then."""
    STALE = 1
    """Its time is over."""
    DUPLICATE = 2
    """It is known already."""
    UNAUTHORISED = 3
    """Its author is not the one to say this."""
    INVALID = 4
    """It contradicts what was decided, or itself."""
    OTHER_RUN = 5
    """It is about another run or part, or answers no work."""
    FULL = 6
    """There is no room for it."""
    MALFORMED = 7
    """The bytes are no message."""
    TRAILING_BYTES = 8
    """Bytes are left over behind the message."""
    NOT_CANONICAL = 9
    """The bytes are not the one encoding of their message."""
    STRANGER = 10
    """The author is unknown to the cluster."""
    SIGNATURE = 11
    """The author's signature does not verify."""
    CERTIFICATE = 12
    """A certificate inside the message does not verify."""


class Role(Enum):
    """What a node may sign."""

    REPLICA = "replica"
    """A voter that has its vote record."""
    LEARNER = "learner"
    """A voter that lost it: it signs nothing in agreement until it is admitted again."""
    WORKER = "worker"
    """A member that never votes."""


class Doing(Enum):
    """What a node is doing."""

    INITIALIZING = "initializing"
    """Before its first input."""
    READY = "ready"
    """There is nothing to do."""
    COMPUTING = "computing"
    """A request is being worked on."""
    AGGREGATING = "aggregating"
    """Everything assigned here is computed, certificates are missing."""
    COMMITTING = "committing"
    """A valid result is known, and not decided."""
    DEGRADED = "degraded"
    """The epoch is in a later view, or members of stages are suspected."""
    RECOVERING = "recovering"
    """A learner, or a stage's inputs are being recovered."""
    FAILED = "failed"
    """Blocked: too few voters are heard of."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the last stage turns its result into a token: the most likely one, unless a seed is given."""

    seed: int | None = None
    """Chosen by the client; none: the most likely token, ties go to the lowest."""
    temperature: int = 256
    """In 1/256: 256 leaves the distribution as it is. Read only with a seed."""


GREEDY = Sampling()
"""The most likely token."""


@dataclass(frozen=True, slots=True)
class Work:
    """A stage to be run."""

    ticket: int
    """Names this piece of work; to be handed back."""
    run: bytes
    """Names the request and who runs which layers. With another run every input of before is forgotten."""
    stage: int
    """Which stage."""
    cut: bytes
    """The layer behind each stage: stage s runs from `cut[s - 1]`, or from 0."""
    position: int
    """The position of the last input."""
    first: int
    """Where the first of `inputs` belongs. What the stage took from there on before is to be forgotten."""
    inputs: tuple[bytes, ...]
    """Inputs from `first` to `position`, one for each position. The first stage takes tokens, one byte each."""
    sampling: Sampling
    """How the last stage chooses a token."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A decided epoch."""

    epoch: int
    """The epoch."""
    view: int
    """The view that decided."""
    path: Path
    """Which quorum decided."""
    tokens: bytes
    """What was added to a request; nothing when the epoch was caught up with, or committed a notice."""
    notice: int | None
    """The member whose notice it committed."""
    decided: bytes
    """The decision with its certificate and the state after it: for `Ledger`."""

    def __repr__(self) -> str:
        return f"Commit(epoch={self.epoch}, view={self.view}, path={self.path.name}, tokens={self.tokens!r})"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a node is."""

    me: int
    """Which member it is."""
    epoch: int
    """Its open epoch: the one after the last that it holds decided."""
    view: int
    """Its view there."""
    leader: int
    """Whose turn the view is."""
    role: Role
    """What it may sign."""
    doing: Doing
    """What it is doing."""


@dataclass(frozen=True, slots=True)
class CommitProof:
    """That a cluster committed these tokens for this request.

    Checked, and true unless more than f members are faulty.
    """

    client: int
    """Whose request it was."""
    sequence: int
    """Which of the client's requests."""
    prompt: bytes
    """What was to be continued."""
    committed: int
    """Tokens of the answer that were committed before those proven here."""
    tokens: bytes
    """The tokens proven."""
    first_epoch: int
    """The epoch of the first of them."""
    last_epoch: int
    """The epoch of the last of them."""
    path: Path
    """The quorum that decided it."""
    signers: frozenset[int]
    """The voters in that quorum."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """That a member is faulty: checked, and true whoever says so."""

    accused: int
    """The member."""
    fault: Fault
    """What it did."""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """Who says what, about which epoch."""

    author: int
    """The member that signed it, or is said to have."""
    kind: str
    """The kind, as in metrics and traces: `vote`, `stage_output` and so on."""
    epoch: int | None
    """The epoch that it is about; what is computed belongs to none."""


@dataclass(frozen=True, slots=True)
class Model:
    """The model, as far as the protocol must know it."""

    manifest: bytes = bytes(32)
    """Names weights, arithmetic, tokenizer and decoder: whoever runs another model has another cluster."""
    layers: int = 1
    """Layers that can be placed, 1 to 64, at least as many as stages."""
    stages: int = 1
    """Stages into which they are cut, 1 to 8."""
    vocabulary: int = 255
    """Tokens are below this number, at least 1."""
    context: int = 256
    """Positions of a request, prompt and answer together, 2 to 256."""
    signal: int = 320
    """Bytes of one signal between stages at most, 1 to 320."""
    tokens_per_epoch: int = 4
    """Tokens that one epoch commits, 1 to 16."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for."""

    sequence: int
    """Counts this client's requests from 1, without a gap; each number is used once."""
    prompt: bytes
    """The tokens to continue, at least one."""
    tokens: int
    """How many tokens to add, at least one."""
    sampling: Sampling = GREEDY
    """How to choose them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a cluster committed for a request."""

    tokens: bytes
    """The tokens that were added."""
    proof: bytes
    """What proves it to anybody: `Roster.verify_proof`."""
    epochs: range
    """The epochs that the proof covers."""


@dataclass(frozen=True, slots=True)
class Blame:
    """Whom an honest member blames, with what proves it."""

    accused: int
    """Who is to blame."""
    fault: Fault
    """For what."""
    evidence: bytes
    """The proof: `Roster.verify_evidence`."""

    def __repr__(self) -> str:
        return f"Blame(accused={self.accused}, fault={self.fault.name}, evidence={len(self.evidence)} bytes)"
