"""check_config: does every ConfigMap, key and service account that a pod names exist? Of ConfigMaps only names and keys
are read, Secrets not at all."""

import asyncio
import re
from collections.abc import Sequence

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools import events
from app.tools.answers import Arguments, Findings, KubeName, LooseName, answer, read_spec
from app.tools.config_conclusions import conclude, waiting_messages
from app.tools.config_references import Reference, references
from app.tools.event_reading import read_events
from app.tools.kubernetes_client import KubernetesClient, Listing
from app.tools.kubernetes_reading import MAX_PARALLEL, Cluster, Query, read
from app.tools.rollouts import template_of
from app.tools.selection import narrow, ref_of

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
MAX_READ = 40  # objects asked for by name
MAX_ROWS = 300
PATH_SAFE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class CheckConfigArguments(Arguments):
    namespace: KubeName = Field(description="Namespace of the pods.")
    service: LooseName | None = Field(None, description="Workload name, Service name or app label.")
    workload: KubeName | None = Field(None, description="Exact name of the workload.")
    pod: KubeName | None = Field(None, description="Exact name of one pod.")


class CheckConfig:
    """data: `references`: [{object: who names it, kind, name, key, container, where, optional, state, concluded, evidence}];
    `configmaps`: {name: [keys]}.

    `state`: exists, missing, key_missing, denied, unavailable, or not_read (Secrets). `concluded`, for what was not read:
    missing, key_missing, present or "" by what `evidence` says.
    """

    arguments = CheckConfigArguments
    spec = read_spec(
        "check_config",
        "Whether the ConfigMaps, keys and service accounts that pods name exist (never their values)",
        "kubernetes",
        "configmaps",
        CheckConfigArguments,
        provenance=Provenance.SEMI,
        timeout_seconds=20.0,
    )

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def run(self, arguments: CheckConfigArguments, context: ToolContext) -> ToolResult:
        a, space = arguments, arguments.namespace
        kinds = ("Pod", "ReplicaSet", *WORKLOADS, *(("Service",) if a.service else ()))
        cluster = await read(self._client, [Query(k, space) for k in kinds])
        if cluster.denied("Pod", *WORKLOADS):
            return answer(self.spec, cluster.reading, Findings(ToolStatus.DENIED, f"Not allowed to read pods and workloads in {space}"))
        items = narrow(cluster.of("Pod", *WORKLOADS), a.service or "", a.workload or "", cluster.known())
        items = [i for i in items if not a.pod or (i["kind"] == "Pod" and i["metadata"]["name"] == a.pod)]
        if not items:
            what = a.pod or a.workload or a.service
            status = ToolStatus.NOT_FOUND if what else ToolStatus.NO_DATA
            summary = f"Nothing called {what} in {space}" if what else f"No pods and no workloads in {space}"
            return answer(self.spec, cluster.reading, Findings(status, summary, data={"references": [], "configmaps": {}}))
        named = _named(items)
        await self._read(cluster, space, [r for found in named.values() for r in found])
        return answer(self.spec, cluster.reading, _findings(cluster, items, named))

    async def _read(self, cluster: Cluster, space: str, wanted: Sequence[Reference]) -> None:
        """The objects by name, so that no others are read, and the events, for what could not be read."""
        names = sorted({(r.kind, r.name) for r in wanted if r.kind != "Secret" and PATH_SAFE.fullmatch(r.name)})
        if len(names) > MAX_READ:
            cluster.reading.truncated.append(f"{len(names)} ConfigMaps and service accounts named, {MAX_READ} read")
        slots = asyncio.Semaphore(MAX_PARALLEL)

        async def one(kind: str, name: str) -> Listing:
            async with slots:
                return await self._client.get(kind, space, name)

        for (kind, name), got in zip(names[:MAX_READ], await asyncio.gather(*(one(k, n) for k, n in names[:MAX_READ])), strict=True):
            missing = got.status is ToolStatus.NOT_FOUND
            cluster.add(Listing(f"{kind}/{name}", got.path, got.items, got.bytes_read, got.status, "", "" if missing else got.note))
        if any(r.kind != "ServiceAccount" for r in wanted):
            await read_events(self._client, cluster, space)


