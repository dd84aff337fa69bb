"""Ray actors as stage workers: each member hands its stages to an actor of its own.

    pip install 'butterfly[ray]' && python examples/ray_workers.py

Only values cross to the actors: tasks and outputs. Nodes, keys and rosters stay
in this process; whatever an actor raises comes back as it was.
"""

from __future__ import annotations

import asyncio
from typing import Any

import ray

import butterfly


class Worker:
    """Runs the stages of one member."""

    def __init__(self, stages: int) -> None:
        self._stages = [butterfly.Transformer() for _ in range(stages)]

    def run(self, task: butterfly.Task) -> bytes:
        """What comes out of a stage."""
        return self._stages[task.stage](task)


def stages_of(worker: Any, stages: int) -> list[butterfly.StageFunction]:
    """Stage functions that ask `worker`."""

    async def ask(task: butterfly.Task) -> bytes:
        output: bytes = await worker.run.remote(task)
        return output

    return [ask] * stages


async def main() -> None:
    """Four members with an actor each continue a text; one of them lies."""
    model = butterfly.transformer_model(4)
    actor: Any = ray.remote(Worker)
    workers = [actor.remote(model.stages) for _ in range(4)]
    cluster = butterfly.LocalCluster(
        4, lambda member: stages_of(workers[member], model.stages), model=model, liars=[1]
    )
    async with cluster:
        answer = await cluster.submit(butterfly.tokens_of_text("Return the "), tokens=24, patience=120)
        proof = cluster.roster.verify_proof(answer.proof)
        print("Return the " + butterfly.text_of_tokens(proof.tokens))
        print(f"blamed: {cluster.blamed}")


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False)
    try:
        asyncio.run(main())
    finally:
        ray.shutdown()
