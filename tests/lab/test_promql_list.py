"""What the list of compared expressions holds: enough of every construct, and every query of the tools."""

import re

import pytest

from app.lab.promql.evaluator import parse
from app.tools.golden_signals import OWN_NAMES, SIGNALS
from tests.lab import promql_templates as templates
from tests.lab import promql_world as world

CONSTRUCTS = {
    "selector with a matcher": r'\{[^}]*(=|!=|=~|!~)"',
    "offset": r"\boffset -?\d",
    **{name: rf"\b{name}\(" for name in ("rate", "increase", "irate", "delta")},
    **{f"{name}_over_time": rf"\b{name}_over_time\(" for name in ("avg", "min", "max", "sum", "count")},
    "by": r"\bby ?\(",
    "without": r"\bwithout ?\(",
    "topk": r"\btopk\b",
    **{name: rf"\b{name}\b" for name in ("on", "ignoring", "group_left", "group_right")},
    "arithmetic": r" [-+*/%^] ",
    "set operator": r" (and|or|unless) ",
    "comparison": r" (==|!=|<=|>=|<|>) ",
    "histogram_quantile": r"\bhistogram_quantile\(",
    "absent": r"\babsent\(",
}


def test_the_list_is_long_enough() -> None:
    assert len(set(world.EXPRESSIONS)) == len(world.EXPRESSIONS) >= 150


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_every_construct_is_compared_at_least_five_times(construct: str) -> None:
    assert sum(1 for e in world.EXPRESSIONS if re.search(CONSTRUCTS[construct], e)) >= 5


def test_every_signal_of_the_tools_is_among_the_templates() -> None:
    emitted = templates.emitted()
    names, text = {name for name, _ in emitted}, " ".join(query for _, query in emitted)
    assert [s.name for s in SIGNALS if s.name not in names or not all(f"{m}{{" in text for m in s.metrics)] == []
    assert [o.name for o in OWN_NAMES if o.name not in names] == []
    assert all(parse(query) is not None for _, query in emitted)
