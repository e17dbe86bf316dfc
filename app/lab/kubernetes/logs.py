"""A pod's log as the API server answers it: options, which container, which run, which lines. Called by the server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.frozen import iso
from app.lab import times
from app.lab.kubernetes.status import ApiError, bad_request, invalid_log_option
from app.lab.snapshot import World

Object = dict[str, Any]
_PULLING = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}


@dataclass(frozen=True)
class LogOptions:
    """The query of a log request; None where it says nothing."""

    container: str = ""
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    limit_bytes: int | None = None
    since: datetime | None = None


def options(pod: str, query: Mapping[str, str], now: datetime) -> LogOptions:
    """Raises ApiError 400 (not a number, not a time) or 422 (out of range, or both kinds of since)."""
    tail, limit, seconds = (_number(query.get(name)) for name in ("tailLines", "limitBytes", "sinceSeconds"))
    if tail is not None and tail < 0:
        raise invalid_log_option(pod, "tailLines", "FieldValueInvalid", f"Invalid value: {tail}: must be greater than or equal to 0")
    for field, value in (("limitBytes", limit), ("sinceSeconds", seconds)):
        if value is not None and value < 1:
            raise invalid_log_option(pod, field, "FieldValueInvalid", f"Invalid value: {value}: must be greater than 0")
    since = query.get("sinceTime")
    if seconds is not None and since:
        message = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        raise invalid_log_option(pod, "[]", "FieldValueForbidden", message)
    moment = now - timedelta(seconds=seconds) if seconds is not None else _moment(since) if since else None
    flags = [query.get(name, "").lower() in ("true", "1") for name in ("previous", "timestamps")]
    return LogOptions(query.get("container", ""), flags[0], flags[1], tail, limit, moment)


def _number(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _moment(text: str) -> datetime:
    try:
        return times.parse(text)
    except ValueError:
        raise bad_request(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse') from None


def answer(world: World, pod: Object, asked: LogOptions) -> bytes | None:
    """The log, or None for "not scheduled yet" (204). Raises ApiError."""
    name, namespace = pod["metadata"]["name"], pod["metadata"].get("namespace", "")
    container = _container(pod, asked.container)
    key = f"{namespace}/{name}/{container}"
    if not pod.get("spec", {}).get("nodeName") and key not in world.logs:
        return None
    text = _text(world, pod, key, asked.previous)
    return _cut(text, asked, world.now)


def _container(pod: Object, asked: str) -> str:
    name, spec = pod["metadata"]["name"], pod.get("spec", {})
    main = [c["name"] for c in spec.get("containers", [])]
    init = [c["name"] for c in spec.get("initContainers", [])]
    extra = [c["name"] for c in spec.get("ephemeralContainers", [])]
    if asked:
        if asked not in (*main, *init, *extra):
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(main) == 1:
        return str(main[0])
    also = f" or one of the init containers: [{' '.join(init)}]" if init else ""
    raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]{also}")


def _text(world: World, pod: Object, key: str, previous: bool) -> str:
    """The text of the run that is asked for. In CrashLoopBackOff the current log is that of the last run."""
    _, name, container = key.split("/", 2)
    status = _status(pod, container)
    current, former = world.logs.get(key), world.logs.get(f"{key}#previous")
    ended = bool((status.get("lastState") or {}).get("terminated"))
    waiting = (status.get("state") or {}).get("waiting")
    if previous:
        found = former if former is not None else current if ended and waiting else None
        if found is None:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return found
    if current is not None:
        return current
    if waiting and ended and former is not None:
        return former
    if waiting or not status:
        why = str((waiting or {}).get("reason") or "ContainerCreating")
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {_PULLING.get(why, why)}')
    _check_node(world, pod, key)
    return ""


def _status(pod: Object, container: str) -> Object:
    status = pod.get("status", {})
    known = (
        *(status.get("containerStatuses") or ()),
        *(status.get("initContainerStatuses") or ()),
        *(status.get("ephemeralContainerStatuses") or ()),
    )
    return next((s for s in known if s.get("name") == container), {})


def _check_node(world: World, pod: Object, key: str) -> None:
    """Nobody can fetch a log from a node that stopped reporting: 500 with the dial error."""
    node = next((n for n in world.objects.get("Node", []) if n["metadata"]["name"] == pod["spec"].get("nodeName")), None)
    conditions = (node or {}).get("status", {}).get("conditions") or []
    if any(c.get("type") == "Ready" and c.get("status") == "Unknown" for c in conditions):
        host = pod.get("status", {}).get("hostIP") or pod["spec"]["nodeName"]
        message = f'Get "https://{host}:10250/containerLogs/{key}": dial tcp {host}:10250: i/o timeout'
        raise ApiError(500, "InternalError", message, {})


def _cut(text: str, asked: LogOptions, now: datetime) -> bytes:
    lines = text.splitlines(keepends=True)
    if asked.since is not None or asked.timestamps:
        lines = _timed(lines, asked, now)
    if asked.tail is not None:
        lines = lines[-asked.tail :] if asked.tail else []
    body = "".join(lines).encode()
    return body[: asked.limit_bytes] if asked.limit_bytes is not None else body


def _timed(lines: list[str], asked: LogOptions, now: datetime) -> list[str]:
    """Lines since the asked moment, with their time before them if asked. A line without a time has that of the line
    before it; lines before the first time have that one; a log without any time counts as just written."""
    moments = [times.of_line(line, now) for line in lines]
    last = next((m for m in moments if m is not None), now)
    kept = []
    for line, moment in zip(lines, moments, strict=True):
        last = moment or last
        if asked.since is None or last >= asked.since:
            kept.append(f"{_nanoseconds(last)} {line}" if asked.timestamps else line)
    return kept


def _nanoseconds(moment: datetime) -> str:
    return f"{iso(moment.replace(microsecond=0))[:-1]}.{moment.microsecond:06d}000Z"
