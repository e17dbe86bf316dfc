"""What check_config says about the configuration that pods name; no value of a ConfigMap and no Secret is ever read."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.domain.tool import ToolContext, ToolResult, ToolStatus, Window
from app.lab.servers import LabServers
from app.lab.snapshot import load
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.kubernetes_client import KubernetesConfig
from tests.tools.objects import Object, event, pod
from tests.tools.servers import kubernetes, serving
from tests.tools.test_kubernetes_tools import ask, shop

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def waiting(message: str) -> Object:
    return {"waiting": {"reason": "CreateContainerConfigError", "message": message}}


def naming(state: Object = RUNNING, env: list[Object] | None = None, **spec: Any) -> Object:
    made = pod("cart-7d-a", state=state, ready="running" in state)
    made["metadata"]["ownerReferences"] = []
    made["spec"]["containers"][0]["env"] = env or []
    made["spec"]["containers"][0] |= {"envFrom": spec.pop("env_from", [])}
    made["spec"] |= spec
    return made


def config_map(name: str, **data: str) -> Object:
    return {"metadata": {"name": name, "namespace": "shop"}, "data": data}


def key(kind: str, name: str, key: str, **more: Any) -> Object:
    return {"name": "MODE", "valueFrom": {kind: {"name": name, "key": key, **more}}}


def states(got: ToolResult) -> list[tuple[str, str, str]]:
    return [(f"{r['kind']}/{r['name']}", r["state"], r["concluded"]) for r in got.data["references"]]


WORKLOADS: dict[str, list[Object]] = {k: [] for k in ("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Event")}


async def told(context: ToolContext, made: Object, *maps: Object, **kinds: list[Object]) -> ToolResult:
    return await shop(context, "check_config", WORKLOADS | {"Pod": [made], "ConfigMap": [*maps], "ServiceAccount": []} | kinds)


@pytest.mark.parametrize(
    ("spec", "state"),
    [
        ({"env": [key("configMapKeyRef", "app", "mode")]}, "exists"),
        ({"env": [key("configMapKeyRef", "app", "other")]}, "key_missing"),
        ({"env": [key("configMapKeyRef", "gone", "mode")]}, "missing"),
        ({"env_from": [{"configMapRef": {"name": "app"}}]}, "exists"),
        ({"env_from": [{"configMapRef": {"name": "gone"}}]}, "missing"),
        ({"volumes": [{"name": "v", "configMap": {"name": "app"}}]}, "exists"),
        ({"volumes": [{"name": "v", "configMap": {"name": "app", "items": [{"key": "other", "path": "x"}]}}]}, "key_missing"),
        ({"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "gone"}}]}}]}, "missing"),
        ({"serviceAccountName": "robot"}, "missing"),
        ({"env": [key("secretKeyRef", "keys", "k")]}, "not_read"),
        ({"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "keys"}}]}}]}, "not_read"),
    ],
)
async def test_every_way_to_name_configuration_is_followed(context: ToolContext, spec: Object, state: str) -> None:
    got = await told(context, naming(**spec), config_map("app", mode="fast-and-secret"))
    assert [s for _, s, _ in states(got)] == [state]
    assert "fast-and-secret" not in got.model_dump_json()
    assert ("missing:" in got.summary) == ("missing" in state)


async def test_optional_references_are_told_and_missed_by_nobody(context: ToolContext) -> None:
    got = await told(context, naming(env=[key("configMapKeyRef", "gone", "mode", optional=True)]))
    assert got.summary == "1 references to configuration: none known to be missing"
    assert got.text == "Pod/shop/cart-7d-a container server env MODE: ConfigMap gone key mode (optional): missing"


@pytest.mark.parametrize(
    ("state", "message", "concluded"),
    [
        (waiting('secret "keys" not found'), "", "missing"),
        (waiting("couldn't find key k in Secret shop/keys"), "", "key_missing"),
        (waiting("couldn't find key k in ConfigMap shop/keys"), "", ""),
        (waiting('secret "others" not found'), "", ""),
        (waiting("x"), 'MountVolume.SetUp failed for volume "v" : secret "keys" not found', "missing"),
        (RUNNING, "", "present"),
    ],
)
async def test_a_secret_is_concluded_from_what_the_kubelet_says(context: ToolContext, state: Object, message: str, concluded: str) -> None:
    found = [event("FailedMount", message, last="2026-01-01T09:55:00Z")] if message else []
    got = await told(context, naming(state, env=[key("secretKeyRef", "keys", "k")]), Event=found)
    assert states(got) == [("Secret/keys", "not_read", concluded)]
    assert ("missing: Secret keys key k" in got.summary) == ("missing" in concluded)


async def test_a_key_of_a_volume_and_a_pull_secret_are_concluded_too(context: ToolContext) -> None:
    items = {"secretName": "keys", "items": [{"key": "tls.crt", "path": "c"}]}
    said = [
        event("FailedMount", 'MountVolume.SetUp failed for volume "v" : references non-existent secret key: tls.crt', last="2026-01-01T09:55:00Z"),
        event(
            "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (regcred); attempting to pull", last="2026-01-01T09:55:00Z"
        ),
    ]
    made = naming(waiting("x"), volumes=[{"name": "v", "secret": items}], imagePullSecrets=[{"name": "regcred"}])
    got = await told(context, made, Event=said)
    assert sorted(states(got)) == [("Secret/keys", "not_read", "key_missing"), ("Secret/regcred", "not_read", "missing")]


async def test_config_maps_that_may_not_be_read_are_denied_and_concluded(context: ToolContext) -> None:
    made = naming(waiting('configmap "app" not found'), env=[key("configMapKeyRef", "app", "mode")])
    got = await shop(context, "check_config", WORKLOADS | {"Pod": [made]})
    assert states(got) == [("ConfigMap/app", "denied", "missing")]
    assert "configmaps" in got.note and "missing permission" in got.note


async def test_a_workload_is_told_by_its_template_and_its_pods_are_not_repeated(context: ToolContext) -> None:
    spec = {"containers": [{"name": "server", "env": [key("configMapKeyRef", "app", "mode")]}]}
    made = {"metadata": {"name": "cart-7d", "namespace": "shop"}, "spec": {"template": {"spec": spec}}}
    nightly = {"metadata": {"name": "night", "namespace": "shop"}, "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}
    got = await told(context, pod("cart-7d-a"), config_map("app", mode="x"), StatefulSet=[made], CronJob=[nightly])
    assert [r["object"] for r in got.data["references"] if r["kind"] == "ConfigMap"] == ["CronJob/shop/night", "StatefulSet/shop/cart-7d"]
    assert got.line_with("configmap app: keys mode")


async def test_only_the_objects_that_are_named_are_asked_for_and_no_secret(context: ToolContext) -> None:
    made = naming(env=[key("configMapKeyRef", "app", "mode"), key("secretKeyRef", "keys", "k")], serviceAccountName="robot")
    async with serving(
        kubernetes(WORKLOADS | {"Pod": [made], "ConfigMap": [config_map("app"), config_map("other")], "ServiceAccount": []})
    ) as server:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=server.url)))
        tool = registry.get("check_config")
        assert tool is not None
        await tool.run(tool.arguments(namespace="shop", pod="cart-7d-a"), context)
        await sources.aclose()
        paths = [a.path for a in server.asked]
    assert [p for p in paths if "configmaps" in p] == ["/api/v1/namespaces/shop/configmaps/app"]
    assert not [p for p in paths if "secret" in p]


@pytest.mark.parametrize(
    ("world", "arguments", "status"),
    [
        (WORKLOADS | {"Pod": []}, {}, ToolStatus.NO_DATA),
        (WORKLOADS | {"Pod": []}, {"workload": "cart"}, ToolStatus.NOT_FOUND),
        (WORKLOADS | {"Pod": [naming()]}, {"pod": "other"}, ToolStatus.NOT_FOUND),
        (WORKLOADS | {"Pod": [naming()]}, {"pod": "cart-7d-a"}, ToolStatus.OK),
        ({"Event": []}, {}, ToolStatus.DENIED),
    ],
)
async def test_absence_and_refusal_are_told_apart(context: ToolContext, world: Any, arguments: dict[str, str], status: ToolStatus) -> None:
    assert (await ask(context, kubernetes(world), "check_config", namespace="shop", **arguments)).status is status


async def test_what_is_read_by_name_is_capped_with_totals(context: ToolContext) -> None:
    maps = [{"configMapRef": {"name": f"app-{n:03}"}} for n in range(350)]
    got = await told(context, naming(env_from=maps), *(config_map(f"app-{n:03}") for n in range(40)))
    assert got.truncated == "350 ConfigMaps and service accounts named, 40 read; 350 references, 300 shown, what is missing first"
    assert {s for _, s, _ in states(got)} == {"exists", "unavailable"}
    assert "none known to be missing" in got.summary


async def test_a_name_that_would_leave_its_place_in_the_path_is_not_asked_for(context: ToolContext) -> None:
    got = await told(context, naming(env=[key("configMapKeyRef", "../secrets/x", "k")]))
    assert states(got) == [("ConfigMap/../secrets/x", "unavailable", "present")]
    assert "secrets" not in got.invocation


@pytest.mark.shared
async def test_the_missing_key_of_a_recorded_incident_is_found(shared: Path) -> None:
    folder = shared / "kubernetes/snapshots/configmap-key-missing"
    world = load(folder)
    namespace = json.loads((folder / "world.json").read_text(encoding="utf-8"))["namespace"]
    async with LabServers(world) as lab:
        registry, sources = build_registry(ToolsConfig(kubernetes=KubernetesConfig(url=lab.addresses.kubernetes)))
        tool = registry.get("check_config")
        assert tool is not None
        got = await tool.run(tool.arguments(namespace=namespace), ToolContext(now=world.now, window=Window(start=world.now, end=world.now)))
        await sources.aclose()
    assert "missing: ConfigMap" in got.summary
    assert got.data["references"][0]["state"] == "key_missing"
