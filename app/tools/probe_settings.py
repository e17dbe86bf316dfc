"""What is set about the probe -> its configuration, None where nothing may be probed. Called by `main`, with the settings of these
names."""

from typing import Any

from app.tools.check_http import ProbeConfig
from app.tools.tls_probe import check_authorities

PROBE_SETTINGS = {"probe_targets", "http_proxy_url", "probe_ca_file"}


def probe_of(said: dict[str, Any]) -> ProbeConfig | None:
    """Raises ValueError for a file of authorities that holds none."""
    if not (said["probe_targets"] or said["http_proxy_url"]):
        return None
    authorities = str(said["probe_ca_file"] or "")
    if authorities:
        check_authorities(authorities)
    return ProbeConfig(said["probe_targets"], said["http_proxy_url"], authorities=authorities)
