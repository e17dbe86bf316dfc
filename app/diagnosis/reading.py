"""One answered tool call, as the signal families read it: its data by path, and its text to quote from. Made by `world`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.tool import ToolCall, ToolResult, ToolStatus

MIN_QUOTE = 12
ALIASES = {"list_pods": "check_pods", "get_pod_logs": "get_logs"}


@dataclass(frozen=True, slots=True)
class Reading:
    """`tool` is the tool's own name, whatever alias was called."""

    call: ToolCall
    result: ToolResult
    tool: str
    lines: tuple[str, ...]

    def items(self, key: str) -> list[JsonObject]:
        """The list of objects under `key` of the data; [] if the tool gave none."""
        found = self.result.data.get(key)
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    def quote(self, *groups: tuple[str, ...]) -> str:
        """The first line that holds all needles of the first group that any line satisfies; "" if none does or the
        line is too short to prove anything. Needles may be cut from long messages: only their first line counts."""
        for group in groups:
            needles = tuple(n.splitlines()[0] for n in group if n)
            if not needles:
                continue
            found = self._line(needles).strip()
            if len(found) >= MIN_QUOTE:
                return found
        return ""

    def _line(self, needles: tuple[str, ...]) -> str:
        """The longest needle is looked for first: most lines do not have it."""
        if any(n not in self.result.text for n in needles):
            return ""
        rarest = max(needles, key=len)
        for line in self.lines:
            if rarest in line and all(n in line for n in needles):
                return line
        return ""


@dataclass(frozen=True, slots=True)
class Seen:
    """An object with the reading it came from."""

    item: JsonObject
    reading: Reading

    def at(self, *path: str) -> Any:
        """The value under a path of keys, None if any is absent."""
        return dig(self.item, *path)

    @property
    def name(self) -> str:
        return self._meta("name")

    @property
    def namespace(self) -> str:
        return self._meta("namespace")

    def _meta(self, field: str) -> str:
        """Asked for a thousand times in one assessment."""
        meta = self.item.get("metadata")
        return str(meta.get(field) or "") if isinstance(meta, dict) else ""


def dig(item: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(item, dict):
            return None
        item = item.get(key)
    return item


def rows(value: Any) -> list[JsonObject]:
    """The dicts of a list that may be absent."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def readings(case: CaseFile) -> Iterator[Reading]:
    """Every call that brought an answer, in the order of the investigation."""
    for update in sorted(case.updates, key=lambda u: u.number):
        result = update.outcome.result
        if result is not None and result.status in (ToolStatus.OK, ToolStatus.NO_DATA, ToolStatus.NOT_FOUND):
            tool = ALIASES.get(update.step.tool, update.step.tool)
            yield Reading(update.outcome.call, result, tool, tuple(result.text.splitlines()))
