"""Who takes part, with which keys, and what is true of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from . import _convert
from ._errors import KeysError, translated
from ._library import ffi as _ffi
from ._handle import Handle
from .values import CommitProof, Evidence, MessageFacts, Model, Request

_IDENTITY = "key"
_EXCHANGE = "exchange-key"


class Keys(Handle):
    """Both secrets of one party. Erased when the object is freed; they cannot be printed.

    The identity, Ed25519, stands in the roster and signs what others must
    believe; the exchange key, X25519, makes sessions and nothing else.
    """

    __slots__ = ()

    def __init__(self, identity: bytes, exchange: bytes) -> None:
        """The keys with these secrets of 32 bytes each."""
        with translated():
            self._object = _ffi.Keys.from_secrets(_ffi.Secrets(identity=bytes(identity), exchange=bytes(exchange)))

    @classmethod
    def generate(cls) -> Keys:
        """New keys, from the system's source of randomness."""
        keys = cls.__new__(cls)
        with translated():
            keys._object = _ffi.Keys.generate()
        return keys

    @classmethod
    def read(cls, folder: str | FilePath) -> Keys:
        """The keys in the folder of a member or client, as `butterfly init` made it."""
        return cls(_read_secret(FilePath(folder) / _IDENTITY), _read_secret(FilePath(folder) / _EXCHANGE))

    def write(self, folder: str | FilePath) -> None:
        """Writes both into `folder`, for nobody else to read; refused when one is there already."""
        with translated():
            secrets = self._held().secrets()
        for name, secret in ((_IDENTITY, secrets.identity), (_EXCHANGE, secrets.exchange)):
            path = FilePath(folder) / name
            path.touch(mode=0o600, exist_ok=False)
            path.write_bytes(secret)

    @property
    def public_key(self) -> bytes:
        """What the roster names this party by."""
        with translated():
            return bytes(self._held().public_key())

    def key_record(self, roster: Roster) -> bytes:
        """The identity's word that the exchange key is its own, in the cluster of `roster`."""
        with translated():
            return bytes(self._held().key_record(roster._held()))

    def __repr__(self) -> str:
        return "Keys(closed)" if self.closed else f"Keys({self.public_key[:4].hex()})"


def _read_secret(path: FilePath) -> bytes:
    if path.stat().st_mode & 0o077:
        raise KeysError(f"others may read the key {path}; take that from them with `chmod 600 {path}`")
    return path.read_bytes()


