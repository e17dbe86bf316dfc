"""What an object can spoil when it breaks: its own pods, the services before it, those that call it, what runs on it."""

from app.diagnosis import edges
from app.diagnosis.applications import managed
from app.diagnosis.kube import is_dns
from app.diagnosis.reading import rows
from app.diagnosis.signals.watchers import named
from app.diagnosis.world import World
from app.domain.target import ObjectRef

# Parts of the control plane that stand still without it.
WAITING = {"etcd": ("kube-apiserver", "kube-controller-manager", "kube-scheduler"), "kube-apiserver": ("kube-controller-manager", "kube-scheduler")}
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "Pod")


def reach(world: World, ref: ObjectRef) -> frozenset[str]:
    """The objects (as text) that trouble of `ref` may show on, itself included."""
    found = {str(ref)}
    if ref.kind == "Node":
        found |= _on_node(world, ref.name)
    elif ref.kind == "Namespace":
        found |= {str(w) for w in _workloads(world) if w.namespace == ref.name} | {f"Service/{ref.name}/{s.name}" for s in world.of("Service")}
    elif ref.kind == "HorizontalPodAutoscaler":
        seen = world.objects.get(str(ref))
        scaled = seen.at("spec", "scaleTargetRef") if seen else None
        found |= {f"{scaled.get('kind')}/{ref.namespace}/{scaled.get('name')}"} if isinstance(scaled, dict) else set()
    elif ref.kind == "ControlPlane":
        found |= {str(w) for w in _workloads(world)} | {f"ControlPlane//{name}" for name in WAITING.get(ref.name, ())}
        found |= {f"Target//{t}" for t in _targets_of(world, ref.name)}
        found |= {f"Node//{n.name}" for n in world.of("Node")} if ref.name in WAITING else set()
    elif ref.kind == "Prometheus":
        own = {p.name: world.workload_of(p) for p in world.of("Pod") if p.namespace == ref.namespace and named(world, p.namespace, p.name) == ref}
        found |= {str(w) for w in own.values()} | {f"Pod/{ref.namespace}/{name}" for name in own}
        found |= {f"Service/{ref.namespace}/{s.name}" for w in own.values() for s in world.services_of(w)}
    elif ref.kind == "NetworkPolicy":
        ours = [w for w in _workloads(world) if w.namespace == ref.namespace or ref.namespace in _spaces_called(world, w)]
        found |= {str(w) for w in ours} | {f"Service/{ref.namespace}/{w.name}" for w in ours}
    elif ref.kind == "Ingress":
        found |= {f"Service/{ref.namespace}/{s.name}" for s in world.of("Service") if s.namespace == ref.namespace}
    elif ref.namespace == "kube-system" and any(is_dns(p.at("metadata", "labels") or {}) for p in world.pods_of(ref)):
        found |= {str(w) for w in _workloads(world)}  # all ask cluster DNS
    elif ref.kind == "Webhook":
        refused = [e for e in world.events if e.item.get("reason") == "FailedCreate" and f'"{ref.name}"' in str(e.item.get("message"))]
        found |= {str(world.top(world.about(e))) for e in refused}
    elif ref.kind == "External":
        found |= _complaining(world, ref.name)
    elif ref.kind in ("Application", "Kustomization", "HelmRelease"):
        found |= managed(world, ref)
    elif ref.kind == "Cluster":
        found |= {f"Node//{n.name}" for n in world.of("Node")}
    elif ref.kind == "ServiceAccount":
        pods = [p for p in world.of("Pod") if p.namespace == ref.namespace and (p.at("spec", "serviceAccountName") or "default") == ref.name]
        found |= {str(world.workload_of(p)) for p in pods}
    elif ref.kind in WORKLOADS:
        found |= _downstream(world, ref)
    elif ref.kind == "Service":
        found |= of_names(world, ref.namespace, world.callers_of(ref.name))
        service = world.get("Service", ref.namespace, ref.name)
        if service is not None and not service.at("spec", "selector"):  # what is outside is known by who complains of it
            found |= _complaining(world, ref.name)
    return frozenset(found | {b for text in found for b in world.feeds.get(text, ())})


def _complaining(world: World, name: str) -> set[str]:
    said = [r for r in world.readings if r.tool == "get_logs" and name in r.result.text]
    return {str(world.workload_of(p)) for r in said for p in world.of("Pod") if p.name == r.result.data.get("pod")}


def _workloads(world: World) -> list[ObjectRef]:
    listed = [ObjectRef(kind=k, namespace=s.namespace, name=s.name) for k in WORKLOADS[:4] for s in world.of(k)]
    return listed + [world.workload_of(p) for p in world.of("Pod")]


def _on_node(world: World, node: str) -> set[str]:
    """Workloads with a pod on the node. A control-plane node is reached by pods that nobody placed."""
    here = [p for p in world.of("Pod") if p.at("spec", "nodeName") in (node, None, "")]
    found = {str(world.workload_of(p)) for p in here} | {f"Pod/{p.namespace}/{p.name}" for p in here}
    for name in sorted({world.workload_of(p).name for p in here}):
        found |= {n for p in here[:1] for n in of_names(world, p.namespace, world.callers_of(name))}
    return found


def _downstream(world: World, ref: ObjectRef) -> set[str]:
    services = [s.name for s in world.services_of(ref)]
    found = {f"Service/{ref.namespace}/{name}" for name in services}
    found |= {f"Pod/{p.namespace}/{p.name}" for p in world.pods_of(ref)}
    for name in dict.fromkeys([ref.name, *services]):
        found |= of_names(world, ref.namespace, world.callers_of(name))
    return found


def of_names(world: World, namespace: str, names: list[str]) -> set[str]:
    found = {f"Service/{namespace}/{name}" for name in names}
    for kind in WORKLOADS[:3]:
        found |= {f"{kind}/{namespace}/{name}" for name in names if world.get(kind, namespace, name)}
    known = [w for w in _workloads(world) if w.name in names]
    near = {w.name for w in known if w.namespace == namespace}  # the map has no namespaces: the own one goes first
    return found | {str(w) for w in known if w.namespace == namespace or w.name not in near}


def _targets_of(world: World, part: str) -> set[str]:
    """Scrape targets of a part of the control plane, by the words of their job."""
    jobs = {f"{one.labels.get('job')}/{one.labels.get('instance')}" for _, one in world.series if one.name == "up"}
    return {j for j in jobs if part.removeprefix("kube-") in j.split("/")[0]}


def _spaces_called(world: World, workload: ObjectRef) -> set[str]:
    """Other namespaces that the environment of a workload names in addresses."""
    values = [str(v.get("value") or "") for p in world.pods_of(workload)[:1] for c in rows(p.at("spec", "containers")) for v in rows(c.get("env"))]
    return {space for value in values for _, space in edges.ADDRESS.findall(value) if space}
