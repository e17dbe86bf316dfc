"""NetworkPolicies -> does this traffic pass? Pure; used by check_network_policies.

The rules are those of the API reference (networking.k8s.io/v1): a pod that no policy selects for a direction lets
everything through; otherwise only what a rule of any of those policies allows passes. Whether the network plugin of
the cluster enforces policies at all, no API object tells.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.domain.frozen import JsonObject
from app.tools.label_selectors import shown, takes

Direction = Literal["ingress", "egress"]
NAMESPACE_NAME = "kubernetes.io/metadata.name"  # label that the API server sets on every namespace


@dataclass(frozen=True)
class Side:
    """One end of traffic: a group of pods alike, or an address that is no pod (`pod` false). `namespace_labels` None:
    they could not be read. `labels` None: pods of whatever labels. `ports`: named container ports."""

    name: str
    namespace: str = ""
    labels: JsonObject | None = None
    namespace_labels: JsonObject | None = None
    addresses: tuple[str, ...] = ()
    ports: dict[str, tuple[int, str]] = field(default_factory=dict)
    pod: bool = True


@dataclass(frozen=True)
class Port:
    number: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


@dataclass(frozen=True)
class Judgement:
    """`verdict`: allowed, dropped, or depends (labels or addresses that are not known decide). `by`: policies whose
    rule allows it; `selecting`: policies that select the pod for the direction."""

    verdict: Literal["allowed", "dropped", "depends"]
    by: tuple[str, ...] = ()
    selecting: tuple[str, ...] = ()
    why: str = ""


def types(policy: JsonObject) -> tuple[str, ...]:
    """Directions a policy speaks about: `policyTypes`, else ingress always and egress when it has egress rules."""
    spec = policy.get("spec", {})
    said = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return tuple(str(t).lower() for t in said)


def selects(policy: JsonObject, side: Side) -> bool:
    """Whether the policy is about these pods."""
    spec = policy.get("spec", {})
    return side.pod and policy["metadata"].get("namespace", "") == side.namespace and takes(spec.get("podSelector") or {}, side.labels)


def judge(policies: Sequence[JsonObject], direction: Direction, own: Side, peer: Side, port: Port) -> Judgement:
    """May `peer` reach `own` (ingress), or `own` reach `peer` (egress), on `port` of the receiving side?"""
    about = [p for p in policies if direction in types(p) and selects(p, own)]
    names = tuple(p["metadata"]["name"] for p in about)
    if not about:
        return Judgement("allowed", (), (), "no policy selects it")
    taken = [(p["metadata"]["name"], allows(p, direction, own, peer, port)) for p in about]
    sure = tuple(name for name, answer in taken if answer)
    if sure:
        return Judgement("allowed", sure, names)
    open_ = tuple(name for name, answer in taken if answer is None)
    if open_:
        return Judgement("depends", open_, names, "a rule names addresses or namespaces whose match is not known")
    return Judgement("dropped", (), names, "no rule allows it")


def allows(policy: JsonObject, direction: Direction, own: Side, peer: Side, port: Port) -> bool | None:
    """Whether any rule of one policy allows it; None when that cannot be known."""
    word, receiver = ("from", own) if direction == "ingress" else ("to", peer)
    answers = [_both(_port(rule, port, receiver), _peers(rule.get(word), policy, peer)) for rule in policy.get("spec", {}).get(direction) or ()]
    return True if True in answers else None if None in answers else False


def _both(one: bool | None, other: bool | None) -> bool | None:
    return False if False in (one, other) else None if None in (one, other) else True


def _port(rule: JsonObject, port: Port, receiver: Side) -> bool | None:
    wanted = rule.get("ports") or ()
    answers = [_one_port(p, port, receiver) for p in wanted]
    return True if not wanted or True in answers else None if None in answers else False


def _one_port(rule: JsonObject, port: Port, receiver: Side) -> bool | None:
    if rule.get("protocol", "TCP") != port.protocol:
        return False
    said = rule.get("port")
    if said is None:
        return True
    if isinstance(said, str) and not said.isdigit():
        if receiver.labels is None:
            return None
        return receiver.ports.get(said) == (port.number, port.protocol)
    return int(said) <= port.number <= int(rule.get("endPort") or said)


def _peers(rules: Sequence[JsonObject] | None, policy: JsonObject, peer: Side) -> bool | None:
    answers = [_one_peer(r, str(policy["metadata"].get("namespace", "")), peer) for r in rules or ()]
    return True if not rules or True in answers else None if None in answers else False


def _one_peer(rule: JsonObject, namespace: str, peer: Side) -> bool | None:
    if rule.get("ipBlock"):
        return _block(rule["ipBlock"], peer)
    if not peer.pod:
        return False
    spaces = rule.get("namespaceSelector")
    if spaces is None:
        place: bool | None = peer.namespace == namespace
    else:
        place = _in_place(spaces, peer)
    chosen = rule.get("podSelector")
    pods = True if not chosen else None if peer.labels is None else takes(chosen, peer.labels)
    return _both(place, pods)


def _in_place(spaces: JsonObject, peer: Side) -> bool | None:
    """Without the namespace's labels only its name can be judged, which is a label too."""
    if not spaces or peer.namespace_labels is not None:
        return takes(spaces, peer.namespace_labels)
    asked = {*(spaces.get("matchLabels") or {}), *(r.get("key") for r in spaces.get("matchExpressions") or ())}
    return takes(spaces, {NAMESPACE_NAME: peer.namespace}) if asked == {NAMESPACE_NAME} and peer.labels is not None else None


def _block(block: JsonObject, peer: Side) -> bool | None:
    """Of an outer address that is not known only `everything` is sure. For pods the reference leaves open which address
    the plugin sees, so a match is no more than possible."""
    try:
        net = ipaddress.ip_network(str(block.get("cidr")), strict=False)
        holes = [ipaddress.ip_network(str(e), strict=False) for e in block.get("except") or ()]
        addresses = [ipaddress.ip_address(a) for a in peer.addresses]
    except ValueError:
        return None
    if not addresses:
        return None if peer.pod or net.prefixlen or holes else True
    inside = any(a.version == net.version and a in net and not any(a.version == h.version and a in h for h in holes) for a in addresses)
    return None if inside and peer.pod else inside


def rule_text(rule: JsonObject, direction: Direction) -> str:
    """`8080/TCP from pods app=web`, `all ports to everyone`."""
    word = "from" if direction == "ingress" else "to"
    ports = ", ".join(_port_text(p) for p in rule.get("ports") or ()) or "all ports"
    peers = " or ".join(_peer_text(p) for p in rule.get(word) or ()) or "everyone"
    return f"{ports} {word} {peers}"


def _port_text(port: JsonObject) -> str:
    last = f"-{port['endPort']}" if port.get("endPort") else ""
    return f"{port.get('port', 'every port')}{last}/{port.get('protocol', 'TCP')}"


def _peer_text(peer: JsonObject) -> str:
    if peer.get("ipBlock"):
        holes = peer["ipBlock"].get("except")
        return f"addresses {peer['ipBlock'].get('cidr')}" + (f" except {', '.join(map(str, holes))}" if holes else "")
    spaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    place = "" if spaces is None else f" of namespaces {shown(spaces)}"
    return f"pods {shown(pods)}{place}"
