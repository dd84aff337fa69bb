"""Ray: actors as stage workers, and what crosses to them."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import butterfly

from .conftest import alone, summing

with warnings.catch_warnings():
    # Ray's own imports warn.
    warnings.simplefilter("ignore")
    import ray

pytestmark = [pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def actors() -> Iterator[Any]:
    begin(attempts=3)
    try:
        yield ray.remote(Worker)
    finally:
        ray.shutdown()


def begin(attempts: int) -> None:
    """Begins Ray, which gives itself 30 seconds and no more: on a busy machine it takes longer."""
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except Exception:
        ray.shutdown()
        if attempts == 1:
            raise
        begin(attempts - 1)


class Worker:
    """Runs stages elsewhere."""

    def run(self, task: butterfly.Task) -> bytes:
        return summing(task)

    def refuse(self) -> None:
        butterfly.Roster(b"garbage")

    def wrap(self, keys: bytes) -> str:
        """A handle is made and used inside the actor."""
        return repr(butterfly.Keys(keys, bytes(32)))

    async def agree(self) -> bytes:
        """A whole cluster inside an actor."""
        async with butterfly.LocalCluster(4, [summing]) as cluster:
            return (await cluster.submit(b"\1", tokens=3)).tokens


async def test_actors_run_the_stages_of_members(actors: Any) -> None:
    workers = [actors.remote() for _ in range(4)]

    def of(member: int) -> list[butterfly.StageFunction]:
        async def ask(task: butterfly.Task) -> bytes:
            output: bytes = await workers[member].run.remote(task)
            return output

        return [ask] * 4

    async with butterfly.LocalCluster(4, of, liars=[3]) as cluster:
        # An actor that is slow to begin says nothing in time, and a lie that nobody hears is no lie.
        for _ in range(20):
            answer = await cluster.submit(b"\1\2", tokens=4, patience=120)
            assert answer.tokens == alone(4, b"\1\2", 4)
            if cluster.blamed:
                break
        assert {blame.accused for blame in cluster.blamed} == {3}


def test_what_an_actor_raises_comes_back_as_it_was(actors: Any) -> None:
    with pytest.raises(butterfly.MalformedError) as raised:
        ray.get(actors.remote().refuse.remote())
    assert raised.value.reason == "the bytes are not a value of this type"


def test_a_pointer_does_not_cross(actors: Any) -> None:
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        ray.put(butterfly.Keys.generate())
    shown: Any = ray.get(actors.remote().wrap.remote(bytes([1]) * 32))
    assert shown.startswith("Keys(")


async def test_an_actor_may_hold_a_whole_cluster(actors: Any) -> None:
    assert await asyncio.wrap_future(actors.remote().agree.remote().future()) == alone(1, b"\1", 3)
