"""What docs/diagnosis.md claims: every default alert, cause and failure condition is covered by something that exists, or left out with a reason."""

import ast
import json
import re
from pathlib import Path

import pytest

from app.diagnosis import signals
from app.diagnosis.causes import CAUSES, LEFT_OUT, RULES
from app.main import build
from app.settings import Settings
from docs.conditions import CONDITIONS, Covered, Refused
from docs.diagnosis import diagnosis
from tests.diagnosis.cases import CASES
from tests.diagnosis.test_conditions import CONDITIONS as SHOWN

COVERED = {i: c for i, c in CONDITIONS.items() if isinstance(c, Covered)}
REFUSED = {i: c for i, c in CONDITIONS.items() if isinstance(c, Refused)}
MOST_REFUSED, MOST_LEFT_OUT = 15, 10


def kinds() -> re.Pattern[str]:
    """Every text of the signal families that can be a kind; of a composed one, its fixed parts."""
    found: set[str] = set()
    for path in Path(signals.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", node.value):
                found.add(node.value)
            if isinstance(node, ast.JoinedStr) and any(isinstance(v, ast.Constant) for v in node.values):
                parts = [re.escape(str(v.value)) if isinstance(v, ast.Constant) else "[a-z_]+" for v in node.values]
                told = "".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
                if re.fullmatch(r"[a-z_]{5,}", told):
                    found.add("".join(parts))
    faults = ("failing", "too_strict", "wrong_port", "wrong_protocol")
    found |= {f"{which}_{fault}" for which in ("liveness", "readiness", "startup") for fault in faults}
    return re.compile("|".join(sorted(found)))


KINDS = kinds()


def test_every_condition_is_covered_by_something_or_refused_with_a_reason() -> None:
    assert [i for i, c in COVERED.items() if not (c.what and (c.causes or c.signals or c.tools))] == []
    assert [i for i, c in REFUSED.items() if not (c.what and c.reason)] == []
    print(f"{len(COVERED)} covered, {len(REFUSED)} refused")
    assert len(REFUSED) <= MOST_REFUSED


def test_every_cause_that_a_condition_names_is_named_by_a_rule() -> None:
    named = {r.id for r in RULES}
    assert {i: c.causes for i, c in COVERED.items() if set(c.causes) - named} == {}


def test_every_signal_that_a_condition_names_is_made_by_a_family() -> None:
    assert {i: s for i, c in COVERED.items() for s in c.signals if not KINDS.fullmatch(s)} == {}


def test_every_signal_that_a_rule_asks_for_is_made_by_a_family() -> None:
    asked = {k for r in RULES for k in (*r.needs, *r.supports, *r.against, *r.outdoes, *(k for group in r.also for k in group))}
    assert sorted(k for k in asked if not KINDS.fullmatch(k)) == []


def test_every_tool_that_a_condition_names_is_registered(tmp_path: Path) -> None:
    application = build(Settings.model_construct(**{n: f.get_default() for n, f in Settings.model_fields.items()} | {"data_dir": tmp_path}))
    names = {s.name for s in application.registry.specs()}
    application.us.close()
    assert {i: c.tools for i, c in COVERED.items() if set(c.tools) - names} == {}


def test_a_condition_that_names_a_cause_is_shown_by_a_case_of_that_cause_or_by_one_of_its_own() -> None:
    shown = {f"k8sgpt-{number}" for condition in SHOWN for number in condition.ids.split()}
    cases = {c.cause for c in CASES}
    assert [i for i, c in COVERED.items() if i not in shown and not c.tools and not set(c.causes) & cases] == []


def test_the_page_holds_every_cause_and_every_condition() -> None:
    page = diagnosis()
    assert "140 of 140" in page and len(LEFT_OUT) <= MOST_LEFT_OUT
    assert [c for c in CAUSES if f"| `{c}` |" not in page] == []
    assert [i for i in CONDITIONS if f"| {i} |" not in page] == []
    assert "| none |" not in page


@pytest.mark.shared
def test_the_table_has_the_conditions_of_the_survey(shared: Path) -> None:
    lines = (shared / "failure_conditions.jsonl").read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(CONDITIONS)
