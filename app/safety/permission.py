"""Gate: has the agent been granted every right this tool needs? Rights match exactly; there are no wildcards."""

from pydantic import BaseModel

from app.domain.reason import Reason
from app.domain.tool import CallContext, ToolCall, ToolSpec
from app.safety.ports import Refusal


class PermissionGate:
    def __init__(self, granted: frozenset[str]) -> None:
        self._granted = granted

    async def judge(self, spec: ToolSpec, call: ToolCall, arguments: BaseModel, context: CallContext) -> Refusal | None:
        lacking = [right for right in spec.permissions if right not in self._granted]
        if lacking or not spec.permissions:
            return Refusal(reason=Reason.PERMISSION, note=f"Permission denied: {spec.name} needs {', '.join(lacking) or 'a permission'}")
        return None
