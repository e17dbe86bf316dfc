"""Paths of ways in that began to lead to a workload which does not know them -> the Ingress that sends them there. Reads
`PATHS_QUERY` (what ingress-nginx counts for each path), `check_ingresses`, and the logs of the backends.

That a backend exists says nothing of whether it is the right one; its own 404s for just this path do. Scanners ask for anything, so only
a path that the Ingress names, and that is not all of the site, counts."""

import re
from collections import defaultdict
from collections.abc import Iterator

from app.diagnosis.reading import Reading
from app.diagnosis.series import Series, when
from app.diagnosis.world import RECENT, Found, World, cite, signal
from app.domain.frozen import JsonObject
from app.domain.log_times import moment_of
from app.domain.target import ObjectRef

# Of two labels of one name the target's own becomes exported_* without honorLabels. 3xx and 4xx by themselves are no fault.
PATHS_QUERY = (
    "sum by (namespace, exported_namespace, ingress, path, service, exported_service, status)"
    ' (rate(nginx_ingress_controller_requests{{ingress="{ingress}"}}[2m]))'
)
FEWEST = 4  # lines of a log that make it more than a stray request
SHARE = 0.5  # of what is asked below a path
# What programs say of a path that they do not have: nginx and Apache (error log), access logs in the common and in JSON form, Express,
# Rails, Spring, Django, ASP.NET and Go routers.
_UNKNOWN = (
    r'open\(\) "\S*{path}\S*" failed \(2: No such file',
    r"AH00128: File does not exist: \S*{path}",
    r'"[A-Z]+ {path}\S* HTTP/[\d.]+" 404 ',
    r'"(url|path|uri)": ?"{path}[^"]*".{{0,120}}"(status|statusCode|status_code|code)": ?404',
    r'"(status|statusCode|status_code|code)": ?404.{{0,120}}"(url|path|uri)": ?"{path}',
    r"Cannot (GET|POST|PUT|PATCH|DELETE) {path}",
    r'No route matches \[[A-Z]+\] "{path}',
    r"No (static resource|mapping for [A-Z]+) /?{bare}",
    r"Not Found: {path}",
    r"(404|not found).{{0,60}}(path|url|uri)=\"?{path}",
)


def find(world: World) -> Found:
    yield from _moved(world)
    backends = [(r, row) for r in world.readings if r.tool == "check_ingresses" for row in r.items("backends")]
    for _, row in backends:
        path = str(row.get("path") or "/").rstrip("/")
        if re.fullmatch(r"/[\w./-]+", path) and row.get("service_exists"):
            yield from _unknown_to(world, row, path)


def _moved(world: World) -> Found:
    """A path that another Service serves than before, with 404s."""
    table: dict[tuple[str, str, str], list[tuple[Reading, Series, str]]] = {}
    for reading, one in world.series:
        labels = one.labels
        if labels.get("ingress") and labels.get("path") and labels.get("status") and one.values:
            space = labels.get("exported_namespace") or labels.get("namespace") or ""
            service = labels.get("exported_service") or labels.get("service") or ""
            table.setdefault((space, labels["ingress"], labels["path"]), []).append((reading, one, service))
    for (space, ingress, path), rows in sorted(table.items()):
        now, missed, once = defaultdict[str, float](float), defaultdict[str, float](float), defaultdict[str, float](float)
        end = max(one.values[-1][0] for _, one, _ in rows)
        for _, one, service in rows:
            half = one.values[: max(len(one.values) // 2, 1)]
            once[service] += max((v for t, v in half if t < world.onset.timestamp() - 60), default=0.0)
            last = one.values[-1][1] if one.values[-1][0] >= end - 120 else 0.0
            now[service] += last
            missed[service] += last if one.labels["status"] == "404" else 0.0
        new = max(sorted(now), key=lambda s: now[s])
        old = max(sorted(once), key=lambda s: once[s])
        if new != old and once[old] > 0 and now[new] > 0 and now[old] <= 0.05 * once[old] and missed[new] >= SHARE * now[new]:
            told = next((r, o) for r, o, s in rows if s == new and o.labels["status"] == "404")
            facts = {"path": path, "problem": f"it went to {old} and goes to {new}, which answers 404"}
            claim = f"Path {path} of Ingress {ingress} goes to Service {new} and no longer to {old}; {new} answers 404"
            where = ObjectRef(kind="Ingress", namespace=space, name=ingress)
            source = cite(told[0], (f'path="{path}"', f'"{new}"', 'status="404"'))
            yield signal("path_led_elsewhere", where, claim, source, when(told[1].values[0][0]), facts)


def _unknown_to(world: World, row: JsonObject, path: str) -> Found:
    """Most of what is asked below the path is unknown to the one that it leads to, since shortly before the onset."""
    parts = str(row.get("object") or "//").split("/")
    where = ObjectRef(kind=parts[0], namespace=parts[1], name=parts[2])
    pattern = re.compile("|".join(p.format(path=re.escape(path), bare=re.escape(path.lstrip("/"))) for p in _UNKNOWN), re.I)
    for reading in _logs(world, where.namespace, str(row.get("service"))):
        lines = [str(x) for x in reading.result.data.get("lines") or []]
        late = [x for x in lines if path.lstrip("/") in x and ((at := moment_of(x, world.now)) is None or at >= world.onset - RECENT)]
        told = [x for x in late if pattern.search(x)]
        shown = next((x for x in told if x in reading.lines), "")
        since = late[late.index(told[0]) :] if told else []
        if len(told) >= FEWEST and len(told) >= SHARE * len(since) and shown:
            facts = {"path": path, "problem": f"{row.get('service')} does not know it"}
            claim = f"Path {path} of {where.kind} {where.name} leads to {row.get('service')}, which does not know it ({len(told)} x)"
            yield signal("path_unknown_to_backend", where, claim, cite(reading, (shown,)), moment_of(told[0], world.now), facts)
            return


def _logs(world: World, namespace: str, service: str) -> Iterator[Reading]:
    names = world.behind.get((namespace, service), set())
    pods = {p.name for p in world.of("Pod") if p.namespace == namespace and world.workload_of(p).name in names}
    yield from (r for r in world.readings if r.tool == "get_logs" and r.result.data.get("pod") in pods)
