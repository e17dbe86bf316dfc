"""A replica as a process of its own: store, engine and an agent whose calls are lines of a file. Started, and killed, by
the engine's contract suite: `python -m tests.contract.replica URL FILE EXECUTOR STALL ALERTS`.

It accepts so many alerts, prints `up` and the ids of their investigations, and runs until it is told to end. Call number
STALL never returns.
"""

import asyncio
import os
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from app.runtime.dbos_engine import DbosEngine, EngineOptions
from app.runtime.identity import Identity
from app.runtime.reaper import Reaper
from app.runtime.service import Service
from app.runtime.upkeep import Upkeep
from app.runtime.workflows import Runner
from tests.contract.parts import Parts, WritingAgent


def clock() -> datetime:
    return datetime.now(UTC)


QUICK = EngineOptions(poll_s=0.05)


class Replica:
    """Everything of `runtime`, wired as `main` wires it."""

    def __init__(self, parts: Parts, agent: WritingAgent, executor_id: str, options: EngineOptions = QUICK) -> None:
        self.parts = parts
        runner = Runner(agent, parts.investigations, parts.journal, lambda investigation, report: ())
        self.engine = DbosEngine(parts.url, executor_id, runner, parts.investigations, parts.continuations, options)
        self.us = Identity(executor_id, socket.gethostname(), os.getpid())
        self.reaper = Reaper(parts.replicas, self.engine, parts.investigations, self.us, parts.clock)
        self.upkeep = Upkeep(parts.retention, self.engine, parts.clock)
        self.service = Service(self.engine, self.reaper, self.upkeep)
        parts.enqueue = self.engine.enqueue


async def main(url: str, file: Path, executor_id: str, stall: int, alerts: int) -> None:
    async def around(number: int) -> None:
        if number == stall:
            await asyncio.Event().wait()

    parts = Parts(url, clock=clock).open()
    replica = Replica(parts, WritingAgent(file, around=around), executor_id)
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await replica.service.start()
    print("up", *[await parts.investigation() for _ in range(alerts)], flush=True)
    await end.wait()
    await replica.service.stop()
    await parts.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
