"""The registry is closed, and refuses what is incomplete."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from app.domain.tool import Provenance, Risk, ToolSpec
from app.tools.answers import Arguments, read_spec
from app.tools.catalogue import ToolsConfig, build_registry
from app.tools.registry import ToolRegistry


class Nothing(Arguments):
    pass


class Open(BaseModel):
    pass


class Sample:
    def __init__(self, name: str = "sample", arguments: type[BaseModel] = Nothing, spec: ToolSpec | None = None) -> None:
        self.arguments = arguments
        self.spec = spec or read_spec(name, "a sample", "kubernetes", "samples", arguments)

    async def run(self, arguments: Any, context: Any) -> Any:
        raise NotImplementedError


REGISTRY, SOURCES = build_registry(ToolsConfig())


def test_check_pods_has_the_metadata_that_is_written_down() -> None:  # covers TREG-02
    tool = REGISTRY.get("check_pods")
    assert tool is not None
    spec = tool.spec
    assert (list(spec.permissions), spec.timeout_seconds, spec.retry_count, spec.rate_limit) == (["read:pods"], 30, 3, "100/minute")
    assert spec.description == "Check pod status for a service"


def test_every_tool_has_complete_metadata() -> None:  # covers TREG-01, TREG-06
    assert len(REGISTRY.specs()) >= 16
    for spec in REGISTRY.specs():
        assert not spec.writes
        assert not spec.requires_approval
        assert spec.risk is Risk.LOW
        assert spec.provenance in Provenance
        assert spec.arguments["additionalProperties"] is False
        assert spec.timeout_seconds <= 30


def test_the_names_of_the_first_tools_are_aliases() -> None:  # covers TOOL-02, TOOL-03
    assert REGISTRY.aliases() == {"list_pods": "check_pods", "get_pod_logs": "get_logs"}
    assert REGISTRY.get("list_pods") is REGISTRY.get("check_pods")


@pytest.mark.parametrize("name", ["", "check_pod", "check_pods ", "CHECK_PODS", "kubectl", "check_*"])
def test_names_match_exactly(name: str) -> None:  # covers TOOL-07
    assert REGISTRY.get(name) is None


def test_a_name_is_taken_once() -> None:
    registry = ToolRegistry()
    registry.register(Sample("one"), "uno")
    for name in ("one", "uno"):
        with pytest.raises(ValueError, match="is registered"):
            registry.register(Sample(name))
    with pytest.raises(ValueError, match="is registered"):
        registry.register(Sample("two"), "one")


def test_open_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="refuse unknown"):
        ToolRegistry().register(Sample(arguments=Open))


@pytest.mark.parametrize(
    "change",
    [{"permissions": ()}, {"description": ""}, {"timeout_seconds": 0}, {"retry_count": -1}, {"rate_limit": "many"}, {"permissions": ("pods",)}],
)
def test_incomplete_metadata_is_refused(change: dict[str, Any]) -> None:
    spec = Sample().spec.model_copy(update=change)
    with pytest.raises(ValueError, match=r"incomplete|permission"):
        ToolRegistry().register(Sample(spec=spec))


def test_a_schema_of_another_model_is_refused() -> None:
    spec = Sample().spec.model_copy(update={"arguments": {}})
    with pytest.raises(ValueError, match="schema"):
        ToolRegistry().register(Sample(spec=spec))


@pytest.mark.parametrize("spec", REGISTRY.specs(), ids=lambda s: s.name)
def test_unknown_arguments_are_refused(spec: ToolSpec) -> None:
    tool = REGISTRY.get(spec.name)
    assert tool is not None
    with pytest.raises(ValidationError, match="Extra inputs"):
        tool.arguments.model_validate({"surprise": 1})


@pytest.mark.parametrize("value", ["../secrets", "a/b", "A", "", "a b", "a" * 254, "a%2f..", "a?x=1", "a\n"])
def test_a_namespace_cannot_leave_its_place_in_the_path(value: str) -> None:
    tool = REGISTRY.get("check_pods")
    assert tool is not None
    with pytest.raises(ValidationError):
        tool.arguments(namespace=value)


def test_sources_that_are_not_configured_are_not_named() -> None:
    assert SOURCES.names == frozenset()
    assert SOURCES.kubernetes is None
