"""The lab's API server over a small hand-written world."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from app.lab.kubernetes.server import KubernetesApp
from app.lab.snapshot import World

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def pod(name: str, node: str = "n1", state: dict[str, Any] | None = None, last: dict[str, Any] | None = None) -> dict[str, Any]:
    status = {"name": "main", "state": state or {"running": {}}, "lastState": last or {}}
    spec = {"containers": [{"name": "main"}]} | ({"nodeName": node} if node else {})
    meta = {"name": name, "namespace": "shop", "labels": {"app": name.split("-")[0]}, "resourceVersion": "17"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running", "containerStatuses": [status]}}


def node(name: str, ready: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}, "status": {"conditions": conditions}}


ENDED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
PODS = [
    pod("web-1"),
    pod("web-2"),
    pod("api-1", state={"waiting": {"reason": "CrashLoopBackOff"}}, last=ENDED),
    pod("api-2", state={"waiting": {"reason": "ErrImagePull"}}),
    pod("new-1", node=""),
    pod("lost-1", node="n2"),
]
LOGS = {
    "shop/web-1/main": "".join(f"2026-03-01T11:{m}:00Z line {m}\n" for m in range(50, 60)),
    "shop/api-1/main#previous": "starting\nkilled\n",
}
EVENT = {
    "metadata": {"name": "web-1.1", "namespace": "shop"},
    "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "shop"},
    "reason": "BackOff",
    "message": "Back-off",
    "type": "Warning",
    "count": 3,
    "source": {"component": "kubelet"},
}
ROLLOUT = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web", "namespace": "shop"}}
OBJECTS = {
    "Pod": PODS,
    "Node": [node("n1", "True"), node("n2", "Unknown")],
    "Event": [EVENT],
    "Deployment": [],
    "Rollout": [ROLLOUT],
}


def client(objects: dict[str, Any] = OBJECTS) -> httpx2.AsyncClient:
    world = World(now=NOW, objects_of=lambda: objects, logs_of=lambda: LOGS)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=KubernetesApp(world)), base_url="http://lab")


async def get(path: str, **params: str) -> httpx2.Response:
    async with client() as http:
        return await http.get(path, params=params)


def names(response: httpx2.Response) -> list[str]:
    return [i["metadata"]["name"] for i in response.json()["items"]]


PODS_PATH = "/api/v1/namespaces/shop/pods"


async def test_a_kind_that_was_not_read_is_forbidden_and_an_empty_one_is_empty() -> None:
    refused = await get("/api/v1/namespaces/shop/secrets")
    assert refused.status_code == 403
    assert 'cannot list resource "secrets" in API group "" in the namespace "shop"' in refused.json()["message"]
    assert (await get("/apis/apps/v1/deployments")).json()["items"] == []
    cluster = await get("/apis/batch/v1/jobs")
    assert cluster.json()["message"].startswith("jobs.batch is forbidden")
    assert cluster.json()["message"].endswith("at the cluster scope")


async def test_items_of_a_list_have_no_kind_but_an_object_alone_has() -> None:
    assert all("kind" not in i and "apiVersion" not in i for i in (await get(PODS_PATH)).json()["items"])
    one = (await get(f"{PODS_PATH}/web-1")).json()
    assert (one["kind"], one["apiVersion"]) == ("Pod", "v1")


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("app=web", ["web-1", "web-2"]),
        ("app==web", ["web-1", "web-2"]),
        ("app!=web", ["api-1", "api-2", "lost-1", "new-1"]),
        ("app in (web, new)", ["new-1", "web-1", "web-2"]),
        ("app notin (web,api),app", ["lost-1", "new-1"]),
        ("!app", []),
        ("missing!=x,app=new", ["new-1"]),
    ],
)
async def test_label_selectors_choose(selector: str, wanted: list[str]) -> None:
    assert names(await get(PODS_PATH, labelSelector=selector)) == wanted


@pytest.mark.parametrize("selector", ["app===x", "app in web", "=x", "app in (web", "app=web,"])
async def test_a_malformed_label_selector_is_refused(selector: str) -> None:
    answer = await get(PODS_PATH, labelSelector=selector)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
    assert answer.json()["message"].startswith("unable to parse requirement")


async def test_field_selectors_choose_by_the_fields_of_the_kind_only() -> None:
    assert names(await get("/api/v1/pods", fieldSelector="spec.nodeName=n2")) == ["lost-1"]
    assert len(names(await get(PODS_PATH, fieldSelector="metadata.name!=web-1,status.phase=Running"))) == 5
    assert names(await get("/api/v1/events", fieldSelector="involvedObject.name=web-1,type=Warning")) == ["web-1.1"]
    assert names(await get("/api/v1/nodes", fieldSelector="spec.unschedulable=false")) == ["n1", "n2"]
    refused = await get(PODS_PATH, fieldSelector="spec.image=x")
    assert (refused.status_code, refused.json()["message"]) == (400, "field label not supported: spec.image")


@pytest.mark.parametrize("path", [PODS_PATH, "/api/v1/pods"])
async def test_pages_join_to_the_whole_list(path: str) -> None:
    seen, token, pages = [], "", 0
    while pages == 0 or token:
        answer = await get(path, limit="2", **({"continue": token} if token else {}))
        meta = answer.json()["metadata"]
        seen += names(answer)
        token, pages = meta.get("continue", ""), pages + 1
        assert meta.get("remainingItemCount") == ((6 - len(seen)) or None)
    assert pages == 3
    assert seen == sorted(p["metadata"]["name"] for p in PODS)
    assert "remainingItemCount" not in (await get(path, limit="2", labelSelector="app")).json()["metadata"]


async def test_what_does_not_exist_is_said_in_three_ways() -> None:
    assert (await get("/api/v1/namespaces/nowhere/pods")).json()["items"] == []
    assert (await get("/apis/unknown.io/v1/things")).text == "404 page not found\n"
    assert (await get("/apis/apps/v1/gizmos")).json()["message"] == "the server could not find the requested resource"
    gone = (await get(f"{PODS_PATH}/gone")).json()
    assert (gone["code"], gone["message"], gone["details"]) == (404, 'pods "gone" not found', {"name": "gone", "kind": "pods"})


async def test_events_are_shown_under_both_groups() -> None:
    new = (await get("/apis/events.k8s.io/v1/namespaces/shop/events")).json()["items"][0]
    assert (new["note"], new["deprecatedCount"], new["regarding"]["name"]) == ("Back-off", 3, "web-1")


async def test_custom_resources_are_served_under_their_own_group() -> None:
    answer = (await get("/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts")).json()
    assert answer["kind"] == "RolloutList"
    groups = (await get("/apis")).json()["groups"]
    assert "argoproj.io" in [g["name"] for g in groups]


async def test_discovery_names_every_resource() -> None:
    assert (await get("/version")).json()["minor"] == "36"
    core = {r["name"] for r in (await get("/api/v1")).json()["resources"]}
    assert {"pods", "pods/log", "events", "nodes", "services"} <= core
    apps = (await get("/apis/apps/v1")).json()
    assert (apps["kind"], apps["groupVersion"]) == ("APIResourceList", "apps/v1")


@pytest.mark.parametrize(("method", "path", "status"), [
    ("DELETE", f"{PODS_PATH}/web-1", 403),
    ("PATCH", f"{PODS_PATH}/web-1", 403),
    ("POST", PODS_PATH, 403),
    ("POST", f"{PODS_PATH}/web-1/exec", 403),
    ("POST", f"{PODS_PATH}/web-1", 405),
    ("PUT", PODS_PATH, 405),
])  # fmt: skip
async def test_nothing_can_be_written(method: str, path: str, status: int) -> None:
    async with client() as http:
        assert (await http.request(method, path)).status_code == status


async def test_an_access_review_says_what_may_be_read() -> None:
    async def allowed(**wanted: str) -> bool:
        async with client() as http:
            body = {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": wanted}}
            answer = await http.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", content=json.dumps(body))
        assert answer.status_code == 201
        return bool(answer.json()["status"]["allowed"])

    assert await allowed(verb="list", resource="pods")
    assert await allowed(verb="get", resource="pods", subresource="log")
    assert await allowed(verb="list", resource="deployments", group="apps")
    assert not await allowed(verb="delete", resource="pods")
    assert not await allowed(verb="list", resource="secrets")


async def log(name: str, **params: str) -> httpx2.Response:
    return await get(f"{PODS_PATH}/{name}/log", **params)


async def test_a_log_is_cut_as_asked() -> None:
    assert (await log("web-1", tailLines="2")).text == "2026-03-01T11:58:00Z line 58\n2026-03-01T11:59:00Z line 59\n"
    assert len((await log("web-1", sinceSeconds="150")).text.splitlines()) == 2
    assert len((await log("web-1", sinceTime="2026-03-01T11:55:00Z")).text.splitlines()) == 5
    assert (await log("web-1", limitBytes="7")).text == "2026-03"
    assert (await log("web-1", tailLines="1", timestamps="true")).text == "2026-03-01T11:59:00.000000000Z 2026-03-01T11:59:00Z line 59\n"


async def test_a_log_that_cannot_be_had_says_why() -> None:
    assert (await log("new-1")).status_code == 204
    waits = await log("api-2")
    assert (waits.status_code, waits.json()["message"]) == (400, 'container "main" in pod "api-2" is waiting to start: image can\'t be pulled')
    assert "previous terminated container" in (await log("web-1", previous="true")).json()["message"]
    assert "i/o timeout" in (await log("lost-1")).json()["message"]
    assert (await log("web-2")).text == ""


async def test_in_a_crash_loop_the_log_is_that_of_the_last_run() -> None:
    assert (await log("api-1")).text == (await log("api-1", previous="true")).text == "starting\nkilled\n"


async def test_metadata_alone_can_be_asked_for() -> None:
    async with client() as http:
        answer = (await http.get(PODS_PATH, headers={"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"})).json()
    assert answer["kind"] == "PartialObjectMetadataList"
    assert set(answer["items"][0]) == {"kind", "apiVersion", "metadata"}
