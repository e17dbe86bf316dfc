"""The parts of the control plane as pods, logs and series show them -> which of them does not run or does not keep up. Reads
`check_pods`, `get_logs` and `search_logs` of their pods and units, and `CONTROL_QUERY`. Twins: `nodes` and `units`, which read systemd.

The role of a pod is what counts: its component label (kubeadm, Talos, RKE2, OpenShift), or for a static pod its name, which begins
with that of its manifest. Managed clusters show no such pods; then the series of the API server and its clients' words are left."""

import re
from datetime import timedelta

from app.diagnosis.kube import condition, is_unhealthy, moment
from app.diagnosis.reading import Reading, Seen, rows
from app.diagnosis.series import Series, when
from app.diagnosis.signals.nodes import UNITS, place
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.case import Signal
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

LABELS = ("component", "k8s-app", "app.kubernetes.io/component", "app.kubernetes.io/name", "app")
SYSTEM, SCHEDULER = "kube-system", "kube-scheduler"
ROLES = ("kube-scheduler", "kube-controller-manager", "etcd", "kube-apiserver", "kube-proxy")
SPACES = re.compile(r"kube-system|openshift-.*")
PLANE = re.compile(
    r"api-?server|kube-?api|kube-?client|etcd|control-?plane|controller-?manager|kube-?scheduler|kube-?proxy|GenerationMismatch|aggregated-?api", re.I
)
ETCD, API = (ObjectRef(kind="ControlPlane", name=name) for name in ("etcd", "kube-apiserver"))


def _says(name: str, expression: str) -> str:
    return f'label_replace({expression}, "says", "{name}", "", "")'


def _mean(metric: str, matchers: str = "") -> str:
    return f"max(rate({metric}_sum{matchers}[5m]) / rate({metric}_count{matchers}[5m]))"


# name -> (expression, from where on it is bad, what it says). Means, not quantiles: every scrape keeps sums and counts. etcd's own
# rules call 0.5 s of fsync and 0.25 s of commit in the 99th percentile too slow; a mean of a tenth of a second is far beyond.
MEASURES = {
    "etcd_fsync_seconds": (_mean("etcd_disk_wal_fsync_duration_seconds"), 0.1, "etcd waits {value} s for each sync to disk"),
    "etcd_commit_seconds": (_mean("etcd_disk_backend_commit_duration_seconds"), 0.1, "etcd takes {value} s for each commit"),
    "etcd_without_leader": ("count(etcd_server_has_leader == 0)", 1.0, "{value} members of etcd see no leader"),
    "etcd_quota_used": ("max(etcd_mvcc_db_total_size_in_bytes / etcd_server_quota_backend_bytes)", 0.95, "{value} of etcd's quota is used"),
    "api_errors_ratio": (
        'sum(rate(apiserver_request_total{code=~"5.."}[5m])) / sum(rate(apiserver_request_total[5m]))',
        0.05,
        "{value} of the API server's answers are its own errors",
    ),
    "api_rejected_per_second": (
        "sum(rate(apiserver_flowcontrol_rejected_requests_total[5m]))",
        1.0,
        "the API server rejects {value} requests a second",
    ),
    "api_throttled_ratio": (
        'sum(rate(apiserver_request_total{code="429"}[5m])) / sum(rate(apiserver_request_total[5m]))',
        0.05,
        "{value} of the requests to the API server are told 429",
    ),
    "api_request_seconds": (
        'sum(rate(apiserver_request_duration_seconds_sum{verb!~"WATCH|CONNECT|WATCHLIST"}[5m]))'
        ' / sum(rate(apiserver_request_duration_seconds_count{verb!~"WATCH|CONNECT|WATCHLIST"}[5m]))',
        1.0,
        "requests to the API server take {value} s in the mean",
    ),
}
CONTROL_QUERY = " or ".join(_says(name, expression) for name, (expression, _, _) in MEASURES.items())

