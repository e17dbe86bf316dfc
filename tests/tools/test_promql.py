"""Queries are checked before they are sent; every template of ours passes the same check."""

import pytest

from app.domain.errors import ToolFailure
from app.domain.reason import Reason
from app.tools.golden_signals import SIGNALS
from app.tools.promql import checked, matcher, selector


@pytest.mark.parametrize(
    "query",
    [
        "up",
        '{job="x"}',
        "sum by (a) (rate(x[5m])) / 2",
        "topk(5, up)",
        "histogram_quantile(0.9, x)",
        "-(up)",
        "rate(x[5m:1m])",
        "rate(x[24h])",
        "x offset 7d",
    ],
)
def test_a_bounded_query_passes(query: str) -> None:
    assert checked(query) == query


@pytest.mark.parametrize(
    "query",
    [
        '{__name__=~".+"}',
        '{__name__!=""}',
        '{job=~".*"}',
        "{}",
        "1 + 1",
        "vector(1)",
        "up{",
        "",
        "sum({__name__=~'.+'}) / up",
        "rate({a=~'.+'}[5m])",
        "x" * 5000,
        "up; drop",
        "rate(x[25h])",
        "max_over_time(x[2d:1h])",
        "max_over_time(x[24h:1s])",
        "sum(x) / avg_over_time(y[30d])",
    ],
)
def test_a_query_that_reads_everything_or_nothing_is_refused(query: str) -> None:
    with pytest.raises(ToolFailure) as failure:
        checked(query)
    assert failure.value.reason is Reason.INVALID_ARGUMENTS


def test_values_cannot_break_out_of_their_matcher() -> None:
    assert matcher("pod", ('a"} or up{x="',)) == 'pod="a\\"} or up{x=\\""'
    assert matcher("pod", ("a.b", "c|d")) == 'pod=~"a\\\\.b|c\\\\|d"'
    assert selector({"b": ("2",), "a": ("1",), "c": ()}) == 'a="1",b="2"'
    with pytest.raises(ValueError, match="no label name"):
        matcher('x="1",y', ("v",))


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: f"{s.name}-{s.metrics[0]}")
def test_every_template_is_good_promql(signal: object) -> None:
    query = signal.query  # type: ignore[attr-defined]
    for hole, value in (("<sel>", 'namespace="a"'), ("<by>", "pod"), ("<w>", "60s"), ("<code>", "code")):
        query = query.replace(hole, value)
    assert checked(query)
    assert "{{" not in query
    assert "<" not in query
