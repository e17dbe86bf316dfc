"""What runs, and what should have run: CronJobs at rest, full nodes, impatient probes, Jobs and processes that recovered, releases
that fail from their first minute; each beside what only looks like it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.diagnosis.breakages import Break, released
from tests.diagnosis.scenes import NOW, NS, Scene, ago, meta, probe
from tests.diagnosis.test_causes import verdict_of


def cron_job(name: str, alert: str, *, suspend: bool = False, last: float = 60 * 72, event: str = "") -> Break:
    """A CronJob that should run every night and did so last `last` minutes ago, and an alert about the namespace."""

    def broken(s: Scene) -> None:
        spec = {"schedule": "0 2 * * *", "suspend": suspend, "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}
        s.add("CronJob", {"metadata": meta(name), "spec": spec, "status": {"lastScheduleTime": ago(last)}})
        s.labels = {"alertname": alert, "namespace": NS}
        if event:
            s.event("CronJob", name, "TooManyMissedTimes", event)

    return broken


GIVEN_UP = "too many missed start times: 209. Set or decrease .spec.startingDeadlineSeconds or check clock skew"


@pytest.mark.parametrize(
    "form",
    [
        cron_job("store-dump", "DumpTooOld", suspend=True),
        cron_job("invoicing", "InvoicesNotSent"),
        cron_job("billing", "BackupMissing", suspend=True),
        cron_job("cleanup", "ServiceUnavailable", event=GIVEN_UP),
    ],
    ids=["its word in the alert", "its stem in the alert", "the only one that stands still", "its controller gave up"],
)
def test_a_cron_job_that_starts_nothing_is_named_where_the_alert_tells_of_it(form: Break, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, form)
    assert [h.cause for h in verdict.hypotheses][:1] == ["cron_job_suspended_or_missed"], verdict.line


@pytest.mark.parametrize(
    "form",
    [cron_job("store-dump", "CartSlow", suspend=True), cron_job("store-dump", "DumpTooOld", last=480)],
    ids=["suspended, and the alert is about something else", "on time"],
)
def test_a_cron_job_at_rest_is_no_cause(form: Break, tmp_path: Path) -> None:
    assert [h.cause for h in verdict_of(tmp_path, form).hypotheses] == []


def full_node(pods: str) -> Break:
    def broken(s: Scene) -> None:
        s.one("Node", "worker-b")["status"]["allocatable"]["pods"] = pods
        s.labels = {"alertname": "KubeletTooManyPods", "node": "worker-b"}

    return broken


def test_a_node_without_room_for_a_pod_is_named_where_the_alert_asks_for_it(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, full_node("2"))
    assert [(h.cause, str(h.object)) for h in verdict.hypotheses][:1] == [("too_many_pods_on_node", "Node//worker-b")]


def test_a_node_with_room_is_not(tmp_path: Path) -> None:
    assert verdict_of(tmp_path, full_node("20")).hypotheses == ()


def killed(code: int, seconds: float, refused: bool, log: str, **spec: Any) -> Break:
    """The kubelet restarts the container after so many seconds; `log` is what that run said."""
    said = "dial tcp 10.0.0.9:8080: connect: connection refused" if refused else "context deadline exceeded (Client.Timeout exceeded)"

    def broken(s: Scene) -> None:
        s.box()["livenessProbe"] = probe(8080, **spec)
        s.crashes(code, log=log)
        s.status()["lastState"]["terminated"]["startedAt"] = ago(3 + seconds / 60)
        s.event("Pod", s.pod()["metadata"]["name"], "Killing", "Container cart failed liveness probe, will be restarted")
        s.event("Pod", s.pod()["metadata"]["name"], "Unhealthy", f'Liveness probe failed: Get "http://10.0.0.9:8080/": {said}')

    return broken


AT_WORK = f"{ago(3.1)} GET /cart 200 in 1300 ms\n{ago(3)} received SIGTERM, graceful shutdown"
STARTING = f"{ago(3.2)} starting\n{ago(3.1)} opening the pool"


@pytest.mark.parametrize(
    ("cause", "form"),
    [
        ("liveness_probe_too_strict", killed(143, 300, False, AT_WORK, periodSeconds=5, failureThreshold=1)),
        ("liveness_probe_too_strict", killed(143, 25, True, STARTING, initialDelaySeconds=5, periodSeconds=5)),
        ("liveness_probe_failing", killed(137, 300, False, f"{ago(9)} GET /cart 200 in 3 ms", periodSeconds=5)),
        ("database_credentials_invalid", killed(143, 25, True, f"{ago(3.1)} FATAL: password authentication failed", initialDelaySeconds=5)),
    ],
    ids=["at work", "starting", "silent long before, and had to be killed", "kept from starting"],
)
def test_a_probe_is_too_strict_for_a_process_that_is_at_work_or_on_its_way(cause: str, form: Break, tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, form)
    assert verdict.hypotheses[0].cause == cause, verdict.line


def retried(done: bool) -> Break:
    """A Job whose first pod failed; it has succeeded since, or not."""

    def broken(s: Scene) -> None:
        end = [{"type": "Complete", "status": "True", "lastTransitionTime": ago(5)}] if done else []
        s.add("Job", {"metadata": meta("billing"), "spec": {"backoffLimit": 4}, "status": {"failed": 1, "succeeded": int(done), "conditions": end}})
        failed = {"name": "billing", "ready": False, "restartCount": 0, "lastState": {}}
        failed["state"] = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": ago(9), "finishedAt": ago(8)}}
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "billing", "controller": True}
        pod = {"metadata": meta("billing-x1", ownerReferences=[owner]), "spec": {"containers": [{"name": "billing"}]}}
        s.add("Pod", {**pod, "status": {"phase": "Failed", "containerStatuses": [failed]}})
        s.logs[f"{NS}/billing-x1/billing"] = "panic: the database system is starting up"
        s.labels = {"alertname": "BatchPodFailed", "namespace": NS, "job_name": "billing"}

    return broken


def test_a_job_that_succeeded_at_a_later_try_is_no_problem(tmp_path: Path) -> None:
    assert verdict_of(tmp_path, retried(True)).hypotheses == ()


def test_a_job_whose_pod_failed_and_that_has_not_succeeded_is_a_fault(tmp_path: Path) -> None:
    assert [h.cause for h in verdict_of(tmp_path, retried(False)).hypotheses][:1] == ["application_crash"]


def up_since(minutes: float) -> Break:
    """It died at its start time and again while its store was away, and runs since."""

    def broken(s: Scene) -> None:
        ended = {"exitCode": 1, "reason": "Error", "startedAt": ago(minutes + 0.2), "finishedAt": ago(minutes + 0.1)}
        s.status().update(restartCount=6, lastState={"terminated": ended}, state={"running": {"startedAt": ago(minutes)}})
        name = s.pod()["metadata"]["name"]
        s.logs[f"{NS}/{name}/cart#previous"] = f"{ago(minutes + 0.1)} fatal: dial tcp store:5432: connect: connection refused"
        s.labels = {"alertname": "KubePodCrashLooping", "namespace": NS, "pod": name}

    return broken


def test_a_process_that_died_at_its_start_and_has_run_far_longer_since_is_up(tmp_path: Path) -> None:
    assert verdict_of(tmp_path, up_since(3.5)).hypotheses == ()


def test_a_process_that_came_back_a_moment_ago_is_not_yet(tmp_path: Path) -> None:
    assert verdict_of(tmp_path, up_since(0.5)).hypotheses != ()


def failing_pods(old: float) -> Break:
    """Pods of the new release fail from their first minute; those before it failed `old` of their requests."""

    def broken(s: Scene) -> None:
        released(s)
        pod = s.pod()
        pod["metadata"].update(creationTimestamp=ago(15), name="cart-7d5bb9cc4-q8w2e")
        for name, share in (("cart-7d5bb9cc4-q8w2e", 0.3), ("cart-5c9f7d8b6-x2x4q", old)):
            start = int((NOW - timedelta(minutes=14)).timestamp())
            for code, part in (("200", 1 - share), ("500", share)):
                values = [[start + 30 * i, str(300 * i * part)] for i in range(28)]
                s.metrics.append({"metric": {"__name__": "http_requests_total", "namespace": NS, "pod": name, "code": code}, "values": values})
        s.labels = {"alertname": "HighErrorRate", "namespace": NS, "service": "cart"}

    return broken


def test_a_release_whose_pods_fail_from_their_first_minute_is_to_blame(tmp_path: Path) -> None:
    assert [h.cause for h in verdict_of(tmp_path, failing_pods(0.0)).hypotheses][:1] == ["rollout_regression"]


def test_a_release_is_not_where_the_pods_before_it_fail_alike(tmp_path: Path) -> None:
    assert [h.cause for h in verdict_of(tmp_path, failing_pods(0.3)).hypotheses if h.cause == "rollout_regression"] == []
