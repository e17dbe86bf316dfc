"""Series and events about the monitoring, the delivery tool, the API server's targets and the nodes' clocks -> what of them
does not work. Reads `query_prometheus`, `get_metrics`, `check_events`."""

import re

from app.diagnosis.kube import moment
from app.diagnosis.reading import Reading, rows
from app.diagnosis.series import Series, when
from app.diagnosis.signals.watchers import named
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.target import ObjectRef

# What is 0 when a configuration was refused; what is more than 0 when rules or reloads fail; when data is lost.
_RELOADED = re.compile(
    r"\b(?:prometheus|alertmanager|vm_promscrape|vmalert|vmagent_relabel)_config_last_reload_successful\b|\breloader_last_reload_successful\b"
)
_FAILS = re.compile(
    r"\b(?:rate|increase)\(\s*((?:prometheus_rule_evaluation_failures|prometheus_target_sync_failed|prometheus_operator_\w+_failed)_total)"
)
_DROPS = re.compile(
    r"\b(?:rate|increase)\(\s*(prometheus_(?:notifications_dropped|rule_group_iterations_missed|remote_storage_samples_(?:failed|dropped)"
    r"|tsdb_(?:wal_writes_failed|compactions_failed|reloads_failures)|target_scrapes_exceeded_sample_limit)_total)"
)
_WORDS = ("prometheus_", "reload", "timex")  # one of them is in whatever the patterns find; cheaper to look for
_CLOCK = re.compile(r"\bnode_timex_offset_seconds\b")
CLOCK_SECONDS = 0.05  # the bound of the upstream rule NodeClockSkewDetected
_API_JOBS = re.compile(r"(kube-?)?apiserver|kubernetes(-apiservers?)?")
_DELIVERY = ("Application", "Kustomization", "HelmRelease", "GitRepository", "OCIRepository")
_REFUSED = re.compile(r"fail|error|OutOfSync|ComparisonError|stalled|conflict|denied|unable", re.I)


def find(world: World) -> Found:
    for reading, one in world.series:
        if one.values:
            asked = f"{one.name} {one.of} {one.query} {reading.call.args.get('query') or ''}"
            if not one.labels.get("says") and not any(word in asked for word in _WORDS):
                continue
            yield from _monitoring(world, reading, one, f"{one.name} increase({one.labels['says']}[" if one.labels.get("says") else asked)
            yield from _clock(world, reading, one, asked)
    yield from _api_targets(world)
    yield from _delivery(world)


def _shown(reading: Reading, one: Series) -> tuple[tuple[str, ...], ...]:
    labels = tuple(f'"{v}"' for k, v in sorted(one.labels.items()) if k in ("pod", "instance", "node"))
    return (labels, labels[:1], (one.name,))


def _monitoring(world: World, reading: Reading, one: Series, asked: str) -> Found:
    last, kind, metric = one.values[-1][1], "", ""
    if (match := _RELOADED.search(asked)) and last == 0:
        kind, metric = "monitoring_refuses", match[0]
    elif (match := _FAILS.search(asked)) and last > 0:
        kind, metric = "monitoring_refuses", match[1]
    elif (match := _DROPS.search(asked)) and last > 0:
        kind, metric = "monitoring_drops", match[1]
    if kind:
        name = next((one.labels[k] for k in ("pod", "instance", "job") if one.labels.get(k)), "prometheus")
        facts = {"instance": name, "told": f"{metric} is {last:.4g}"}
        where = named(world, one.labels.get("namespace", ""), name)
        yield signal(kind, where, f"{metric} of {name} is {last:.4g}", cite(reading, *_shown(reading, one)), when(one.values[-1][0]), facts)


def _clock(world: World, reading: Reading, one: Series, asked: str) -> Found:
    offset = one.values[-1][1]
    if not _CLOCK.search(asked) or (one.name or "").endswith("_sync_status") or abs(offset) <= CLOCK_SECONDS:
        return
    name = node_of(world, one.labels)
    facts = {"node": name, "offset": f"{offset:.3g}", "state": f"is {offset:.3g} s off"}
    claim = f"The clock of node {name} is {offset:.3g} s off"
    yield signal("clock_off", ObjectRef(kind="Node", name=name), claim, cite(reading, *_shown(reading, one)), when(one.values[-1][0]), facts)


def node_of(world: World, labels: dict[str, str]) -> str:
    """The node a series of an exporter is about: by its label, else by the address of the exporter."""
    host = labels.get("instance", "").rsplit(":", 1)[0]
    by_address = {str(a.get("address")): n.name for n in world.of("Node") for a in rows(n.at("status", "addresses"))}
    return labels.get("node") or labels.get("nodename") or by_address.get(host, host)


def _api_targets(world: World) -> Found:
    """Every target of the API server's job is down: it is not one exporter."""
    table: dict[str, list[tuple[Reading, Series]]] = {}
    for reading, one in world.series:
        if one.name == "up" and one.values and _API_JOBS.fullmatch(one.labels.get("job", "")):
            table.setdefault(one.labels["job"], []).append((reading, one))
    for job, targets in sorted(table.items()):
        if all(one.values[-1][1] == 0 for _, one in targets):
            reading, one = targets[0]
            where = ObjectRef(kind="ControlPlane", name="kube-apiserver")
            at = when(next((t for t, v in one.values if v == 0), one.values[-1][0]))
            facts = {"job": job, "reason": f"no target of job {job} answers"}
            yield signal("jobs_api_down", where, f"No target of job {job} answers", cite(reading, (job,)), at, facts)


def _delivery(world: World) -> Found:
    for event in world.events:
        ref, message = world.about(event), str(event.item.get("message"))
        if ref.kind not in _DELIVERY or event.item.get("type") != "Warning" or world.age(event) > RECENT:
            continue
        if _REFUSED.search(f"{event.item.get('reason')} {message}"):
            where = ObjectRef(kind=ref.kind, namespace=ref.namespace, name=ref.name)
            facts = {"message": message[:200], "tool": ref.kind}
            yield signal(
                "delivery_failed",
                where,
                f"{ref.kind} {ref.name}: {message[:160]}",
                cite(event.reading, (message,)),
                moment(event.item.get("first")),
                facts,
            )
