"""Settings of log stores become their configurations; what cannot be used is refused with the variable's name."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.main import tools
from app.settings import Settings


def settings(**said: Any) -> Settings:
    return Settings(_env_file=None, **said)


def test_what_is_set_is_what_is_asked() -> None:  # covers CFG-02
    _, sources = tools(
        settings(loki_url="http://127.0.0.1:3100", loki_labels="node=hostname, unit=systemd_unit", elasticsearch_url="http://127.0.0.1:9200")
    )
    assert sources.names == {"logs", "loki", "elasticsearch"}
    assert list(sources.logs) == ["loki", "elasticsearch"]
    assert tools(settings())[1].names == frozenset()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loki_url", "loki:3100"),
        ("loki_labels", "pods=pod"),
        ("loki_labels", "time=ts"),
        ("loki_labels", "pod="),
        ("elasticsearch_url", "ftp://e"),
        ("elasticsearch_fields", "pod"),
        ("elasticsearch_index", "*"),
        ("elasticsearch_index", "{service}"),
        ("elasticsearch_index", "logs/../x"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        settings(**{name: value})
