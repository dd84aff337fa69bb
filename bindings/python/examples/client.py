"""A client of a running cluster of `butterfly` nodes, which believes none of them.

    butterfly init --nodes 4 --dir c && butterfly start --dir c --all     in another terminal
    python examples/client.py c/client-0 "Return the "
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import butterfly


async def main() -> None:
    """Asks how the nodes stand, submits a prompt, and checks the proof."""
    arguments = argparse.ArgumentParser(description="Submit a prompt to a cluster, and check what it answers")
    arguments.add_argument("folder", type=Path, help="the client's, as `butterfly init` made it")
    arguments.add_argument("prompt")
    arguments.add_argument("--tokens", type=int, default=32)
    arguments.add_argument("--proof", type=Path, help="write a file that `butterfly verify` can check")
    given = arguments.parse_args()
    client = butterfly.Client(given.folder)
    for number, standing in (await client.standings()).items():
        print(f"node {number}: {standing}")
    answer = await client.submit(given.prompt, given.tokens)
    proof = client.roster.verify_proof(answer.proof)
    print(given.prompt + butterfly.text_of_tokens(proof.tokens))
    print(f"epochs {proof.first_epoch} to {proof.last_epoch}, {len(answer.proof)} bytes prove it")
    if given.proof is not None:
        given.proof.write_bytes(butterfly.write_proof(client.roster, answer.proof))


if __name__ == "__main__":
    asyncio.run(main())
