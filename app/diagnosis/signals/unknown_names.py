"""Names that callers ask for, against the Services that exist -> a name that is nobody's, a pod that asks another resolver than the
cluster's, and a policy of the callee's namespace that drops callers of others. Runs after all families, on their signals.

A resolver says two things that differ: that there is no such name (NXDOMAIN), and that it got no answer. Only the first speaks of the
address."""

import re
from collections.abc import Iterator

from app.diagnosis import edges
from app.diagnosis.kube import matches
from app.diagnosis.reading import Seen, dig, rows
from app.diagnosis.signals.joins import _DATABASE
from app.diagnosis.world import World, cite, signal
from app.domain.case import Signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

# No answer, whatever else the line says: EAI_AGAIN of getaddrinfo(3), SERVFAIL, time-outs of Go's and Netty's resolvers.
_NO_ANSWER = re.compile(
    r"EAI_AGAIN|ETIMEOUT|ESERVFAIL|temporary failure|server misbehaving|i/o timeout|timed out|SERVFAIL|try again|DnsNameResolverTimeout", re.I
)
_ABSENT = re.compile(
    r"ENOTFOUND|no such host|UnknownHost|name or service not known|NXDOMAIN|not known|does not resolve|no address associated"
    r"|could not resolve host|could not translate host name|unknown mysql server host|host not found|failed to resolve|getaddrinfo",
    re.I,
)
# The host in what resolvers and drivers write: Go, Node, Java, Python (urllib3, requests), .NET, Ruby, PHP, nginx, libpq, libmysql, curl.
_HOSTS = re.compile(
    r"lookup (?P<a>[\w.-]+)|(?:ENOTFOUND|EAI_AGAIN) (?P<b>[\w.-]+)|UnknownHostException:? (?P<c>(?!Failed to )[\w.-]+)"
    r"|[Hh]ost:? [\"'](?P<d>[\w.-]+)[\"']"
    r"|host name [\"'](?P<e>[\w.-]+)|host=[\"'](?P<f>[\w.-]+)|[Ff]ailed to resolve [\"'](?P<g>[\w.-]+)|not known \((?P<h>[\w.-]+):\d+\)"
    r"|connection to (?P<i>[\w.-]+):\d+|getaddrinfo for (?P<j>[\w.-]+)|upstream [\"'](?P<k>[\w.-]+)|resolve host:? (?P<l>[\w.-]+)"
)
_DRIVER = re.compile(r"jdbc|hikari|psycopg|pgx|sqlalchemy|mysql|postgres|mongodb", re.I)
OWN_DNS = ("ClusterFirst", "ClusterFirstWithHostNet", "")
UNHEARD = ("log_timeout", "log_connection_refused", "errors_rose", "readiness_failing", "liveness_failing")
OTHERS = "pods of other namespaces"  # as check_network_policies calls them


def join(world: World, found: tuple[Signal, ...]) -> Iterator[Signal]:
    for told in found:
        if told.kind == "log_dns_failure":
            yield from (s for s in (*_nobodys(world, told), _resolver(world, told)) if s is not None)
    for told in found:
        if told.kind in UNHEARD:
            yield from (s for s in (*_dropped(world, told), _kept_in(world, told), _kept_out(world, told)) if s is not None)


def host_of(told: Signal) -> str:
    named = _HOSTS.search(told.quote)
    host = str(told.facts.get("host") or "") or next((g for g in named.groups() if g), "") if named else str(told.facts.get("host") or "")
    return host.rstrip(".").lower()


def asked_in(host: str, namespace: str) -> tuple[str, str]:
    """(Service, namespace) of a name of the cluster, whatever namespace it names; ("", "") for what lies outside."""
    parts = host.split(".")
    if not host or host == "localhost" or re.fullmatch(r"[\d.]+", host):
        return "", ""
    if len(parts) == 1:
        return host, namespace
    return (parts[0], parts[1]) if parts[2:3] == ["svc"] else ("", "")


