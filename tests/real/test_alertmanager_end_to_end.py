"""From a leaking program through real Prometheus rules and a real Alertmanager to a cited report."""

import asyncio
import contextlib
import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.domain.frozen import iso
from tests.real.processes import SRE_AGENT, answers, free_port, running, until

pytestmark = [pytest.mark.real, pytest.mark.slow]
PROGRAM = str(Path(__file__).with_name("leaky_program.py"))
POD = "orders-6c9f7d5b8-x2x7q"
LABELS = {"namespace": "backoffice", "pod": POD, "service": "orders", "container": "orders"}

PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}
scrape_configs:
  - job_name: orders
    static_configs: [{{targets: ['127.0.0.1:{program}'], labels: {labels}}}]
"""
RULES = """
groups:
  - name: orders
    rules:
      - alert: HighErrorRate
        expr: >-
          sum by (namespace, service) (rate(http_requests_total{code=~"5.."}[5s]))
          / sum by (namespace, service) (rate(http_requests_total[5s])) > 0.2
        for: 3s
        labels: {severity: critical}
        annotations: {summary: "More than 20 % of requests fail."}
"""
ALERTMANAGER = """
route: {{receiver: agent, group_by: [alertname, namespace, service], group_wait: 1s, group_interval: 5s}}
receivers: [{{name: agent, webhook_configs: [{{url: 'http://127.0.0.1:{service}/webhooks/alertmanager', send_resolved: true}}]}}]
"""


def template(version: str) -> dict[str, Any]:
    container = {
        "name": "orders",
        "image": f"registry.example/backoffice/orders:{version}",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "resources": {"limits": {"memory": "512Mi"}, "requests": {"memory": "128Mi", "cpu": "100m"}},
    }
    return {"metadata": {"labels": {"app": "orders"}}, "spec": {"containers": [container]}}


def replica_set(name: str, revision: str, created: str, version: str, replicas: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "backoffice",
            "uid": f"rs-{revision}",
            "creationTimestamp": created,
            "labels": {"app": "orders"},
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders", "uid": "d-1", "controller": True}],
        },
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "orders"}}, "template": template(version)},
        "status": {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas},
    }


def snapshot(folder: Path, before: str, deployed: str, log: str) -> None:
    """The cluster as the lab's Kubernetes server shows it: Deployment, two revisions, the pod and its real log."""
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "orders",
            "namespace": "backoffice",
            "uid": "d-1",
            "creationTimestamp": before,
            "generation": 2,
            "labels": {"app": "orders"},
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "orders"}}, "template": template("2.0.0")},
        "status": {
            "observedGeneration": 2,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 1,
            "availableReplicas": 1,
            "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability."}
            ],
        },
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": POD,
            "namespace": "backoffice",
            "uid": "p-1",
            "creationTimestamp": deployed,
            "labels": {"app": "orders"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "orders-6c9f7d5b8", "uid": "rs-2", "controller": True}],
        },
        "spec": {"nodeName": "node-a", **template("2.0.0")["spec"]},
        "status": {
            "phase": "Running",
            "startTime": deployed,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": deployed}],
            "containerStatuses": [
                {
                    "name": "orders",
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "image": "registry.example/backoffice/orders:2.0.0",
                    "state": {"running": {"startedAt": deployed}},
                }
            ],
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "orders", "namespace": "backoffice", "creationTimestamp": before},
        "spec": {"selector": {"app": "orders"}, "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]},
    }
    objects = {
        "Deployment": [deployment],
        "ReplicaSet": [
            replica_set("orders-7d4b9c6f5", "1", before, "1.4.2", 0),
            replica_set("orders-6c9f7d5b8", "2", deployed, "2.0.0", 1),
        ],
        "Pod": [pod],
        "Service": [service],
        "Event": [],
        "Namespace": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "backoffice"}}],
    }
    folder.mkdir()
    (folder / "objects.json").write_text(json.dumps(objects))
    (folder / "logs.json").write_text(json.dumps({f"backoffice/{POD}/orders": log}))
    (folder / "world.json").write_text(json.dumps({"now": iso(datetime.now(UTC)), "namespace": "backoffice"}))


async def traffic(port: int, until_set: asyncio.Event) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=2) as client:
        while not until_set.is_set():
            with contextlib.suppress(httpx2.HTTPError):
                await client.get(f"http://127.0.0.1:{port}/orders")
            await asyncio.sleep(0.05)