class Roster(Handle):
    """The members, the clients and the model, checked. Its digest is the cluster's id, which every signature covers."""

    __slots__ = ("_facts",)

    _facts: Any

    def __init__(self, encoded: bytes, *, view_timeout: int = 2000) -> None:
        """The roster of which these bytes are the canonical encoding.

        The first view of an epoch may take `view_timeout` milliseconds; that is
        not part of the cluster's id, and for nodes only.
        """
        with translated():
            self._hold(_ffi.Roster.decode(bytes(encoded), view_timeout))

    @classmethod
    def found(
        cls,
        members: Sequence[bytes],
        clients: Sequence[bytes],
        model: Model,
        *,
        voters: int | None = None,
        faults: int | None = None,
        silent: int | None = None,
        view_timeout: int = 2000,
    ) -> Roster:
        """The roster of a new cluster, whose members are alike and take turns.

        The first `voters` of `members` vote, all of them unless it is said.
        `faults` of them may be faulty and `silent` may be silent on the fast
        path; as many as the voters allow, unless it is said.
        """
        roster = cls.__new__(cls)
        with translated():
            roster._hold(
                _ffi.Roster.found(
                    [bytes(key) for key in members],
                    len(members) if voters is None else voters,
                    [bytes(key) for key in clients],
                    _convert.model_to(model),
                    faults,
                    silent,
                    view_timeout,
                )
            )
        return roster

    @classmethod
    def _of(cls, held: Any) -> Roster:
        roster = cls.__new__(cls)
        roster._hold(held)
        return roster

    def _hold(self, held: Any) -> None:
        self._object = held
        self._facts = held.facts()

    def encode(self) -> bytes:
        """The canonical encoding."""
        with translated():
            return bytes(self._held().encode())

    @property
    def id(self) -> bytes:
        """The cluster's id."""
        return bytes(self._facts.id)

    @property
    def voters(self) -> int:
        """Members that vote."""
        return int(self._facts.voters)

    @property
    def faults(self) -> int:
        """Members that may be faulty in any way."""
        return int(self._facts.faults)

    @property
    def silent(self) -> int:
        """Voters that may be silent without slowing a decision down."""
        return int(self._facts.silent)

    @property
    def members(self) -> tuple[bytes, ...]:
        """The public key of each member; those that vote stand first."""
        return tuple(bytes(key) for key in self._facts.members)

    @property
    def clients(self) -> tuple[bytes, ...]:
        """The public key of each client."""
        return tuple(bytes(key) for key in self._facts.clients)

    @property
    def model(self) -> Model:
        """The model."""
        return _convert.model_from(self._facts.model)

    def leader(self, epoch: int, view: int) -> int:
        """The member whose turn `view` of `epoch` is."""
        with translated():
            return int(self._held().leader(epoch, view))

    def first_record(self, member: int) -> bytes:
        """What provisioning writes before a member's first start.

        A member must never be given it again: it cannot know any more what it signed.
        """
        with translated():
            return bytes(self._held().first_record(member))

    def member_name(self, member: int) -> bytes:
        """Names what is stored for a member of this cluster: nobody else's."""
        with translated():
            return bytes(self._held().member_name(member))

    def sign_request(self, keys: Keys, request: Request) -> bytes:
        """`request` signed by the client whose keys these are, for `Submit`."""
        with translated():
            return bytes(self._held().sign_request(keys._held(), _convert.request_to(request)))

    def verify_message(self, message: bytes) -> MessageFacts:
        """Who says what, once every signature in a message was checked."""
        with translated():
            facts = self._held().verify_message(bytes(message))
        return MessageFacts(author=facts.author, kind=facts.kind, epoch=facts.epoch)

    def read_request(self, signed: bytes) -> Request:
        """What a signed request asks for; an error when no client of the roster signed it."""
        with translated():
            return _convert.request_from(self._held().read_request(bytes(signed)))

    def next_sequence(self, decided: bytes | None, client: int) -> int:
        """The number of the next request of a client after a decision; none: before the first epoch."""
        with translated():
            return int(self._held().next_sequence(None if decided is None else bytes(decided), client))

    def verify_decision(self, decided: bytes) -> int:
        """The epoch of a decision. An error when the decision is not genuine."""
        with translated():
            return int(self._held().verify_decision(bytes(decided)))

    def verify_proof(self, proof: bytes) -> CommitProof:
        """Whether this cluster committed what `proof` says, and what that is."""
        with translated():
            return proof_from(self._held().verify_proof(bytes(proof)))

    def verify_evidence(self, evidence: bytes) -> Evidence:
        """Whether a member of this cluster must be faulty, and which."""
        with translated():
            return evidence_from(self._held().verify_evidence(bytes(evidence)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Roster) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        counts = f"{len(self._facts.members)} members, {self.voters} voters, {self.faults} may be faulty"
        return f"Roster({self.id[:4].hex()}: {counts})"


def proof_from(generated: Any) -> CommitProof:
    """The public value of a checked proof."""
    return CommitProof(
        client=generated.client,
        sequence=generated.sequence,
        prompt=bytes(generated.prompt),
        committed=generated.committed,
        tokens=bytes(generated.tokens),
        first_epoch=generated.first_epoch,
        last_epoch=generated.last_epoch,
        path=_convert.path(generated.path),
        signers=frozenset(generated.signers),
    )


def evidence_from(generated: Any) -> Evidence:
    """The public value of checked evidence."""
    return Evidence(accused=generated.accused, fault=_convert.fault(generated.fault))
