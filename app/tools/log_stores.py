"""What is set about log stores -> their configurations, None for a store without an address. Called by `main`, with the settings
of these names."""

from typing import Any

from app.tools.elasticsearch_client import ElasticsearchConfig, ElasticsearchFields
from app.tools.log_source import renamed
from app.tools.loki_client import LokiConfig, LokiLabels

LOG_SETTINGS = {
    "loki_url",
    "loki_tenant",
    "loki_token",
    "loki_labels",
    "elasticsearch_url",
    "elasticsearch_index",
    "elasticsearch_api_key",
    "elasticsearch_fields",
}


def log_stores(said: dict[str, Any]) -> dict[str, Any]:
    """{loki, elasticsearch} for `ToolsConfig`. Raises ValueError for a name that no label or field has."""
    loki = elasticsearch = None
    if said["loki_url"]:
        labels = renamed(LokiLabels(), said["loki_labels"])
        loki = LokiConfig(said["loki_url"], said["loki_tenant"], said["loki_token"].get_secret_value(), labels)
    if said["elasticsearch_url"]:
        fields = renamed(ElasticsearchFields(), said["elasticsearch_fields"])
        key = said["elasticsearch_api_key"].get_secret_value()
        elasticsearch = ElasticsearchConfig(said["elasticsearch_url"], said["elasticsearch_index"], key, fields)
    return {"loki": loki, "elasticsearch": elasticsearch}
