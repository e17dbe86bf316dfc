"""What the machine under the pods, controllers and the processes themselves say without an event: clocks, hardware, units that cannot
start, provisioners that do not act, schedules without a date, ways in without a certificate, processes that run and do nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.verdict import VerdictState
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, Scene, ago, meta, probe, shop

pytestmark = pytest.mark.slow  # each case is a whole reading
Change = Callable[[Scene], None]


def named(folder: Path, *changes: Change) -> tuple[str, str]:
    scene = shop()
    for change in changes:
        change(scene)
    verdict = asyncio.run(Offline(scene.write(folder)).investigate())[0]
    first = next(((h.cause, h.object.name) for h in verdict.hypotheses), ("", ""))
    return first if verdict.state is not VerdictState.NOT_A_PROBLEM else ("", "")


def alert(name: str, **labels: str) -> Change:
    def change(s: Scene) -> None:
        s.labels = {"alertname": name, **labels}

    return change


def unit_log(node: str, unit: str, *lines: str) -> Change:
    def change(s: Scene) -> None:
        s.logs[f"kube-system/{node}/{unit}"] = "\n".join(f"{ago(5 - n)} {line}" for n, line in enumerate(lines))

    return change


def away(s: Scene) -> None:
    """The node reports no more, and nobody collects its units."""
    s.metrics.clear()
    s.one("Node", "worker-b")["status"]["conditions"] = [
        {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": ago(12)}
    ]
    s.one("Lease", "worker-b")["spec"]["renewTime"] = ago(13)
    s.labels = {"alertname": "KubeNodeNotReady", "node": "worker-b"}


@pytest.mark.parametrize(
    ("unit", "line", "cause"),
    [
        ("kubelet", 'E run.go:72] "command failed" err="failed to run Kubelet: unable to load bootstrap kubeconfig: expired"', "kubelet_unavailable"),
        ("kubelet", 'E run.go:72] "command failed" err="failed to load kubelet config file, no such file"', "kubelet_unavailable"),
        ("kubelet", 'I kubelet.go:2412] "SyncLoop ADD" source="api"', "node_not_ready"),
    ],
)
def test_a_kubelet_that_cannot_start_is_told_by_its_last_words(unit: str, line: str, cause: str, tmp_path: Path) -> None:
    assert named(tmp_path, away, unit_log("worker-b", unit, "I starting", line))[0] == cause


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("worker-b systemd[1]: Stopped kubelet.service - kubelet: The Kubernetes Node Agent.", "kubelet_unavailable"),
        ("worker-b systemd[1]: Started kubelet.service - kubelet: The Kubernetes Node Agent.", "node_not_ready"),
    ],
)
def test_a_kubelet_that_somebody_stopped_is_told_by_the_lines_of_systemd(line: str, cause: str, tmp_path: Path) -> None:
    stopping = "worker-b systemd[1]: Stopping kubelet.service - kubelet: The Kubernetes Node Agent..."
    quiet = unit_log("worker-b", "kubelet", 'I kubelet.go:2412] "SyncLoop ADD" source="api"')
    assert named(tmp_path, away, quiet, unit_log("worker-b", "systemd", stopping, line))[0] == cause


def clocked(offset: float, sync: int) -> Change:
    def change(s: Scene) -> None:
        for node, here in (("worker-a", True), ("worker-b", False)):
            s.series("node_timex_sync_status", {"instance": f"{node}:9100", "node": node}, 1, sync if here else 1)
            s.series("node_timex_offset_seconds", {"instance": f"{node}:9100", "node": node}, 0.0002, offset if here else 0.0003)
        s.labels = {"alertname": "NodeClockNotSynchronising", "instance": "worker-a:9100", "node": "worker-a"}

    return change


@pytest.mark.parametrize(
    ("offset", "sync", "lines", "cause"),
    [
        (0.4, 0, (), "node_clock_skew"),
        (0.0001, 0, (), "node_clock_skew"),
        (0.0001, 1, ("chronyd[812]: System clock wrong by -183.400000 seconds",), "node_clock_skew"),
        (0.0001, 1, ("chronyd[812]: System clock wrong by 0.000021 seconds",), ""),
        (0.0001, 1, (), ""),
    ],
)
def test_a_clock_is_off_by_its_offset_by_its_service_or_by_its_log(
    offset: float, sync: int, lines: tuple[str, ...], cause: str, tmp_path: Path
) -> None:
    changes = [clocked(offset, sync), *([unit_log("worker-a", "chronyd", *lines)] if lines else [])]
    assert named(tmp_path, *changes) == (cause, "worker-a" if cause else "")


def die_together(code: int) -> Change:
    """Both workloads of worker-b were ended by the processor minutes ago."""

    def change(s: Scene) -> None:
        for name in ("cart", "store"):
            ended = {"exitCode": code, "reason": "Error", "startedAt": ago(20), "finishedAt": ago(4)}
            s.status(name).update(lastState={"terminated": ended}, restartCount=4, state={"running": {"startedAt": ago(3.9)}})
        s.labels = {"alertname": "PodRestartsOften", "namespace": NS, "pod": s.pod("cart")["metadata"]["name"]}

    return change


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("kernel: EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0", "node_hardware_fault"),
        ("kernel: blk_update_request: I/O error, dev sda, sector 9123", "node_hardware_fault"),
        ("kernel: EXT4-fs error (device nvme0n1p1): ext4_find_entry:1455: reading directory lblock 0", "node_hardware_fault"),
        ("kernel: EDAC MC0: 1 CE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0", "application_crash"),
    ],
)
def test_what_dies_of_its_machine_is_not_a_crash_of_the_program(line: str, cause: str, tmp_path: Path) -> None:
    assert named(tmp_path, die_together(135), unit_log("worker-b", "kernel", line))[0] == cause


def schedule(text: str) -> Change:
    def change(s: Scene) -> None:
        spec = {"schedule": text, "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}
        s.add("CronJob", {"metadata": meta("stock-report"), "spec": spec, "status": {"lastScheduleTime": ago(1), "lastSuccessfulTime": ago(1)}})
        s.labels = {"alertname": "StockReportTooOld", "namespace": NS}

    return change


@pytest.mark.parametrize(
    ("text", "cause"),
    [("0 4 31 2 *", "cron_job_suspended_or_missed"), ("0 4 31 4,6 *", "cron_job_suspended_or_missed"), ("0 4 29 2 *", ""), ("0 4 31 2 1", "")],
)
def test_a_schedule_without_a_date_never_comes(text: str, cause: str, tmp_path: Path) -> None:
    assert named(tmp_path, schedule(text))[0] == cause


def claim(age: float, *messages: tuple[str, str]) -> Change:
    def change(s: Scene) -> None:
        pod = s.pending("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.")
        pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        spec = {"storageClassName": "gold", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}
        s.add("PersistentVolumeClaim", {"metadata": {**meta("data"), "creationTimestamp": ago(age)}, "spec": spec, "status": {"phase": "Pending"}})
        s.add("StorageClass", {"metadata": {"name": "gold"}, "provisioner": "csi.gold.example", "volumeBindingMode": "Immediate"})
        for reason, message in messages:
            s.event("PersistentVolumeClaim", "data", reason, message)
        s.labels = {"alertname": "KubePodNotReady", "namespace": NS, "pod": pod["metadata"]["name"]}

    return change


WAITING = ("ExternalProvisioning", "Waiting for a volume to be created either by the external provisioner 'csi.gold.example' or manually")


@pytest.mark.parametrize(("age", "cause"), [(25, "pvc_unbound_storage_class"), (1, "")])
def test_a_provisioner_that_says_nothing_for_minutes_does_not_act(age: float, cause: str, tmp_path: Path) -> None:
    found = named(tmp_path, claim(age, WAITING))[0]
    assert (found == "pvc_unbound_storage_class") is bool(cause)


NO_KIND = 'msg="problem running manager" error="no matches for kind \\"{}\\" in version \\"{}\\""'


@pytest.mark.parametrize(
    ("kind", "version", "cause"),
    [
        ("FlowSchema", "flowcontrol.apiserver.k8s.io/v1beta3", "version_skew"),
        ("CronJob", "batch/v1beta1", "version_skew"),
        ("Ingress", "extensions/v1beta1", "version_skew"),
        ("Widget", "widgets.example/v1", "application_crash"),
    ],
)
def test_a_version_of_the_api_that_is_gone_is_skew_and_a_missing_kind_of_others_is_not(kind: str, version: str, cause: str, tmp_path: Path) -> None:
    assert named(tmp_path, lambda s: s.crashes(1, log=NO_KIND.format(kind, version)))[0] == cause


def h2c(app_protocol: str, line: str) -> Change:
    def change(s: Scene) -> None:
        s.one("Service", "cart")["spec"]["ports"][0]["appProtocol"] = app_protocol
        s.says(f"{ago(3)} {line}", "web")
        s.series("http_requests_total", {"job": "web", "namespace": NS, "pod": s.pod("web")["metadata"]["name"], "code": "500"}, 0, 0)
        s.labels = {"alertname": "ErrorsHigh", "namespace": NS, "deployment": "web"}

    return change


UPSTREAM = '[error] upstream sent invalid header: "HTTP/1.1 400 Bad Request" while reading response, upstream: "h2c://10.0.0.9:8080", host: "cart"'


@pytest.mark.parametrize(("app_protocol", "cause"), [("kubernetes.io/h2c", "service_protocol_mismatch"), ("http", "")])
def test_a_service_that_promises_http2_to_a_process_of_http1_is_named(app_protocol: str, cause: str, tmp_path: Path) -> None:
    found = named(tmp_path, h2c(app_protocol, UPSTREAM))
    assert found == (cause, "cart") if cause else found[0] != "service_protocol_mismatch"


def refused_at(port: int, line: str) -> Change:
    def change(s: Scene) -> None:
        pod = s.not_ready()
        s.box()["ports"].append({"name": "admin", "containerPort": 9091})
        s.box()["livenessProbe"] = probe("admin", initialDelaySeconds=15)
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": ago(4), "finishedAt": ago(3)}
        s.status().update(lastState={"terminated": ended}, restartCount=5, state={"waiting": {"reason": "CrashLoopBackOff"}})
        name, at = pod["metadata"]["name"], f'Get "http://10.0.0.9:{port}/live": dial tcp 10.0.0.9:{port}: connect: connection refused'
        s.event("Pod", name, "Unhealthy", f"Liveness probe failed: {at}")
        s.event("Pod", name, "Killing", "Container cart failed liveness probe, will be restarted")
        s.logs[f"{NS}/{name}/cart#previous"] = f"{ago(4)} {line}"

    return change


@pytest.mark.parametrize(
    ("line", "wrong"),
    [("listening on 0.0.0.0:8080", True), ("Tomcat started on port 8080 (http)", True), ("loading caches", False), ("listening on :9091", False)],
)
def test_a_declared_port_on_which_the_process_does_not_listen_is_the_wrong_one(line: str, wrong: bool, tmp_path: Path) -> None:
    assert (named(tmp_path, refused_at(9091, line))[0] == "liveness_probe_wrong_port") is wrong


def busy(line: str) -> Change:
    def change(s: Scene) -> None:
        s.says("\n".join(f"{ago(m)} {line}" for m in (9, 7, 5, 3, 1)))
        s.labels = {"alertname": "SlowResponses", "namespace": NS, "deployment": "cart"}

    return change


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("WARNING: [pool www] server reached pm.max_children setting (8), consider raising it", "too_few_replicas"),
        ("AH00484: server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting", "too_few_replicas"),
        ('*** uWSGI listen queue of socket ":3031" (fd: 3) full !!! (101/100) ***', "too_few_replicas"),
        ("512 worker_connections are not enough while connecting to upstream", "too_few_replicas"),
        ("WARNING: [pool www] child 31 exited with code 0 after 60 seconds", ""),
    ],
)
def test_a_pool_of_workers_that_is_all_busy_asks_for_more(line: str, cause: str, tmp_path: Path) -> None:
    found = named(tmp_path, busy(line))[0]
    assert found == cause or (not cause and found != "too_few_replicas")


def stuck(*lines: tuple[float, str]) -> Change:
    def change(s: Scene) -> None:
        s.says("\n".join(f"{ago(m)} {line}" for m, line in lines))
        s.series("kafka_consumergroup_lag_sum", {"consumergroup": "cart", "namespace": NS, "job": "kafka-exporter", "topic": "orders"}, 40, 90_000)
        s.labels = {"alertname": "ConsumerGroupLagGrowing", "namespace": NS, "consumergroup": "cart"}

    return change


TALK = tuple((20 - n, "GET /items 200") for n in range(6))


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (
            (*TALK, (10, "batch: acquired stock_lock, waiting for order_lock"), (10, "edit: acquired order_lock, waiting for stock_lock")),
            "deadlock_or_hang",
        ),
        (TALK, "deadlock_or_hang"),
        (tuple((10 - n, "GET /items 200") for n in range(10)), "queue_consumer_lag"),
    ],
)
def test_a_consumer_that_falls_silent_while_its_queue_grows_hangs(lines: tuple[tuple[float, str], ...], cause: str, tmp_path: Path) -> None:
    assert named(tmp_path, stuck(*lines))[0] == cause


def job(succeeded_since: bool) -> Change:
    def change(s: Scene) -> None:
        done = ago(5) if succeeded_since else ago(300)
        spec = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}
        s.add("CronJob", {"metadata": meta("close"), "spec": spec, "status": {"lastScheduleTime": ago(1), "lastSuccessfulTime": done}})
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "close", "controller": True}
        failed = {
            "type": "Failed",
            "status": "True",
            "reason": "BackoffLimitExceeded",
            "message": "Job has reached the limit",
            "lastTransitionTime": ago(60),
        }
        s.add("Job", {"metadata": meta("close-1", ownerReferences=[owner]), "spec": {}, "status": {"failed": 3, "conditions": [failed]}})
        s.labels = {"alertname": "KubeJobFailed", "namespace": NS, "job_name": "close-1"}

    return change


@pytest.mark.parametrize(("since", "cause"), [(True, ""), (False, "job_failed")])
def test_a_job_whose_later_run_succeeded_is_over(since: bool, cause: str, tmp_path: Path) -> None:
    assert named(tmp_path, job(since))[0] == cause