# What they write, and how many lines make it more than a moment's trouble: (object, kind, lines, pattern). Sources: etcd server v3
# (zap messages), apiserver and client-go (klog), kubelet.
SAID = (
    (ETCD, "etcd_told", 1, re.compile(r"mvcc: database space exceeded|alarm:? ?NOSPACE|NOSPACE alarm|CORRUPT alarm|crc mismatch|walpb: crc", re.I)),
    (ETCD, "etcd_told", 3, re.compile(r"etcdserver: (request timed out|no leader|leader changed|too many requests)|raft: stopped|lost leader")),
    (
        ETCD,
        "etcd_told",
        5,
        re.compile(
            r"slow fdatasync|sync duration of \S+, expected less|apply request took too long|took too long.{0,40}to execute"
            r"|failed to send out heartbeat on time|server is likely overloaded|ReadIndex response took too long"
            r"|prober detected unhealthy status|lost TCP streaming connection|dropped internal Raft message|peer became inactive"
        ),
    ),
    (
        API,
        "api_told",
        5,
        re.compile(
            r"Post-timeout activity|http: Handler timeout|\[TIMEOUT|too many requests|TooManyRequests|request queue|exceeded its concurrency"
            r"|Trace\[\d+\]: \"?(List|Get|Update|Create|Patch)\"?.*total time: \d{4,}ms"
            r"|unable to return a response in the time allotted|server was unable to return|ServiceUnavailable"
            r"|(Failed to update (lease|lock)|leaderelection|error retrieving resource lock|Unable to register node|Error updating node status)"
            r".*(timeout|deadline exceeded|refused|Client\.Timeout|unable to return|EOF|TLS handshake)"
            r"|dial tcp \S+:(6443|8443): (connect: connection refused|i/o timeout|connect: no route)",
            re.I,
        ),
    ),
)
SPEAKERS = (*ROLES, "kubelet", "k3s", "k3s-agent", "k3s-server", "rke2-server", "rke2-agent", "k0scontroller")
WRITTEN = timedelta(minutes=5)  # a controller that works sees a new form within seconds

_ERROR = re.compile(r"^[EF]\d{4} |\b(error|err=|fatal|failed|panic)\b|err=", re.I)


def find(world: World) -> Found:
    for pod in world.of("Pod"):
        yield from _pod(world, pod)
    yield _absent(world)
    for reading in world.readings:
        if reading.tool in ("get_logs", "search_logs") and _speaker(world, reading) in SPEAKERS:
            yield from _log(world, reading)
            yield _last_error(world, reading)
    for reading, one in world.series:
        yield from _measure(reading, one)
    yield from _unobserved(world)


def role_of(pod: Seen) -> str:
    """Which part of the control plane (or kube-proxy) a pod is; "" if none. Only where the cluster itself keeps its pods."""
    static = any(o.get("kind") == "Node" for o in rows(pod.at("metadata", "ownerReferences")))
    if not static and not SPACES.fullmatch(pod.namespace):
        return ""
    labels = pod.at("metadata", "labels") or {}
    named = next((v for key in LABELS if (v := str(labels.get(key) or "").removeprefix("openshift-")) in ROLES), "")
    return named or next((r for r in ROLES if static and pod.name.startswith(f"{r}-")), "")


def _pod(world: World, pod: Seen) -> Found:
    """One that is not ready, on a node that reports: leaders are elected, so one of several counts only where the alert asks."""
    role, node = role_of(pod), str(pod.at("spec", "nodeName") or "")
    if not role or not node or not is_unhealthy(pod.item) or _node_away(world, node):
        return
    if (condition(pod.item, "ContainersReady") or {}).get("status") == "True":  # the node controller said so when the node was away
        return
    peers = [p for p in world.of("Pod") if p.name != pod.name and role_of(p) == role and not is_unhealthy(p.item)]
    if role != "kube-proxy" and peers and not any(PLANE.search(a.name) for a in world.case.alerts):
        return
    kind, ready = UNITS[role], condition(pod.item, "Ready") or {}
    claim = f"{role} on node {node} is not ready (pod {pod.name})"
    facts = {"unit": role, "node": node, "pod": pod.name, "reason": claim}
    source = cite(pod.reading, (pod.name, "waiting"), (pod.name, "ready 0/"), (pod.name, "ready"), (pod.name,))
    yield signal(kind, place(kind, role, node), claim, source, moment(ready.get("lastTransitionTime")), facts)


