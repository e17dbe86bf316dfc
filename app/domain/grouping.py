"""Which alerts may be one incident, by what their senders say: same target, reached by a known cause, or told together.

Pure. `store` decides with these keys whether an alert joins a recent investigation; a join is for later to prove: what the
verdict does not reach is split off again.
"""

from collections.abc import Iterable, Sequence

from app.domain.alert import Alert
from app.domain.resolver import KINDS, POD_SUFFIX, resolve
from app.domain.target import ObjectRef

MOST_LOOKED_AT = 100  # alerts of one body: a longer one is a storm, and has to be taken quickly


def place(ref: ObjectRef) -> str:
    """One text for a Service, the workload of that name and its pods."""
    name = POD_SUFFIX.sub("", ref.name) if ref.kind == "Pod" else ref.name
    kind = "Workload" if ref.kind in ("Pod", "Service", *KINDS.values()) else ref.kind
    return f"{kind}/{ref.namespace}/{name}"


def target_key(alert: Alert) -> str:
    """A label-only identity for grouping: pods of one workload, the workload and its Service give the same key; alerts
    of different clusters never do. Where only a namespace or a cluster is named, the rule is part of the key, for two
    rules there need not mean one thing; "" where nothing is named."""
    ref = resolve(alert).ref
    if ref.kind == "Rule":
        return ""
    rule = f"|{alert.name[:120]}" if ref.kind in ("Namespace", "Cluster") else ""
    return f"{alert.labels.get('cluster', '')[:120]}|{place(ref)}{rule}"


def group_key(alert: Alert) -> str:
    """The group that Alertmanager or Grafana told the alert in, "" where it said none."""
    told = alert.extra.get("webhook")
    if not isinstance(told, dict) or not told.get("groupKey"):
        return ""
    return "|".join(str(told.get(name, "")) for name in ("externalURL", "receiver", "groupKey"))


def near(key: str, other: str) -> bool:
    """Whether the targets of two target keys can have to do with each other: one cluster, and one namespace unless one of
    them, a node for instance, is in none."""
    cluster, space = _where(key)
    other_cluster, other_space = _where(other)
    return cluster == other_cluster and (space == other_space or not space or not other_space)


def in_turn(alerts: Sequence[Alert]) -> list[tuple[int, Alert]]:
    """The alerts of one body with their positions, in the order in which they ask for an investigation, whatever order they
    were sent in: first those about what serves, whose investigation reads its nodes too; then those about a place or a node.
    Alerts that ask alike keep their order; so do all of a body too long to look at each."""
    if not 1 < len(alerts) <= MOST_LOOKED_AT:
        return list(enumerate(alerts))
    return sorted(enumerate(alerts), key=lambda one: _late(one[1]))


def _late(alert: Alert) -> bool:
    return resolve(alert).ref.kind in ("Node", "Namespace", "Cluster", "Rule", "Target")


def reached_keys(key: str, reached: Iterable[str]) -> list[str]:
    """Objects (`Kind/namespace/name`) that a verdict reaches -> the target keys of alerts about them, in the cluster of the
    investigation that has target key `key`."""
    cluster = key.partition("|")[0]
    return sorted({f"{cluster}|{place(ObjectRef.parse(text))}" for text in reached})


def _where(key: str) -> tuple[str, str]:
    cluster, _, rest = key.partition("|")
    return cluster, rest.split("/")[1] if rest.count("/") > 1 else ""
