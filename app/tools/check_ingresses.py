"""check_ingresses: Ingresses, Gateways and HTTPRoutes of a namespace: does each way in lead to a ready pod?"""

from collections.abc import Sequence

from pydantic import Field, model_validator

from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.ingress_backends import Shelf, backend_line, followed, ingress_backends, route_backends, title
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster, Query, read
from app.tools.pod_text import condition_line

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
OLD_CLASS = "kubernetes.io/ingress.class"  # annotation from before ingressClassName


class CheckIngressesArguments(Arguments):
    namespace: KubeName | None = Field(None, description="Namespace to look in; without it, that of the ways in for the host.")
    service: LooseName | None = Field(None, description="Only what leads to the Service of this name.")
    host: LooseName | None = Field(None, description="Only ways in for this host name, as a client asks for it.")

    @model_validator(mode="after")
    def _narrowed(self) -> "CheckIngressesArguments":
        if not self.namespace and not self.host:
            raise ValueError("name a namespace or a host")
        return self


class CheckIngresses:
    """Certificates lie in Secrets, which are named and never read.

    data: `ingresses`, `gateways`, `httproutes`: objects; `ingressclasses`: names; `backends`: [{object, host, path, service,
    namespace, port, service_exists, port_exists, ready, not_ready, problem}], None where it is not known; `problems`: [text].
    """

    arguments = CheckIngressesArguments
    spec = read_spec("check_ingresses", "Ingresses and gateways: class, backends, TLS, addresses", "kubernetes", "ingresses", CheckIngressesArguments)

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckIngressesArguments, context: ToolContext) -> ToolResult:
        wanted, host = arguments.service or "", arguments.host or ""
        space = arguments.namespace or await self._home(host)
        if not space:
            asked = await read(self._client, [Query("Ingress"), Query("HTTPRoute", optional=True)])
            return answer(self.spec, asked.reading, Findings(ToolStatus.NO_DATA, f"No ingress for host {host}", data=_data([], asked, [], [])))
        queries = [Query(k, space) for k in ("Ingress", "Service", "EndpointSlice")]
        queries += [Query("IngressClass"), *(Query(k, space, optional=True) for k in ("Gateway", "HTTPRoute"))]
        cluster = await read(self._client, queries)
        if cluster.denied("Ingress") and not cluster.readable("HTTPRoute"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read ingresses in {space}"))
        entries = [(i, [*ingress_backends(i)]) for i in cluster.of("Ingress")] + [(r, [*route_backends(r)]) for r in cluster.of("HTTPRoute")]
        entries = [(i, backends) for i, backends in entries if not wanted or any(b["service"] == wanted for b in backends)]
        entries = [(i, backends) for i, backends in entries if not host or any(is_for(host, str(b["host"])) for b in backends)]
        gateways = cluster.of("Gateway")
        if not entries and (wanted or not gateways):
            status = ToolStatus.NOT_FOUND if wanted else ToolStatus.NO_DATA
            to = f" to service {wanted}" if wanted else ""
            return answer(self.spec, cluster.reading, Findings(status, f"No ingress{to} in {space}", data=_data([], cluster, [], [])))
        return answer(self.spec, cluster.reading, _findings(cluster, entries, gateways))

    async def _home(self, host: str) -> str:
        """The namespace of the first Ingress or route for a host; "" if there is none that may be read."""
        cluster = await read(self._client, [Query("Ingress"), Query("HTTPRoute", optional=True)])
        entries = [(i, ingress_backends(i)) for i in cluster.of("Ingress")] + [(r, route_backends(r)) for r in cluster.of("HTTPRoute")]
        return next((str(i["metadata"].get("namespace", "")) for i, rows in entries if any(is_for(host, str(b["host"])) for b in rows)), "")


def is_for(host: str, hosts: str) -> bool:
    """Is a host name among those of a rule, each whole or `*.domain`? A rule without hosts is for none in particular."""
    named = [h.strip() for h in hosts.split(",")]
    return host in named or any(h.startswith("*.") and host.partition(".")[2] == h[2:] for h in named)


def _findings(cluster: Cluster, entries: Sequence[tuple[JsonObject, list[JsonObject]]], gateways: Sequence[JsonObject]) -> Findings:
    shelf = Shelf(*(cluster.of(kind) if cluster.readable(kind) else None for kind in ("Service", "EndpointSlice")))
    classes = cluster.of("IngressClass") if cluster.readable("IngressClass") else None
    rows: list[JsonObject] = []
    lines: list[str] = []
    problems: list[str] = []
    for item, backends in entries:
        found = [followed(item, b, shelf) for b in backends]
        rows += found
        lines += [backend_line(item, row) for row in found]
        problems += [f"{title(item)}: {row['problem']}" for row in found if row["problem"]]
        if item["kind"] == "Ingress":
            said, wrong = class_line(item, classes)
            lines += [said, *tls_lines(item), _addresses(item)]
            problems += [said] if wrong else []
        else:
            lines += route_lines(item)
            problems += [line for line in route_lines(item) if "=False" in line]
    for gateway in gateways:
        lines += gateway_lines(gateway)
        problems += [line for line in gateway_lines(gateway) if "Accepted=False" in line or "Programmed=False" in line]
    tail = f"{len(problems)} problems: {problems[0]}" if problems else "every backend that is known has ready endpoints"
    summary = f"Found {len(entries)} ingresses and routes, {len(gateways)} gateways: {tail}"
    return Findings(ToolStatus.OK, summary, lines, _data([i for i, _ in entries], cluster, rows, problems))


def _data(items: Sequence[JsonObject], cluster: Cluster, rows: Sequence[JsonObject], problems: Sequence[str]) -> JsonObject:
    return {
        "ingresses": [i for i in items if i["kind"] == "Ingress"],
        "httproutes": [i for i in items if i["kind"] == "HTTPRoute"],
        "gateways": cluster.of("Gateway"),
        "ingressclasses": [c["metadata"]["name"] for c in cluster.of("IngressClass")],
        "backends": [*rows],
        "problems": [*dict.fromkeys(problems)],
    }


def class_line(ingress: JsonObject, classes: Sequence[JsonObject] | None) -> tuple[str, bool]:
    """(what is said of the class, whether it is wrong); `classes` None: they could not be read."""
    name = title(ingress)
    said = ingress.get("spec", {}).get("ingressClassName") or (ingress["metadata"].get("annotations") or {}).get(OLD_CLASS)
    if classes is None:
        return f"{name}: class {said or '(default)'}, classes could not be read", False
    there = {c["metadata"]["name"]: str(c.get("spec", {}).get("controller", "unknown")) for c in classes}
    have = ", ".join(sorted(there)) or "none"
    if said:
        by_annotation = not ingress.get("spec", {}).get("ingressClassName")
        if said in there:
            return f"{name}: class {said} exists, controller {there[said]}", False
        if by_annotation:  # old controllers look at nothing but the annotation
            return f"{name}: class {said} by annotation, no ingressclass of that name; there are {have}", False
        return f"{name}: class {said} does not exist; there are {have}", True
    default = [c["metadata"]["name"] for c in classes if (c["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"]
    if default:
        return f"{name}: no class given, default is {default[0]}", False
    return f"{name}: no class given and no ingressclass is the default; there are {have}", True


def tls_lines(ingress: JsonObject) -> list[str]:
    """Hosts and the Secret that holds their certificate, and hosts that no certificate is for."""
    name, entries = title(ingress), ingress.get("spec", {}).get("tls") or ()
    lines = [
        f"{name}: tls hosts {', '.join(t.get('hosts') or ()) or '(all)'}, secret {t.get('secretName') or '(none named)'} (Secrets are not read)"
        for t in entries
    ]
    covered = {host for t in entries for host in t.get("hosts") or ()}
    hosts = {str(r["host"]) for r in ingress.get("spec", {}).get("rules") or () if r.get("host")}
    bare = sorted(h for h in hosts if h not in covered and f"*.{h.partition('.')[2]}" not in covered)
    return lines + ([f"{name}: no tls entry for host {', '.join(bare)}"] if entries and covered and bare else [])


def _addresses(ingress: JsonObject) -> str:
    given = (ingress.get("status", {}).get("loadBalancer") or {}).get("ingress") or ()
    shown = ", ".join(str(g.get("hostname") or g.get("ip")) for g in given)
    return f"{title(ingress)}: addresses {shown or 'none: no controller has taken it up'}"


def route_lines(route: JsonObject) -> list[str]:
    """Parents and what they say of the route."""
    name = title(route)
    lines = [f"{name}: parent {_parent(p)}" for p in route.get("spec", {}).get("parentRefs") or ()]
    told = [(p.get("parentRef") or {}, c) for p in route.get("status", {}).get("parents") or () for c in p.get("conditions") or ()]
    lines += [condition_line(f"{name} at {_parent(ref)}", c) for ref, c in told]
    return lines if told else [*lines, f"{name}: no gateway has taken it up"]


def gateway_lines(gateway: JsonObject) -> list[str]:
    """Class, addresses, conditions, listeners with their own conditions, names of certificates."""
    name, spec, status = title(gateway), gateway.get("spec", {}), gateway.get("status", {})
    shown = ", ".join(str(a.get("value")) for a in status.get("addresses") or ()) or "none"
    lines = [f"{name}: class {spec.get('gatewayClassName')}, addresses {shown}"]
    lines += [condition_line(name, c) for c in status.get("conditions") or ()]
    for listener in spec.get("listeners") or ():
        certificates = ", ".join(str(c.get("name")) for c in (listener.get("tls") or {}).get("certificateRefs") or ())
        tail = f", certificates {certificates} (Secrets are not read)" if certificates else ""
        lines.append(
            f"{name}: listener {listener.get('name')} {listener.get('protocol')} {listener.get('port')} host {listener.get('hostname', '*')}{tail}"
        )
    for listener in status.get("listeners") or ():
        lines += [condition_line(f"{name} listener {listener.get('name')}", c) for c in listener.get("conditions") or ()]
    return lines


def _parent(ref: JsonObject) -> str:
    space = f"{ref['namespace']}/" if ref.get("namespace") else ""
    section = f" listener {ref['sectionName']}" if ref.get("sectionName") else ""
    return f"{ref.get('kind', 'Gateway')} {space}{ref.get('name')}{section}"
