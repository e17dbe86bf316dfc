"""Network policies, ways in from outside and cluster DNS -> what stands between a caller and a pod that runs. Reads
`check_network_policies`, `check_ingresses`, and `check_pods` of the DNS pods."""

from app.diagnosis.kube import alike, is_dns, is_ready
from app.diagnosis.reading import Reading
from app.diagnosis.world import Found, World, cite, signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

DNS_PORT = 53


def find(world: World) -> Found:
    for reading in world.readings:
        for row in reading.items("traffic"):
            yield from _dropped(world, reading, row)
        for row in reading.items("backends"):
            yield from _backend(world, reading, row)
        problems = reading.result.data.get("problems")
        for said in problems if isinstance(problems, list) else ():
            yield from _class(reading, str(said))
    yield from _dns(world)


def _dropped(world: World, reading: Reading, row: JsonObject) -> Found:
    """Traffic that is known to be needed: an edge of the service map, or the question for a name."""
    asks_names = row.get("direction") == "egress" and row.get("port") == DNS_PORT
    policies = row.get("selecting") or []
    if row.get("verdict") != "dropped" or not (row.get("known") or asks_names) or not policies:
        return
    namespace = str(reading.call.args.get("namespace") or "")
    way = f"{row.get('direction')} {row.get('own')} {row.get('peer')} port {row.get('port')}"
    facts = {"own": row.get("own"), "peer": row.get("peer"), "port": row.get("port"), "policy": str(policies[0])}
    source = cite(reading, (str(row.get("own")), str(row.get("peer")), f"port {row.get('port')}", "dropped"))
    where = ObjectRef(kind="NetworkPolicy", namespace=namespace, name=str(policies[0]))
    yield signal("traffic_dropped", where, f"NetworkPolicy {policies[0]} drops {way}", source, None, facts)


def _backend(world: World, reading: Reading, row: JsonObject) -> Found:
    """A path that leads to a Service or port that is not there: told of the workload that is most likely meant."""
    if row.get("service_exists") is not False and row.get("port_exists") is not False:
        return
    namespace, service = str(row.get("namespace") or _home(reading, row)), str(row.get("service") or "")
    seen = world.get("Service", namespace, service)
    near = service if seen else next((s.name for s in world.of("Service") if s.namespace == namespace and alike(s.name, service)), "")
    behind = [w for p in world.of("Pod") if p.namespace == namespace for w in [world.workload_of(p)] if w.name == near]
    if behind:
        facts = {"service": service, "port": row.get("port"), "host": row.get("host"), "path": row.get("path"), "problem": row.get("problem")}
        claim = f"{row.get('object')} path {row.get('path')}: {row.get('problem')}"
        yield signal("backend_missing", behind[0], claim, cite(reading, (str(row.get("problem")),)), None, facts)


def _home(reading: Reading, row: JsonObject) -> str:
    return str(reading.call.args.get("namespace") or "") or str(row.get("object") or "//").split("/")[1]


def _class(reading: Reading, said: str) -> Found:
    """`Ingress ns/name: class x does not exist; ...`, or none given where none is the default."""
    if "class" not in said or ("does not exist" not in said and "no ingressclass is the default" not in said):
        return
    for item in reading.items("ingresses"):
        meta = item.get("metadata") or {}
        if f"{meta.get('name')}:" in said:
            where = ObjectRef(kind="Ingress", namespace=str(meta.get("namespace") or ""), name=str(meta.get("name")))
            yield signal("ingress_class_missing", where, said, cite(reading, (said,)), None, {"problem": said.partition(": ")[2]})


def _dns(world: World) -> Found:
    """No pod of cluster DNS is ready."""
    pods = [p for p in world.of("Pod") if p.namespace == "kube-system" and is_dns(p.at("metadata", "labels") or {})]
    if pods and not any(is_ready(p.item) for p in pods):
        claim = f"None of the {len(pods)} pods of cluster DNS is ready"
        yield signal(
            "dns_pods_down",
            world.workload_of(pods[0]),
            claim,
            cite(pods[0].reading, (pods[0].name, "ready"), (pods[0].name,)),
            None,
            {"pods": len(pods)},
        )
