"""What is set about the probe, log stores and delivery tools -> their configurations, None for a source without an address. Called
by `main`, with the settings of these names."""

from typing import Any

from app.tools.argocd_client import ArgoConfig
from app.tools.github_client import GithubConfig
from app.tools.log_stores import LOG_SETTINGS, log_stores
from app.tools.probe_settings import PROBE_SETTINGS, probe_of
from app.tools.tls_probe import check_authorities

CHANGE_SETTINGS = {
    "argocd_url",
    "argocd_token",
    "argocd_projects",
    "argocd_service_key",
    "argocd_ca_file",
    "github_url",
    "github_token",
    "github_repositories",
}
SOURCE_SETTINGS = PROBE_SETTINGS | LOG_SETTINGS | CHANGE_SETTINGS


def sources_of(said: dict[str, Any]) -> dict[str, Any]:
    """Fields of `ToolsConfig`. Raises ValueError for what cannot be used."""
    argocd = github = None
    if said["argocd_url"]:
        token, authorities = said["argocd_token"].get_secret_value(), str(said["argocd_ca_file"] or "")
        if authorities:
            check_authorities(authorities)
        argocd = ArgoConfig(said["argocd_url"], token, said["argocd_projects"], said["argocd_service_key"], authorities)
    if said["github_repositories"]:
        repositories = dict(pair.split("=", 1) for pair in said["github_repositories"])
        github = GithubConfig(said["github_url"], said["github_token"].get_secret_value(), repositories)
    return {"probe": probe_of(said), "argocd": argocd, "github": github, **log_stores(said)}
