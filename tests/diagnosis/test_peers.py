"""Who is called and does not do, in the words of the callers: a store that still loads, an address outside that answers 503, a policy
that lets the caller out to nowhere, a volume that is full. What only looks like it is not named."""

import asyncio
from pathlib import Path

import pytest

from app.diagnosis.signals.log_templates import classify
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NS, Json, Scene, ago, meta, shop

LOADS = (
    "cache get: LOADING Redis is loading the dataset in memory",
    "FATAL: the database system is starting up",
    "psycopg2.OperationalError: FATAL:  the database system is in recovery mode",
    "ERROR 1047 (08S01): WSREP has not yet prepared node for application use",
    "ORA-01033: ORACLE initialization or shutdown in progress",
)
UNTRUSTED = (
    'javax.net.ssl.SSLPeerUnverifiedException: DNS host "db" not found in certificate SubjectAltNames [primary.db.svc]',
    "curl: (60) SSL: no alternative certificate subject name matches target host name 'db'",
    "Error: Hostname/IP does not match certificate's altnames: Host: db. is not in the cert's altnames",
    'server certificate for "primary" does not match host name "db"',
)
REFUSED = (
    "Received: '503, Service Unavailable' when invoking REST Client method: https://api.bank.example/v2/charges",
    "503 Server Error: Service Unavailable for url: https://api.bank.example/v2/charges",
    "POST https://api.bank.example/v2/charges failed: status 502",
    "GET https://api.bank.example/v1 resulted in a `504 Gateway Timeout` response",
)


def first(folder: Path, scene: Scene) -> tuple[str, str]:
    verdict = asyncio.run(Offline(scene.write(folder)).investigate())[0]
    return (verdict.hypotheses[0].cause, str(verdict.hypotheses[0].object)) if verdict.hypotheses else (str(verdict.state), "")


def failing(line: str, name: str = "cart", client: str = "cart") -> Scene:
    scene = shop()
    scene.labels = {"alertname": "HighErrorRatio", "namespace": NS, "service": client}
    for code, before, after in (("200", 10.0, 5.0), ("500", 0.0, 5.0)):
        start = [i * before * 30 for i in range(61)]
        counts = [*start, *(start[-1] + i * after * 30 for i in range(1, 21))]
        scene.series("http_requests_total", {"job": client, "namespace": NS, "pod": scene.pod(client)["metadata"]["name"], "code": code}, 0, 0)
        times = scene.metrics[-1]["values"]
        scene.metrics[-1]["values"] = [[t, str(v)] for (t, _), v in zip(times, counts, strict=True)]
    scene.says("\n".join(f"{ago(8 - i)} ERROR {line}" for i in range(6)), name)
    return scene


@pytest.mark.parametrize("line", LOADS)
def test_a_store_that_still_loads_is_told_by_its_clients(line: str) -> None:
    found = classify(line)
    assert found is not None
    assert found[0].kind == "log_peer_loads"


@pytest.mark.parametrize("line", UNTRUSTED)
def test_another_name_than_the_certificate_has_is_no_trust(line: str) -> None:
    found = classify(line)
    assert found is not None
    assert found[0].kind == "log_certificate_untrusted"


@pytest.mark.parametrize("line", REFUSED)
def test_an_answer_of_unavailability_names_who_gave_it(line: str) -> None:
    found = classify(line)
    assert found is not None
    assert found[0].kind == "log_peer_unavailable"
    assert "api.bank.example" in found[1].groupdict().values()


@pytest.mark.parametrize("line", ["GET /files/503.html 200 4 ms", "loading dataset of products took 3 ms", "fetched https://api.example/503 ok"])
def test_numbers_and_words_alone_are_no_refusal(line: str) -> None:
    found = classify(line)
    assert found is None or found[0].kind not in ("log_peer_unavailable", "log_peer_loads")


def test_the_store_that_all_wait_for_is_named_when_it_loads(tmp_path: Path) -> None:
    scene = failing(LOADS[0])
    status = scene.status("store")
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": ago(600), "finishedAt": ago(10)}
    status.update(restartCount=1, lastState={"terminated": ended}, state={"running": {"startedAt": ago(10)}})
    assert first(tmp_path, scene) == ("dependency_unavailable", "Deployment/shop/store")


def test_an_address_outside_that_answers_503_is_named(tmp_path: Path) -> None:
    assert first(tmp_path, failing(REFUSED[0])) == ("external_api_unavailable", "External//api.bank.example")


def _policy(scene: Scene, to: str) -> Scene:
    spaces: list[Json] = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}} for name in ("kube-system", to)]
    rules: list[Json] = [{"to": [peer]} for peer in (*spaces, {"podSelector": {}})]
    spec = {"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Egress"], "egress": rules}
    scene.add("NetworkPolicy", {"metadata": meta("narrow"), "spec": spec})
    return scene


@pytest.mark.parametrize(("to", "named"), [("other", True), ("data", False)])
def test_a_policy_that_lets_the_caller_out_to_nowhere_is_named(tmp_path: Path, to: str, named: bool) -> None:
    cause, where = first(tmp_path, _policy(failing("pool: timed out connecting to ledger.data.svc:6379 (os error 110)"), to))
    assert ((cause, where) == ("network_policy_blocks", "NetworkPolicy/shop/narrow")) is named


@pytest.mark.parametrize(("left", "full"), [(0.0, True), (2e9, False)])
def test_a_volume_without_room_is_a_full_disk_of_who_writes_to_it(tmp_path: Path, left: float, full: bool) -> None:
    scene = shop()
    scene.labels = {"alertname": "KubePersistentVolumeFillingUp", "namespace": NS, "persistentvolumeclaim": "data"}
    scene.pod("store")["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    claim = {"namespace": NS, "persistentvolumeclaim": "data"}
    scene.series("kubelet_volume_stats_available_bytes", claim, 3e9, left)
    scene.series("kubelet_volume_stats_capacity_bytes", claim, 1e10, 1e10)
    scene.add(
        "PersistentVolumeClaim", {"metadata": meta("data"), "spec": {"resources": {"requests": {"storage": "10Gi"}}}, "status": {"phase": "Bound"}}
    )
    assert (first(tmp_path, scene) == ("disk_full", "Deployment/shop/store")) is full