def _named(items: Sequence[JsonObject]) -> dict[str, list[Reference]]:
    """`Kind/ns/name` -> what it names: workloads by their template, pods only for what their workload does not name."""
    found: dict[str, list[Reference]] = {}
    told: set[Reference] = set()
    for item in sorted(items, key=lambda i: (i["kind"] == "Pod", i["kind"], i["metadata"]["name"])):
        own = [r for r in references(_spec(item)) if item["kind"] != "Pod" or r not in told]
        told |= set(own)
        if own:
            found[str(ref_of(item))] = own
    return found


def _spec(item: JsonObject) -> JsonObject:
    if item["kind"] == "Pod":
        return dict(item.get("spec") or {})
    template = (item.get("spec", {}).get("jobTemplate") or {}).get("spec", {}).get("template") if item["kind"] == "CronJob" else template_of(item)
    return dict((template or {}).get("spec") or {})


def _findings(cluster: Cluster, items: Sequence[JsonObject], named: dict[str, list[Reference]]) -> Findings:
    pods = [i for i in items if i["kind"] == "Pod"] or cluster.of("Pod")
    messages = [*waiting_messages(pods), *(str(r["message"]) for r in events.rows(cluster.of("Event"))[::-1])]
    rows = [_row(cluster, who, r, pods, messages) for who, found in sorted(named.items()) for r in found]
    rows.sort(key=lambda r: not _wrong(r))
    if len(rows) > MAX_ROWS:
        cluster.reading.truncated.append(f"{len(rows)} references, {MAX_ROWS} shown, what is missing first")
    maps = {i["metadata"]["name"]: i["keys"] for listing in cluster.listings.values() for i in listing.items if i["kind"] == "ConfigMap"}
    lines = [_line(r) for r in rows[:MAX_ROWS]]
    lines += [f"configmap {name}: keys {', '.join(keys) or 'none'}" for name, keys in sorted(maps.items())]
    wrong = [r for r in rows if _wrong(r)]
    shown = "; ".join(f"{r['kind']} {r['name']}{' key ' + r['key'] if r['key'] else ''}" for r in wrong[:4])
    summary = f"{len(rows)} references to configuration: " + (f"missing: {shown}" if wrong else "none known to be missing")
    return Findings(ToolStatus.OK, summary, lines, {"references": rows[:MAX_ROWS], "configmaps": maps})


def _row(cluster: Cluster, who: str, reference: Reference, pods: Sequence[JsonObject], messages: Sequence[str]) -> JsonObject:
    state, concluded, evidence = _state(cluster, reference), "", ""
    if state in ("not_read", "denied", "unavailable") and reference.kind != "ServiceAccount":
        concluded, evidence = conclude(reference, pods, messages)
    fields = {name: getattr(reference, name) for name in ("kind", "name", "key", "container", "where", "optional")}
    return {"object": who, **fields, "state": state, "concluded": concluded, "evidence": evidence}


def _state(cluster: Cluster, reference: Reference) -> str:
    if reference.kind == "Secret":
        return "not_read"
    listing = cluster.listings.get(f"{reference.kind}/{reference.name}")
    if listing is None:
        return "unavailable"
    if listing.status is ToolStatus.NOT_FOUND:
        return "missing"
    if listing.status is not ToolStatus.OK:
        return "denied" if listing.status is ToolStatus.DENIED else "unavailable"
    return "key_missing" if reference.key and reference.key not in listing.items[0].get("keys", ()) else "exists"


def _wrong(row: JsonObject) -> bool:
    return not row["optional"] and ("missing" in row["state"] or "missing" in row["concluded"])


def _line(row: JsonObject) -> str:
    """`Deployment/shop/cart container server env MODE: ConfigMap app key mode: key_missing`."""
    where = f"container {row['container']} {row['where']}" if row["container"] else row["where"]
    key = f" key {row['key']}" if row["key"] else ""
    optional = " (optional)" if row["optional"] else ""
    said = f"; concluded {row['concluded']}: {row['evidence']}" if row["concluded"] else ""
    return f"{row['object']} {where}: {row['kind']} {row['name']}{key}{optional}: {row['state']}{said}"