def _absent(world: World) -> Signal | None:
    """Pods wait for a node, the other parts run as static pods (kubeadm's way), and of the scheduler there is none on any node."""
    parts = {role_of(p): p for p in world.of("Pod") if p.namespace == SYSTEM and role_of(p) not in ("", "kube-proxy")}
    waits = any(p.at("status", "phase") == "Pending" and not p.at("spec", "nodeName") for p in world.of("Pod"))
    if not waits or not world.has_read("check_pods", SYSTEM) or not {"kube-apiserver", "kube-controller-manager"} <= set(parts):
        return None
    if SCHEDULER in parts:
        return None
    beside = parts["kube-controller-manager"]
    node = str(beside.at("spec", "nodeName") or "")
    claim = f"No pod of {SCHEDULER} runs on any node; the other parts of the control plane do, on {node}"
    kind = UNITS[SCHEDULER]
    facts = {"unit": SCHEDULER, "node": node, "reason": claim}
    return signal(kind, place(kind, SCHEDULER, node), claim, cite(beside.reading, (beside.name, "ready"), (beside.name,)), None, facts)


def _node_away(world: World, name: str) -> bool:
    node = world.get("Node", "", name)
    ready = condition(node.item, "Ready") if node else None
    return ready is not None and ready.get("status") == "Unknown"


def _speaker(world: World, reading: Reading) -> str:
    args = reading.call.args
    if args.get("unit"):
        return str(args["unit"]).removesuffix(".service")
    pod = world.get("Pod", str(args.get("namespace") or ""), str(args.get("pod") or ""))
    return role_of(pod) if pod else ""


def _log(world: World, reading: Reading) -> Found:
    lines = [str(x) for x in reading.result.data.get("lines") or []]
    for where, kind, least, pattern in SAID:
        told = [x for x in lines if pattern.search(x) and ((at := moment_of(x, world.now)) is None or at >= world.onset - RECENT)]
        shown = next((x for x in told if x in reading.lines), told[0] if told else "")
        if len(told) >= least:
            facts = {"line": shown[:200], "count": len(told), "reason": shown[:160]}
            yield signal(kind, where, f"{len(told)} lines like: {shown[:140]}", cite(reading, (shown,)), moment_of(shown, world.now), facts)


def _last_error(world: World, reading: Reading) -> Signal | None:
    """Of a part that is not ready: the last error that its log tells, which is why."""
    pod = world.get("Pod", str(reading.call.args.get("namespace") or ""), str(reading.call.args.get("pod") or ""))
    role = role_of(pod) if pod is not None and is_unhealthy(pod.item) else ""
    line = next((x for x in reversed(reading.lines) if _ERROR.search(x)), "") if role else ""
    if pod is None or not line:
        return None
    where = place(UNITS[role], role, str(pod.at("spec", "nodeName") or ""))
    facts = {"line": line[:200]}
    return signal("part_said", where, f"The last error that {pod.name} logged", cite(reading, (line,)), moment_of(line, world.now), facts)


def _measure(reading: Reading, one: Series) -> Found:
    """A measure that is bad now."""
    name = one.labels.get("says", "")
    if name not in MEASURES or not one.values:
        return
    _, limit, words = MEASURES[name]
    last = one.values[-1][1]
    if last < limit:
        return
    began = next((t for t, v in one.values if v >= limit), one.values[-1][0])
    said = words.format(value=f"{last:.3g}")
    kind = "etcd_measured" if name.startswith("etcd") else "api_measured"
    yield signal(kind, ETCD if kind == "etcd_measured" else API, said, cite(reading, (f'says="{name}"',)), when(began), {"reason": said})


def _unobserved(world: World) -> Found:
    """Several workloads whose controller has not seen their newest form: one may be just written, several are not."""
    late = []
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        for item in world.of(kind):
            wanted, seen = item.at("metadata", "generation"), item.at("status", "observedGeneration")
            if isinstance(wanted, int) and isinstance(seen, int) and wanted > seen:
                late.append((kind, item))
    asked = any(re.search(r"GenerationMismatch", a.name) for a in world.case.alerts)
    old = world.now - world.onset > WRITTEN and len(late) == 1  # the alert is about it, and it was written before
    mine = old and ObjectRef(kind=late[0][0], namespace=late[0][1].namespace, name=late[0][1].name) == world.case.target.workload
    for kind, item in late if asked or mine or len(late) > 1 else ():
        where = ObjectRef(kind=kind, namespace=item.namespace, name=item.name)
        claim = f"Generation {item.at('metadata', 'generation')} of {kind} {item.name} was not observed"
        yield signal(
            "generation_unobserved", where, claim, cite(item.reading, (item.name, "generation"), (item.name,)), None, {"workload": item.name}
        )
