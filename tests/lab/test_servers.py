"""All servers together, over real sockets: addresses, faults, the proxy, Loki, and the sender."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from app.lab.alertmanager_sender import Retries, fingerprint, send, webhook
from app.lab.faults import CONTROL, Fault, FaultKind
from app.lab.servers import LabServers, write_kubeconfig
from app.lab.snapshot import Probe, World

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}}
PROBES = [
    Probe("db", 5432, "refused"),
    Probe("api", 80, "open"),
    Probe("slow", 80, "timeout"),
    Probe("typo", 80, "dns_failure"),
    Probe("x", 1, "open", "n1"),
]
UNIT = "2026-03-01T11:58:00Z kubelet started\n2026-03-01T11:59:00Z kubelet error: no disk\n"


def world() -> World:
    series = [{"metric": {"__name__": "up", "job": "api"}, "values": [[NOW.timestamp(), "1"]]}]
    return World(
        now=NOW,
        objects_of=lambda: {"Node": [NODE], "Pod": []},
        logs_of=lambda: {"kube-system/node-a/kubelet": UNIT, "kube-system/some-pod/container": "not a unit\n"},
        metrics_of=lambda: series,
        probes_of=lambda: PROBES,
    )


def http(base: str, seconds: float = 5.0) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=base, trust_env=False, timeout=seconds)


async def test_servers_start_fast_answer_and_free_their_ports() -> None:
    begun = time.perf_counter()
    async with LabServers(world()) as lab:
        assert time.perf_counter() - begun < 0.2
        async with http(lab.addresses.kubernetes) as kubernetes, http(lab.addresses.prometheus) as prometheus, http(lab.addresses.loki) as loki:
            assert (await kubernetes.get("/api/v1/nodes")).json()["items"][0]["metadata"]["name"] == "node-a"
            assert (await prometheus.get("/-/ready")).status_code == 200
            assert (await loki.get("/ready")).status_code == 200
    async with http(lab.addresses.kubernetes) as kubernetes:
        with pytest.raises(httpx2.ConnectError):
            await kubernetes.get("/version")


async def test_the_world_can_be_changed_while_the_servers_run() -> None:
    async with LabServers(world()) as lab, http(lab.addresses.kubernetes) as kubernetes:
        lab.show(World(now=NOW, objects_of=lambda: {"Node": []}))
        assert (await kubernetes.get("/api/v1/nodes")).json()["items"] == []


async def test_a_kubeconfig_points_at_the_server(tmp_path: Path) -> None:
    async with LabServers(world()) as lab:
        write_kubeconfig(tmp_path / "config", lab.addresses.kubernetes)
    config = json.loads((tmp_path / "config").read_text())
    assert config["clusters"][0]["cluster"]["server"] == lab.addresses.kubernetes
    assert config["current-context"] == config["contexts"][0]["name"]


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        (FaultKind.REFUSE, (httpx2.RemoteProtocolError, httpx2.ReadError)),
        (FaultKind.HANG, httpx2.ReadTimeout),
        (FaultKind.CUT_BODY, httpx2.RemoteProtocolError),
    ],
)
async def test_a_fault_can_take_the_answer_away(kind: FaultKind, raised: Any) -> None:
    async with LabServers(world()) as lab, http(lab.addresses.kubernetes, 0.3) as kubernetes:
        lab.faults.kubernetes.add(Fault(kind, "/nodes$"))
        with pytest.raises(raised):
            await kubernetes.get("/api/v1/nodes")
        assert (await kubernetes.get("/api/v1/pods")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.ERROR_500, 500), (FaultKind.FORBIDDEN, 403), (FaultKind.GARBAGE, 200), (FaultKind.SLOW, 200)]
)
async def test_a_fault_can_change_the_answer(kind: FaultKind, status: int) -> None:
    async with LabServers(world()) as lab, http(lab.addresses.kubernetes) as kubernetes:
        lab.faults.kubernetes.add(Fault(kind, seconds=0.05, times=1))
        answer = await kubernetes.get("/api/v1/nodes")
        assert answer.status_code == status
        assert answer.content.startswith(b"\x00") is (kind is FaultKind.GARBAGE)
        assert (await kubernetes.get("/api/v1/nodes")).json()["kind"] == "NodeList"  # it struck once


async def connect(proxy: str, target: str) -> tuple[bytes, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.rsplit(":", 1)[1]))
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    try:
        return await asyncio.wait_for(reader.read(200), 0.3), writer
    except TimeoutError:
        writer.close()
        raise


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("api:80", b"200", b"established"),
        ("db:5432", b"502", b"refused"),
        ("typo:80", b"502", b"no such host"),
        ("never:9", b"502", b"unknown"),
        ("x:1", b"502", b"unknown"),
    ],
)
async def test_the_proxy_answers_as_the_probes_did(target: str, status: bytes, reason: bytes) -> None:
    async with LabServers(world()) as lab:
        answer, writer = await connect(lab.addresses.proxy, target)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert reason in answer


async def test_a_probe_that_timed_out_gets_no_answer() -> None:
    async with LabServers(world()) as lab:
        with pytest.raises(TimeoutError):
            await connect(lab.addresses.proxy, "slow:80")


async def test_probes_of_a_node_are_series() -> None:
    async with LabServers(world()) as lab, http(lab.addresses.prometheus) as prometheus:
        found = (await prometheus.get("/api/v1/query", params={"query": 'probe_success{node="n1"}'})).json()["data"]["result"]
    assert found == [{"metric": {"__name__": "probe_success", "node": "n1", "target": "x:1"}, "value": [NOW.timestamp(), "1"]}]


async def loki(query: str, **params: str) -> httpx2.Response:
    async with LabServers(world()) as lab, http(lab.addresses.loki) as client:
        return await client.get("/loki/api/v1/query_range", params={"query": query, **params})


async def test_units_of_a_node_are_streams() -> None:
    found = (await loki('{node="node-a", unit=~"kube.*"} |= "error"')).json()["data"]
    assert found["resultType"] == "streams"
    at = int(datetime(2026, 3, 1, 11, 59, tzinfo=UTC).timestamp()) * 10**9
    line = "2026-03-01T11:59:00Z kubelet error: no disk"
    assert found["result"] == [{"stream": {"node": "node-a", "unit": "kubelet"}, "values": [[str(at), line]]}]


async def test_a_line_with_a_local_time_that_lies_ahead_was_received_by_now() -> None:
    ahead = "     Active: inactive (dead) since Sun 2026-03-01 19:58:00 CST; 2min ago"
    told = World(now=NOW, objects_of=lambda: {"Node": [NODE]}, logs_of=lambda: {"kube-system/node-a/kubelet": ahead})
    async with LabServers(told) as lab, http(lab.addresses.loki) as client:
        found = (await client.get("/loki/api/v1/query_range", params={"query": '{node="node-a"}', "end": NOW.isoformat()})).json()
    assert found["data"]["result"][0]["values"] == [[str(int(NOW.timestamp()) * 10**9), ahead]]


async def test_a_log_query_keeps_to_window_direction_and_limit() -> None:
    early = await loki('{node=~".+"}', end="2026-03-01T11:58:30Z")
    assert [v[1] for v in early.json()["data"]["result"][0]["values"]] == ["2026-03-01T11:58:00Z kubelet started"]
    newest = await loki('{node=~".+"}', limit="1")
    assert newest.json()["data"]["result"][0]["values"][0][1].endswith("no disk")
    assert (await loki("node")).status_code == 400
    assert (await loki("{}")).status_code == 400


def test_fingerprints_are_those_of_prometheus() -> None:
    # model.LabelsToSignature: FNV-1a, 64 bits; the offset basis for no labels at all
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"a": "b", "c": "d"}) == fingerprint({"c": "d", "a": "b"}) != fingerprint({"a": "bc", "": "d"})


def test_a_webhook_groups_and_shares_labels() -> None:
    alerts = [
        {"labels": {"alertname": "A", "pod": p, "namespace": "n"}, "annotations": {"summary": "s"}, "startsAt": "2026-03-01T12:00:00Z"} for p in "xy"
    ]
    body = webhook(alerts, ("namespace", "alertname"), "sre-agent", "http://am:9093")
    assert body["commonLabels"] == {"alertname": "A", "namespace": "n"}
    assert body["groupKey"] == '{}:{alertname="A", namespace="n"}'
    assert (body["status"], body["alerts"][0]["endsAt"], body["version"]) == ("firing", "0001-01-01T00:00:00Z", "4")


def answering(*statuses: int) -> tuple[Callable[[Any, Any, Any], Awaitable[None]], list[Request]]:
    left, seen = list(statuses), []

    async def app(scope: Any, receive: Any, sent: Any) -> None:
        seen.append(Request(scope))
        await Response(status_code=left.pop(0))(scope, receive, sent)

    return app, seen


async def test_a_sender_tries_again_after_5xx_and_429_but_not_after_other_refusals() -> None:
    app, seen = answering(503, 429, 202)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://service") as client:
        delivery = await send(client, "/hook", b"{}", Retries(first=0.001))
    assert (delivery.status, delivery.tries) == (202, 3)
    assert seen[0].headers["user-agent"].startswith("Alertmanager/")
    assert seen[0].headers["content-type"] == "application/json"
    app, _ = answering(400, 202)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://service") as client:
        assert (await send(client, "/hook", b"{}")).tries == 1


async def test_faults_can_be_set_over_http() -> None:
    async with LabServers(world()) as lab, http(lab.addresses.kubernetes) as kubernetes:
        told = await kubernetes.post(CONTROL, json={"kind": "500", "path": "/nodes$"})
        assert [(f["kind"], f["path"]) for f in told.json()] == [("500", "/nodes$")]
        assert (await kubernetes.get("/api/v1/nodes")).status_code == 500
        assert (await kubernetes.post(CONTROL, json={"kind": "earthquake"})).status_code == 400
        assert (await kubernetes.post(CONTROL, json={"kind": "500", "path": "("})).status_code == 400
        assert (await kubernetes.delete(CONTROL)).json() == []
        assert (await kubernetes.get("/api/v1/nodes")).status_code == 200


async def test_the_alertmanager_is_served_too() -> None:
    async with LabServers(world()) as lab, http(lab.addresses.alertmanager) as alertmanager:
        assert (await alertmanager.get("/api/v2/alerts")).json() == []
