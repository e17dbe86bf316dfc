"""`sre-agent demo`: a service and the lab in this process, alerts as a real Alertmanager would send them, verdicts."""

import asyncio
import contextlib
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from rich.console import Console

from app.cli.lab_service import lab_settings
from app.domain.redaction import redact
from app.lab.demo import Told, play, prepare, reports_json, show_addresses
from app.lab.servers import LabServers
from app.main import build
from app.settings import Settings
from app.telemetry.logs import set_up_logs

PATIENCE_SECONDS = 35.0


async def demonstrate(exit_: bool, as_json: bool) -> int:
    """Exit code: 0 when every investigation ended. Stays up until interrupted unless `exit_`."""
    set_up_logs("ERROR", redact)
    console = Console(stderr=True)
    world, plays = prepare(datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="sre-agent-demo-") as folder:
        async with LabServers(world) as lab:
            settings = lab_settings(lab.addresses, Path(folder), world.dependencies, log_level="ERROR", port=_port())
            async with serving(settings) as service:
                base_url = f"http://{settings.host}:{settings.port}"
                told = await play(base_url, plays, console, PATIENCE_SECONDS)
                _conclude(told, console)
                show_addresses(console, base_url, lab.addresses)
                if as_json:
                    print(reports_json(told))
                    sys.stdout.flush()
                if not exit_:
                    console.print("\nUp until Ctrl-C.")
                    await asyncio.wait({service})
    return 1 if told.unfinished else 0


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """The service in this loop; ready at the beginning of the block, stopped in order at its end. The task ends by Ctrl-C."""
    config = uvicorn.Config(build(settings).http, host=settings.host, port=settings.port, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(), name="service")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        if task.done():
            raise SystemExit(1)
        yield task
    finally:
        server.should_exit = True
        await task


def _conclude(told: Told, console: Console) -> None:
    first = f"first verdict after {told.first_verdict_s:.1f} s" if told.first_verdict_s is not None else "no verdict"
    console.print(f"\n[bold]{len(told.reports)} verdicts[/], {first}")
    for investigation_id in told.unfinished:
        console.print(f"[red]not finished[/]: {investigation_id}")


def _port() -> int:
    """The usual one, or a free one where that is taken."""
    for port in (Settings.model_fields["port"].get_default(), 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise SystemExit("no port is free on 127.0.0.1")