def _nobodys(world: World, told: Signal) -> Iterator[Signal | None]:
    """The resolver knows no such name, and neither do we: no Service, and no workload for which one may be missing."""
    host = host_of(told)
    service, namespace = asked_in(host, told.object.namespace)
    if not service or _NO_ANSWER.search(told.quote) or not _ABSENT.search(told.quote) or not world.has_read("check_services", namespace):
        return
    runs = any(p.namespace == namespace and world.workload_of(p).name == service for p in world.of("Pod"))
    if world.get("Service", namespace, service) is not None or runs:
        return
    settings = [(n, v) for p in world.pods_of(told.object) for n, v in _environment(p) if host in v]
    stored = _DATABASE.search(" ".join(f"{n}={v}" for n, v in settings)) or re.search(
        r"jdbc|hikari|psycopg|pgx|sqlalchemy|mysql|postgres", told.quote, re.I
    )
    variable, value = settings[0] if settings else ("address", host)
    claim = f"{told.object.name} asks for {host}, which is no Service"
    facts = {**told.facts, "host": host, "variable": variable, "value": value}
    yield told.model_copy(update={"kind": "database_asked_in_vain" if stored else "asks_for_nobody", "claim": claim, "facts": facts})


def _resolver(world: World, told: Signal) -> Signal | None:
    """The pod asks resolvers of its own choice, or those of its node, for names of the cluster."""
    for pod in world.pods_of(told.object):
        policy, servers = str(pod.at("spec", "dnsPolicy") or ""), [str(s) for s in pod.at("spec", "dnsConfig", "nameservers") or []]
        if policy in OWN_DNS or not asked_in(host_of(told), told.object.namespace)[0]:
            continue
        claim = f"{told.object.name} has dnsPolicy {policy}, nameservers {', '.join(servers) or 'of its node'}"
        facts = {"pod": pod.name, "resolver": ", ".join(servers) or "its node's"}
        return signal("asks_other_resolver", told.object, claim, cite(pod.reading, (pod.name, "dnsPolicy"), (pod.name,)), told.at, facts)
    return None


def _environment(pod: Seen) -> list[tuple[str, str]]:
    return [(str(v.get("name")), str(v.get("value") or "")) for c in rows(pod.at("spec", "containers")) for v in rows(c.get("env"))]


def far_services(world: World, workload: ObjectRef) -> list[tuple[str, str]]:
    """(namespace, Service) of other namespaces that a workload's environment names."""
    values = [v for p in world.pods_of(workload)[:1] for _, v in _environment(p)]
    found = [(space, name) for v in values for name, space in edges.ADDRESS.findall(v) if space and space != workload.namespace]
    return list(dict.fromkeys(found))


def _kept_in(world: World, told: Signal) -> Signal | None:
    """A policy lets the caller out to nowhere that could be the namespace of whom it asks for. What is refused was let through."""
    name, space = asked_in(host_of(told), told.object.namespace)
    if not name or space == told.object.namespace or not re.search(r"time|deadline|unreachable", told.quote, re.I):
        return None
    labels = next((p.at("metadata", "labels") or {} for p in world.pods_of(told.object)), {})
    mine = [p for p in world.of("NetworkPolicy") if p.namespace == told.object.namespace and "Egress" in (p.at("spec", "policyTypes") or [])]
    mine = [p for p in mine if _selects(p.at("spec", "podSelector") or {}, labels)]
    if not mine or any(_leads_to(rule, space) for p in mine for rule in rows(p.at("spec", "egress"))):
        return None
    port = str(told.facts.get("port") or "any")
    facts = {"own": str(told.object), "peer": f"{space}/{name}", "port": port, "policy": mine[0].name}
    where = ObjectRef(kind="NetworkPolicy", namespace=mine[0].namespace, name=mine[0].name)
    claim = f"NetworkPolicy {mine[0].name} lets {told.object.name} out to no pod of namespace {space}, where {name} is"
    source = cite(mine[0].reading, (f"/{mine[0].name}:", "allows egress"), (f"/{mine[0].name}:", "egress"), (f"/{mine[0].name}:",))
    return signal("traffic_dropped", where, claim, source, None, facts)


