"""Gate: must a person agree first? Nobody can be asked yet, so what needs a person is refused (no answer is a no)."""

from pydantic import BaseModel

from app.domain.reason import Reason
from app.domain.tool import CallContext, ToolCall, ToolSpec
from app.safety.ports import Refusal


class ApprovalGate:
    async def judge(self, spec: ToolSpec, call: ToolCall, arguments: BaseModel, context: CallContext) -> Refusal | None:
        if spec.requires_approval:
            return Refusal(reason=Reason.APPROVAL, note=f"{spec.name} needs the approval of a person, and nobody has given it.")
        return None
