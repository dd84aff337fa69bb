"""Four members in one asyncio program agree on the results of Python functions; one of them lies.

    python examples/local_cluster.py
"""

from __future__ import annotations

import asyncio

import butterfly

PRIMES = [prime for prime in range(2, 96) if all(prime % small for small in range(2, prime))]


def weigh(task: butterfly.Task) -> bytes:
    """The first stage: a number made of all tokens so far."""
    weight = sum(PRIMES[at % len(PRIMES)] * (given[0] + 1) for at, given in enumerate(task.inputs))
    return weight.to_bytes(4, "big")


async def choose(task: butterfly.Task) -> bytes:
    """The last stage: the next token. A coroutine function may wait for whatever it needs."""
    await asyncio.sleep(0)
    return bytes([int.from_bytes(task.inputs[-1], "big") % 96])


async def main() -> None:
    """Submits two requests and prints what can be proven of them."""
    async with butterfly.LocalCluster(4, [weigh, choose], liars=[3]) as cluster:
        print(cluster.roster)
        for prompt in ([1, 2, 3], [4, 5]):
            answer = await cluster.submit(prompt, tokens=8)
            proof = cluster.roster.verify_proof(answer.proof)
            print(f"{list(prompt)} -> {list(proof.tokens)}: {len(answer.proof)} bytes, signed by {set(proof.signers)}")
        blame = await cluster.blame(3)
        evidence = cluster.roster.verify_evidence(blame.evidence)
        print(f"proven: member {evidence.accused} is faulty ({evidence.fault.name.lower()})")


if __name__ == "__main__":
    asyncio.run(main())
