"""A cluster in one process: what it agrees on, and how it ends."""

from __future__ import annotations

import asyncio
import threading

import pytest

import butterfly

from .conftest import alone, summing

STAGES = 4


async def test_four_members_agree_on_functions_and_blame_the_liar() -> None:
    async with butterfly.LocalCluster(4, [summing] * STAGES, liars=[2]) as cluster:
        answer = await cluster.submit([1, 2, 3], tokens=8)
        assert answer.tokens == alone(STAGES, b"\1\2\3", 8)
        proof = cluster.roster.verify_proof(answer.proof)
        assert (proof.prompt, proof.tokens) == (b"\1\2\3", answer.tokens)
        first = await cluster.blame(2)
        assert {blame.accused for blame in cluster.blamed} == {2} and first in cluster.blamed
        for blame in cluster.blamed:
            evidence = cluster.roster.verify_evidence(blame.evidence)
            assert (evidence.accused, evidence.fault) == (2, butterfly.Fault.ATTESTATION)


async def test_nobody_is_blamed_when_nobody_lies() -> None:
    async with butterfly.LocalCluster(4, [summing] * STAGES) as cluster:
        for count in range(1, 4):
            answer = await cluster.submit(bytes([count]), tokens=5)
            assert answer.tokens == alone(STAGES, bytes([count]), 5)
        assert cluster.blamed == ()
        with pytest.raises(butterfly.BlockedError):
            await cluster.blame(1, patience=0.1)


async def test_the_transformer_says_what_one_machine_says() -> None:
    model = butterfly.transformer_model(4)
    async with butterfly.LocalCluster(
        4, lambda member: [butterfly.Transformer() for _ in range(4)], model=model
    ) as cluster:
        answer = await cluster.submit(butterfly.tokens_of_text("Return the "), tokens=12)
    machine = [butterfly.Transformer() for _ in range(4)]
    text = [bytes([token]) for token in butterfly.tokens_of_text("Return the ")]
    for token in answer.tokens:
        signals = text
        for stage in range(4):
            tasks = [
                butterfly.Task(0, stage, bytes([1, 2, 3, 4]), tuple(signals[: at + 1]), butterfly.GREEDY)
                for at in range(len(signals))
            ]
            signals = [machine[stage](task) for task in tasks]
        assert signals[-1] == bytes([token])
        text.append(signals[-1])


async def test_a_coroutine_function_is_a_stage_as_well() -> None:
    async def slowly(task: butterfly.Task) -> bytes:
        await asyncio.sleep(0)
        return summing(task)

    async with butterfly.LocalCluster(4, [summing, slowly]) as cluster:
        answer = await cluster.submit(b"\5", tokens=3)
        assert answer.tokens == alone(2, b"\5", 3)


async def test_stages_that_raise_are_told_to_whoever_asked() -> None:
    def broken(task: butterfly.Task) -> bytes:
        raise ZeroDivisionError("no")

    async with butterfly.LocalCluster(4, [broken]) as cluster:
        with pytest.raises(butterfly.StageError) as raised:
            await cluster.submit(b"\1", tokens=1)
        assert isinstance(raised.value.__cause__, ZeroDivisionError)


async def test_one_member_whose_stage_raises_is_made_up_for() -> None:
    def of(member: int) -> list[butterfly.StageFunction]:
        def broken(task: butterfly.Task) -> bytes:
            raise RuntimeError("only here")

        return [broken if member == 1 else summing] * STAGES

    async with butterfly.LocalCluster(4, of) as cluster:
        answer = await cluster.submit(b"\7", tokens=4)
        assert answer.tokens == alone(STAGES, b"\7", 4)
        assert cluster.members[1].failures
        assert cluster.blamed == ()


@pytest.mark.parametrize("output", [None, "text", 7])
async def test_what_is_no_output_is_a_stage_error(output: object) -> None:
    async with butterfly.LocalCluster(1, [lambda task: output]) as cluster:  # type: ignore[list-item,return-value]
        with pytest.raises(butterfly.StageError, match="an output is bytes"):
            await cluster.submit(b"\1", tokens=1)


