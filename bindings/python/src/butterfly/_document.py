"""Proofs and evidence as files that anyone can check offline."""

from __future__ import annotations

from dataclasses import dataclass

from ._errors import translated
from ._library import ffi as _ffi
from ._roster import Roster, evidence_from, proof_from
from .values import CommitProof, Evidence


@dataclass(frozen=True, slots=True)
class Document:
    """What a file states, checked against the roster in it.

    Whether that roster is the right one is for the reader to say: compare the
    cluster's id.
    """

    roster: Roster
    """The cluster that the file names."""
    statement: CommitProof | Evidence
    """What is true of it."""


def read_document(content: bytes) -> Document:
    """Reads a proof or evidence file and checks everything in it."""
    with translated():
        read = _ffi.read_document(bytes(content))
        statement = read.statement
        said = proof_from(statement.proof) if statement.is_COMMIT() else evidence_from(statement.evidence)
        return Document(Roster._of(read.roster), said)


def write_proof(roster: Roster, proof: bytes) -> bytes:
    """The file that states a proof of `roster`'s cluster."""
    with translated():
        return bytes(_ffi.write_proof(roster._held(), bytes(proof)))


def write_evidence(roster: Roster, evidence: bytes) -> bytes:
    """The file that states evidence against a member of `roster`'s cluster."""
    with translated():
        return bytes(_ffi.write_evidence(roster._held(), bytes(evidence)))
