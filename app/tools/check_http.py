"""check_http: does anything answer at a service's address? Only addresses that the configuration names or that the
Kubernetes API returned are ever tried."""

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, LooseName, Reading, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Query, read
from app.tools.probe import Endpoint, endpoint_of, knock

MAX_ENDPOINTS = 12
MAX_PARALLEL = 4


@dataclass(frozen=True)
class ProbeConfig:
    """`targets` are `host:port` or http(s) URLs that may always be tried; `proxy_url` an HTTP CONNECT proxy."""

    targets: tuple[str, ...] = ()
    proxy_url: str = ""
    timeout: float = 3.0
    cluster_domain: str = "cluster.local"


class CheckHttpArguments(Arguments):
    service: LooseName = Field(description="Service name, or the host or host:port of a configured target.")
    namespace: KubeName | None = Field(None, description="Namespace of the Service.")


class CheckHttp:
    """Configured targets of that name, and every TCP port of the Service of that name, by DNS name and by cluster IP."""

    arguments = CheckHttpArguments
    spec = read_spec(
        "check_http",
        "Try to connect to a service's own addresses",
        "http",
        "endpoints",
        CheckHttpArguments,
        provenance=Provenance.UNTRUSTED,
        rate_limit="30/minute",
    )

    def __init__(self, config: ProbeConfig, kubernetes: KubernetesClient | None = None) -> None:
        self._config, self._kubernetes = config, kubernetes
        self._targets = tuple(endpoint_of(t) for t in config.targets)

    async def run(self, arguments: CheckHttpArguments, context: ToolContext) -> ToolResult:
        reading, wanted = Reading(), arguments.service
        endpoints = [e for e in self._targets if wanted in (e.host, f"{e.host}:{e.port}") or e.host.startswith(f"{wanted}.")]
        if self._kubernetes is not None and arguments.namespace:
            cluster = await read(self._kubernetes, [Query("Service", arguments.namespace)])
            reading = cluster.reading
            service = next((s for s in cluster.of("Service") if s["metadata"].get("name") == wanted), None)
            endpoints += _addresses(service, self._config.cluster_domain) if service else []
        endpoints = list(dict.fromkeys(endpoints))
        if len(endpoints) > MAX_ENDPOINTS:
            reading.truncated.append(f"{len(endpoints)} addresses, {MAX_ENDPOINTS} tried")
        if not endpoints:
            none = Findings(ToolStatus.NOT_FOUND, f"No configured target and no Service called {wanted}", data={"probes": []})
            return answer(self.spec, reading, none)
        return answer(self.spec, reading, await self._try(endpoints[:MAX_ENDPOINTS], reading))

    async def _try(self, endpoints: Sequence[Endpoint], reading: Reading) -> Findings:
        slots = asyncio.Semaphore(MAX_PARALLEL)

        async def one(endpoint: Endpoint) -> JsonObject:
            async with slots:
                found = await knock(endpoint, self._config.timeout, self._config.proxy_url)
            shown: JsonObject = {"host": endpoint.host, "port": endpoint.port, "scheme": endpoint.scheme}
            return shown | {"result": found.result, "detail": found.detail, "line": found.line}

        probes = await asyncio.gather(*(one(e) for e in endpoints))
        lines = [p.pop("line") for p in probes]
        reading.asked += [f"probe {e}" for e in endpoints]
        closed = [p for p in probes if p["result"] != "open"]
        said = ", ".join(dict.fromkeys(f"{p['host']}:{p['port']} {p['result']}" for p in closed[:4]))
        summary = f"{len(probes) - len(closed)} of {len(probes)} addresses open" + (f"; {said}" if said else "")
        unknown = all(p["result"] == "unknown" for p in probes)
        return Findings(ToolStatus.NO_DATA if unknown else ToolStatus.OK, summary, lines, {"probes": probes})


def _addresses(service: JsonObject, domain: str) -> list[Endpoint]:
    """DNS name and cluster IP with each TCP port; an ExternalName leads anywhere and is left out."""
    spec, meta = service.get("spec", {}), service["metadata"]
    if spec.get("type") == "ExternalName":
        return []
    hosts = [f"{meta['name']}.{meta.get('namespace')}.svc.{domain}", *(ip for ip in [spec.get("clusterIP")] if _routable(ip))]
    ports = [int(p["port"]) for p in spec.get("ports") or () if p.get("protocol", "TCP") == "TCP" and p.get("port")]
    return [Endpoint(host, port) for port in ports for host in hosts]


def _routable(address: str | None) -> bool:
    """A cluster IP that is no trick: not this machine, not a link-local metadata service."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return not (found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast)
