"""One container's log by the Kubernetes API -> log lines, the newest that fit. Asked by `get_logs`."""

from dataclasses import replace
from datetime import UTC, datetime

from app.domain.frozen import iso
from app.domain.log_times import KUBELET
from app.domain.tool import ToolStatus
from app.tools.kubernetes_client import KubernetesClient, LogText
from app.tools.log_source import LogAnswer, LogLine, LogQuery, split_lines

MAX_BYTES = 512 * 1024
TRIES = 3


class KubernetesLogs:
    """A `LogSource` that is asked pod by pod: service, node and unit are not for it."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def query(self, query: LogQuery) -> LogAnswer:
        """The API cuts a log that is too large at its end, which is what matters most: then fewer lines are asked for."""
        if not (query.namespace and query.pod) or query.service or query.node or query.unit:
            return LogAnswer((), (), ToolStatus.INVALID, note="Kubernetes keeps logs by namespace and pod")
        tail, asked, size = query.limit, list[str](), 0
        got = LogText("")
        for _ in range(TRIES):
            got = await self._client.log(query.namespace, query.pod, _params(query, tail), MAX_BYTES)
            asked.append(f"GET {got.path}")
            size += got.bytes_read
            if not got.truncated:
                break
            tail = max(1, got.text.count("\n") * 9 // 10)
        cut = f"log over {MAX_BYTES} bytes: the last {tail} lines of {query.limit} asked" if tail < query.limit else ""
        lines = tuple(line for line in _lines(got) if _wanted(line, query))
        status = ToolStatus.NO_DATA if got.status is ToolStatus.OK and not lines else got.status
        answer = LogAnswer(tuple(asked), lines, status, size, cut, got.note)
        return replace(answer, truncated="; ".join(t for t in (cut, got.truncated) if t))

    async def aclose(self) -> None:
        """The client belongs to others."""


def _params(query: LogQuery, tail: int) -> dict[str, str]:
    return {
        "container": query.container,
        "tailLines": str(tail),
        "previous": "true" if query.previous else "",
        "timestamps": "true",
        "sinceTime": iso(query.window.start) if query.window else "",
    }


def _lines(got: LogText) -> list[LogLine]:
    """With the times that the kubelet put before them, where it did before all."""
    texts = [text for text in got.text.split("\n") if text.strip()]
    stamps = [KUBELET.match(text) for text in texts]
    found: list[LogLine] = []
    timed = all(stamps)
    for text, stamp in zip(texts, stamps, strict=True):
        if stamp is not None and timed:
            found += split_lines(text[stamp.end() :], _moment(stamp[1]), "")
        else:
            found += split_lines(text, None, "")
    return found


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _wanted(line: LogLine, query: LogQuery) -> bool:
    window, at = query.window, line.at
    inside = window is None or at is None or window.start <= at <= window.end
    return inside and query.contains in line.text
