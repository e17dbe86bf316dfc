"""Who is slow and who only waits, where no service map is configured: by the edges of a mesh, and by the environment of pods."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.case import CaseFile
from app.domain.verdict import Verdict
from tests.diagnosis.breakages import golden
from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import NOW, NS, Scene, shop
from tests.tools.meshes import SPAN, matrix

START = (NOW - timedelta(seconds=SPAN)).timestamp()


def investigated(folder: Path, scene: Scene) -> tuple[Verdict, CaseFile]:
    verdict, case, _ = asyncio.run(Offline(scene.write(folder)).investigate())
    return verdict, case


def slow_shop(*, environment: bool) -> Scene:
    """No configured map."""
    scene = shop()
    scene.edges = []
    scene.labels = {"alertname": "HighLatency", "namespace": NS, "service": "web"}
    for kind, path in (("Pod", ("spec",)), ("Deployment", ("spec", "template", "spec")), ("ReplicaSet", ("spec", "template", "spec"))):
        for item in scene.objects[kind]:
            for key in path:
                item = item[key]
            for box in item["containers"] if not environment else ():
                box["env"] = []
    return scene


def asked(case: CaseFile) -> list[str]:
    return [u.step.tool for u in case.updates]


@pytest.mark.parametrize("mesh", ["service graph", *(pytest.param(m, marks=pytest.mark.slow) for m in ("istio", "linkerd"))])
def test_the_end_of_a_chain_of_slow_calls_is_blamed_by_the_edges_of_a_mesh(mesh: str, tmp_path: Path) -> None:
    scene = slow_shop(environment=False)
    scene.metrics += matrix(mesh, START, ("cart", "store"))
    verdict, case = investigated(tmp_path, scene)
    assert str(verdict.hypotheses[0].object) == "Deployment/shop/store", verdict.line
    assert "get_service_map" in asked(case)
    quotes = [e.quote for e in verdict.evidence if e.source == "get_service_map"]
    assert any("cart -> " in q and "store" in q and "latency_p9" in q for q in quotes), verdict.evidence
    assert "called by" in verdict.impact and "web" in verdict.impact


def test_a_callee_that_answers_as_ever_is_not_blamed(tmp_path: Path) -> None:
    scene = slow_shop(environment=False)
    scene.metrics += matrix("service graph", START, ("cart",))
    verdict, _ = investigated(tmp_path, scene)
    assert str(verdict.hypotheses[0].object) == "Deployment/shop/cart", verdict.line
    assert "Deployment/shop/store" not in [str(h.object) for h in verdict.hypotheses]


def test_edges_on_which_nothing_moved_are_no_cause(tmp_path: Path) -> None:
    scene = slow_shop(environment=False)
    scene.metrics += matrix("service graph", START, ())
    verdict, case = investigated(tmp_path, scene)
    assert "get_service_map" in asked(case)
    assert verdict.hypotheses == ()


def test_an_address_in_the_environment_tells_a_caller_from_its_callee(tmp_path: Path) -> None:
    scene = slow_shop(environment=True)
    for name in ("web", "cart", "store"):
        golden("service_latency_seconds", 0.01, 0.4, name)(scene)
    verdict, _ = investigated(tmp_path, scene)
    assert str(verdict.hypotheses[0].object) == "Deployment/shop/store", verdict.line


def test_where_the_configured_map_knows_the_target_no_metrics_are_asked_for_it(tmp_path: Path) -> None:
    scene = slow_shop(environment=False)
    scene.edges = [{"caller": "web", "callee": "cart"}, {"caller": "cart", "callee": "store"}]
    scene.metrics += matrix("istio", START, ("cart", "store"))
    _, case = investigated(tmp_path, scene)
    assert "get_service_map" not in asked(case)
