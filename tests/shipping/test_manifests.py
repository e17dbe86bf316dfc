"""The Kubernetes manifests render, are valid for the API, and give no right that we do not need."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.tools.kubernetes_kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "k8s" / "base"
NOT_IN_THE_CORE_SCHEMA = {"ServiceMonitor"}


def documents() -> list[dict[str, Any]]:
    names = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return [doc for name in names for doc in yaml.safe_load_all((BASE / name).read_text())]


def one(kind: str) -> dict[str, Any]:
    return next(doc for doc in documents() if doc["kind"] == kind)


@pytest.mark.real
def test_kustomize_renders_the_base_and_the_api_schema_accepts_every_object() -> None:
    kubectl = shutil.which("kubectl")
    assert kubectl, "kubectl comes with Debian's kubernetes-client"
    rendered = subprocess.run([kubectl, "kustomize", str(BASE)], capture_output=True, text=True, check=True).stdout
    objects = list(yaml.safe_load_all(rendered))
    assert len(objects) == len(documents())
    for obj in objects:
        if obj["kind"] not in NOT_IN_THE_CORE_SCHEMA:
            kubernetes_validate.validate(obj, "1.32", strict=True)
        if obj["kind"] not in ("Namespace", "ClusterRole", "ClusterRoleBinding"):
            assert obj["metadata"]["namespace"] == "sre-agent"


def test_the_service_account_reads_and_nothing_else() -> None:  # covers SEC-03
    for rule in one("ClusterRole")["rules"]:
        assert set(rule["verbs"]) <= {"get", "list"}
        assert not {"secrets", "pods/exec", "nodes/proxy", "*"} & set(rule["resources"])
        assert "*" not in rule["apiGroups"]


def test_every_kind_that_a_tool_reads_is_granted() -> None:
    granted = {(group, resource) for rule in one("ClusterRole")["rules"] for group in rule["apiGroups"] for resource in rule["resources"]}
    for kind in KINDS.values():
        group = kind.prefix.split("/")[1] if kind.prefix.startswith("apis/") else ""
        assert (group, kind.plural) in granted, kind


def test_the_container_is_locked_down() -> None:  # covers SEC-15, DEP-08
    pod = one("Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["enableServiceLinks"] is False, "or Kubernetes sets SRE_AGENT_PORT=tcp://... for the Service of that name"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_the_three_probes_ask_paths_that_exist() -> None:  # covers DEP-06
    container = one("Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert [container["livenessProbe"][k] for k in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold")] == [10, 30, 5, 3]
    assert [container["readinessProbe"][k] for k in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold")] == [5, 10, 5, 2]


def test_the_image_ends_without_build_tools_and_as_nobody_special() -> None:  # covers DEP-08, SEC-15
    last = (ROOT / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]
    assert "USER 10001" in last
    assert "uv pip" not in last
    assert "ORT_DISABLE_TELEMETRY=1" in last
