"""The write half of the lab's API server, by callers with roles, over a small hand-written world."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from app.lab.kubernetes import patches
from app.lab.kubernetes.identities import Identity, Role, Rule
from app.lab.kubernetes.server import KubernetesApp
from app.lab.kubernetes.status import ApiError
from app.lab.kubernetes.tables import age
from app.lab.snapshot import World

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCALER = Role("scaler", "shop", (Rule(("get", "patch"), ("apps",), ("deployments/scale",)), Rule(("list",), ("",), ("pods",))))
IDENTITIES = {"root": Identity("root", groups=("system:masters",)), "scaler": Identity("scaler", "u1", ("people",), (SCALER,))}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}]}}
SPEC = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
PODS = "/api/v1/namespaces/shop/pods"
MERGE, STRATEGIC, JSON = (f"application/{kind}-patch+json" for kind in ("merge", "strategic-merge", "json"))


def world() -> World:
    def meta(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": "40", "generation": 1, **more}

    budget = {"spec": {"selector": {"matchLabels": {"app": "web"}}}, "status": {"disruptionsAllowed": 0, "desiredHealthy": 2, "currentHealthy": 2}}
    labels = {"app": "web"}
    objects: dict[str, list[dict[str, Any]]] = {
        "Namespace": [{"metadata": {"name": "shop"}}],
        "Deployment": [{"metadata": meta("web", labels=labels), "spec": SPEC, "status": {"replicas": 2}}],
        "ReplicaSet": [],
        "Pod": [{"metadata": meta("web-1", labels=labels), "spec": {}}, {"metadata": meta("job-1", labels={"app": "job"}), "spec": {}}],
        "ConfigMap": [{"metadata": meta("settings"), "data": {"a": "1"}}],
        "PodDisruptionBudget": [{"metadata": meta("web"), **budget}],
    }
    return World(now=NOW, objects_of=lambda: objects)


class Caller:
    """One server, asked by whoever is named."""

    def __init__(self) -> None:
        self.app = KubernetesApp(world(), IDENTITIES)

    async def __call__(self, method: str, path: str, body: Any = None, who: str = "root", **more: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {who}", "Content-Type": more.pop("type", "application/json")}
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="http://lab") as http:
            return await http.request(method, path, content=None if body is None else json.dumps(body), headers=headers, params=more)

    async def versions(self, path: str) -> list[tuple[str, str]]:
        return [(i["metadata"]["name"], i["metadata"]["resourceVersion"]) for i in (await self("GET", path)).json()["items"]]


async def test_who_is_not_known_is_sent_away_and_roles_decide_for_the_others() -> None:
    call = Caller()
    assert (await call("GET", PODS, who="nobody")).status_code == 401
    assert (await call("GET", PODS, who="scaler")).status_code == 200
    assert "cannot list resource" in (await call("GET", DEPLOYMENTS, who="scaler")).json()["message"]
    assert (await call("GET", "/api/v1/pods", who="scaler")).status_code == 403
    assert (await call("GET", f"{DEPLOYMENTS}/web/scale", who="scaler")).json()["spec"] == {"replicas": 2}


async def test_a_dry_run_stores_nothing() -> None:
    call = Caller()
    before = await call.versions(DEPLOYMENTS)
    shown = await call("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 7}}, type=MERGE, dryRun="All")
    assert (shown.json()["spec"]["replicas"], shown.json()["metadata"]["generation"]) == (7, 2)
    assert (await call("POST", DEPLOYMENTS, {"metadata": {"name": "new"}, "spec": SPEC}, dryRun="All")).status_code == 201
    assert (await call("DELETE", f"{DEPLOYMENTS}/web", dryRun="All")).status_code == 200
    assert await call.versions(DEPLOYMENTS) == before


async def test_a_change_is_stored_under_a_new_version_and_the_world_stays_as_it_was() -> None:
    call = Caller()
    assert (await call("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 5}}, "scaler", type=MERGE)).json()["spec"]["replicas"] == 5
    (name, version), *_ = await call.versions(DEPLOYMENTS)
    assert (name, int(version)) == ("web", 41)
    assert SPEC["replicas"] == 2


async def test_what_is_created_has_defaults_and_can_be_deleted() -> None:
    call = Caller()
    made = (await call("POST", DEPLOYMENTS, {"metadata": {"name": "new"}, "spec": SPEC})).json()
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Always"
    assert made["metadata"]["uid"]
    again = await call("POST", DEPLOYMENTS, {"metadata": {"name": "new"}, "spec": SPEC})
    assert (again.status_code, again.json()["reason"]) == (409, "AlreadyExists")
    assert (await call("DELETE", f"{DEPLOYMENTS}/new")).json()["status"] == "Success"
    assert [name for name, _ in await call.versions(DEPLOYMENTS)] == ["web"]


async def test_a_new_template_makes_a_new_revision_and_retires_the_old_one() -> None:
    call = Caller()
    for image in ("web:2", "web:3"):
        template = {"spec": {"containers": [{"name": "web", "image": image}]}}
        answer = await call("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"template": template}}, type=STRATEGIC)
        assert [c["image"] for c in answer.json()["spec"]["template"]["spec"]["containers"]] == [image, "side:1"]
    sets = (await call("GET", "/apis/apps/v1/namespaces/shop/replicasets")).json()["items"]
    revisions = {s["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: s["spec"]["replicas"] for s in sets}
    assert revisions == {"1": 0, "2": 2}


async def test_evictions_respect_a_budget_and_an_evicted_pod_is_terminating() -> None:
    call = Caller()
    assert (await call("POST", f"{PODS}/web-1/eviction", {})).status_code == 429
    assert (await call("POST", f"{PODS}/job-1/eviction", {})).status_code == 201
    assert (await call("GET", f"{PODS}/job-1")).json()["metadata"]["deletionTimestamp"] == "2026-03-01T12:00:30Z"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("PATCH", f"{DEPLOYMENTS}/web", {}, "application/json", 415),
        ("PATCH", f"{DEPLOYMENTS}/web", {"metadata": {"resourceVersion": "39"}}, MERGE, 409),
        ("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": "two"}}, MERGE, 400),
        ("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}, MERGE, 422),
        ("PUT", f"{DEPLOYMENTS}/web", {}, "application/json", 400),
        ("POST", DEPLOYMENTS, {}, "application/json", 400),
        ("POST", DEPLOYMENTS, None, "application/json", 400),
        ("PATCH", f"{DEPLOYMENTS}/web", {"spec": None}, MERGE, 422),
        ("PATCH", f"{DEPLOYMENTS}/web", "text", MERGE, 400),
        ("PUT", f"{DEPLOYMENTS}/gone", {"metadata": {"name": "gone"}}, "application/json", 404),
        ("POST", f"{DEPLOYMENTS}/web/status", {}, "application/json", 405),
        ("POST", f"{DEPLOYMENTS}/web/exec", {}, "application/json", 404),
        ("DELETE", f"{PODS}/web-1", {"preconditions": {"uid": "another"}}, "application/json", 409),
    ],
)
async def test_a_write_that_cannot_be_done_is_refused(method: str, path: str, body: Any, kind: str, status: int) -> None:
    answer = await Caller()(method, path, body, type=kind)
    assert (answer.status_code, answer.json()["kind"]) == (status, "Status")


async def test_a_body_that_is_no_json_is_refused() -> None:
    app = KubernetesApp(world(), IDENTITIES)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://lab") as http:
        answer = await http.post(DEPLOYMENTS, content=b"{", headers={"Authorization": "Bearer root"})
    assert answer.status_code == 400


async def test_versions_that_were_compacted_away_are_gone() -> None:
    call = Caller()
    call.app.compact(20)
    first = (await call("GET", PODS, limit="1")).json()["metadata"]["continue"]
    assert (await call("GET", PODS, limit="1", **{"continue": first})).status_code == 200
    call.app.compact(1_000)
    late = await call("GET", PODS, limit="1", **{"continue": first})
    assert (late.status_code, late.json()["reason"]) == (410, "Expired")
    goes_on = late.json()["metadata"]["continue"]
    assert [i["metadata"]["name"] for i in (await call("GET", PODS, **{"continue": goes_on})).json()["items"]] == ["web-1"]
    watched = (await call("GET", PODS, watch="true", resourceVersion="5")).json()
    assert (watched["type"], watched["object"]["code"]) == ("ERROR", 410)
    assert (await call("GET", PODS, resourceVersion="9999")).status_code == 504


def test_a_merge_patch_removes_with_null_and_replaces_lists() -> None:
    old = {"a": 1, "b": {"c": 2, "d": 3}, "l": [{"name": "x", "v": 1}]}
    assert patches.merge(old, {"a": None, "b": {"c": 5}, "l": [{"name": "y"}]}) == {"b": {"c": 5, "d": 3}, "l": [{"name": "y"}]}
    assert patches.strategic(old, {"l": [{"name": "y"}, {"name": "x", "v": 2}]})["l"] == [{"name": "x", "v": 2}, {"name": "y"}]
    assert patches.strategic({"l": [1]}, {"l": [2]})["l"] == [2]


def test_a_json_patch_adds_replaces_removes_and_tests() -> None:
    old = {"a": 1, "l": [1, 2], "x/y": 0}
    operations = [
        {"op": "test", "path": "/a", "value": 1},
        {"op": "replace", "path": "/x~1y", "value": 5},
        {"op": "add", "path": "/l/-", "value": 3},
        {"op": "remove", "path": "/a"},
        {"op": "add", "path": "/b", "value": {}},
    ]
    assert patches.json_patch(old, operations) == {"l": [1, 2, 3], "x/y": 5, "b": {}}
    assert old["a"] == 1
    for wrong in ({"op": "test", "path": "/a", "value": 2}, {"op": "remove", "path": "/z"}, {"op": "replace", "path": "/z", "value": 1}):
        with pytest.raises(ApiError):
            patches.json_patch(old, [wrong])


@pytest.mark.parametrize(
    ("seconds", "text"), [(7, "7s"), (190, "3m"), (4 * 3600, "4h"), (114 * 3600 + 60, "4d18h"), (24 * 3600 * 30, "30d"), (48 * 3600, "2d")]
)
def test_ages_are_written_as_kubectl_does(seconds: int, text: str) -> None:
    since = datetime.fromtimestamp(NOW.timestamp() - seconds, UTC)
    assert age(since.isoformat(), NOW) == text
