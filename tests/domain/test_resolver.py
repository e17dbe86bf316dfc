"""The target resolver: every default alert, every label trap, and labels of people who mean harm."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.domain.alert import Alert, Source
from app.domain.grouping import target_key
from app.domain.resolver import resolve
from app.domain.target import Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATE_METRICS = {
    "job": "kube-state-metrics",
    "instance": "10.1.2.3:8080",
    "service": "kps-kube-state-metrics",
    "endpoint": "http",
    "container": "kube-state-metrics",
    "pod": "kps-kube-state-metrics-6c9f7d5b4-2xk8p",
    "namespace": "monitoring",
}
NODE_EXPORTER = {
    "job": "node-exporter",
    "instance": "10.0.0.7:9100",
    "service": "kps-node-exporter",
    "container": "node-exporter",
    "pod": "kps-node-exporter-x7k2p",
    "namespace": "monitoring",
}
KUBELET = {"job": "kubelet", "instance": "10.0.0.7:10250", "service": "kps-kubelet", "namespace": "kube-system", "node": "worker-9"}
VALUES = {
    "namespace": "shop",
    "pod": "cart-7d9f8b6c5d-x2k4p",
    "container": "server",
    "node": "worker-1",
    "instance": "10.0.0.7:8443",
    "job": "cart",
    "service": "cart",
    "name": "v1beta1.metrics.example.com",
    "cluster": "prod",
    "condition": "Ready",
}


def alert(labels: dict[str, str], annotations: dict[str, str] | None = None, **more: Any) -> Alert:
    values: dict[str, Any] = {"id": "a", "source": Source.ALERTMANAGER, "fingerprint": "f", "type": "x", "starts_at": NOW, "received_at": NOW}
    values |= {"name": labels.get("alertname", "Something"), "labels": labels, "annotations": annotations or {}}
    return Alert(**(values | more))


def named(labels: dict[str, str], annotations: dict[str, str] | None = None, **more: Any) -> str:
    return str(resolve(alert(labels, annotations, **more)).ref)


def exporter_of(row: dict[str, Any]) -> dict[str, str]:
    if row["alertname"].startswith("Node"):
        return NODE_EXPORTER
    return KUBELET if "kubelet" in row["expr"] or row["alertname"].startswith("Kubelet") else STATE_METRICS


def true_labels(row: dict[str, Any]) -> dict[str, str]:
    true = {n: VALUES.get(n, f"{n}-1".replace("_", "-")) for n in row["target_labels"]}
    if row["target_kind"] == "Node" and "instance" in true:
        true["instance"] = exporter_of(row)["instance"]
    if row["target_kind"] == "Node" and "job" in true:
        true["job"] = "kube-proxy"
    return true


def labels_of(row: dict[str, Any], style: str) -> dict[str, str]:
    """The labels such an alert carries: `honor` as kube-prometheus-stack sends them, `exported` as without honorLabels."""
    exporter = exporter_of(row)
    true = true_labels(row)
    decoration = {n: exporter[n] for n in row["misleading_labels"] if n in exporter}
    if style == "honor":
        return {"alertname": row["alertname"], **decoration, **true}
    moved = {
        f"exported_{n}" if n in decoration or (n in exporter and row["misleading_labels"] and n != "instance") else n: v for n, v in true.items()
    }
    return {"alertname": row["alertname"], **{n: exporter[n] for n in exporter if row["misleading_labels"] and n not in moved}, **moved}


def rows(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "alert_catalogue.jsonl").read_text(encoding="utf-8").splitlines()
    return [r for r in map(json.loads, lines) if r["source"].startswith("kube-prometheus")]


def right(row: dict[str, Any], labels: dict[str, str], target: Target) -> bool:
    kind, ref, true = row["target_kind"], target.ref, true_labels(row)
    if kind == "Node":
        return ref.kind == "Node" and ref.name in (true.get("node", ""), labels.get("instance", "").rsplit(":", 1)[0], labels.get("node"))
    if kind == "Cluster":
        return str(ref) == "Cluster//prod"
    label = {"Container": "pod"}.get(kind, kind.lower() if kind != "Job" else "job_name")
    if label in true:
        namespace = "" if kind == "PersistentVolume" else "shop"
        return (ref.kind, ref.namespace, ref.name) == ({"Container": "Pod"}.get(kind, kind), namespace, true[label]) or kind == "Namespace"
    if kind == "Workload" and "pod" in true:
        return str(ref) == "Pod/shop/cart-7d9f8b6c5d-x2k4p"
    if (kind == "Workload" and {"service", "job"} & set(true)) or kind == "ScrapeTarget":
        return str(ref) == "Service/shop/cart"
    if kind in ("ControlPlane", "EtcdMember", "EtcdCluster") and "job" in true:
        return ref.kind == "Target" and ref.name.startswith("cart")
    if kind == "APIService":
        return str(ref) == "APIService//v1beta1.metrics.example.com"
    return ref.kind in ("Namespace", "Cluster", "Rule")


@pytest.mark.shared
@pytest.mark.parametrize("style", ["honor", "exported"])
def test_every_default_alert_is_about_what_its_rule_is_about(shared: Path, style: str) -> None:
    wrong = []
    for row in rows(shared):
        labels = labels_of(row, style)
        target = resolve(alert(labels))
        misleading = [
            n for n in row["misleading_labels"] if n in labels and n not in row["target_labels"] and (n != "container" or target.ref.kind != "Pod")
        ]
        misled = set(misleading) & set(target.believed)
        if not right(row, labels, target) or misled:
            wrong.append((row["alertname"], row["target_kind"], str(target.ref), misled, labels))
    assert len(rows(shared)) >= 139
    assert wrong == []


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({**STATE_METRICS, "namespace": "shop", "deployment": "cart"}, "Deployment/shop/cart"),
        ({**STATE_METRICS, "namespace": "shop", "job_name": "nightly-28911"}, "Job/shop/nightly-28911"),
        ({**STATE_METRICS, "node": "worker-1", "condition": "Ready"}, "Node//worker-1"),
        ({**STATE_METRICS, "namespace": "shop", "pod": "cart-1", "container": "server", "node": "worker-1"}, "Pod/shop/cart-1"),
        ({**STATE_METRICS, "exported_namespace": "shop", "exported_pod": "cart-1"}, "Pod/shop/cart-1"),
        ({**STATE_METRICS, "exported_namespace": "shop", "deployment": "cart"}, "Deployment/shop/cart"),
        ({**STATE_METRICS, "exported_node": "worker-3"}, "Node//worker-3"),
        ({**STATE_METRICS, "persistentvolume": "pv-1", "phase": "Failed"}, "PersistentVolume//pv-1"),
        ({**KUBELET, "namespace": "shop", "persistentvolumeclaim": "data-0"}, "PersistentVolumeClaim/shop/data-0"),
        ({**KUBELET, "namespace": "shop", "pod": "cart-1", "container": "server"}, "Pod/shop/cart-1"),
        (KUBELET, "Node//worker-9"),
        (NODE_EXPORTER, "Node//10.0.0.7"),
        ({"instance": "[fe80::1]:9100"}, "Node//fe80::1"),
        ({"job": "batch", "namespace": "shop", "pod": "batch-0"}, "Pod/shop/batch-0"),
        ({"job": "leaky", "instance": "127.0.0.1:9999"}, "Target//leaky/127.0.0.1:9999"),
        ({"job": "cart", "namespace": "shop", "service": "cart"}, "Service/shop/cart"),
        ({"job": "kube-state-metrics", "namespace": "monitoring", "service": "kps-kube-state-metrics"}, "Service/monitoring/kps-kube-state-metrics"),
        ({"namespace": "shop", "workload": "cart", "workload_type": "statefulset"}, "StatefulSet/shop/cart"),
        ({"kube_namespace": "shop", "kube_deployment": "cart"}, "Deployment/shop/cart"),
        ({"namespace": "shop", "deployment": "cart", "pod": "cart-7d9f8b6c5d-x2k4p"}, "Pod/shop/cart-7d9f8b6c5d-x2k4p"),
        ({"namespace": "shop", "deployment": "cart", "pod": "prober-0"}, "Deployment/shop/cart"),
        ({"namespace": "shop"}, "Namespace//shop"),
        ({"cluster": "prod"}, "Cluster//prod"),
        ({"alertname": "High Error Rate"}, "Rule//High_Error_Rate"),
    ],
)
def test_a_label_trap_is_seen(labels: dict[str, str], expected: str) -> None:
    assert named(labels) == expected


def test_a_native_alert_names_a_service_and_takes_the_default_namespace() -> None:
    native = alert({}, service="web-app", source=Source.NATIVE)
    assert str(resolve(native).ref) == "Service//web-app"
    assert str(resolve(native, default_namespace="prod").ref) == "Service/prod/web-app"


def test_annotations_are_believed_only_where_labels_name_no_object() -> None:
    says = {"kube_pod": "cart-1", "kube_namespace": "shop"}
    assert named({"namespace": "prod"}, says) == "Pod/prod/cart-1"
    assert named({"namespace": "prod", "service": "cart"}, says) == "Service/prod/cart"
    assert resolve(alert({}, says)).believed["annotation:kube_pod"] == "cart-1"


@pytest.mark.parametrize("value", ["", "../../etc/passwd", "a b", "x" * 254, 'p"} or {a="', "cart\nnamespace=kube-system", "-cart", "Cart_1", "\x00"])
def test_a_hostile_label_value_names_nothing(value: str) -> None:
    assert named({"namespace": "shop", "pod": value}) == "Namespace//shop"
    assert named({"namespace": value, "deployment": "cart"}) == "Deployment//cart"


def test_resolving_never_raises_and_never_grows_with_the_alert() -> None:
    huge = {f"label{i}": "v" * 10_000 for i in range(200)} | {"instance": "x" * 10_000, "alertname": "A\x00" * 500}
    target = resolve(alert(huge))
    assert target.ref.kind == "Rule"
    assert len(target.model_dump_json()) < 2_000


def test_misleading_labels_are_said_to_be_ignored() -> None:
    target = resolve(alert({**STATE_METRICS, "namespace": "shop", "deployment": "cart"}))
    assert target.believed == {"deployment": "cart", "namespace": "shop"}
    assert {"pod", "job", "service", "instance", "container"} <= set(target.ignored)


def pod(name: str, owner: tuple[str, str]) -> dict[str, Any]:
    reference = {"kind": owner[0], "name": owner[1], "controller": True}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "shop", "ownerReferences": [reference]}}


REPLICA_SET = {
    "kind": "ReplicaSet",
    "metadata": {"name": "cart-7d", "namespace": "shop", "ownerReferences": [{"kind": "Deployment", "name": "cart", "controller": True}]},
}


def test_objects_fill_the_owner_chain() -> None:
    target = resolve(alert({"namespace": "shop", "pod": "cart-7d-a"}), [pod("cart-7d-a", ("ReplicaSet", "cart-7d")), REPLICA_SET])
    assert [str(o) for o in target.owners] == ["ReplicaSet/shop/cart-7d", "Deployment/shop/cart"]
    assert str(target.workload) == "Deployment/shop/cart"


def test_a_pod_that_is_gone_is_placed_by_its_replica_set() -> None:
    assert str(resolve(alert({"namespace": "shop", "pod": "cart-7d-zz"}), [REPLICA_SET]).workload) == "Deployment/shop/cart"


def test_an_owner_circle_ends() -> None:
    circle = [pod("a", ("Pod", "b")), pod("b", ("Pod", "a"))]
    assert len(resolve(alert({"namespace": "shop", "pod": "a"}), circle).owners) <= 5


def test_an_address_becomes_a_node_name_when_the_nodes_are_known() -> None:
    node = {"kind": "Node", "metadata": {"name": "worker-1"}, "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.7"}]}}
    assert str(resolve(alert(NODE_EXPORTER), [node]).ref) == "Node//worker-1"
    exporter = {"kind": "Pod", "metadata": {"name": NODE_EXPORTER["pod"], "namespace": "monitoring"}, "spec": {"nodeName": "worker-2"}}
    assert str(resolve(alert(NODE_EXPORTER), [exporter]).ref) == "Node//worker-2"


def test_a_service_that_is_a_workload_becomes_that_workload() -> None:
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"template": {"metadata": {"labels": {"app": "c"}}}},
    }
    service = {"kind": "Service", "metadata": {"name": "cart-http", "namespace": "shop"}, "spec": {"selector": {"app": "c"}}}
    assert str(resolve(alert({"namespace": "shop", "service": "cart"}), [deployment]).ref) == "Deployment/shop/cart"
    assert str(resolve(alert({"namespace": "shop", "service": "cart-http"}), [deployment, service]).ref) == "Deployment/shop/cart"


def test_alerts_of_one_workload_have_one_key_and_of_two_clusters_two() -> None:
    keys = {
        target_key(alert({"namespace": "shop", "pod": "cart-7d9f8b6c5d-x2k4p"})),
        target_key(alert({"namespace": "shop", "pod": "cart-5c6d7f8b9b-zzzzz"})),
        target_key(alert({"namespace": "shop", "deployment": "cart"})),
        target_key(alert({"namespace": "shop", "service": "cart"})),
    }
    assert len(keys) == 1
    assert target_key(alert({"namespace": "shop", "service": "cart", "cluster": "b"})) not in keys
    assert target_key(alert({"namespace": "stage", "service": "cart"})) not in keys
    assert target_key(alert({"node": "worker-1"})) != target_key(alert({"node": "worker-2"}))


def test_a_namespace_alone_is_no_reason_to_join_two_rules() -> None:
    first, second = ({"alertname": name, "namespace": "shop"} for name in ("ErrorsHigh", "ImagePullFailing"))
    assert target_key(alert(first)) == target_key(alert(first)) != target_key(alert(second))
    assert target_key(alert({"alertname": "Odd"})) == ""


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"destination_workload": "cart", "destination_workload_namespace": "shop", "namespace": "istio-system"}, "Deployment/shop/cart"),
        ({"destination_workload": "cart", "source_workload": "web", "namespace": "shop"}, "Deployment/shop/cart"),
        ({"destination_service_name": "cart", "destination_service_namespace": "shop", "reporter": "source"}, "Service/shop/cart"),
        ({"destination_workload": "unknown", "namespace": "shop"}, "Namespace//shop"),
    ],
)
def test_an_alert_on_the_metrics_of_a_mesh_is_about_the_one_that_answers(labels: dict[str, str], expected: str) -> None:
    assert named(labels) == expected
