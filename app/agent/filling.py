"""Arguments of a step, with what earlier steps found filled in. Called by `engine` just before a call.

An argument of the form `{"from": "s1", "path": "pods.0.metadata.name"}` is replaced by that part of step `s1`'s data; the step
must be among those it depends on, for it sees no other (EXEC-04). Path parts are field names and list positions.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.frozen import JsonObject
from app.domain.plan import Step, StepUpdate


class Unfilled(ValueError):
    """An argument cannot be filled; the text says which and why."""


def fill(step: Step, done: Mapping[str, StepUpdate]) -> JsonObject:
    """The arguments to call with. Raises Unfilled."""
    return {name: _value(value, step, done) for name, value in step.args.items()}


def _value(value: Any, step: Step, done: Mapping[str, StepUpdate]) -> Any:
    if isinstance(value, list):
        return [_value(item, step, done) for item in value]
    if not (isinstance(value, dict) and value.keys() == {"from", "path"}):
        return value
    source, path = str(value["from"]), str(value["path"])
    if source not in step.depends_on:
        raise Unfilled(f"{path} of step {source}, on which this step does not depend")
    result = done[source].outcome.result if source in done else None
    if result is None:
        raise Unfilled(f"{path} of step {source}, which brought no result")
    return _follow(result.data, path, source)


def _follow(data: Any, path: str, source: str) -> Any:
    for part in path.split("."):
        if isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, dict) and part in data:
            data = data[part]
        else:
            raise Unfilled(f"{path} of step {source}, whose result has no such part")
    return data
