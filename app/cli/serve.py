"""`sre-agent serve`: the address first, then the parts, then requests until a signal; stopped in reverse order.

uvicorn's own way is not enough: it ends the process by the signal it got, lets callers that wait for a report run into
an error, and tells a start that fails as a trace.
"""

import asyncio
import contextlib
import ctypes
import signal
import socket
from collections.abc import Iterator

import structlog
import uvicorn

from app.cli.plainly import plainly
from app.domain.errors import CannotStart
from app.domain.redaction import redact
from app.main import Application, build
from app.settings import Settings, variable
from app.telemetry.logs import set_up_logs

GRACE_SECONDS = 5  # for requests that are being answered; who waits for a report is answered at once
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h
log = structlog.get_logger()


def run_service(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT: exit code 0. Running investigations go on at the next start."""
    set_up_logs(settings.log_level, redact)
    _few_arenas()
    with plainly("start"), bound(settings.host, settings.port) as listening:
        port = listening.getsockname()[1]
        application = build(settings.model_copy(update={"port": port}))
        config = uvicorn.Config(application.http, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS, lifespan="off")
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(application, _Server(config), listening))


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """The address is ours before anything else is touched; nobody can connect until the service is ready."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise CannotStart(f"{variable('host')}={host} is no address: {error.strerror or error}") from error
    with socket.socket(family, kind, protocol) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as error:
            fix = f"end the other program, or set {variable('port')} (or --port), or {variable('host')}"
            raise CannotStart(f"{host}:{port} cannot be listened on: {error.strerror}; {fix}") from error
        yield listening


def _few_arenas() -> None:
    """glibc gives every thread an arena and raises its thresholds as it goes: with our thirty threads and the model's large
    buffers that keeps 60 MB (benchmarks/footprint.py). Other C libraries have no such call."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_MMAP_THRESHOLD, 256 * 1024)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours."""
        yield


async def _serve(application: Application, server: _Server, listening: socket.socket) -> None:
    serving = asyncio.ensure_future(_start_and_serve(application, server, listening))

    def leave() -> None:
        """Again: no more grace."""
        log.info("service_stopping", at_once=server.should_exit)
        server.force_exit = server.should_exit
        server.should_exit = True
        application.engine.let_go()  # whoever waits for a report is told where it will be
        if not server.started:
            serving.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await serving
    finally:
        await application.stop()
    log.info("service_stopped")


async def _start_and_serve(application: Application, server: _Server, listening: socket.socket) -> None:
    await application.start()
    await server.serve([listening])
