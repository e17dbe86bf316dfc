"""What delivery tools cannot apply is told from their own objects, and from their controllers' logs where those may not be read."""

import asyncio
from pathlib import Path

import pytest

from tests.diagnosis.offline import Offline
from tests.diagnosis.scenes import Scene, ago, shop

ARGO = 'time="%s" level=error msg="Failed to load target state: kustomize build failed" app-namespace=argocd application=site'
FLUX = '{"level":"error","ts":"%s","msg":"failed","Kustomization":{"name":"site","namespace":"flux"},"error":"x"}'
FINE = 'time="%s" level=info msg="Reconciliation completed" application=site'


def first(folder: Path, scene: Scene) -> tuple[str, str]:
    verdict = asyncio.run(Offline(scene.write(folder)).investigate())[0]
    return next(((h.cause, str(h.object)) for h in verdict.hypotheses), ("", ""))


def application(name: str, **status: object) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "argocd"}, "spec": {}, "status": status}


def broken(since: float) -> dict[str, object]:
    condition = {"type": "ComparisonError", "message": "Failed to load target state: no such file", "lastTransitionTime": ago(since)}
    return {"sync": {"status": "Unknown"}, "conditions": [condition]}


def test_an_application_that_cannot_be_compared_is_the_one_that_the_alert_names(tmp_path: Path) -> None:
    scene = shop()
    for name in ("site", "other"):
        scene.add("Application", application(name, **broken(20)))
    scene.labels = {"alertname": "ArgoCdAppOutOfSync", "namespace": "argocd", "name": "site"}
    assert first(tmp_path, scene) == ("gitops_out_of_sync", "Application/argocd/site")


def test_a_kustomization_that_flux_cannot_build_is_named_by_its_own_kind(tmp_path: Path) -> None:
    scene = shop()
    condition = {"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no such file", "lastTransitionTime": ago(20)}
    scene.add("Kustomization", {"metadata": {"name": "site", "namespace": "flux"}, "spec": {}, "status": {"conditions": [condition]}})
    scene.labels = {"alertname": "FluxReconciliationFailure", "namespace": "flux", "name": "site"}
    assert first(tmp_path, scene) == ("gitops_out_of_sync", "Kustomization/flux/site")


def test_to_be_out_of_sync_alone_is_no_fault(tmp_path: Path) -> None:
    scene = shop()
    scene.add("Application", application("site", sync={"status": "OutOfSync"}, health={"status": "Healthy"}))
    scene.labels = {"alertname": "ArgoCdAppOutOfSync", "namespace": "shop", "name": "site"}
    assert first(tmp_path, scene) == ("", "")


@pytest.mark.parametrize(
    ("line", "where"), [(ARGO, "Application/argocd/site"), (FLUX, "Kustomization/flux/site"), (FINE, "")], ids=["argo", "flux", "fine"]
)
def test_without_their_objects_the_controllers_log_tells(line: str, where: str, tmp_path: Path) -> None:
    scene = shop()
    scene.says("\n".join(line % ago(m) for m in (8, 5, 2)))
    scene.labels = {"alertname": "ArgoCdAppOutOfSync", "namespace": "shop", "deployment": "cart"}
    assert first(tmp_path, scene)[1] == where
