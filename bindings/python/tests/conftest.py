"""What tests share."""

from __future__ import annotations

import pytest

import butterfly


def summing(task: butterfly.Task) -> bytes:
    """A stage for any place: it depends on all inputs."""
    return bytes([sum((at + 1) * given[0] for at, given in enumerate(task.inputs)) % 96])


def alone(stages: int, prompt: bytes, tokens: int) -> bytes:
    """What one machine finds with `summing` in every stage."""
    text = list(prompt)
    while len(text) < len(prompt) + tokens:
        signals = [bytes([token]) for token in text]
        for stage in range(stages):
            signals = [
                summing(butterfly.Task(0, stage, b"", tuple(signals[:upto]), butterfly.GREEDY))
                for upto in range(1, len(signals) + 1)
            ]
        text.append(signals[-1][0])
    return bytes(text[len(prompt) :])


@pytest.fixture
def keys() -> list[butterfly.Keys]:
    """Keys of four members."""
    return [butterfly.Keys.generate() for _ in range(4)]


@pytest.fixture
def client_keys() -> butterfly.Keys:
    """Keys of a client."""
    return butterfly.Keys.generate()


@pytest.fixture
def roster(keys: list[butterfly.Keys], client_keys: butterfly.Keys) -> butterfly.Roster:
    """A roster of four members and a client, whose model has two stages."""
    model = butterfly.Model(layers=2, stages=2)
    return butterfly.Roster.found([one.public_key for one in keys], [client_keys.public_key], model)


@pytest.fixture
def node(roster: butterfly.Roster, keys: list[butterfly.Keys]) -> butterfly.Node:
    """A node that has begun."""
    node = butterfly.Node(roster, keys[0], roster.first_record(0))
    node.start()
    return node
