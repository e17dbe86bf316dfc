"""Pieces of the OpenAPI description that routes share, and the document as a whole; used by the routes and `app_factory`.

Bodies of alerts are parsed by us, byte by byte, so FastAPI does not know their schemas: they are added here.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.controller.alertmanager import Webhook, WebhookAlert
from app.controller.native import NativeAlert
from app.controller.problem import MEDIA_TYPE, Problem
from app.domain.frozen import JsonObject
from app.domain.report import Report

_REF = "#/components/schemas/{model}"
TAGS = [
    {"name": "alerts", "description": "Sending alerts, and what was received."},
    {"name": "investigations", "description": "What became of them."},
    {"name": "health", "description": "For operators, Kubernetes and Prometheus."},
]


def json_body(schema: str, examples: Mapping[str, JsonObject]) -> JsonObject:
    named = {name: {"summary": name.replace("_", " "), "value": value} for name, value in examples.items()}
    return {"required": True, "content": {"application/json": {"schema": {"$ref": _REF.format(model=schema)}, "examples": named}}}


def answer(status: int, description: str, example: Any, model: type[BaseModel] | None = None) -> dict[int | str, dict[str, Any]]:
    found: dict[str, Any] = {"description": description, "content": {"application/json": {"example": example}}}
    return {status: found | ({"model": model} if model else {})}


def problems(example: JsonObject) -> dict[int | str, dict[str, Any]]:
    """Every refusal has the one shape."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}, "example": example}}
    return {"default": {"description": "Refused, with the reason (RFC 9457)", "content": content}}


def describe(app: FastAPI) -> JsonObject:
    """The OpenAPI document."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes, tags=TAGS)
    _, more = models_json_schema([(m, "validation") for m in (NativeAlert, Webhook, WebhookAlert, Problem, Report)], ref_template=_REF)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    document["components"]["schemas"] = dict(sorted((more["$defs"] | schemas).items()))
    return document
