"""Playbooks of single alerts as data: `playbooks/alerts/*.yaml`, one file per component; used by `rules` and by the
generator of docs/playbooks.md.

A file is a list of entries `AlertName:` at the left margin. Only the names are read at start; an entry is parsed when its
alert comes, so that 140 of them cost an investigation one.

An entry: `reasoning`, `steps`, and `not_done` (number of a question of the reference catalogue -> why no step answers it).
A step is a named read of `_reads.yaml` (`read: pods`) or a PromQL expression (`query: ...`), with `reason`, and what else
`Template` has.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from app.planner.playbook import FOLDER, LOADER, Method

ALERTS = FOLDER / "alerts"
READS = "_reads.yaml"
# An entry ends where the next name stands at the margin.
ENTRY = re.compile(r"^(?P<name>[A-Za-z]\w*):\n(?P<body>(?:(?![A-Za-z]).*(?:\n|\Z))*)", re.MULTILINE)


class AlertPlaybook(Method):
    """What to look at first for one alert: `id` is its name, `component` the file's."""

    component: str
    not_done: dict[int, str] = Field(default_factory=dict)


class AlertPlaybooks:
    def __init__(self, folder: Path = ALERTS) -> None:
        """Raises ValueError for an alert named twice."""
        self._texts = _entries(folder)
        self._reads: dict[str, dict[str, Any]] = dict(_yaml((folder / READS).read_text(encoding="utf-8")))
        self._parsed = cache(self._parse)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._texts)

    def of(self, alert: str) -> AlertPlaybook | None:
        """The playbook of that alert, if it has its own. Raises pydantic.ValidationError or KeyError naming what is wrong."""
        return self._parsed(alert) if alert in self._texts else None

    @property
    def parsed(self) -> int:
        """How many entries were parsed so far."""
        return self._parsed.cache_info().currsize

    def _parse(self, alert: str) -> AlertPlaybook:
        component, body = self._texts[alert]
        written = _yaml(body)
        steps = [self._step(step) for step in written.pop("steps")]
        return AlertPlaybook.model_validate({"id": alert, "component": component, "steps": steps, **written})

    def _step(self, written: dict[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in written.items() if name not in ("read", "query", "minutes")}
        if "read" in written:
            return {**self._reads[written["read"]], **rest}
        return {"tool": "query_prometheus", "args": {name: written[name] for name in ("query", "minutes") if name in written}, **rest}


def _entries(folder: Path) -> dict[str, tuple[str, str]]:
    """Alert -> (component, text of its entry), in the order of the files."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.glob("[a-z]*.yaml")):
        for entry in ENTRY.finditer(path.read_text(encoding="utf-8")):
            if entry["name"] in found:
                raise ValueError(f"{entry['name']} has two playbooks, in {found[entry['name']][0]} and {path.stem}")
            found[entry["name"]] = (path.stem, entry["body"])
    return found


def _yaml(text: str) -> Any:
    return LOADER(text).get_single_data()
