"""The OpenAPI description is executed: every example is sent, every answer is judged by its declared schema."""

from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema  # type: ignore[import-untyped]
import pytest

from app.controller.app_factory import create_app
from tests.controller.twin import Twin, parts_with

DOCUMENT = create_app(parts_with(Twin())).openapi()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


OPERATIONS = list(operations())
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]


def check(value: Any, schema: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}, format_checker=jsonschema.FormatChecker())
    validator.validate(value)


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            yield status, media_type, content


def bodies(operation: dict[str, Any]) -> list[Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return [example["value"] for example in content.get("examples", {}).values()] or [None]


def parameters(operation: dict[str, Any], place: str) -> dict[str, Any]:
    """The parameters' examples; headers have none and are tried elsewhere."""
    return {p["name"]: p["schema"].get("examples", p.get("examples"))[0] for p in operation.get("parameters", []) if p["in"] == place}


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_says_what_it_does_and_shows_it(method: str, path: str, operation: dict[str, Any]) -> None:
    # covers API-19
    assert operation["summary"] and operation["description"]
    assert all("example" in content or "examples" in content for _, _, content in contents(operation)), "each answer has an example"
    assert any(status.startswith("2") for status, _, _ in contents(operation))
    if method == "post":
        assert bodies(operation) != [None]


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_example_fits_its_schema(method: str, path: str, operation: dict[str, Any]) -> None:
    for _, media_type, content in contents(operation):
        if "json" in media_type:
            check(content["example"], content["schema"])
    for body in bodies(operation):
        if body is not None:
            check(body, operation["requestBody"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
async def test_every_example_gets_an_answer_of_its_declared_schema(
    method: str, path: str, operation: dict[str, Any], client: httpx2.AsyncClient, twin: Twin
) -> None:
    twin.add_example()
    declared = {(status, media): content["schema"] for status, media, content in contents(operation)}
    for body in bodies(operation):
        for query in ({}, parameters(operation, "query")):
            response = await client.request(method.upper(), path.format(**parameters(operation, "path")), json=body, params=query)
            assert response.is_success, response.text
            media_type = response.headers["content-type"].partition(";")[0]
            schema = declared[(str(response.status_code), media_type)]
            if media_type == "application/json":
                check(response.json(), schema)


def test_the_description_refers_to_nothing_that_is_missing() -> None:
    def refs(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for inner in value.values():
                yield from refs(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from refs(inner)

    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert set(refs(DOCUMENT)) <= known


def test_each_operation_has_its_own_id() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids) >= 10
