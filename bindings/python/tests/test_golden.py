"""The golden vectors: Python makes of bytes what every other language makes of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import butterfly
from butterfly import inputs, outputs, packed, timers, values

FOLDER = Path(os.environ.get("BUTTERFLY_GOLDEN", Path(__file__).parents[2] / "golden" / "vectors"))
SHAPES = ["rosters", "requests", "messages", "records", "proofs", "evidence"]
ERRORS = {
    "Malformed": butterfly.MalformedError,
    "Roster": butterfly.RosterError,
    "Record": butterfly.RecordError,
    "Unproven": butterfly.UnprovenError,
}


def read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def vectors(*names: str) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for name in names for vector in read(name)["vectors"]]


KNOWN = read("cluster")
ROSTER = butterfly.Roster(bytes.fromhex(KNOWN["roster"]))
EXPECTED = {(kind, entry["verdict"]): entry for entry in read("errors")["vectors"] for kind in entry["types"]}


def keys_of(member: int) -> butterfly.Keys:
    return butterfly.Keys(bytes.fromhex(KNOWN["members"][member]["seed"]), bytes(32))


def check_record(record: bytes) -> object:
    """Records are of member 1, those of workers of member 4."""
    return butterfly.Node(ROSTER, keys_of(4 if record[:1] == b"\2" else 1), record)


CHECKS: dict[str, Callable[[bytes], object]] = {
    "envelope": ROSTER.verify_message,
    "signed_request": ROSTER.read_request,
    "roster": butterfly.Roster,
    "record": check_record,
    "commit_proof": ROSTER.verify_proof,
    "evidence": ROSTER.verify_evidence,
}


def test_the_cluster_is_the_one_of_the_vectors() -> None:
    assert ROSTER.id.hex() == KNOWN["id"]
    assert ROSTER.encode().hex() == KNOWN["roster"]
    assert [key.hex() for key in ROSTER.members] == [member["public"] for member in KNOWN["members"]]
    assert [keys_of(member).public_key for member in range(5)] == list(ROSTER.members)


@pytest.mark.parametrize("vector", vectors(*SHAPES))
def test_bytes_are_taken_or_refused_with_the_same_words(vector: Any) -> None:
    check, content = CHECKS[vector["type"]], bytes.fromhex(vector["bytes"])
    if vector["verdict"] == "accepted":
        check(content)
        return
    with pytest.raises(butterfly.ButterflyError) as raised:
        check(content)
    expected = EXPECTED.get((vector["type"], vector["verdict"]))
    if expected is None:
        assert vector["verdict"] == "placement"
        assert type(raised.value) is butterfly.RosterError
    else:
        assert type(raised.value) is ERRORS[expected["error"]]
        assert raised.value.reason == expected["reason"]


@pytest.mark.parametrize("vector", [one for one in vectors("messages") if one.values[0]["verdict"] == "accepted"])
def test_messages_say_who_says_what(vector: Any) -> None:
    facts = butterfly.read_message(bytes.fromhex(vector["bytes"]))
    assert facts.author == int(vector["bytes"][:2], 16)
    assert vector["name"].startswith(facts.kind)


@pytest.mark.parametrize("vector", vectors("digests"))
def test_digests_are_those_of_their_preimages(vector: Any) -> None:
    assert hashlib.sha256(bytes.fromhex(vector["preimage"])).hexdigest() == vector["digest"]


def said(value: Any) -> Any:
    """A value of a frame as the vectors write it: variants and fields by name, bytes in hex."""
    if isinstance(value, bytes):
        return value.hex() or []
    if isinstance(value, list | tuple):
        return [said(one) for one in value]
    if isinstance(value, Enum):
        return value.name.title().replace("_", "")
    if isinstance(value, values.Sampling):
        return "Greedy" if value.seed is None else {"Seeded": {"seed": value.seed, "temperature": value.temperature}}
    if is_dataclass(value):
        inside = {field.name: said(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, inputs.Input | outputs.Output | timers.Timer):
            return {type(value).__name__: inside} if inside else type(value).__name__
        return inside
    return value


@pytest.mark.parametrize("vector", vectors("frames"))
def test_frames_say_the_same(vector: Any) -> None:
    frame = bytes.fromhex(vector["bytes"])
    if vector["type"] == "inputs":
        if vector["verdict"] != "accepted":
            with pytest.raises(butterfly.MalformedError):
                packed.unpack_inputs(frame)
            with pytest.raises(butterfly.MalformedError) as raised:
                butterfly.Node(ROSTER, keys_of(0), None).step_packed(frame)
            assert raised.value.reason == EXPECTED["envelope", vector["verdict"]]["reason"]
            return
        told = packed.unpack_inputs(frame)
        assert said(told) == vector["value"]
        assert packed.pack_inputs(told) == frame
        assert len(packed.unpack_steps(butterfly.Node(ROSTER, keys_of(0), None).step_packed(frame))) == len(told)
    elif vector["verdict"] == "accepted":
        steps = packed.unpack_steps(frame)
        assert said(steps) == vector["value"]
        assert packed.pack_steps(steps) == frame
    else:
        with pytest.raises(butterfly.MalformedError):
            packed.unpack_steps(frame)
