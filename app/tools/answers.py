"""Readings of a source -> `ToolResult`; every tool builds its answer here, so that all of them look alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, Risk, ToolResult, ToolSpec, ToolStatus, Window

# A DNS-1123 name: goes into URL paths, so nothing else may pass.
KubeName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
# What people call a service; compared with names and labels, never put into a path.
LooseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.:/]{0,251}[A-Za-z0-9])?$")]

# Compared with the value of a label, and used for nothing else.
LabelValue = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Arguments(BaseModel):
    """Arguments of a tool: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def read_spec(name: str, description: str, source: str, thing: str, arguments: type[BaseModel], **more: Any) -> ToolSpec:
    """Metadata of a read-only tool: 10 s (TIME-01), 2 retries (ERR-06), low risk; `more` overrides."""
    values: JsonObject = {
        "version": "1.0.0",
        "permissions": (f"read:{thing}",),
        "risk": Risk.LOW,
        "timeout_seconds": 10.0,
        "retry_count": 2,
        "rate_limit": "100/minute",
        "requires_approval": False,
        "reversible": True,
        "provenance": Provenance.TRUSTED,
    }
    values |= {"name": name, "description": description, "source": source, "arguments": arguments.model_json_schema(), **more}
    return ToolSpec(**values)


@dataclass
class Reading:
    """What was asked of the source and what the asking cost; `notes` are gaps, `truncated` what was left out."""

    asked: list[str] = field(default_factory=list)
    bytes_read: int = 0
    truncated: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Findings:
    """What a tool makes of a reading. `lines` become the text, one fact each."""

    status: ToolStatus
    summary: str
    lines: Sequence[str] = ()
    data: JsonObject = field(default_factory=dict)
    window: Window | None = None


def answer(spec: ToolSpec, reading: Reading, found: Findings) -> ToolResult:
    """The result of a tool; line breaks inside a fact become spaces, so that a line stays one fact."""
    return ToolResult(
        tool=spec.name,
        status=found.status,
        summary=" ".join(found.summary.split())[:300],
        invocation="; ".join(dict.fromkeys(reading.asked)),
        window=found.window,
        provenance=spec.provenance,
        text="\n".join(line if len(line.splitlines()) <= 1 else " ".join(line.split()) for line in found.lines),
        data=found.data,
        bytes_read=reading.bytes_read,
        truncated="; ".join(dict.fromkeys(t for t in reading.truncated if t)),
        note="; ".join(dict.fromkeys(n for n in reading.notes if n)),
    )
