"""Settings of the probe and of delivery tools become their configurations; what cannot be used is refused with the variable's name."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from app.domain.errors import CannotStart
from app.main import tools
from app.settings import Settings
from app.tools.argocd_client import ArgoConfig
from app.tools.further_sources import SOURCE_SETTINGS, sources_of
from app.tools.github_client import GithubConfig

AUTHORITY = Path(__file__).parent / "certificates/authority.pem"


def settings(**said: Any) -> Settings:
    return Settings(_env_file=None, **said)


def configured(**said: Any) -> dict[str, Any]:
    made = settings(**said)
    return sources_of({name: getattr(made, name) for name in SOURCE_SETTINGS})


def test_what_is_set_is_what_is_asked() -> None:  # covers CFG-02
    said = {"argocd_url": "https://argo.example/argo", "argocd_projects": "a, b", "argocd_token": SecretStr("x")}
    found = configured(**said, github_repositories="cart=acme/cart,web=acme/web.site", probe_targets="tls://shop.example", probe_ca_file=AUTHORITY)
    assert found["argocd"] == ArgoConfig("https://argo.example/argo", "x", ("a", "b"))
    assert found["github"] == GithubConfig("https://api.github.com", "", {"cart": "acme/cart", "web": "acme/web.site"})
    assert found["probe"].authorities == str(AUTHORITY)
    _, sources = tools(settings(**said, github_repositories="cart=acme/cart"))
    assert sources.names == {"argocd", "github"}


def test_nothing_set_is_nothing_asked() -> None:
    assert not any(configured().values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("argocd_url", "argo:443"),
        ("github_url", "ftp://x"),
        ("github_repositories", "cart"),
        ("github_repositories", "cart=acme"),
        ("github_repositories", "cart=acme/../../user"),
        ("github_repositories", "cart=acme/.."),
        ("github_repositories", "cart=https://github.com/acme/cart"),
        ("probe_targets", "tls://"),
        ("probe_ca_file", "/nowhere.pem"),
        ("argocd_ca_file", "/nowhere.pem"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        settings(**{name: value})


def test_a_file_without_an_authority_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(CannotStart, match=r"SRE_AGENT_PROBE_CA_FILE.*none.pem holds no certificate"):
        tools(settings(probe_targets="shop.example:443", probe_ca_file=tmp_path / "none.pem"))
    with pytest.raises(CannotStart, match=r"SRE_AGENT_ARGOCD_CA_FILE.*none.pem holds no certificate"):
        tools(settings(argocd_url="https://argo.example", argocd_ca_file=tmp_path / "none.pem"))
