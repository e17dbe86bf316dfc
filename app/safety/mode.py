"""Gate: does the mode allow this class of tool? (MODE-01..04, decision 22: by permission, not by the verb of the name)"""

from enum import StrEnum

from pydantic import BaseModel

from app.domain.reason import Reason
from app.domain.tool import CallContext, ToolCall, ToolSpec
from app.safety.ports import Refusal


class Mode(StrEnum):
    EXPLORE = "EXPLORE"  # read-only
    EXECUTE = "EXECUTE"  # writes may pass on to the gates behind this one
    ESCALATE = "ESCALATE"  # every write is for a person


class ModeGate:
    """`mode` is text from the configuration: a word that is none of ours allows nothing."""

    def __init__(self, mode: str) -> None:
        self._mode = mode

    async def judge(self, spec: ToolSpec, call: ToolCall, arguments: BaseModel, context: CallContext) -> Refusal | None:
        if self._mode not in tuple(Mode):
            return Refusal(reason=Reason.MODE, note=f"Mode {self._mode!r} is unknown; modes are {', '.join(Mode)}.")
        if spec.writes and self._mode != Mode.EXECUTE:
            return Refusal(reason=Reason.MODE, note=f"{spec.name} changes things and mode {self._mode} only reads.")
        return None
