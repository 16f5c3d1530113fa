"""A process that appends until it is killed, and prints each acknowledged batch.

Run it as ``python -m tests.projects.appender URL NAME``: 20 tasks send batches of three events. The line of a batch
holds its ids and its number.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from vibe_notebook.exceptions import LogError
from vibe_notebook.projects import ProjectEventStream


async def main(url: str, name: str) -> None:
    stream = ProjectEventStream(url)
    numbers = itertools.count()

    async def send() -> None:
        while True:
            number = next(numbers)
            batch = [("note", {"from": name, "batch": number, "part": part}) for part in range(3)]
            ids = await stream.send_events("p", batch)
            os.write(1, f"{' '.join(ids)} {number}\n".encode())

    try:
        await asyncio.gather(*(send() for _ in range(20)))
    except LogError as error:
        os.write(1, f"lost {error}\n".encode())
        os._exit(3)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
