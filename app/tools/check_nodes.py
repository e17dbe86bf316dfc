"""check_nodes: conditions, taints, heartbeats and room of one node or of all."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import ToolContext, ToolResult, ToolStatus
from app.tools import usage
from app.tools.answers import Arguments, Findings, KubeName, answer, read_spec
from app.tools.kubernetes_client import KubernetesClient
from app.tools.kubernetes_reading import Cluster, Query, read
from app.tools.pod_text import condition_line, pairs
from app.tools.quantities import cores, number, size

LEASES = "kube-node-lease"


class CheckNodesArguments(Arguments):
    node: KubeName | None = Field(None, description="One node; all of them when absent.")


class CheckNodes:
    """data: `nodes`: objects; `leases`: [{node, renewTime}]; `pods_per_node`: {node: pods that have not ended}; `allocated`:
    {node: {cpu, memory}} by requests; `usage`: {status, values: {node: {cpu, memory, timestamp}}} where metrics.k8s.io
    answers."""

    arguments = CheckNodesArguments
    spec = read_spec("check_nodes", "Node conditions, taints, heartbeats and room", "kubernetes", "nodes", CheckNodesArguments)

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckNodesArguments, context: ToolContext) -> ToolResult:
        wanted = arguments.node
        pods = Query("Pod", fields=f"spec.nodeName={wanted}" if wanted else "")
        named = f"metadata.name={wanted}" if wanted else ""
        queries = [Query("Node", fields=named, required=True), Query("Lease", LEASES, fields=named), pods, Query("NodeMetrics", optional=True)]
        cluster = await read(self._client, queries)
        nodes = [n for n in cluster.of("Node") if not wanted or n["metadata"].get("name") == wanted]
        if cluster.denied("Node"):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, "Not allowed to read nodes"))
        if not nodes:
            return answer(self.spec, cluster.reading, Findings(ToolStatus.NOT_FOUND, f"No node called {wanted}" if wanted else "No nodes"))
        return answer(self.spec, cluster.reading, _findings(cluster, nodes, context.now))


def _findings(cluster: Cluster, nodes: Sequence[JsonObject], now: datetime) -> Findings:
    names = [n["metadata"]["name"] for n in nodes]
    renewed = {x["metadata"]["name"]: str((x.get("spec") or {}).get("renewTime") or "") for x in cluster.of("Lease")}
    data: JsonObject = {
        "nodes": [*nodes],
        "leases": [{"node": n, "renewTime": renewed[n]} for n in names if n in renewed],
        "pods_per_node": {},
        "allocated": {},
    }
    metrics = [m for m in cluster.of("NodeMetrics") if m["metadata"].get("name") in names]
    measured: JsonObject = {m["metadata"]["name"]: {**(m.get("usage") or {}), "timestamp": m.get("timestamp", "")} for m in metrics}
    lines: list[str] = []
    for node in nodes:
        name = node["metadata"]["name"]
        lines += node_lines(node)
        if name in renewed:
            lines.append(f"node {name}: lease renewed at {renewed[name]} ({_age(renewed[name], now)})")
        if cluster.readable("Pod"):
            running = [p for p in cluster.of("Pod") if p.get("spec", {}).get("nodeName") == name and not _ended(p)]
            used = requested(running)
            data["pods_per_node"][name] = len(running)
            data["allocated"][name] = {"cpu": cores(used["cpu"]), "memory": size(used["memory"])}
            lines.append(_allocation(node, len(running), used))
        if name in measured:
            lines.append(usage.node_line(node, measured[name]))
    data["usage"] = usage.status(cluster, "NodeMetrics", measured)
    return Findings(ToolStatus.OK, _summary(nodes), lines, data)


def node_lines(node: JsonObject) -> list[str]:
    """Conditions, taints, cordon, capacity, versions and labels."""
    name = f"node {node['metadata']['name']}"
    spec, status = node.get("spec", {}), node.get("status", {})
    lines = [condition_line(name, c) for c in status.get("conditions") or ()]
    lines += [f"{name}: taint {t.get('key')}{'=' + t['value'] if t.get('value') else ''}:{t.get('effect')}" for t in spec.get("taints") or ()]
    if spec.get("unschedulable"):
        lines.append(f"{name}: unschedulable true (cordoned)")
    for part in ("capacity", "allocatable"):
        if status.get(part):
            lines.append(f"{name}: {part} {pairs(status[part])}")
    info = status.get("nodeInfo") or {}
    shown = [f"{k} {info[k]}" for k in ("kubeletVersion", "containerRuntimeVersion", "kernelVersion", "osImage", "architecture") if info.get(k)]
    lines += [f"{name}: {', '.join(shown)}"] if shown else []
    addresses = [f"{a.get('type')} {a.get('address')}" for a in status.get("addresses") or ()]
    lines += [f"{name}: addresses {', '.join(addresses)}"] if addresses else []
    return [*lines, f"{name}: labels {pairs(node['metadata'].get('labels')) or 'none'}"]


def requested(pods: Sequence[JsonObject]) -> dict[str, float]:
    """Sum of requests as the scheduler counts them; pods that have ended hold nothing."""
    return {what: sum(_held(p.get("spec", {}), what) for p in pods if not _ended(p)) for what in ("cpu", "memory")}


def _held(spec: JsonObject, what: str) -> float:
    """Containers and sidecars added up, or an init container with the sidecars before it if that is more, and overhead."""
    beside = most = 0.0
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            beside += _request(container, what)
            most = max(most, beside)
        else:
            most = max(most, beside + _request(container, what))
    running = sum(_request(c, what) for c in spec.get("containers") or ()) + beside
    return max(running, most) + number((spec.get("overhead") or {}).get(what))


def _ended(pod: JsonObject) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _request(container: JsonObject, what: str) -> float:
    return number(((container.get("resources") or {}).get("requests") or {}).get(what))


def _allocation(node: JsonObject, pods: int, used: dict[str, float]) -> str:
    room = node.get("status", {}).get("allocatable") or {}
    shares = []
    for what, show in (("cpu", cores), ("memory", size)):
        most = number(room.get(what))
        share = f" of {room.get(what)} ({round(100 * used[what] / most)}%)" if most else ""
        shares.append(f"{what} {show(used[what])}{share}")
    full = " (full)" if number(room.get("pods")) and pods >= number(room.get("pods")) else ""
    return f"node {node['metadata']['name']}: {pods} pods of {room.get('pods', 'unknown')}{full}, requests {', '.join(shares)}"


def _age(text: str, now: datetime) -> str:
    try:
        return f"{max(0, round((now - datetime.fromisoformat(text)).total_seconds()))} s before now"
    except (ValueError, TypeError):
        return "unknown age"


def _summary(nodes: Sequence[JsonObject]) -> str:
    def word(node: JsonObject) -> str:
        conditions = {c.get("type"): c.get("status") for c in node.get("status", {}).get("conditions") or ()}
        if conditions.get("Ready", "True") != "True":
            return "not ready"
        pressure = [t for t, s in conditions.items() if t != "Ready" and s == "True"]
        return pressure[0] if pressure else "cordoned" if node.get("spec", {}).get("unschedulable") else ""

    troubled = [f"{n['metadata']['name']} {word(n)}" for n in nodes if word(n)]
    return f"Found {len(nodes)} nodes: " + (", ".join(troubled[:6]) if troubled else "all ready")
