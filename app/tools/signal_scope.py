"""What get_metrics is asked about -> selectors to discover by, and for each signal the matchers that reach it. Pure.

A series belongs to a target by one of several labels; which one, only the series themselves tell. So discovery asks for
all of them, bounded by the names of known metrics, and each signal then takes the best label that it was found under.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.tools.golden_signals import CODE_LABELS, OWN_NAMES, SIGNALS, OwnName, Signal
from app.tools.promql import literal, quoted, selector

MAX_PODS = 40
NAMESPACES = ("namespace", "exported_namespace", "kubernetes_namespace", "k8s_namespace_name", "destination_service_namespace")
# how a controller names its pods: hash, ordinal, or both
POD_REST = re.compile(r"(-[a-z0-9]{1,10})?-[a-z0-9]{5}|-[0-9]{1,4}")
CODED = re.compile(r'<code>([!=~]+"[^"]*")')
PLACED = ("pod", "node", "instance")


@dataclass(frozen=True)
class Scope:
    """`names` are what the service or workload is called, `pods` its pods where known; `families` the profiles asked."""

    namespace: str = ""
    names: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    families: frozenset[str] = frozenset({"workload", "service", "target"})

    @property
    def wide(self) -> bool:
        """Nothing but a namespace is known."""
        return not (self.names or self.pods or self.nodes)


@dataclass(frozen=True)
class Chosen:
    """One query to make. `sel` is the text between the braces; `query` still holds `<w>` for the rate window; `group`
    names what is scraped together; `width` is the number of series of `metric`."""

    name: str
    metric: str
    query: str
    sel: str
    group: str = ""
    width: int = 0


@dataclass
class Found:
    """Label sets of discovery by metric name, narrowed to the namespace."""

    by_metric: dict[str, list[dict[str, str]]] = field(default_factory=dict)


def wanted_labels(scope: Scope) -> list[dict[str, tuple[str, ...]]]:
    """Label matchers that may reach the target, best first."""
    space: dict[str, tuple[str, ...]] = {"namespace": (scope.namespace,)} if scope.namespace else {}
    options: list[dict[str, tuple[str, ...]]] = []
    if scope.pods:
        options.append({**space, "pod": scope.pods})
    if scope.nodes:
        options += [{"node": scope.nodes}, {"instance": scope.nodes}, {"nodename": scope.nodes}, {"kubernetes_node": scope.nodes}]
    for name in scope.names:
        job, _, instance = name.partition("/")
        if instance:
            options.append({"job": (job,), "instance": (instance,)})
            continue
        labels = dict.fromkeys(label for s in SIGNALS for label in s.labels if label not in ("namespace", *PLACED))
        options += [{label: (name,)} for label in labels]
    return [*options, space] if scope.wide and space else options


def discovery(scope: Scope, own: Sequence[OwnName] = OWN_NAMES) -> list[str]:
    """Selectors for the series API: every one bounded by metric names."""
    names = sorted({m for s in signals_of(scope) for m in s.metrics} | ({"node_uname_info"} if scope.nodes else set()))
    union = "|".join([*names, *(o.pattern for o in own_of(scope, own))])
    prefix = f"__name__=~{quoted(union)}"
    selectors = [f"{{{prefix},{selector(o)}}}" for o in wanted_labels(scope)]
    if not scope.pods:
        space = f",namespace={quoted(scope.namespace)}" if scope.namespace else ""
        selectors += [f"{{{prefix}{space},pod=~{quoted(literal(n) + '-.+')}}}" for n in scope.names if "/" not in n]
    return selectors + [f"{{{prefix},instance=~{quoted(literal(n) + ':[0-9]+')}}}" for n in scope.nodes]


def signals_of(scope: Scope) -> list[Signal]:
    return [s for s in SIGNALS if s.profile in scope.families]


def own_of(scope: Scope, own: Sequence[OwnName]) -> list[OwnName]:
    return [o for o in own if o.profile in scope.families or o.profile == "any"]


def sort_in(scope: Scope, label_sets: Sequence[dict[str, str]]) -> Found:
    """Label sets of this namespace only, by metric; sorted, so that equal worlds give equal queries."""
    found = Found()
    for labels in sorted(label_sets, key=lambda s: sorted(s.items())):
        said = next((labels[n] for n in NAMESPACES if n in labels), "")
        if said and scope.namespace and scope.namespace not in [labels.get(n) for n in NAMESPACES]:
            continue
        found.by_metric.setdefault(labels.get("__name__", ""), []).append(labels)
    return found


def widen(scope: Scope, found: Found) -> Scope:
    """The scope with the pods and node addresses that discovery brought to light."""
    every = [s for sets in found.by_metric.values() for s in sets]
    pods = scope.pods
    if not pods:
        seen = {s["pod"] for s in every if "pod" in s}
        pods = tuple(sorted(p for p in seen for n in scope.names if p.startswith(n) and POD_REST.fullmatch(p[len(n) :])))[:MAX_PODS]
    nodes = set(scope.nodes)
    for s in every:
        if s.get("instance", "").rsplit(":", 1)[0] in scope.nodes or s.get("nodename") in scope.nodes:
            nodes.add(s.get("instance", ""))
    return Scope(scope.namespace, scope.names, pods, tuple(sorted(nodes - {""})), scope.families)


def _coded(text: str, codes: list[str]) -> str:
    """Programs of one namespace name the label of the status code differently: each matcher is made for all names, and a
    label that a series does not have matches none of its own."""
    return CODED.sub(lambda m: ",".join(f"{c}{m[1]}" for c in codes), text)


def choose(scope: Scope, found: Found, own: Sequence[OwnName] = OWN_NAMES) -> list[Chosen]:
    """The queries to make, in the order of the tables; one per signal name and metric."""
    options, chosen = wanted_labels(scope), []
    for signal in signals_of(scope):
        fit = _fit(options, [found.by_metric.get(m, []) for m in signal.metrics], signal.labels)
        if fit is not None:
            option, sets = fit
            sel = _selector(option, sets, scope)
            text = signal.query.replace("<sel>", sel).replace("<by>", ", ".join(_by(option, sets)))
            codes = [c for c in CODE_LABELS if any(c in s for s in sets)]
            if "<code>" not in text or codes:
                text = _coded(text, codes)
                chosen.append(Chosen(signal.name, signal.metrics[0], text, sel, *_group(signal.metrics[0], sets)))
    known = {m for s in SIGNALS for m in s.metrics}
    for metric in sorted(set(found.by_metric) - known):
        for name in own_of(scope, own):
            fit = _fit(options, [found.by_metric[metric]], name.labels) if re.fullmatch(name.pattern, metric) else None
            if fit is not None:
                sel = _selector(fit[0], fit[1], scope)
                chosen.append(Chosen(name.name, metric, f"{metric}{{{sel}}}", sel, *_group(metric, fit[1])))
                break
    return chosen


def _fit(
    options: Sequence[dict[str, tuple[str, ...]]], metrics: Sequence[list[dict[str, str]]], allowed: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], list[dict[str, str]]] | None:
    """The first option whose labels the signal allows and that matches series of every metric; with those series."""
    for option in options:
        if not set(option) <= {*allowed, "namespace"}:
            continue
        matching = [[s for s in sets if all(s.get(label) in values for label, values in option.items())] for sets in metrics]
        if matching and all(matching):
            return option, [s for sets in matching for s in sets]
    return None


def _group(metric: str, sets: Sequence[dict[str, str]]) -> tuple[str, int]:
    """(what scrapes these series: their jobs, or where none is named the exporter's prefix of the name; how many)."""
    own = [s for s in sets if s.get("__name__") == metric]
    jobs = sorted({s["job"] for s in own if s.get("job")})
    return "|".join(jobs) or metric.split("_", 1)[0], len(own)


def _selector(option: dict[str, tuple[str, ...]], sets: Sequence[dict[str, str]], scope: Scope) -> str:
    """The option's matchers, and the namespace by whichever label the series carry it."""
    space = next((n for n in NAMESPACES if scope.namespace and all(s.get(n) == scope.namespace for s in sets)), "")
    return selector({**option, **({space: (scope.namespace,)} if space else {})})


def _by(option: dict[str, tuple[str, ...]], sets: Sequence[dict[str, str]]) -> list[str]:
    """Labels to keep in a sum: those that identify the target; where only a namespace is known, what names a part of it."""
    own = [label for label in option if label != "namespace"]
    if own:
        return own
    return next(([n] for n in ("service", "app", "deployment", "job", "pod") if any(n in s for s in sets)), ["namespace"])


def describe(scope: Scope) -> str:
    """What was looked for, for people."""
    return ", ".join([*scope.names, *scope.pods[:3], *scope.nodes[:3]]) or scope.namespace or "everything"
