"""The whole service with a probe, Argo CD and GitHub: what they say passes the gates, reaches the report, and no token does."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.lab import snapshot
from tests.service.serving import SCENARIOS, Json, looking_at, web_app
from tests.tools.delivery_servers import FAILED, TOKEN, application, argocd, deployment, github
from tests.tools.servers import serving as answering
from tests.tools.tls_servers import AUTHORITY, talking

pytestmark = pytest.mark.slow


async def test_delivery_tools_are_read_after_the_rollouts_and_no_token_reaches_what_is_kept(tmp_path: Path) -> None:
    world = web_app()
    app = application("web-app", sync="OutOfSync", **FAILED)
    app["spec"]["destination"]["namespace"] = "shop"
    app["spec"]["source"]["repoURL"] = "https://robot:hunter2hunter2@git.example/shop.git"
    at = world.now.strftime("%Y-%m-%dT%H:00:00Z")
    async with answering(argocd(app)) as argo, answering(github([deployment(1, at)])) as hub:
        token = SecretStr(TOKEN)
        more: Json = {"argocd_url": f"{argo.url}/argo", "argocd_token": token, "github_url": hub.url, "github_token": token}
        async with looking_at(world, tmp_path, **more, github_repositories=("web-app=acme/cart",)) as served:
            report = await served.alert({"type": "HighErrorRate", "service": "web-app", "labels": {"namespace": "shop"}})
            trail = [e.model_dump(mode="json") for e in await served.trail(report["investigation_id"])]
    said = json.dumps(trail) + json.dumps(report)
    assert "application argocd/web-app: sync OutOfSync" in said and "of acme/cart v1.4" in said
    assert TOKEN not in said and "hunter2hunter2" not in said
    calls = [s["tool"] for s in report["steps"]] if "steps" in report else []
    assert calls == [] or calls.index("get_recent_deploys") < calls.index("check_argocd")


async def test_the_alert_of_a_prober_asks_the_configured_target_and_its_certificate_is_the_cause(tmp_path: Path) -> None:
    async with talking(b"HTTP/1.1 200 OK\r\n\r\n", "expired") as port:
        target = f"https://127.0.0.1:{port}"
        more: Json = {"probe_targets": (target,), "probe_ca_file": Path(AUTHORITY), "http_proxy_url": ""}
        async with looking_at(snapshot.load(SCENARIOS / "all-quiet"), tmp_path, **more) as served:
            labels = {"alertname": "SSLCertExpired", "job": "blackbox", "instance": f"{target}/"}
            report = await served.alert({"type": "SSLCertExpired", "service": "blackbox", "labels": labels})
    assert "certificate_expired" in json.dumps(report)
    assert f"certificate of 127.0.0.1:{port}: valid from 2020-01-01T00:00:00Z until 2021-01-01T00:00:00Z" in json.dumps(report)


async def test_what_is_not_configured_is_not_planned(tmp_path: Path) -> None:
    async with looking_at(web_app(), tmp_path) as served:
        report = await served.alert({"type": "HighErrorRate", "service": "web-app", "labels": {"namespace": "shop"}})
        trail = [e.model_dump(mode="json") for e in await served.trail(report["investigation_id"])]
    assert "check_argocd" not in json.dumps(trail) and "check_github_deployments" not in json.dumps(trail)