async def sample_count(prometheus: int) -> int:
    async with httpx2.AsyncClient(trust_env=False) as client:
        body = (await client.get(f"http://127.0.0.1:{prometheus}/api/v1/query", params={"query": 'count_over_time(up{job="orders"}[10m])'})).json()
    result = body["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


async def firing(prometheus: int) -> bool:
    async with httpx2.AsyncClient(trust_env=False) as client:
        alerts = (await client.get(f"http://127.0.0.1:{prometheus}/api/v1/alerts")).json()["data"]["alerts"]
    return any(a["state"] == "firing" for a in alerts)


async def finished(service: int) -> dict[str, Any] | None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        page = (await client.get(f"http://127.0.0.1:{service}/investigations")).json()
        done = [i for i in page["investigations"] if i["status"] in ("completed", "incomplete")]
        if not done:
            return None
        body: dict[str, Any] = (await client.get(f"http://127.0.0.1:{service}/investigations/{done[0]['id']}")).json()
        return body


async def incident(folder: Path) -> tuple[dict[str, Any], datetime, dict[str, Any]]:
    """-> (investigation, time of the deploy, what Prometheus itself says of the error series)."""
    program, prometheus, alertmanager, service, lab = (free_port() for _ in range(5))
    log = folder / "orders.log"
    (folder / "rules.yml").write_text(RULES)
    labels = json.dumps(LABELS)
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(rules=folder / "rules.yml", alertmanager=alertmanager, program=program, labels=labels))
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(service=service))
    prometheus_binary, alertmanager_binary = shutil.which("prometheus"), shutil.which("prometheus-alertmanager")
    assert prometheus_binary
    assert alertmanager_binary
    stop = asyncio.Event()
    before = iso(datetime.now(UTC))
    async with (
        running(
            prometheus_binary,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{prometheus}",
            log=folder / "prometheus.log",
        ),
        running(
            alertmanager_binary,
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/am",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
            log=folder / "alertmanager.log",
        ),
    ):
        async with running(sys.executable, PROGRAM, str(program), "1", str(log), log=folder / "program.out"):
            load = asyncio.create_task(traffic(program, stop))
            await until(lambda: answers(f"http://127.0.0.1:{prometheus}/-/ready"), 30, "Prometheus is ready")

            async def enough() -> bool:
                return await sample_count(prometheus) >= 30

            await until(enough, 60, "Prometheus has a baseline of 30 samples")
        deployed = datetime.now(UTC)
        async with running(sys.executable, PROGRAM, str(program), "2", str(log), log=folder / "program.out"):
            await until(lambda: firing(prometheus), 60, "Prometheus' rule fires")
            snapshot(folder / "world", before, iso(deployed), log.read_text())
            async with running(SRE_AGENT, "lab", str(folder / "world"), "--port", str(lab), log=folder / "lab.log"):
                await until(lambda: answers(f"http://127.0.0.1:{lab}/version"), 20, "the lab's Kubernetes server answers")
                env = {
                    "SRE_AGENT_KUBERNETES_URL": f"http://127.0.0.1:{lab}",
                    "SRE_AGENT_PROMETHEUS_URL": f"http://127.0.0.1:{prometheus}",
                    "SRE_AGENT_DATA_DIR": str(folder / "data"),
                    "SRE_AGENT_PORT": str(service),
                }
                async with running(SRE_AGENT, "serve", log=folder / "service.log", env=env):
                    found: dict[str, Any] = {}

                    async def concluded() -> bool:
                        if await answers(f"http://127.0.0.1:{service}/health/ready"):
                            found.update(await finished(service) or {})
                        return bool(found)

                    await until(concluded, 90, "Alertmanager's webhook became a finished investigation")
                    async with httpx2.AsyncClient(trust_env=False) as client:
                        query = {"query": 'http_requests_total{code="500"}'}
                        truth = (await client.get(f"http://127.0.0.1:{prometheus}/api/v1/query", params=query)).json()
        stop.set()
        await load
    return found, deployed, truth


async def test_a_real_alert_becomes_a_report_that_names_program_mechanism_onset_and_deploy(tmp_path: Path) -> None:
    # covers API-17, CARD-05
    investigation, deployed, truth = await incident(tmp_path)
    report = investigation["report"]
    best = report["causes"][0]
    assert best["object"] == {"kind": "Deployment", "namespace": "backoffice", "name": "orders"}
    assert best["cause"] in ("rollout_regression", "memory_leak")
    assert report["badges"]["state"] in ("confirmed", "likely")
    assert "orders" in report["verdict"]
    onset = datetime.fromisoformat(best["onset"])
    assert abs((onset - deployed).total_seconds()) <= 30, (onset, deployed)
    quotes = [e["quote"] for e in report["evidence"]]
    assert any("1.4.2" in q and "2.0.0" in q for q in quotes), quotes
    assert truth["data"]["result"], "Prometheus has the error series"
    cited = [e for e in report["evidence"] if e["source"] in ("get_metrics", "query_prometheus")]
    assert cited, "a series is cited; the one of the errors is not where memory says more"
