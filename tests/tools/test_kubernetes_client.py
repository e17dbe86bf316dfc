"""The Kubernetes client against a real HTTP server: pages, refusals, faults, and what never leaves it."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import ToolStatus
from app.tools.kubernetes_client import KubernetesClient, KubernetesConfig
from app.tools.kubernetes_kinds import KINDS
from tests.tools.objects import pod, world
from tests.tools.servers import Asked, Handler, Reply, kubernetes, reply, serving, status_of

MANY = {"Pod": [pod(f"cart-{i:03}") for i in range(25)]}


async def listed(handler: Handler, kind: str = "Pod", **config: Any) -> Any:
    async with serving(handler) as server:
        client = KubernetesClient(KubernetesConfig(url=server.url, timeout=config.pop("timeout", 2.0), **config))
        try:
            return await client.list(kind, "shop")
        finally:
            await client.aclose()


async def test_pages_are_followed_to_the_end() -> None:
    got = await listed(kubernetes(MANY, page=10))
    assert len(got.items) == 25
    assert got.truncated == ""


async def test_a_list_beyond_the_cap_says_what_was_left_out() -> None:
    got = await listed(kubernetes(MANY, page=10), max_items=10)
    assert (len(got.items), got.truncated) == (10, "10 pods read, 15 left out")


async def test_an_answer_beyond_the_byte_cap_is_asked_for_in_smaller_pages() -> None:
    got = await listed(kubernetes(MANY), max_bytes=30_000)
    assert 0 < len(got.items) <= 25
    assert got.bytes_read <= 60_000


async def test_an_expired_page_token_is_replaced_by_the_one_that_410_brings() -> None:
    serve, state = kubernetes(MANY, page=10), {"expired": 0}

    def handle(asked: Asked) -> Reply:
        if asked.one("continue") == "10" and not state["expired"]:
            state["expired"] = 1
            return reply({"kind": "Status", "code": 410, "reason": "Expired", "metadata": {"continue": "10"}, "message": "too old"}, 410)
        return serve(asked)

    got = await listed(handle)
    assert len(got.items) == 25
    assert "newer version" in got.note


async def test_an_expired_page_without_a_new_token_begins_the_list_anew() -> None:
    serve, state = kubernetes(MANY, page=10), {"expired": 0}

    def handle(asked: Asked) -> Reply:
        if asked.one("continue") == "20" and not state["expired"]:
            state["expired"] = 1
            return status_of(410, "Expired", "too old")
        return serve(asked)

    got = await listed(handle)
    assert [i["metadata"]["name"] for i in got.items] == [f"cart-{i:03}" for i in range(25)]
    assert got.note == "Pod list was begun anew"


async def test_a_list_that_keeps_expiring_is_given_up() -> None:
    serve = kubernetes(MANY, page=10)
    with pytest.raises(ToolFailure, match="410"):
        await listed(lambda asked: status_of(410, "Expired", "too old") if asked.one("continue") else serve(asked))


async def test_a_list_beyond_its_time_ends_with_what_was_read() -> None:
    got = await listed(kubernetes(MANY, page=10), max_seconds=0.0)
    assert (len(got.items), got.truncated) == (10, "10 pods read after 0 s, 15 left out")


async def test_a_page_that_hangs_ends_the_list_with_what_was_read() -> None:
    serve = kubernetes(MANY, page=10)
    got = await listed(lambda asked: Reply(fault="hang") if asked.one("continue") else serve(asked), max_seconds=0.3, timeout=5.0)
    assert (len(got.items), got.truncated) == (10, "10 pods read after 0.3 s, 15 left out")


async def test_what_is_no_object_is_left_out_and_told() -> None:
    items = [None, 5, {}, {"metadata": {"name": 7}}, {"metadata": {"name": "a"}, "spec": {}}]
    got = await listed(lambda _: reply({"items": items, "metadata": {"remainingItemCount": "many"}}))
    assert [i["metadata"]["name"] for i in got.items] == ["a"]
    assert got.note == "4 items of the Pod list are no objects and were left out"


async def test_nothing_is_watched_and_every_page_is_bounded() -> None:
    async with serving(kubernetes(MANY, page=10)) as server:
        client = KubernetesClient(KubernetesConfig(url=server.url))
        await client.list("Pod", "shop")
        await client.aclose()
        assert [(a.one("limit"), "watch" in a.query) for a in server.asked] == [("500", False)] * 3


async def test_403_is_denied_and_names_the_missing_right() -> None:  # covers ERR-03
    got = await listed(kubernetes({}), "Deployment")
    assert got.status is ToolStatus.DENIED
    assert got.note.startswith("missing permission: list deployments.apps in namespace shop")


@pytest.mark.parametrize(
    ("answer", "error_class", "reason"),
    [
        (status_of(401, "Unauthorized", "Unauthorized"), ErrorClass.CONFIG, Reason.DENIED),
        (status_of(429, "TooManyRequests", "slow down"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (status_of(500, "InternalError", "etcd"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (Reply(502, b"<html>bad gateway</html>"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (status_of(400, "BadRequest", "field label not supported"), ErrorClass.EXTERNAL, Reason.TOOL_ERROR),
        (Reply(200, b"<html>login</html>"), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (Reply(200, b'{"items": 5}'), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (Reply(200, b"[1]"), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
        (Reply(200, b'{"items": [', fault="cut"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (Reply(fault="drop"), ErrorClass.TRANSIENT, Reason.UNAVAILABLE),
        (Reply(fault="hang"), ErrorClass.TRANSIENT, Reason.TIMEOUT),
        (Reply(200, b"\x1f\x8bnot gzip", {"Content-Encoding": "gzip"}), ErrorClass.EXTERNAL, Reason.INVALID_RESPONSE),
    ],
)
async def test_a_fault_becomes_a_failure_of_the_right_class(answer: Reply, error_class: ErrorClass, reason: Reason) -> None:
    with pytest.raises(ToolFailure) as failure:
        await listed(lambda _: answer, timeout=0.3)
    assert (failure.value.error_class, failure.value.reason) == (error_class, reason)


async def test_a_server_that_is_not_there_is_transient() -> None:
    client = KubernetesClient(KubernetesConfig(url="http://127.0.0.1:9", timeout=1.0))
    with pytest.raises(ToolFailure) as failure:
        await client.list("Pod", "shop")
    assert failure.value.error_class is ErrorClass.TRANSIENT


async def test_a_client_without_configuration_says_so() -> None:
    with pytest.raises(ToolFailure) as failure:
        await KubernetesClient(KubernetesConfig()).list("Pod", "shop")
    assert failure.value.error_class is ErrorClass.CONFIG


async def test_a_missing_kubeconfig_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure) as failure:
        await KubernetesClient(KubernetesConfig(kubeconfig=tmp_path / "nothing")).list("Pod", "shop")
    assert failure.value.error_class is ErrorClass.CONFIG


async def test_a_kubeconfig_with_a_token_is_used(tmp_path: Path) -> None:
    async with serving(kubernetes(MANY)) as server:
        path = tmp_path / "config"
        named = {"clusters": [{"name": "c", "cluster": {"server": server.url}}], "users": [{"name": "u", "user": {"token": "t0"}}]}
        contexts = {"contexts": [{"name": "other", "context": {"cluster": "c", "user": "u"}}], "current-context": "none"}
        path.write_text(json.dumps(named | contexts))
        client = KubernetesClient(KubernetesConfig(kubeconfig=path, context="other", timeout=2.0))
        assert len((await client.list("Pod", "shop")).items) == 25
        await client.aclose()
        assert server.asked[0].headers["authorization"] == "Bearer t0"


def test_secrets_cannot_be_asked_for() -> None:
    assert "Secret" not in KINDS
    assert not [k for k in KINDS.values() if "secret" in k.plural]


async def test_of_config_maps_names_and_keys_leave_the_client_and_values_do_not() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": '{"data": {"url": "db.example"}}', "note": "db.example"}
    item = {
        "metadata": {"name": "app", "namespace": "shop", "annotations": annotations},
        "data": {"url": "db.example"},
        "binaryData": {"blob": "ZGI="},
    }
    got = await listed(kubernetes({"ConfigMap": [item]}), "ConfigMap")
    assert got.items == [{"kind": "ConfigMap", "metadata": {"name": "app", "namespace": "shop"}, "keys": ["blob", "url"]}]


async def test_values_that_look_secret_and_bookkeeping_never_leave_the_client() -> None:
    got = await listed(kubernetes(world()))
    text = json.dumps(got.items)
    assert "hunter2" not in text
    assert "managedFields" not in text
    variables = got.items[0]["spec"]["containers"][0]["env"]
    assert [v["name"] for v in variables] == ["MODE", "DB_PASSWORD", "DB_URL", "KEY"]
    assert variables[0]["value"] == "fast"
    assert variables[3]["valueFrom"]["secretKeyRef"]["name"] == "keys"


@pytest.mark.shared
async def test_recorded_answers_of_a_real_api_server_are_understood(shared: Path) -> None:
    lines = (shared / "kubernetes/api_cassettes.jsonl").read_text(encoding="utf-8").splitlines()
    tapes = {t["name"]: t for t in map(json.loads, lines)}

    def recorded(name: str) -> Reply:
        answer = tapes[name]["response"]
        return Reply(answer["status"], answer["body"].encode(), {k: v for k, v in answer["headers"].items() if k.lower() == "content-type"})

    assert len((await listed(lambda _: recorded("pods-list"))).items) > 3
    assert (await listed(lambda _: recorded("list-missing-namespace"))).items == []
    denied = await listed(lambda _: recorded("403-other-namespace"))
    assert denied.status is ToolStatus.DENIED
    assert "missing permission: list pods in namespace shop-staging" in denied.note
    assert (await listed(lambda _: recorded("unknown-group-404"))).status is ToolStatus.NOT_FOUND
    with pytest.raises(ToolFailure):
        await listed(lambda _: recorded("401-bad-token"))
    with pytest.raises(ToolFailure):
        await listed(lambda _: recorded("list-future-version"))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("tape", "status", "said"),
    [
        ("log-full", ToolStatus.OK, ""),
        ("log-not-scheduled", ToolStatus.NO_DATA, "not scheduled"),
        ("log-waiting", ToolStatus.NO_DATA, "is waiting to start"),
        ("log-previous-none", ToolStatus.NO_DATA, "previous terminated container"),
        ("log-several-containers", ToolStatus.NO_DATA, "proxy"),
        ("log-unknown-container", ToolStatus.NOT_FOUND, "nope"),
        ("log-pod-404", ToolStatus.NOT_FOUND, "gone"),
    ],
)
async def test_a_log_that_is_not_there_says_why(shared: Path, tape: str, status: ToolStatus, said: str) -> None:
    lines = (shared / "kubernetes/api_cassettes.jsonl").read_text(encoding="utf-8").splitlines()
    answer = next(t["response"] for t in map(json.loads, lines) if t["name"] == tape)
    async with serving(lambda _: Reply(answer["status"], answer["body"].encode(), {})) as server:
        client = KubernetesClient(KubernetesConfig(url=server.url, timeout=2.0))
        got = await client.log("shop", "x", {}, 10_000)
        await client.aclose()
    assert got.status is status
    assert said in got.note


async def test_a_log_behind_a_dead_kubelet_is_unavailable_and_not_asked_for_again() -> None:
    message = 'Get "https://10.0.0.7:10250/containerLogs/shop/cart-0/app": dial tcp 10.0.0.7:10250: i/o timeout'
    async with serving(lambda asked: reply({"kind": "Status", "code": 500, "message": message}, 500)) as server:
        client = KubernetesClient(KubernetesConfig(url=server.url))
        got = await client.log("shop", "cart-0", {}, 1000)
        await client.aclose()
    assert got.status is ToolStatus.UNAVAILABLE
    assert "dial tcp 10.0.0.7:10250: i/o timeout" in got.note
