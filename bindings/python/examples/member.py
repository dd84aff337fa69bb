"""A member of a cluster of `butterfly` nodes, in Python.

    butterfly init --nodes 4 --dir c
    for node in 0 1 2; do butterfly start --dir c --node $node & done
    python examples/member.py c/node-3
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import butterfly


async def main() -> None:
    """Runs the member until it is interrupted, and says what it holds decided."""
    arguments = argparse.ArgumentParser(description="Run a member of a cluster")
    arguments.add_argument("folder", type=Path, help="the member's, as `butterfly init` made it")
    given = arguments.parse_args()
    async with butterfly.NetworkMember(given.folder) as member:
        print(member, flush=True)
        epoch = 1
        while True:
            commit = await member.reached(epoch)
            print(commit, flush=True)
            epoch = commit.epoch + 1


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