def _kept_out(world: World, told: Signal) -> Signal | None:
    """A policy where the callee lives lets others in by labels of their pods, and the caller has none of them."""
    if not re.search(r"time|deadline|unreachable", told.quote, re.I) or not told.kind.startswith("log_"):
        return None
    labels = next((p.at("metadata", "labels") or {} for p in world.pods_of(told.object)), {})
    for space, service in far_services(world, told.object):
        behind = [p.at("metadata", "labels") or {} for p in world.of("Pod") if p.namespace == space and world.workload_of(p).name == service]
        there = [p for p in world.of("NetworkPolicy") if p.namespace == space and "Ingress" in (p.at("spec", "policyTypes") or ["Ingress"])]
        there = [p for p in there if behind and _selects(p.at("spec", "podSelector") or {}, behind[0])]
        if there and not any(_lets_in(rule, told.object.namespace, labels) for p in there for rule in rows(p.at("spec", "ingress"))):
            where = ObjectRef(kind="NetworkPolicy", namespace=space, name=there[0].name)
            facts = {"own": service, "peer": str(told.object), "port": str(told.facts.get("port") or "any"), "policy": there[0].name}
            claim = f"NetworkPolicy {there[0].name} of {space} lets {told.object.name} not in to {service}: no rule names its labels"
            source = cite(there[0].reading, (f"/{there[0].name}:", "allows ingress"), (f"/{there[0].name}:", "ingress"), (f"/{there[0].name}:",))
            return signal("traffic_dropped", where, claim, source, None, facts)
    return None


def _lets_in(rule: JsonObject, space: str, labels: JsonObject) -> bool:
    """May an ingress rule let that caller in? What is told by other things than a namespace's own label and labels of pods may."""
    peers = rows(rule.get("from"))
    for peer in peers:
        spaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
        if spaces is None and pods is not None:
            continue  # pods of the policy's own namespace
        own = dig(spaces, "matchLabels", "kubernetes.io/metadata.name")
        if own in (None, "", space) and (pods is None or dig(pods, "matchExpressions") or _selects(pods, labels)):
            return True
    return not peers


def _selects(selector: JsonObject, labels: JsonObject) -> bool:
    """Expressions are not judged here: a policy that has them is left to `check_network_policies`."""
    wanted = selector.get("matchLabels") or {}
    return not selector.get("matchExpressions") and (not wanted or matches(wanted, labels))


def _leads_to(rule: JsonObject, space: str) -> bool:
    """May an egress rule lead to that namespace? Only selectors of a namespace by its own label say surely that it does not."""
    peers = rows(rule.get("to"))
    for peer in peers:
        spaces = peer.get("namespaceSelector")
        if spaces is None and peer.get("podSelector") is not None:
            continue  # pods of the policy's own namespace
        own = dig(spaces, "matchLabels", "kubernetes.io/metadata.name")
        if own in (None, "", space):
            return True
    return not peers


def _dropped(world: World, told: Signal) -> Iterator[Signal | None]:
    """A policy where the callee lives lets nobody of other namespaces in."""
    for space, service in far_services(world, told.object):
        for reading in (r for r in world.readings if r.tool == "check_network_policies" and r.call.args.get("namespace") == space):
            for row in reading.items("traffic"):
                policies = row.get("selecting") or []
                aimed = str(row.get("own")).split("/")[-1] == service
                if row.get("verdict") == "dropped" and row.get("direction") == "ingress" and row.get("peer") == OTHERS and aimed and policies:
                    where = ObjectRef(kind="NetworkPolicy", namespace=space, name=str(policies[0]))
                    facts = {"own": row.get("own"), "peer": str(told.object), "port": row.get("port"), "policy": str(policies[0])}
                    source = cite(reading, (str(row.get("own")), OTHERS, "dropped"))
                    claim = f"NetworkPolicy {policies[0]} of {space} drops what {told.object.name} sends to {service}"
                    yield signal("traffic_dropped", where, claim, source, None, facts)
                    return
