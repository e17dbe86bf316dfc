"""The parts of the control plane by their role, whatever the distribution calls their pods; their own words; their measures."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.verdict import Verdict
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NOW, Scene, ago, shop

KUBEADM, TALOS, OPENSHIFT = ({"component": "{}", "tier": "control-plane"}, {"k8s-app": "{}"}, {"app": "openshift-{}"})
ETCD_SLOW = '{"level":"warn","ts":"%s","caller":"wal/wal.go:845","msg":"slow fdatasync","took":"2.1s","expected-duration":"1s"}'
ETCD_FULL = 'E0304 09:55:00.1 1 status.go:71] "Unhandled Error" err="etcdserver: mvcc: database space exceeded"'
API_LATE = 'E0304 09:5%d:08.9 1 timeout.go:140] "Post-timeout activity" timeElapsed="7.062s" method="GET" path="/api/v1/pods" result=null'
K3S_REFUSED = (
    'Mar 04 09:5%d:01 control k3s[812]: E0304 09:51:01.1 812 leaderelection.go:448] "Failed to update lock" err="Put'
    ' https://127.0.0.1:6443/apis/coordination.k8s.io: context deadline exceeded"'
)


def part(scene: Scene, role: str, labels: dict[str, str], ready: bool, space: str = "kube-system", static: bool = True, node: str = "control") -> str:
    """A pod of the control plane, its labels with the role filled in."""
    name = f"{role}-{node}"
    owner = [{"apiVersion": "v1", "kind": "Node", "name": node, "controller": True}] if static else []
    made = {"name": name, "namespace": space, "creationTimestamp": ago(6000), "ownerReferences": owner}
    state: dict[str, Any] = {"running": {"startedAt": ago(6000)}}
    ended: dict[str, Any] = {}
    if not ready:
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
        ended = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": ago(4), "finishedAt": ago(3)}}
    status = {"name": role, "ready": ready, "restartCount": 0 if ready else 7, "state": state, "lastState": ended}
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": ago(20), "reason": "ContainersNotReady"}
    scene.add(
        "Pod",
        {
            "metadata": {**made, "labels": {k: v.format(role) for k, v in labels.items()}},
            "spec": {"nodeName": node, "containers": [{"name": role, "image": f"registry.k8s.io/{role}:v1.33.1"}]},
            "status": {"phase": "Running", "conditions": [condition], "containerStatuses": [status]},
        },
    )
    return f"{space}/{name}/{role}"


def verdict_of(folder: Path, scene: Scene) -> Verdict:
    return asyncio.run(Offline(scene.write(folder)).investigate())[0]


def first(verdict: Verdict) -> tuple[str, str]:
    return next(((h.cause, str(h.object)) for h in verdict.hypotheses), ("", ""))


@pytest.mark.parametrize(
    ("role", "labels", "alert", "cause"),
    [
        (
            "kube-controller-manager",
            KUBEADM,
            "KubeControllerManagerDown",
            ("controller_manager_unavailable", "ControlPlane//kube-controller-manager"),
        ),
        ("kube-scheduler", TALOS, "KubeSchedulerDown", ("scheduler_unavailable", "Node//control")),
        ("etcd", {}, "etcdMembersDown", ("etcd_unhealthy", "ControlPlane//etcd")),
        ("kube-apiserver", KUBEADM, "KubeAPIDown", ("api_server_unavailable", "ControlPlane//kube-apiserver")),
        ("kube-proxy", {"component": "{}"}, "KubeProxyDown", ("kube_proxy_unavailable", "Node//control")),
    ],
)
def test_a_part_that_crashes_is_that_part_and_no_mere_application(
    role: str, labels: dict[str, str], alert: str, cause: tuple[str, str], tmp_path: Path
) -> None:
    scene = shop()
    scene.logs[part(scene, role, labels, ready=False) + "#previous"] = 'E0304 09:57:00.1 1 run.go:72] "command failed" err="unknown flag: --gone"'
    scene.labels = {"alertname": alert, "namespace": "kube-system"}
    assert first(verdict_of(tmp_path, scene)) == cause


def test_openshift_keeps_its_parts_in_namespaces_of_their_own(tmp_path: Path) -> None:
    scene = shop()
    part(scene, "kube-apiserver", OPENSHIFT, ready=False, space="openshift-kube-apiserver")
    scene.labels = {"alertname": "KubeAPIDown", "namespace": "openshift-kube-apiserver"}
    assert first(verdict_of(tmp_path, scene)) == ("api_server_unavailable", "ControlPlane//kube-apiserver")


def test_an_etcd_of_an_application_is_no_part_of_the_control_plane(tmp_path: Path) -> None:
    scene = shop()
    part(scene, "etcd", KUBEADM, ready=False, space="shop", static=False)
    assert "etcd_unhealthy" not in [h.cause for h in verdict_of(tmp_path, scene).hypotheses]


def test_one_of_several_elected_parts_is_not_why_a_workload_fails(tmp_path: Path) -> None:
    scene = shop()
    part(scene, "kube-controller-manager", KUBEADM, ready=False)
    part(scene, "kube-controller-manager", KUBEADM, ready=True, node="worker-a")
    scene.labels = {"alertname": "HighErrorRate", "namespace": "kube-system"}
    assert "controller_manager_unavailable" not in [h.cause for h in verdict_of(tmp_path, scene).hypotheses]


@pytest.mark.parametrize(
    ("role", "lines", "cause"),
    [
        ("etcd", [ETCD_SLOW % ago(m) for m in range(9, 3, -1)], "etcd_unhealthy"),
        ("etcd", [ETCD_SLOW % ago(m) for m in (9, 8)], ""),
        ("etcd", [ETCD_SLOW % ago(m) for m in range(300, 290, -1)], ""),
        ("kube-apiserver", [ETCD_FULL], "etcd_unhealthy"),
        ("kube-apiserver", [API_LATE % m for m in range(1, 8)], "api_server_unavailable"),
        ("kube-apiserver", [API_LATE % 1], ""),
    ],
)
def test_what_its_log_complains_of_counts_when_it_is_said_often_and_now(role: str, lines: list[str], cause: str, tmp_path: Path) -> None:
    scene = shop()
    scene.logs[part(scene, role, KUBEADM, ready=True)] = "\n".join(lines)
    scene.labels = {"alertname": "KubeAPIErrorBudgetBurn"}
    assert first(verdict_of(tmp_path, scene))[0] == cause


def test_a_distribution_in_one_process_is_read_by_its_unit(tmp_path: Path) -> None:
    scene = shop()
    for node in scene.objects["Node"]:
        node["status"]["nodeInfo"] = {"kubeletVersion": "v1.33.1+k3s1"}
    part(scene, "coredns", {"k8s-app": "kube-dns"}, ready=True, static=False)
    scene.logs["kube-system/control/k3s"] = "\n".join(K3S_REFUSED % m for m in range(1, 8))
    scene.labels = {"alertname": "KubeClientErrors"}
    assert first(verdict_of(tmp_path, scene))[0] == "api_server_unavailable"


@pytest.mark.parametrize(
    ("metric", "a_second", "cause"),
    [("etcd_disk_wal_fsync_duration_seconds", 1.2, "etcd_unhealthy"), ("etcd_disk_wal_fsync_duration_seconds", 0.004, "")],
)
def test_a_measure_beyond_all_bounds_names_the_part(metric: str, a_second: float, cause: str, tmp_path: Path) -> None:
    scene, start = shop(), int((NOW - timedelta(minutes=40)).timestamp())
    labels = {"job": "kube-etcd", "instance": "10.0.0.9:2381"}
    for suffix, each in (("_sum", a_second), ("_count", 1.0)):
        values = [[start + 30 * i, str(30 * i * each)] for i in range(81)]
        scene.metrics.append({"metric": {"__name__": metric + suffix, **labels}, "values": values})
    scene.labels = {"alertname": "etcdHighCommitDurations"}
    assert first(verdict_of(tmp_path, scene))[0] == cause


def test_with_all_parts_well_an_alert_about_them_names_no_cause(tmp_path: Path) -> None:
    scene = shop()
    for role in ("etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager"):
        scene.logs[part(scene, role, KUBEADM, ready=True)] = "I0304 09:57:00.1 1 healthz.go:280] ok"
    scene.labels = {"alertname": "KubeAPIErrorBudgetBurn"}
    assert first(verdict_of(tmp_path, scene)) == ("", "")


@pytest.mark.parametrize("parts", [(), ("kube-scheduler",)])
def test_a_scheduler_that_is_gone_from_among_the_parts_is_named_when_pods_wait_without_a_word(parts: tuple[str, ...], tmp_path: Path) -> None:
    scene = shop()
    scene.objects["Pod"] = [p for p in scene.objects["Pod"] if "scheduler" not in p["metadata"]["name"]]
    for role in ("etcd", "kube-apiserver", "kube-controller-manager", *parts):
        part(scene, role, KUBEADM, ready=True)
    scene.metrics.clear()
    scene.pending("")
    scene.labels = {"alertname": "KubePodNotReady", "namespace": "shop", "pod": scene.pod()["metadata"]["name"]}
    found = first(verdict_of(tmp_path, scene))
    assert (found == ("scheduler_unavailable", "Node//control")) is not bool(parts)
