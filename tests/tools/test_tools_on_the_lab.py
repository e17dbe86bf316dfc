"""Every tool against the lab's servers over recorded incidents: nothing breaks, quotes hold, and time is kept."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.tool import ToolContext, ToolStatus, Window
from app.lab.servers import LabServers
from app.lab.snapshot import World, load
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.check_http import ProbeConfig
from app.tools.kubernetes_client import KubernetesConfig
from app.tools.prometheus_client import PrometheusConfig

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def calls(namespace: str) -> list[tuple[str, dict[str, Any]]]:
    named = ["check_pods", "check_events", "get_recent_deploys", "check_workloads", "check_services", "check_storage", "check_quotas", "get_metrics"]
    named += ["check_config", "check_ingresses", "check_network_policies"]
    return [*((name, {"namespace": namespace}) for name in named), ("check_nodes", {}), ("get_alerts", {})]


async def everything(world: World, namespace: str) -> dict[str, Any]:
    context = ToolContext(now=world.now, window=Window(start=world.now - timedelta(hours=1), end=world.now))
    found = {}
    async with LabServers(world) as lab:
        at = lab.addresses
        config = ToolsConfig(KubernetesConfig(url=at.kubernetes), PrometheusConfig(url=at.prometheus), ProbeConfig(proxy_url=at.proxy, timeout=1.0))
        registry, sources = build_registry(config)
        for name, arguments in calls(namespace):
            tool = registry.get(name)
            assert tool is not None
            found[name] = await tool.run(tool.arguments(**arguments), context)
        await sources.aclose()
    return found


def namespace_of(folder: Path) -> str:
    return str(json.loads((folder / "world.json").read_text(encoding="utf-8"))["namespace"])


def folders(shared: Path) -> list[Path]:
    boutique = sorted((shared / "incidents/boutique").glob("*-1*/world.json"))
    return [p.parent for p in [*sorted((shared / "kubernetes/snapshots").glob("*/world.json")), *boutique[::8]]]


async def test_every_tool_answers_over_every_kind_of_recorded_world(shared: Path) -> None:
    for folder in folders(shared):
        found = await everything(load(folder), namespace_of(folder))
        assert found["check_pods"].status in (ToolStatus.OK, ToolStatus.NO_DATA), folder
        assert found["check_events"].status in (ToolStatus.OK, ToolStatus.NO_DATA), folder
        for name, result in found.items():
            assert all(line.strip() for line in result.text.splitlines()), (folder, name)
            assert len(result.text) < 256 * 1024, (folder, name)
            assert len(result.summary) <= 300


async def test_two_readings_of_one_world_are_equal_to_the_byte(shared: Path) -> None:
    folder = shared / "kubernetes/snapshots/oom-after-rollout"
    first, second = [await everything(load(folder), namespace_of(folder)) for _ in range(2)]
    assert {n: r.model_dump_json() for n, r in first.items()} == {n: r.model_dump_json() for n, r in second.items()}


async def test_what_a_diagnosis_must_cite_of_a_recorded_incident_is_on_one_line(shared: Path) -> None:
    folder = shared / "kubernetes/snapshots/oom-after-rollout"
    found = await everything(load(folder), namespace_of(folder))
    assert found["check_pods"].line_with("last state terminated OOMKilled exit 137")
    assert found["check_pods"].line_with("limits", "memory=")
    assert found["check_workloads"].line_with("ProgressDeadlineExceeded")
    assert found["get_recent_deploys"].line_with("revision 2", " -> ")


async def test_what_the_finer_tools_say_of_recorded_worlds(shared: Path) -> None:
    folder = shared / "kubernetes/snapshots/healthy-with-old-warnings"
    found = await everything(load(folder), namespace_of(folder))
    assert "every backend that is known has ready endpoints" in found["check_ingresses"].summary
    assert not [t for t in found["check_network_policies"].data["traffic"] if t["verdict"] == "dropped" and t["peer"].startswith("Deployment/")]
    assert found["check_network_policies"].line_with("addresses outside the cluster: dropped by networkpolicy")
    assert found["check_workloads"].line_with("PodDisruptionBudget", "disruptionsAllowed 1")
    folder = shared / "kubernetes/snapshots/hpa-no-metrics"
    found = await everything(load(folder), namespace_of(folder))
    assert found["check_workloads"].line_with("cpu is at unknown, target 65% of requests")


async def test_a_config_map_is_missing_where_it_is_the_cause_and_nowhere_else(shared: Path) -> None:
    for folder in folders(shared):
        got = (await everything(load(folder), namespace_of(folder)))["check_config"]
        missing = [r for r in got.data.get("references", ()) if r["kind"] == "ConfigMap" and "missing" in r["state"] and not r["optional"]]
        assert bool(missing) == (folder.name == "configmap-key-missing"), (folder, missing)


async def test_reading_a_namespace_costs_little(shared: Path) -> None:
    folder = next(iter(sorted((shared / "incidents/boutique").glob("performance-*"))))
    world = load(folder)
    await everything(world, namespace_of(folder))
    begun = time.process_time()
    await everything(world, namespace_of(folder))
    assert time.process_time() - begun < 1.5  # the lab's own servers included
