"""Metrics of metrics.k8s.io (PodMetrics, NodeMetrics) -> what is used, against limits and room. Pure; used by check_pods
and check_nodes. The metrics server is an addition: most answers do without it."""

from collections.abc import Sequence

from app.domain.frozen import JsonObject
from app.tools.kubernetes_reading import Cluster
from app.tools.quantities import cores, number, size

SHOW = (("cpu", cores), ("memory", size))


def pod_usage(pods: Sequence[JsonObject], metrics: Sequence[JsonObject]) -> JsonObject:
    """{pod: {container: {cpu, memory, timestamp, window}}} of these pods, quantities as the API gave them."""
    wanted = {p["metadata"]["name"] for p in pods}
    found: JsonObject = {}
    for item in metrics:
        if item["metadata"].get("name") in wanted:
            about = {"timestamp": item.get("timestamp", ""), "window": item.get("window", "")}
            containers = item.get("containers") or ()
            found[item["metadata"]["name"]] = {str(c.get("name")): {**(c.get("usage") or {}), **about} for c in containers}
    return found


def status(cluster: Cluster, kind: str, found: JsonObject) -> JsonObject:
    """{status: ok, no_data or denied, values}: whether the metrics server had anything to say."""
    listing = cluster.listings.get(kind)
    word = "denied" if listing is not None and listing.status == "denied" else "ok" if found else "no_data"
    return {"status": word, "values": found}


def pod_lines(pod: JsonObject, used: JsonObject) -> list[str]:
    """`pod shop/a container server: uses cpu=41m (82% of limit 50m) memory=88Mi (no limit) at 2026-...Z`."""
    meta = pod["metadata"]
    containers = {c.get("name"): c for group in ("initContainers", "containers") for c in pod.get("spec", {}).get(group) or ()}
    lines = []
    for name, values in sorted(used.items()):
        limits = ((containers.get(name) or {}).get("resources") or {}).get("limits") or {}
        shown = [f"{what}={values[what]} {_share(values[what], limits.get(what), 'limit')}" for what, _ in SHOW if what in values]
        at = f" at {values['timestamp']}" if values.get("timestamp") else ""
        lines.append(f"pod {meta.get('namespace', '')}/{meta['name']} container {name}: uses {' '.join(shown)}{at}")
    return lines


def node_line(node: JsonObject, used: JsonObject) -> str:
    """`node a: uses cpu 3.1 (78% of allocatable 4), memory 6.5Gi (81% of allocatable 8Gi) at ...`."""
    room = node.get("status", {}).get("allocatable") or {}
    shown = [f"{what} {show(number(used[what]))} {_share(used[what], room.get(what), 'allocatable')}" for what, show in SHOW if what in used]
    at = f" at {used['timestamp']}" if used.get("timestamp") else ""
    return f"node {node['metadata']['name']}: uses {', '.join(shown)}{at}"


def _share(value: object, limit: object, word: str) -> str:
    most = number(limit)
    return f"({round(100 * number(value) / most)}% of {word} {limit})" if most else f"(no {word})"