async def test_a_request_that_is_cancelled_is_finished_before_the_next() -> None:
    gate = threading.Event()

    def waiting(task: butterfly.Task) -> bytes:
        gate.wait(30)
        return summing(task)

    async with butterfly.LocalCluster(4, [waiting]) as cluster:
        # More than a client may have open at once.
        for _ in range(8):
            cancelled = asyncio.create_task(cluster.submit(b"\1", tokens=2))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
        gate.set()
        answer = await cluster.submit(b"\2", tokens=2, patience=5)
        assert answer.tokens == alone(1, b"\2", 2)
        assert cluster.roster.verify_proof(answer.proof).sequence == 2


async def test_requests_at_once_are_worked_on_in_turn() -> None:
    async with butterfly.LocalCluster(4, [summing]) as cluster:
        answers = await asyncio.gather(*(cluster.submit(bytes([at]), tokens=2) for at in range(1, 6)))
        assert [answer.tokens for answer in answers] == [alone(1, bytes([at]), 2) for at in range(1, 6)]


async def test_a_cluster_that_is_closed_says_so() -> None:
    cluster = butterfly.LocalCluster(4, [summing])
    with pytest.raises(butterfly.ClosedError):
        await cluster.submit(b"\1", tokens=1)
    async with cluster:
        pass
    with pytest.raises(butterfly.ClosedError):
        await cluster.submit(b"\1", tokens=1)
    with pytest.raises(butterfly.ClosedError):
        await cluster.__aenter__()


async def test_closing_ends_a_request_that_waits() -> None:
    gate = threading.Event()

    def waiting(task: butterfly.Task) -> bytes:
        gate.wait(30)
        return summing(task)

    try:
        async with butterfly.LocalCluster(4, [waiting]) as cluster:
            waits = asyncio.create_task(cluster.submit(b"\1", tokens=2))
            await asyncio.sleep(0)
        with pytest.raises(butterfly.ClosedError):
            await waits
    finally:
        gate.set()


async def test_too_patient_is_not_for_ever() -> None:
    async with butterfly.LocalCluster(4, [summing], liars=[0, 1, 2, 3]) as cluster:
        with pytest.raises(butterfly.BlockedError):
            await cluster.submit(b"\1", tokens=2, patience=0.5)


def test_a_cluster_belongs_to_one_event_loop() -> None:
    cluster = butterfly.LocalCluster(4, [summing])

    async def enter() -> None:
        await cluster.__aenter__()

    async def ask() -> None:
        with pytest.raises(RuntimeError, match="event loop"):
            await cluster.submit(b"\1", tokens=1)

    with asyncio.Runner() as one, asyncio.Runner() as other:
        one.run(enter())
        other.run(ask())
        one.run(cluster.close())


def test_two_clusters_on_two_event_loops_do_not_mind_each_other() -> None:
    answers: dict[int, bytes] = {}

    def live(prompt: int) -> None:
        async def main() -> None:
            async with butterfly.LocalCluster(4, [summing]) as cluster:
                answers[prompt] = (await cluster.submit(bytes([prompt]), tokens=3)).tokens

        asyncio.run(main())

    threads = [threading.Thread(target=live, args=(prompt,)) for prompt in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {prompt: alone(1, bytes([prompt]), 3) for prompt in (1, 2)}


@pytest.mark.parametrize(
    ("members", "arguments"),
    [(0, {}), (17, {}), (4, {"liars": [4]}), (4, {"model": butterfly.Model(stages=9)})],
)
def test_a_cluster_that_cannot_be_is_refused(members: int, arguments: dict[str, object]) -> None:
    with pytest.raises(butterfly.RosterError):
        butterfly.LocalCluster(members, [summing], **arguments)  # type: ignore[arg-type]
