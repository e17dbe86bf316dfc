"""The lab's API server against answers that were recorded from a real one: reads by an administrator."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from app.lab.kubernetes.server import KubernetesApp
from app.lab.snapshot import World

CASSETTES = Path(__file__).resolve().parents[3] / "shared" / "kubernetes" / "api_cassettes.jsonl"
pytestmark = pytest.mark.shared
# What the lab does not do: it has one reader and no writes, versions never expire, tables are not made, and the state
# of the recorded cluster after its writes is another one.
LEFT_OUT = {
    "apis-aggregated-discovery",
    "table-pods",
    "table-pods-metadata",
    "table-deployments",
    "table-events",
    "list-future-version",
    "continue-expired",
    "list-exact-too-old",
    "watch-short",
    "watch-too-old",
    "watch-future-version",
    "replicasets-after-restart",
    "metrics-absent",
    "metrics-present",  # served by a custom resource there, with an empty `continue`
    "pdb-get",
}
RECORDED = [json.loads(line) for line in CASSETTES.read_text(encoding="utf-8").splitlines()] if CASSETTES.exists() else []
READS = [r for r in RECORDED if r["request"]["method"] == "GET" and r["request"]["user"].startswith("admin") and r["name"] not in LEFT_OUT]


def recorded_world() -> World:
    """Everything that some recorded GET showed, as a world; logs from the whole logs."""
    objects: dict[str, dict[tuple[str, str], Any]] = {k: {} for k in ("StatefulSet", "DaemonSet", "Event", "ConfigMap", "Namespace", "Secret")}
    logs: dict[str, str] = {}
    for exchange in READS:
        path, answer = exchange["request"]["path"], exchange["response"]
        if answer["status"] != 200:
            continue
        if path.endswith("/log"):
            _, _, _, space, _, pod, _ = path.strip("/").split("/")
            if exchange["name"] in ("log-full", "log-crashloop", "log-named-container", "log-previous"):
                query = exchange["request"]["query"]
                container = query.get("container") or {"web": "web", "worker": "worker"}[pod.split("-")[0]]
                logs[f"{space}/{pod}/{container}" + ("#previous" if query.get("previous") else "")] = answer["body"]
            continue
        for item in items(answer["body"]):
            meta = item["metadata"]
            objects.setdefault(item["kind"], {})[(meta.get("namespace", ""), meta["name"])] = item
    for space in ("shop", "default", "kube-system"):
        objects["Namespace"][("", space)] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
    return World(
        now=datetime(2026, 11, 16, 8, 58, 51, tzinfo=UTC),
        objects_of=lambda: {kind: list(found.values()) for kind, found in objects.items()},
        logs_of=lambda: logs,
    )


def items(body: str) -> list[Any]:
    """Objects of a recorded body, complete with kind and apiVersion."""
    if not body.startswith("{"):
        return []
    answer = json.loads(body)
    kind = answer.get("kind", "")
    if kind.endswith("List") and not kind.startswith(("API", "Partial")):
        if answer["apiVersion"].startswith("events.k8s.io"):
            return []
        return [{"apiVersion": answer["apiVersion"], "kind": kind.removesuffix("List"), **i} for i in answer["items"]]
    return [answer] if kind in ("Pod", "Deployment") else []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=KubernetesApp(recorded_world()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://lab") as client:
        yield client


def named(answer: Any) -> set[str]:
    return {f"{i['metadata'].get('namespace', '')}/{i['metadata']['name']}" for i in answer["items"]}


def test_most_recorded_reads_are_checked() -> None:
    assert len(READS) >= 55


@pytest.mark.parametrize("exchange", READS, ids=[r["name"] for r in READS])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_read_is_answered_as_recorded(server: httpx2.AsyncClient, exchange: dict[str, Any]) -> None:
    request, wanted = exchange["request"], exchange["response"]
    got = await server.get(request["path"], params=request["query"], headers=request["headers"])
    assert got.status_code == wanted["status"], got.text
    assert got.headers.get("content-type", "").split(";")[0] == (wanted["headers"].get("Content-Type") or "").split(";")[0]
    if not wanted["body"].startswith("{"):
        assert exchange["name"] == "log-timestamps" or got.text.strip() == wanted["body"].strip()
        return
    theirs, ours = json.loads(wanted["body"]), got.json()
    assert ours.get("kind") == theirs.get("kind")
    if theirs.get("kind") == "Status":
        assert {k: ours.get(k) for k in ("status", "reason", "code", "details")} == {
            k: theirs.get(k) for k in ("status", "reason", "code", "details")
        }
        assert ours["message"] == theirs["message"] or exchange["name"] == "continue-malformed"
    elif "items" in theirs:
        assert set(ours["metadata"]) == set(theirs["metadata"])
        known = exchange["name"] not in ("events-k8s-io", "pods-page-1-no-selector")  # pages of a cluster at another moment
        assert not known or named(ours) == named(theirs)
        assert not theirs["items"] or set(theirs["items"][0]) >= set(ours["items"][0]) - {"series", "action"}
    elif exchange["name"] in ("pod-get", "deployment-get", "deployment-scale-get"):
        assert ours == theirs
