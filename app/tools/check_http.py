"""check_http: does anything answer at a service's addresses, and does its certificate hold? Only addresses that the configuration
names or that the Kubernetes API returned are ever tried."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from app.domain.frozen import JsonObject, iso
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, Reading, answer, read_spec
from app.tools.ingress_backends import ingress_backends
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Query, read
from app.tools.probe import Endpoint, Knock, Way, endpoint_of, knock, routable
from app.tools.tls_probe import Trust

MAX_ENDPOINTS = 12
MAX_PARALLEL = 4
TLS_PORTS = (443, 8443)
# As `LooseName`, and the last slash of a URL: the alert of a prober names what it asked so.
Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.:/]{0,251}[A-Za-z0-9/])?$")]


@dataclass(frozen=True)
class ProbeConfig:
    """`targets` are `host:port` or URLs of http, https or tls that may always be tried; `proxy_url` an HTTP CONNECT proxy;
    `authorities` a PEM file trusted beside those of the system."""

    targets: tuple[str, ...] = ()
    proxy_url: str = ""
    timeout: float = 3.0
    cluster_domain: str = "cluster.local"
    authorities: str = ""


class CheckHttpArguments(Arguments):
    service: Address | None = Field(None, description="Service or Ingress name, or host of a configured target.")
    target: Address | None = Field(None, description="URL or host:port of a configured target.")
    namespace: KubeName | None = Field(None, description="Its namespace.")

    @model_validator(mode="after")
    def _something(self) -> "CheckHttpArguments":
        if not (self.service or self.target):
            raise ValueError("name a service or a target")
        return self


class CheckHttp:
    """Configured targets of that name; every TCP port of the Service of that name, by DNS name and by cluster IP; the hosts of
    Ingresses that are called so or lead to it.

    data: `probes`: [{host, port, scheme, origin, result, stage, detail, http_status, faults, certificate}], `certificate` {subject,
    issuer, notBefore, notAfter, daysLeft, subjectAltName, selfIssued, verified} where TLS was spoken."""

    arguments = CheckHttpArguments
    spec = read_spec(
        "check_http",
        "Try a service's own addresses; certificate dates",
        "http",
        "endpoints",
        CheckHttpArguments,
        provenance=Provenance.UNTRUSTED,
        timeout_seconds=15.0,
        rate_limit="30/minute",
    )

    def __init__(self, config: ProbeConfig, kubernetes: KubernetesClient | None = None) -> None:
        self._config, self._kubernetes = config, kubernetes
        self._targets = tuple(endpoint_of(t) for t in config.targets)

    async def run(self, arguments: CheckHttpArguments, context: ToolContext) -> ToolResult:
        reading, wanted = Reading(), _names(arguments.service) | _names(arguments.target)
        endpoints = [e for e in self._targets if wanted & {e.host, f"{e.host}:{e.port}"} or e.host.startswith(f"{arguments.service}.")]
        if self._kubernetes is not None and arguments.namespace and arguments.service:
            cluster = await read(self._kubernetes, [Query("Service", arguments.namespace), Query("Ingress", arguments.namespace)])
            reading = cluster.reading
            service = next((s for s in cluster.of("Service") if s["metadata"].get("name") in wanted), None)
            endpoints += addresses_of(service, self._config.cluster_domain) if service else []
            endpoints += [e for i in cluster.of("Ingress") for e in _ways_in(i, wanted)]
        endpoints = list(dict.fromkeys(endpoints))
        if len(endpoints) > MAX_ENDPOINTS:
            reading.truncated.append(f"{len(endpoints)} addresses, {MAX_ENDPOINTS} tried")
        if not endpoints:
            none = f"No configured target, no Service and no Ingress called {arguments.service or arguments.target}"
            return answer(self.spec, reading, Findings(ToolStatus.NOT_FOUND, none, data={"probes": []}))
        way = Way(Trust(context.now, self._config.authorities), self._config.timeout, self._config.proxy_url)
        return answer(self.spec, reading, await _try(endpoints[:MAX_ENDPOINTS], way, reading))


async def _try(endpoints: Sequence[Endpoint], way: Way, reading: Reading) -> Findings:
    slots = asyncio.Semaphore(MAX_PARALLEL)

    async def one(endpoint: Endpoint) -> Knock:
        async with slots:
            return await knock(endpoint, way)

    probes = await asyncio.gather(*(one(e) for e in endpoints))
    reading.asked += [f"probe {e}" for e in endpoints]
    closed = [p for p in probes if p.result != "open"]
    said = ", ".join(dict.fromkeys(_briefly(p) for p in closed[:4]))
    summary = f"{len(probes) - len(closed)} of {len(probes)} addresses open" + (f"; {said}" if said else "")
    unknown = all(p.result == "unknown" for p in probes)
    lines = [line for p in probes for line in _lines(p, way)]
    return Findings(ToolStatus.NO_DATA if unknown else ToolStatus.OK, summary, lines, {"probes": [_told(p, way) for p in probes]})


def _briefly(probe: Knock) -> str:
    return f"{probe.endpoint.host}:{probe.endpoint.port} {probe.faults[0] if probe.faults else probe.result}"


def _lines(probe: Knock, way: Way) -> Iterator[str]:
    yield probe.line
    if (sent := probe.certificate) is not None:
        left = sent.days_left(way.trust.now)
        when = f"valid from {iso(sent.not_before)} until {iso(sent.not_after)}, {left} days left"
        names = ", ".join(sent.names) or "none"
        how = ", read without verification" if probe.faults else ""
        yield f"certificate of {probe.endpoint.host}:{probe.endpoint.port}: {when}, subject {sent.subject}, issuer {sent.issuer}, names {names}{how}"


def _told(probe: Knock, way: Way) -> JsonObject:
    at, sent = probe.endpoint, probe.certificate
    told: JsonObject = {"host": at.host, "port": at.port, "scheme": at.scheme, "origin": at.origin, "result": probe.result}
    told |= {"stage": probe.stage, "detail": probe.detail, "http_status": probe.status, "faults": list(probe.faults)}
    return told | ({"certificate": sent.told(way.trust.now) | {"verified": not probe.faults}} if sent else {})


def _names(service: str | None) -> set[str]:
    """What was asked for; of a URL its host, or host and port where it has one."""
    if not service or "://" not in service:
        return {service} if service else set()
    try:
        asked = endpoint_of(service)
    except ValueError:
        return {service}
    return {f"{asked.host}:{asked.port}"} if urlsplit(service).port else {asked.host}


def addresses_of(service: JsonObject, domain: str) -> list[Endpoint]:
    """DNS name and cluster IP with each TCP port; an ExternalName leads anywhere and is left out. TLS is spoken to the name only:
    no certificate is for a cluster IP."""
    spec, meta = service.get("spec", {}), service["metadata"]
    if spec.get("type") == "ExternalName":
        return []
    name, found = f"{meta['name']}.{meta.get('namespace')}.svc.{domain}", []
    for port in spec.get("ports") or ():
        if port.get("protocol", "TCP") == "TCP" and port.get("port"):
            found.append(Endpoint(name, int(port["port"]), "tls" if _speaks_tls(port) else "tcp", origin="service"))
            if routable(spec.get("clusterIP")):
                found.append(Endpoint(spec["clusterIP"], int(port["port"]), origin="service"))
    return found


def _speaks_tls(port: JsonObject) -> bool:
    said = str(port.get("appProtocol") or port.get("name") or "").lower()
    return said.startswith(("https", "tls")) or (not port.get("appProtocol") and port["port"] in TLS_PORTS)


def _ways_in(ingress: JsonObject, wanted: set[str]) -> list[Endpoint]:
    """Hosts of an Ingress: a TLS handshake where it has TLS for them, else only a connection; nothing is sent to a name that
    anyone who may write an Ingress can choose."""
    spec, hosts = ingress.get("spec", {}), [str(r["host"]) for r in ingress.get("spec", {}).get("rules") or () if r.get("host")]
    led = {b["service"] for b in ingress_backends(ingress)} | {str(ingress["metadata"].get("name"))}
    secured = {str(h) for t in spec.get("tls") or () for h in t.get("hosts") or ()}
    everything = any(not t.get("hosts") for t in spec.get("tls") or ())
    found = []
    for host in dict.fromkeys(hosts):
        if "*" not in host and (led & wanted or host in wanted):
            tls = everything or host in secured or f"*.{host.partition('.')[2]}" in secured
            found.append(Endpoint(host, 443 if tls else 80, "tls" if tls else "tcp", origin="ingress"))
    return found
