"""What breaks around the shop: nodes and their network, the control plane, DNS, policies, ways in, monitoring, delivery."""

from datetime import timedelta

from tests.diagnosis.breakages import Break, released, running_log
from tests.diagnosis.scenes import NOW, NS, Scene, add_workload, ago, meta


def slow_node(s: Scene) -> None:
    """Two workloads of one node, neither of which calls the other, become slow; one on another node does not."""
    add_workload(s, "mail", 8025, [], "worker-b")
    s.edges.append({"caller": "web", "callee": "mail"})
    for name, after in (("store", 0.4), ("mail", 0.5), ("web", 0.011)):
        s.series("service_latency_seconds", {"namespace": NS, "service": name}, 0.01, after)
    s.labels = {"alertname": "HighLatency", "namespace": NS, "service": "store"}


def retransmits(name: str, a_second: float) -> Break:
    """Counters of segments sent again: flat on one node, growing on the other for the last ten minutes."""

    def broken(s: Scene) -> None:
        start = int((NOW - timedelta(minutes=40)).timestamp())
        for node_name in ("worker-a", "worker-b"):
            values = [[start + 30 * i, str(max(0, i - 60) * 30 * a_second if node_name == name else 0.0)] for i in range(81)]
            s.metrics.append({"metric": {"__name__": "node_netstat_Tcp_RetransSegs", "node": node_name}, "values": values})

    return broken


def api_targets(up: int) -> Break:
    def broken(s: Scene) -> None:
        s.series("up", {"job": "apiserver", "instance": "10.0.0.1:6443"}, 1, up)
        s.labels = {"alertname": "KubeAPIDown"}

    return broken


def clock(offset: float) -> Break:
    def broken(s: Scene) -> None:
        labels = {"job": "node-exporter", "instance": "worker-a:9100", "node": "worker-a", "namespace": "monitoring"}
        s.series("node_timex_offset_seconds", labels, 0.0001, offset)
        s.labels = {"alertname": "NodeClockSkewDetected", "instance": "worker-a:9100", "node": "worker-a"}

    return broken


def kubelets(*versions: str) -> Break:
    def broken(s: Scene) -> None:
        for item, version in zip(s.objects["Node"], (*versions, versions[-1]), strict=True):
            item["status"]["nodeInfo"] = {"kubeletVersion": version}

    return broken


def database(address: str) -> Break:
    def broken(s: Scene) -> None:
        s.box()["env"] = [{"name": "DB_HOST", "value": address}]

    return broken


def reconfigured(s: Scene) -> None:
    """A release of the same image with another flag."""
    released(s)
    template = s.one("ReplicaSet", "cart-7d5bb9cc4")["spec"]["template"]
    old = s.one("ReplicaSet", "cart-5c9f7d8b6")["spec"]["template"]
    flags = [{"name": "NEW_CHECKOUT", "value": "on"}]
    template["spec"] = {"containers": [{**old["spec"]["containers"][0], "env": flags}]}


def reloaded(good: int) -> Break:
    def broken(s: Scene) -> None:
        labels = {"job": "alertmanager", "namespace": NS, "pod": "alertmanager-0"}
        s.series("alertmanager_config_last_reload_successful", labels, 1, good)
        s.labels = {"alertname": "AlertmanagerFailedReload", "namespace": NS, "pod": "alertmanager-0"}

    return broken


def dropped(a_second: float) -> Break:
    """Notifications that Prometheus could not deliver."""

    def broken(s: Scene) -> None:
        labels = {"job": "prometheus", "namespace": NS, "pod": "prometheus-0"}
        start = int((NOW - timedelta(minutes=40)).timestamp())
        values = [[start + 30 * i, str(max(0, i - 60) * 30 * a_second)] for i in range(81)]
        s.metrics.append({"metric": {"__name__": "prometheus_notifications_dropped_total", **labels}, "values": values})
        s.labels = {"alertname": "PrometheusErrorSendingAlertsToAnyAlertmanager", "namespace": NS, "pod": "prometheus-0"}

    return broken


def delivery(reason: str, minutes: float = 3) -> Break:
    message = "kustomize build failed: accumulating resources" if "Failed" in reason else "applied revision main"
    return lambda s: s.event("Application", "shop", reason, message, minutes)


def no_names(s: Scene) -> None:
    running_log("dial tcp: lookup store on 10.96.0.10:53: server misbehaving")(s)


def dns_pods(ready: bool) -> Break:
    def broken(s: Scene) -> None:
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "coredns-7c65d6cfc9", "controller": True}
        labels = {"k8s-app": "kube-dns", "pod-template-hash": "7c65d6cfc9"}
        above = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "coredns", "controller": True}]
        replica_set = {**meta("coredns-7c65d6cfc9", ownerReferences=above, labels=labels), "namespace": "kube-system"}
        s.add("ReplicaSet", {"metadata": replica_set, "spec": {"replicas": 1}, "status": {"replicas": 1}})
        meta_of = {**meta("coredns-7c65d6cfc9-aaaaa", ownerReferences=[owner], labels=labels), "namespace": "kube-system"}
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
        box = {"name": "coredns", "image": "registry.example/coredns:1.11"}
        s.add("Pod", {"metadata": meta_of, "spec": {"nodeName": "control", "containers": [box]}, "status": status})
        service_of = {**meta("kube-dns"), "namespace": "kube-system"}
        s.add("Service", {"metadata": service_of, "spec": {"selector": {"k8s-app": "kube-dns"}, "ports": [{"port": 53, "protocol": "UDP"}]}})

    return broken


def refused_call(s: Scene) -> None:
    s.says("\n".join(f"{ago(9 - i)} dial tcp cart:8080: i/o timeout, connect to cart:8080 timed out" for i in range(5)), "web")
    s.labels = {"alertname": "HighErrorRate", "namespace": NS, "service": "web"}


def policy(allowed: str) -> Break:
    """Only pods of one label may call cart."""

    def broken(s: Scene) -> None:
        rule = {"from": [{"podSelector": {"matchLabels": {"app": allowed}}}]}
        spec = {"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
        s.add("NetworkPolicy", {"metadata": meta("only-callers"), "spec": spec})
        s.objects.setdefault("Namespace", []).append({"metadata": {"name": NS}})

    return broken


def way_in(service: str, class_name: str) -> Break:
    def broken(s: Scene) -> None:
        backend = {"service": {"name": service, "port": {"number": 8080}}}
        rule = {"host": "shop.example", "http": {"paths": [{"path": "/cart", "pathType": "Prefix", "backend": backend}]}}
        s.add("Ingress", {"metadata": meta("front"), "spec": {"ingressClassName": class_name, "rules": [rule]}})
        s.add("IngressClass", {"metadata": {"name": "public"}, "spec": {"controller": "example/controller"}})
        s.labels = {"alertname": "IngressErrors", "namespace": NS, "ingress": "front"}

    return broken
