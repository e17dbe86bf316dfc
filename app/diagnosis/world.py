"""Everything an investigation has read, put together: the objects by name, who owns whom, who calls whom.

Made once per assessment by `diagnosis`; a function of the case file alone. A later reading of an object replaces an
earlier one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from app.diagnosis import edges
from app.diagnosis.kube import is_unhealthy, matches, moment, restarted_within
from app.diagnosis.reading import Reading, Seen, dig, readings, rows
from app.diagnosis.series import Series, series_of
from app.domain.case import CaseFile, Signal
from app.domain.frozen import JsonObject
from app.domain.target import ObjectRef

WORKLOAD_KEYS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "hpas": "HorizontalPodAutoscaler",
}
OTHER_KEYS = {
    "services": "Service",
    "endpointslices": "EndpointSlice",
    "ingresses": "Ingress",
    "networkpolicies": "NetworkPolicy",
    "nodes": "Node",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume",
    "storageclasses": "StorageClass",
    "resourcequotas": "ResourceQuota",
    "limitranges": "LimitRange",
    "pods": "Pod",
}
RECENT = timedelta(minutes=30)


class World:
    """`objects` by `Kind/namespace/name`; `events` oldest first; `read` the (tool, namespace) pairs read whole;
    `ended` what was left out because it is over, or elsewhere, with the reason."""

    def __init__(self, case: CaseFile) -> None:
        self.case = case
        self.now = case.now
        self.readings: tuple[Reading, ...] = tuple(readings(case))
        self.objects: dict[str, Seen] = {}
        self.owners: dict[tuple[str, str], tuple[str, ...]] = {}
        self.events: list[Seen] = []
        self.read: set[tuple[str, str]] = set()
        self.ended: list[tuple[Signal, str]] = []
        self.feeds: dict[str, set[str]] = {}  # who takes from a queue that grows -> its broker; filled by `signals.callees`
        self._owner: dict[tuple[str, str], ObjectRef] = {}  # found already, by pod
        self._services: dict[str, list[Seen]] = {}  # found already, by workload
        for reading in self.readings:
            self._take(reading)
        self.events.sort(key=lambda e: (str(e.item.get("last") or ""), str(e.item.get("object") or ""), str(e.item.get("message") or "")))

    def _take(self, reading: Reading) -> None:
        args = reading.call.args
        if not {k for k, v in args.items() if v not in (None, "", False)} - {"namespace", "hours"}:
            self.read.add((reading.tool, str(args.get("namespace", ""))))
        for key, kind in {**WORKLOAD_KEYS, **OTHER_KEYS}.items():
            for item in reading.items(key):
                self._put(kind, Seen(item, reading))
        if isinstance(pod := reading.result.data.get("pod"), dict):
            self._put("Pod", Seen(pod, reading))
        owners = reading.result.data.get("owners")
        for name, chain in owners.items() if isinstance(owners, dict) else ():
            space, _, pod = str(name).rpartition("/")
            self.owners[(space or str(args.get("namespace", "")), pod)] = tuple(str(c) for c in chain)
        if told := reading.items("events"):
            known = {_event_key(e.item) for e in self.events}
            self.events += [Seen(e, reading) for e in told if _event_key(e) not in known]

    def _put(self, kind: str, seen: Seen) -> None:
        if seen.name:
            self.objects[f"{kind}/{seen.namespace}/{seen.name}"] = seen

    def of(self, kind: str) -> list[Seen]:
        """Known objects of a kind, in name order."""
        return [self.objects[k] for k in self._by_kind.get(kind, ())]

    @cached_property
    def _by_kind(self) -> dict[str, list[str]]:
        table: dict[str, list[str]] = {}
        for key in sorted(self.objects):
            table.setdefault(key.split("/", 1)[0], []).append(key)
        return table

    def get(self, kind: str, namespace: str, name: str) -> Seen | None:
        return self.objects.get(f"{kind}/{namespace}/{name}")

    def has_read(self, tool: str, namespace: str = "") -> bool:
        """Was the whole list read (of a namespace), so that absence means absent?"""
        return (tool, namespace) in self.read

    def workload_of(self, pod: Seen) -> ObjectRef:
        """The top owner of a pod; the pod itself when nothing owns it (or only its node does: a static pod)."""
        key = (pod.namespace, pod.name)
        if key not in self._owner:
            self._owner[key] = self._owner_of(pod)
        return self._owner[key]

    def _owner_of(self, pod: Seen) -> ObjectRef:
        chain = self.owners.get((pod.namespace, pod.name), ())
        if chain:
            for link in reversed(chain):
                kind, _, name = link.partition("/")
                if kind not in ("Node", "CronJob"):
                    return ObjectRef(kind=kind, namespace=pod.namespace, name=name)
        return self.top(ObjectRef(kind="Pod", namespace=pod.namespace, name=pod.name), pod.item)

    def top(self, ref: ObjectRef, item: JsonObject | None = None) -> ObjectRef:
        """Follow owner references upward. A ReplicaSet that was not read is named after its Deployment and the hash of
        its template, so its owner is known all the same. A Job stays itself: causes of jobs name the Job."""
        for _ in range(4):
            seen = self.objects.get(str(ref))
            item = item or (seen.item if seen else None)
            owner = next((o for o in rows(dig(item, "metadata", "ownerReferences")) if o.get("kind") not in ("Node", "CronJob")), None)
            if owner is not None:
                digest = dig(item, "metadata", "labels", "pod-template-hash")
                ref, item = ObjectRef(kind=str(owner["kind"]), namespace=ref.namespace, name=str(owner["name"])), None
                if ref.kind == "ReplicaSet" and str(ref) not in self.objects and digest and ref.name.endswith(f"-{digest}"):
                    ref = ObjectRef(kind="Deployment", namespace=ref.namespace, name=ref.name.removesuffix(f"-{digest}"))
                continue
            break
        return ref

    def pods_of(self, workload: ObjectRef) -> list[Seen]:
        return self._pods_by_workload.get(str(workload), [])

    @cached_property
    def _pods_by_workload(self) -> dict[str, list[Seen]]:
        table: dict[str, list[Seen]] = {}
        for pod in self.of("Pod"):
            table.setdefault(str(self.workload_of(pod)), []).append(pod)
        return table

    @cached_property
    def by_name(self) -> dict[tuple[str, str], ObjectRef]:
        """(namespace, name) -> the workload with pods of that name."""
        found: dict[tuple[str, str], ObjectRef] = {}
        for pod in self.of("Pod"):
            found.setdefault((pod.namespace, (workload := self.workload_of(pod)).name), workload)
        return found

    def in_trouble(self, pod: Seen) -> bool:
        """Not ready now, or restarted in the last half hour."""
        return is_unhealthy(pod.item) or restarted_within(pod.item, self.now, RECENT.total_seconds())

    def about(self, event: Seen) -> ObjectRef:
        return ObjectRef.parse(str(event.item.get("object") or "Unknown//unknown"))

    def events_on(self, kind: str, namespace: str, name: str) -> list[Seen]:
        return self._events_by_object.get(f"{kind}/{namespace}/{name}", [])

    @cached_property
    def _events_by_object(self) -> dict[str, list[Seen]]:
        table: dict[str, list[Seen]] = {}
        for event in self.events:
            table.setdefault(str(event.item.get("object") or ""), []).append(event)
        return table

    def asked_log(self, pod: Seen) -> bool:
        return any(r.tool == "get_logs" and r.call.args.get("pod") == pod.name for r in self.readings)

    @cached_property
    def calls(self) -> dict[str, Reading]:
        """Readings by the id of their call."""
        return {r.call.id: r for r in self.readings}

    def has_log(self, pod: Seen) -> bool:
        """Did a log of the pod bring lines?"""
        return any(r.tool == "get_logs" and r.call.args.get("pod") == pod.name and r.result.data.get("lines") for r in self.readings)

    @cached_property
    def series(self) -> list[tuple[Reading, Series]]:
        return [(r, one) for r in self.readings for one in series_of(r)]

    def services_of(self, workload: ObjectRef) -> list[Seen]:
        """Services that select a pod (or the pod template) of the workload, and those that bear its name."""
        key = str(workload)
        if key not in self._services:
            self._services[key] = self._selecting(workload)
        return self._services[key]

    def _selecting(self, workload: ObjectRef) -> list[Seen]:
        seen = self.objects.get(str(workload))
        labels = [p.at("metadata", "labels") or {} for p in self.pods_of(workload)]
        labels += [dig(seen.item, "spec", "template", "metadata", "labels") or {}] if seen else []
        services = [s for s in self.of("Service") if s.namespace == workload.namespace]
        return [s for s in services if s.name == workload.name or any(matches(s.at("spec", "selector") or {}, have) for have in labels)]

    @cached_property
    def behind(self) -> edges.Names:
        """(namespace, name of a Service) -> names of the workloads that it selects."""
        return edges.behind(self.of("Service"), self._placed)

    @cached_property
    def callees(self) -> dict[str, tuple[str, ...]]:
        """Caller -> whom it calls, by name of workload or Service: configured, measured, or named in an environment."""
        measured = [Seen(e, r) for r in self.readings for e in r.items("edges")]
        found = (*edges.by_metrics(measured, self.behind), *edges.by_environment(self._placed, self.behind))
        return edges.callees_of(self.case.callees, found)

    @cached_property
    def _placed(self) -> list[tuple[str, Seen]]:
        return [(self.workload_of(p).name, p) for p in self.of("Pod")]

    def callers_of(self, name: str) -> list[str]:
        """Names that reach `name` over the service map, directly or through others."""
        found: list[str] = []
        todo = [name]
        while todo:
            callee = todo.pop()
            new = [c for c, callees in self.callees.items() if callee in callees and c not in found and c != name]
            found += new
            todo += new
        return found

    def age(self, event: Seen) -> timedelta:
        last = moment(event.item.get("last"))
        return self.now - last if last else timedelta(0)

    @cached_property
    def onset(self) -> datetime:
        """When the trouble began as far as the alerts say."""
        return min(min(a.starts_at for a in self.case.alerts), self.now)


def _event_key(event: JsonObject) -> tuple[str, ...]:
    return tuple(str(event.get(k) or "") for k in ("object", "reason", "message", "last"))


@dataclass(frozen=True, slots=True)
class Cite:
    """Where a claim stands: the line, and the reading it is in."""

    quote: str
    reading: Reading


def cite(reading: Reading, *groups: tuple[str, ...]) -> Cite:
    """The first line that holds all needles of a group; groups are tried in order (`Reading.quote`)."""
    return Cite(reading.quote(*groups), reading)


def signal(kind: str, obj: ObjectRef, claim: str, source: Cite, at: datetime | None = None, facts: JsonObject | None = None) -> Signal | None:
    """A signal; None without a quote: a claim that cannot be cited is not made. `facts` also fill the sentences of a
    cause's mechanism."""
    if not source.quote:
        return None
    origin = source.reading
    return Signal(
        kind=kind,
        object=obj,
        claim=claim,
        quote=source.quote,
        call_id=origin.call.id,
        provenance=origin.result.provenance,
        at=at,
        facts=facts or {},
    )


Found = Iterator[Signal | None]
