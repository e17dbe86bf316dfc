"""A notice in, one log line out: the channel that is always there."""

import structlog

from app.domain.frozen import JsonObject
from app.notify.ports import ChannelName

_log = structlog.get_logger("notice")
_SHOWN = ("kind", "verdict", "state", "severity", "notice_severity", "confidence", "target", "investigation_id")


class LogChannel:
    name = ChannelName.LOG

    async def deliver(self, notice_id: str, document: JsonObject) -> None:
        """Never fails. The long text stays in the store."""
        first: JsonObject = next(iter(document.get("alerts") or ()), {})
        ids = {"alert_id": first.get("id", "unknown"), "session_id": document.get("investigation_id")}
        _log.info(
            "investigation_briefing" if document.get("kind") == "briefing" else "investigation_report",
            notice_id=notice_id,
            **ids,
            **{field: document.get(field) for field in _SHOWN},
        )
