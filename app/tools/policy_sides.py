"""Pods -> groups alike, with the ports they listen on: the two ends of traffic that network policies are asked about.
Used by check_network_policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.frozen import JsonObject
from app.domain.owners import Index, owner_chain, selects
from app.tools.policy_rules import Port, Side
from app.tools.selection import NAME_LABELS, ref_of

HASHES = ("pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index")
OTHER_NAMESPACES = Side("pods of other namespaces", namespace="*")
OUTSIDE = Side("addresses outside the cluster", pod=False)
DNS_PORTS = (Port(53, "UDP"), Port(53, "TCP"))


@dataclass(frozen=True)
class Group:
    """Pods of one workload with equal labels. `names` are what people may call it."""

    side: Side
    pods: tuple[str, ...]
    ports: tuple[Port, ...]
    names: frozenset[str]
    host_network: bool = False


def dns(namespaces: Mapping[str, JsonObject]) -> Side:
    """Where the cluster's names are resolved, by the usual place and label of CoreDNS; not every cluster has them."""
    return Side("cluster DNS", "kube-system", {"k8s-app": "kube-dns"}, namespaces.get("kube-system"))


def groups(pods: Sequence[JsonObject], services: Sequence[JsonObject], known: Index, space_labels: JsonObject | None) -> list[Group]:
    """In order of name. Pods that have ended are left out: nothing reaches them."""
    found: dict[tuple[str, str], list[JsonObject]] = {}
    for pod in pods:
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            found.setdefault((_title(pod, known), repr(sorted(_labels(pod).items()))), []).append(pod)
    return [_group(title, members, services, space_labels) for (title, _), members in sorted(found.items(), key=lambda f: f[0])]


def _group(title: str, members: Sequence[JsonObject], services: Sequence[JsonObject], space_labels: JsonObject | None) -> Group:
    first = members[0]
    labels, spec = _labels(first), first.get("spec", {})
    named = {str(p["name"]): (int(p.get("containerPort") or 0), str(p.get("protocol", "TCP"))) for p in _ports(spec) if p.get("name")}
    serving = [s for s in services if selects(s.get("spec", {}).get("selector"), labels)]
    aimed = [_aim(p, named) for s in serving for p in s.get("spec", {}).get("ports") or ()]
    declared = [Port(int(p.get("containerPort") or 0), str(p.get("protocol", "TCP"))) for p in _ports(spec)]
    addresses = tuple(str(m["status"]["podIP"]) for m in members if m.get("status", {}).get("podIP"))
    side = Side(title, str(first["metadata"].get("namespace", "")), labels, space_labels, addresses, named)
    names = {title.rsplit("/", 1)[-1], *(s["metadata"]["name"] for s in serving), *(str(labels[n]) for n in NAME_LABELS if labels.get(n))}
    ports = sorted({p for p in (*declared, *aimed) if p is not None and p.number}, key=lambda p: (p.number, p.protocol))
    return Group(side, tuple(m["metadata"]["name"] for m in members), tuple(ports), frozenset(names), bool(spec.get("hostNetwork")))


def _aim(port: JsonObject, named: Mapping[str, tuple[int, str]]) -> Port | None:
    """The container's port that a Service's port goes to; None for a name that no container port has."""
    target = port.get("targetPort", port.get("port"))
    if isinstance(target, str) and not target.isdigit():
        return Port(named[target][0], str(port.get("protocol", "TCP"))) if target in named else None
    return Port(int(target or 0), str(port.get("protocol", "TCP")))


def _ports(spec: JsonObject) -> list[JsonObject]:
    """Of containers and of init containers that keep running."""
    running = [*(spec.get("containers") or ()), *(c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always")]
    return [p for c in running for p in c.get("ports") or ()]


def _labels(pod: JsonObject) -> JsonObject:
    return {k: v for k, v in (pod["metadata"].get("labels") or {}).items() if k not in HASHES}


def _title(pod: JsonObject, known: Index) -> str:
    ref = ref_of(pod)
    chain = owner_chain(ref, known)
    return str(chain[-1] if chain else ref)
