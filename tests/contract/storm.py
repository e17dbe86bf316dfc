"""A replica that accepts body after body, each re-sending ten of sixty firing alerts, while it investigates them; what was
acknowledged is a line of a file. Killed by the storm test: `python -m tests.contract.storm URL CALLS ACKNOWLEDGED`.
"""

import asyncio
import sys
from pathlib import Path

from tests.contract.parts import Parts, WritingAgent, firing
from tests.contract.replica import Replica, clock

PRINTS = [f"f{number}" for number in range(60)]


async def main(url: str, calls: Path, acknowledged: Path) -> None:
    async def around(number: int) -> None:
        await asyncio.sleep(0.02)

    parts = Parts(url, clock=clock).open()
    replica = Replica(parts, WritingAgent(calls, around=around), "storm")
    await replica.service.start()
    number = 0
    with acknowledged.open("a", buffering=1) as file:
        while True:
            accepted = await parts.send(*(firing(PRINTS[(number + i) % 60]) for i in range(10)))
            file.write(accepted.body_id + "\n")
            number += 5
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
