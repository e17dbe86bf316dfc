"""The service looking at the lab's servers: the settings for it, used by `demo` and `evaluate`."""

import json
from pathlib import Path
from typing import Any

from app.domain.frozen import JsonObject
from app.lab.servers import Addresses
from app.settings import Settings


def lab_settings(addresses: Addresses, data_dir: Path, edges: list[JsonObject], **changes: Any) -> Settings:
    """The defaults, whatever the environment says, with the lab as the only world; writes the service map if there is one."""
    data_dir.mkdir(parents=True, exist_ok=True)
    service_map = None
    if edges:
        service_map = data_dir / "service-map.json"
        service_map.write_text(json.dumps({"edges": edges}), encoding="utf-8")
    defaults = {name: field.get_default() for name, field in Settings.model_fields.items()}
    lab = {
        "data_dir": data_dir,
        "kubernetes_url": addresses.kubernetes,
        "prometheus_url": addresses.prometheus,
        "http_proxy_url": addresses.proxy,
        "loki_url": addresses.loki,
        "service_map": service_map,
    }
    return Settings.model_construct(**{**defaults, **lab, **changes})
