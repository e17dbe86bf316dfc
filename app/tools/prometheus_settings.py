"""What is set about Prometheus -> its configuration and the names of one's own metrics. Called by `main`, with the settings of
these names."""

import re
from collections.abc import Sequence
from typing import Any

from app.domain.errors import ToolFailure
from app.tools.golden_signals import OWN_NAMES, OwnName
from app.tools.prometheus_client import PrometheusConfig
from app.tools.promql import checked, quoted

PROMETHEUS_SETTINGS = {"prometheus_url", "prometheus_tenant", "prometheus_token", "prometheus_metrics"}
SIGNAL = re.compile(r"[a-z][a-z0-9_]{0,60}")


def prometheus_of(said: dict[str, Any]) -> dict[str, Any]:
    """Fields of `ToolsConfig`. Raises ValueError for a metric's name that cannot be used."""
    headers = {"X-Scope-OrgID": said["prometheus_tenant"]} if said["prometheus_tenant"] else {}
    if token := said["prometheus_token"].get_secret_value():
        headers["Authorization"] = f"Bearer {token}"
    config = PrometheusConfig(said["prometheus_url"], headers=headers) if said["prometheus_url"] else None
    return {"prometheus": config, "own_names": (*own_names(said["prometheus_metrics"]), *OWN_NAMES)}


def own_names(pairs: Sequence[str]) -> tuple[OwnName, ...]:
    """`signal=pattern` pairs, the pattern a regular expression for whole metric names. Raises ValueError for a pair that is
    none, and for a pattern that is wrong or takes every name."""
    found = []
    for pair in pairs:
        name, _, pattern = pair.partition("=")
        if not SIGNAL.fullmatch(name.strip()) or not pattern.strip():
            raise ValueError(f"{pair!r} is no signal=pattern pair; a signal is lower case letters, digits and _")
        try:
            checked(f"{{__name__=~{quoted(pattern.strip())}}}")
        except ToolFailure as failure:
            raise ValueError(f"{pattern.strip()!r} cannot be used: {failure.detail}") from failure
        found.append(OwnName(name.strip(), pattern.strip()))
    return tuple(found)
