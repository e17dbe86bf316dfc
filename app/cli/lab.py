"""`sre-agent lab DIR`: a snapshot's servers until interrupted."""

import asyncio
import json
from pathlib import Path

from app.lab.servers import LabServers, Ports
from app.lab.snapshot import load


async def serve_snapshot(directory: Path, port: int) -> None:
    async with LabServers(load(directory), Ports(kubernetes=port)) as lab:
        print(json.dumps(vars(lab.addresses)), flush=True)
        await asyncio.Event().wait()
