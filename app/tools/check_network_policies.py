"""check_network_policies: which policies select the pods, and which traffic to and from them they drop."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools import policy_rules
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster, Query, read
from app.tools.label_selectors import shown
from app.tools.policy_rules import Direction, Judgement, Port, Side
from app.tools.policy_sides import DNS_PORTS, OTHER_NAMESPACES, OUTSIDE, Group, dns, groups
from app.tools.selection import narrow

MAX_ROWS = 400
OTHER_END: dict[Direction, Direction] = {"ingress": "egress", "egress": "ingress"}


class CheckNetworkPoliciesArguments(Arguments):
    namespace: KubeName = Field(description="Namespace of the pods.")
    service: LooseName | None = Field(None, description="Workload name, Service name or app label.")
    workload: KubeName | None = Field(None, description="Exact name of the workload.")
    pod: KubeName | None = Field(None, description="Exact name of one pod.")


class CheckNetworkPolicies:
    """Traffic asked about: each port of the pods from every other workload of the namespace (known callers are marked),
    from other namespaces and from outside; from the pods to those workloads' ports, to cluster DNS, and to outside. For
    two workloads of the namespace both ends have to agree.

    data: `networkpolicies`: objects; `selected`: {policy: [workload]}; `traffic`: [{direction, own, peer, port, protocol,
    verdict (allowed, dropped, depends), by: [policy that allows], selecting: [policy], why, known: is it an edge of the
    service map}]; pairs that no policy is about are left out. Policies of other APIs (AdminNetworkPolicy, Calico, Cilium,
    meshes) are not read.
    """

    arguments = CheckNetworkPoliciesArguments
    spec = read_spec(
        "check_network_policies",
        "Which network policies select the pods, and which traffic they drop",
        "kubernetes",
        "networkpolicies",
        CheckNetworkPoliciesArguments,
    )

    def __init__(self, client: KubernetesClient, callees: Mapping[str, Sequence[str]] | None = None) -> None:
        """`callees`: the service map, caller -> whom it calls."""
        self._client, self._callees = client, callees or {}

    async def run(self, arguments: CheckNetworkPoliciesArguments, context: ToolContext) -> ToolResult:
        a, space = arguments, arguments.namespace
        needed = [Query("NetworkPolicy", space, required=True), Query("Pod", space, required=True)]
        cluster = await read(self._client, [*needed, Query("ReplicaSet", space), Query("Service", space), Query("Namespace")])
        for kind in ("NetworkPolicy", "Pod"):
            if cluster.denied(kind):
                return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read {kind} objects in {space}"))
        wanted = a.pod or a.workload or a.service or ""
        known = cluster.known()
        chosen = narrow(cluster.of("Pod"), a.service or "", a.workload or "", known)
        chosen = [p for p in chosen if not a.pod or p["metadata"]["name"] == a.pod]
        if wanted and not chosen:
            return answer(self.spec, cluster.reading, Findings(ToolStatus.NOT_FOUND, f"No pods of {wanted} in {space}"))
        policies = cluster.of("NetworkPolicy")
        if not policies:
            none = Findings(ToolStatus.NO_DATA, f"No network policies in {space}", [f"namespace {space}: no networkpolicy"], _data([], {}, []))
            return answer(self.spec, cluster.reading, none)
        return answer(self.spec, cluster.reading, self._findings(cluster, policies, chosen))

    def _findings(self, cluster: Cluster, policies: Sequence[JsonObject], chosen: Sequence[JsonObject]) -> Findings:
        spaces = {n["metadata"]["name"]: n["metadata"].get("labels") or {} for n in cluster.of("Namespace")}
        known, services = cluster.known(), cluster.of("Service")
        labels = spaces.get(str(policies[0]["metadata"].get("namespace", "")))
        own, others = (groups(pods, services, known, labels) for pods in (chosen, cluster.of("Pod")))
        within = {g.side.name for g in own}  # traffic between two of them is told once, as ingress
        others = [*(o for o in others if o.side.name not in within), *own]
        rows = [row for group in own for row in self._rows(policies, group, others, within)]
        rows += [_row("egress", g.side, dns(spaces), port, policies) for g in own for port in DNS_PORTS]
        cluster.reading.notes += self._strangers(own, others)
        if len(rows) > MAX_ROWS:
            cluster.reading.truncated.append(f"{len(rows)} kinds of traffic, {MAX_ROWS} shown, dropped ones first")
        rows = sorted(rows, key=lambda r: ("dropped", "depends", "allowed").index(r["verdict"]))[:MAX_ROWS]
        selected = {p["metadata"]["name"]: [g.side.name for g in own if policy_rules.selects(p, g.side)] for p in policies}
        lines = [line for p in policies for line in policy_lines(p, selected[p["metadata"]["name"]])]
        lines += [f"{g.side.name}: no networkpolicy selects it" for g in own if not any(g.side.name in names for names in selected.values())]
        lines += [f"{g.side.name}: hostNetwork true, so most network plugins apply no policy to it" for g in own if g.host_network]
        lines += [row_line(r) for r in rows if r["verdict"] != "allowed"] + allowed_lines(rows)
        return Findings(ToolStatus.OK, _summary(policies, own, rows), lines, _data(policies, selected, rows))

    def _rows(self, policies: Sequence[JsonObject], own: Group, others: Sequence[Group], within: set[str]) -> Iterator[JsonObject]:
        for other in (o for o in others if o.side.name != own.side.name):
            calls_us, we_call = self._edge(other, own), self._edge(own, other)
            yield from (_row("ingress", own.side, other.side, port, policies) | {"known": calls_us} for port in own.ports)
            if other.side.name not in within:
                yield from (_row("egress", own.side, other.side, port, policies) | {"known": we_call} for port in other.ports)
        for far in (OTHER_NAMESPACES, OUTSIDE):
            yield from (_row("ingress", own.side, far, port, policies) for port in own.ports)
        yield _row("egress", own.side, OUTSIDE, Port(443), policies)

    def _strangers(self, own: Sequence[Group], others: Sequence[Group]) -> list[str]:
        """Callers and callees of the service map that have no pods here, so that their traffic cannot be judged."""
        here, ours = ({name for g in some for name in g.names} for some in (others, own))
        edges = [(caller, callee) for caller, callees in sorted(self._callees.items()) for callee in callees]
        callers = [f"{caller}, which calls {callee}," for caller, callee in edges if callee in ours and caller not in here]
        callees = [f"{callee}, which {caller} calls," for caller, callee in edges if caller in ours and callee not in here]
        return [f"{who} has no pods in this namespace: its traffic was not judged" for who in (*callers, *callees)]

    def _edge(self, caller: Group, callee: Group) -> bool:
        return any(callee.names & set(self._callees.get(name, ())) for name in caller.names)


def _row(direction: Direction, own: Side, peer: Side, port: Port, policies: Sequence[JsonObject]) -> JsonObject:
    ends = [policy_rules.judge(policies, direction, own, peer, port)]
    if peer.namespace == own.namespace:  # the other end's policies are of this namespace too
        ends.append(policy_rules.judge(policies, OTHER_END[direction], peer, own, port))
    worst = next((e for verdict in ("dropped", "depends") for e in ends if e.verdict == verdict), ends[0])
    why = worst.why if worst is ends[0] else f"{OTHER_END[direction]} of {peer.name}: {worst.why}"
    return {
        "direction": direction,
        "own": own.name,
        "peer": peer.name,
        "port": port.number,
        "protocol": port.protocol,
        "verdict": worst.verdict,
        "by": sorted({name for e in ends for name in e.by}),
        "selecting": _selecting(worst, ends),
        "why": why,
        "known": False,
    }


def _selecting(worst: Judgement, ends: Sequence[Judgement]) -> list[str]:
    """The policies that decided: of the end that drops it, else of both."""
    return sorted(worst.selecting if worst.verdict != "allowed" else {name for e in ends for name in e.selecting})


def _way(row: JsonObject) -> str:
    """`ingress to Deployment/shop/cart port 8080/TCP from Deployment/shop/web`."""
    if row["direction"] == "ingress":
        return f"ingress to {row['own']} port {row['port']}/{row['protocol']} from {row['peer']}"
    return f"egress from {row['own']} to {row['peer']} port {row['port']}/{row['protocol']}"


def row_line(row: JsonObject) -> str:
    known = ", which the service map knows as its caller" if row["known"] and row["direction"] == "ingress" else ""
    known = ", which the service map says it calls" if row["known"] and row["direction"] == "egress" else known
    return f"{_way(row)}{known}: {row['verdict']} by networkpolicy {', '.join(row['selecting'])}: {row['why']}"


def allowed_lines(rows: Sequence[JsonObject]) -> list[str]:
    """One line per end, direction and policies; traffic that no policy is about is not told."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row["verdict"] == "allowed" and row["selecting"]:
            word = "from" if row["direction"] == "ingress" else "to"
            key = (row["direction"], row["own"], ", ".join(row["by"]) or "no policy at the end that is selected")
            found.setdefault(key, []).append(f"{word} {row['peer']} port {row['port']}/{row['protocol']}")
    return [f"{direction} of {own}: allowed by {by}: {'; '.join(ways)}" for (direction, own, by), ways in sorted(found.items())]


