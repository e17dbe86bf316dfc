"""Every query that a tool can send to Prometheus, with series that it finds: derived from the tools' own tables."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

from app import planner
from app.diagnosis.signals.nodes import UNIT_QUERY
from app.tools.golden_signals import OWN_NAMES, SIGNALS, Signal
from app.tools.signal_scope import Scope, choose, sort_in
from tests.lab.promql_world import Matrix, counter, scrapes, series

PODS = ("cart-7d9f8b6c54-a2b3c", "cart-7d9f8b6c54-x7k9p")
NODE = {"node": "node-1", "instance": "node-1:9100"}
PLACES = {
    "workload": [{"namespace": "shop", "pod": pod} for pod in PODS],
    "service": [{"namespace": "shop", "service": "cart", "pod": pod} for pod in PODS],
    "target": [{"job": "cart", "instance": "10.0.0.1:80"}, {"job": "cart", "instance": "10.0.0.2:80"}],
    "node": [NODE],
    "any": [{"namespace": "shop", "service": "cart"}],
}
SCOPES = (
    Scope("shop", ("cart",), PODS, (), frozenset({"workload", "service"})),
    Scope("", ("cart",), (), (), frozenset({"target"})),
    Scope("", (), (), ("node-1", "node-1:9100"), frozenset({"node"})),
)
BUCKETS = (("0.1", 0.4), ("0.5", 0.8), ("1", 0.93), ("+Inf", 1.0))
_MATCHER = re.compile(r'([a-z_<>]+)(=~|!~|!=|=)"([^"]*)"')
_QUOTED = re.compile(r'"[^"]*"')
_HOLE = re.compile(r"\{[a-z_]+\??\}")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")


def matrix() -> Matrix:
    """Two hours of every metric that a signal names, with labels that its query keeps, and some that it refuses."""
    rng = random.Random(11)
    found: Matrix = []
    alone = {(metric, labels): rising for metric, labels, rising in sorted(selected() | _wanted())}
    for (metric, labels), rising in alone.items():
        times = scrapes(rng, 15)
        total = counter(rng, times, 3.0, 1)
        values = total if rising else [(t, round(rng.uniform(1, 9), 3)) for t in times]
        if not metric.endswith("_bucket"):
            found.append(series(metric, dict(labels), values))
            continue
        for le, share in BUCKETS:
            found.append(series(metric, {**dict(labels), "le": le}, [(t, round(v * share, 3)) for t, v in total]))
    return found


def _wanted() -> set[tuple[str, tuple[tuple[str, str], ...], bool]]:
    rows = {(m, tuple(sorted(labels.items())), "rate(" in s.query) for s in SIGNALS for m in s.metrics for labels in _labels(s, m)}
    own = [(_example(o.pattern), tuple(sorted(PLACES[o.profile][0].items())), False) for o in OWN_NAMES]
    return rows | set(own)


def _labels(signal: Signal, metric: str) -> Iterator[dict[str, str]]:
    extra = re.search(re.escape(metric) + r"\{<sel>,?([^}]*)\}", signal.query)
    for place in PLACES[signal.profile]:
        base = place if "service" in signal.labels or signal.profile != "service" else {"destination_workload": "cart"}
        fine: dict[str, str] = {}
        bad: dict[str, str] = {}
        if signal.labels[0] in ("deployment", "statefulset"):
            base = {"namespace": "shop", signal.labels[0]: "cart"}
        for name, operator, text in _MATCHER.findall(extra[1] if extra else ""):
            label, first = name.replace("<code>", "code"), text.split("|")[0].replace(".", "0")
            fine[label] = first if operator in ("=", "=~") else "main"
            bad |= {label: first} if operator == "!~" else {}
        yield base | fine
        if bad:
            yield base | fine | bad


def _example(pattern: str) -> str:
    """A name that the pattern matches: the first of every choice."""
    return re.sub(r"\(([^()|]+)\|?[^()]*\)", r"\1", pattern.replace("(.+_)?", "cart_")).replace("?", "")


def emitted() -> list[tuple[str, str]]:
    """(name of the signal, query) as the tools choose them when all of these series exist, and those written elsewhere."""
    sets = [row["metric"] for row in matrix()]
    chosen = [c for scope in SCOPES for c in choose(scope, sort_in(scope, sets))]
    return [*((c.name, c.query.replace("<w>", "60s")) for c in chosen), *(("written", q) for q in written())]


def written() -> list[str]:
    """Queries of the diagnosis and of the playbooks, their holes filled."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((Path(planner.__file__).parent / "playbooks").glob("**/*.yaml"))]
    found = [q for text in texts for q in re.findall(r"query: '([^']+)'", text)]
    return list(dict.fromkeys([UNIT_QUERY, *(_QUOTED.sub(lambda m: _HOLE.sub("cart", m[0]), q) for q in found)]))


def selected() -> set[tuple[str, tuple[tuple[str, str], ...], bool]]:
    """Series that the selectors of written queries choose, where one can be made from the first choices of their patterns."""
    found = set()
    for query in written():
        for metric, matchers in _SELECTOR.findall(query):
            labels = {}
            for name, operator, text in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', matchers):
                first = text if operator == "=" else _example(text).replace(".+", "x").replace(".*", "").replace("[.]", ".").split("|")[0]
                labels[name] = first if operator in ("=", "=~") else "other"
            found.add((metric, tuple(sorted(labels.items())), f"rate({metric}" in query or "increase(" in query))
    return found
