"""Gate: has this very call been made before, too often? The third call with the same tool and arguments is refused
(ANOM-05, decision 15)."""

import json

from pydantic import BaseModel

from app.domain.reason import Reason
from app.domain.tool import CallContext, ToolCall, ToolSpec
from app.safety.ports import Refusal


class LoopGate:
    def __init__(self, same_call: int) -> None:
        self._same_call = same_call

    async def judge(self, spec: ToolSpec, call: ToolCall, arguments: BaseModel, context: CallContext) -> Refusal | None:
        before = sum(_same(call) == _same(earlier) for earlier in context.taken)
        if before + 1 < self._same_call:
            return None
        return Refusal(reason=Reason.LOOP, note=f"{call.tool} with these arguments was attempted too many times: {before} times before")


def _same(call: ToolCall) -> str:
    return json.dumps([call.tool, call.args], sort_keys=True, default=str)