def policy_lines(policy: JsonObject, names: Sequence[str]) -> list[str]:
    """What one policy selects, allows and leaves to be dropped."""
    name = f"networkpolicy {policy['metadata'].get('namespace', '')}/{policy['metadata']['name']}"
    about = ", ".join(names) or "none of them"
    lines = [f"{name}: podSelector {shown(policy.get('spec', {}).get('podSelector') or {})} selects {about}"]
    directions: tuple[Direction, Direction] = ("ingress", "egress")
    for direction in directions:
        rules = policy.get("spec", {}).get(direction) or ()
        if direction in policy_rules.types(policy):
            lines += [f"{name}: allows {direction} {policy_rules.rule_text(r, direction)}" for r in rules]
            rest = "all other" if rules else "all"
            lines.append(f"{name}: drops {rest} {direction} of what it selects, unless another policy allows it")
    return lines


def _data(policies: Sequence[JsonObject], selected: Mapping[str, Sequence[str]], rows: Sequence[JsonObject]) -> JsonObject:
    told = [r for r in rows if r["verdict"] != "allowed" or r["selecting"]]
    return {"networkpolicies": [*policies], "selected": {k: [*v] for k, v in selected.items() if v}, "traffic": told}


def _summary(policies: Sequence[JsonObject], own: Sequence[Group], rows: Sequence[JsonObject]) -> str:
    dropped = [r for r in rows if r["verdict"] == "dropped"]
    worst = [r for r in dropped if r["known"]] or dropped
    tail = f"{len(dropped)} kinds of traffic dropped, e.g. {_way(worst[0])}" if worst else "none of the traffic asked about is dropped"
    return f"{len(policies)} network policies, {len(own)} workloads: {tail}"
