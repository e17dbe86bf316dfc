"""All servers of one world, on loopback, in this process: started by tests, `lab`, `demo` and `evaluate`."""

import asyncio
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.lab.alertmanager_server import AlertmanagerApp
from app.lab.connect_proxy import ConnectProxy
from app.lab.faults import TRANSPORT, Faults, FaultyApp
from app.lab.kubernetes.server import KubernetesApp
from app.lab.loki_server import LokiApp
from app.lab.prometheus_server import PrometheusApp
from app.lab.snapshot import World


@dataclass(frozen=True)
class Addresses:
    """Base URLs of the servers."""

    kubernetes: str
    prometheus: str
    loki: str
    proxy: str
    alertmanager: str = ""


@dataclass(frozen=True)
class Ports:
    """Ports to listen on; 0 takes a free one."""

    kubernetes: int = 0
    prometheus: int = 0
    loki: int = 0
    proxy: int = 0
    alertmanager: int = 0


@dataclass
class LabFaults:
    """Faults of each HTTP server; empty ones do nothing."""

    kubernetes: Faults = field(default_factory=Faults)
    prometheus: Faults = field(default_factory=Faults)
    loki: Faults = field(default_factory=Faults)
    alertmanager: Faults = field(default_factory=Faults)


class _Protocol(HttpToolsProtocol):
    """Shows the transport to `faults`, which must be able to cut a connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]


class LabServers:
    """`async with LabServers(world) as lab: lab.addresses`. `show` changes the world without a restart."""

    def __init__(self, world: World, ports: Ports | None = None, faults: LabFaults | None = None) -> None:
        self.world = world
        self.faults = faults or LabFaults()
        self._ports = ports or Ports()
        self._kubernetes, self._prometheus = KubernetesApp(world), PrometheusApp(world)
        self._loki, self._alertmanager, self._proxy = LokiApp(world), AlertmanagerApp(world), ConnectProxy(world)
        self._running: list[uvicorn.Server] = []
        self._proxy_server: asyncio.Server | None = None
        self.addresses = Addresses("", "", "", "")

    def show(self, world: World) -> None:
        """Answer for another world from now on."""
        self.world = world
        for part in (self._kubernetes, self._prometheus, self._loki, self._alertmanager, self._proxy):
            part.show(world)

    async def __aenter__(self) -> "LabServers":
        try:
            self._proxy_server = await self._proxy.start(self._ports.proxy)
            proxy_port = self._proxy_server.sockets[0].getsockname()[1]
            self.addresses = Addresses(
                await self._serve(self._kubernetes, self.faults.kubernetes, self._ports.kubernetes),
                await self._serve(self._prometheus, self.faults.prometheus, self._ports.prometheus),
                await self._serve(self._loki, self.faults.loki, self._ports.loki),
                f"http://127.0.0.1:{proxy_port}",
                await self._serve(self._alertmanager, self.faults.alertmanager, self._ports.alertmanager),
            )
        except OSError:
            await self._stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stop()

    async def _serve(self, app: ASGIApp, faults: Faults, port: int) -> str:
        listener = _listener(port)
        config = uvicorn.Config(
            FaultyApp(app, faults),
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        self._running.append(server)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def _stop(self) -> None:
        if self._proxy_server is not None:
            self._proxy_server.close()
            await self._proxy.close()
        await asyncio.gather(*(_shut(server) for server in self._running))
        self._running.clear()


def _listener(port: int) -> socket.socket:
    """With the protocol named: asyncio switches Nagle's delay off only for sockets that say they are TCP."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    listener.listen(128)
    return listener


async def _shut(server: uvicorn.Server) -> None:
    """uvicorn's own shutdown waits in steps of 0.1 s; hanging answers are cut off instead."""
    for listener in server.servers:
        listener.close()
    for task in tuple(server.server_state.tasks):
        task.cancel()
    for connection in tuple(server.server_state.connections):
        connection.shutdown()
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
    for connection in tuple(server.server_state.connections):
        connection.transport.abort()


def write_kubeconfig(path: Path, kubernetes: str) -> None:
    """A kubeconfig for the lab's API server (kubeconfigs may be JSON)."""
    cluster = {"name": "lab", "cluster": {"server": kubernetes}}
    context = {"name": "lab", "context": {"cluster": "lab", "user": "lab", "namespace": "default"}}
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "users": [{"name": "lab", "user": {}}]}
    path.write_text(json.dumps(config | {"current-context": "lab"}, indent=1), encoding="utf-8")
