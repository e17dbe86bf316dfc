"""Gate: is the agent, or every agent, told to stop? (KILL-01..03) Asked before everything else and again before each try.

Both keys live in working memory, so that one write stops every replica: `agent:emergency_stop` holds JSON with `active`,
`reason`, `activated_by`, `activated_at`; `kill_switch:<agent id>` holds "1". A state that cannot be read is a no.
"""

import asyncio
import json

from pydantic import BaseModel

from app.domain.ports import WorkingMemory
from app.domain.reason import Reason
from app.domain.tool import CallContext, ToolCall, ToolSpec
from app.safety.ports import Refusal

EMERGENCY_STOP = "agent:emergency_stop"
KILL_SWITCH = "kill_switch:{agent_id}"
READ_SECONDS = 2.0


class KillSwitch:
    def __init__(self, memory: WorkingMemory, agent_id: str) -> None:
        self._memory = memory
        self._key = KILL_SWITCH.format(agent_id=agent_id)

    async def judge(self, spec: ToolSpec, call: ToolCall, arguments: BaseModel, context: CallContext) -> Refusal | None:
        return await self.thrown()

    async def thrown(self) -> Refusal | None:
        try:
            async with asyncio.timeout(READ_SECONDS):
                stop = await self._memory.get(EMERGENCY_STOP)
                switch = await self._memory.get(self._key)
        except OSError as failure:  # TimeoutError is one
            return Refusal(reason=Reason.KILL_SWITCH, note=f"The kill switch could not be read ({type(failure).__name__}), so nothing runs.")
        if stop is not None and (why := _stopped(stop)):
            return Refusal(reason=Reason.EMERGENCY_STOP, note=f"Emergency stop: {why}")
        if switch == "1":
            return Refusal(reason=Reason.KILL_SWITCH, note=f"The kill switch of this agent is on ({self._key}).")
        return None


def _stopped(text: str) -> str:
    """Why, or "" if the stop says in so many words that it is not active."""
    try:
        stop = json.loads(text)
    except ValueError:
        return "its state is not readable"
    if not isinstance(stop, dict):
        return "its state is not readable"
    if stop.get("active") is False:
        return ""
    return f"{stop.get('reason') or 'no reason given'} (by {stop.get('activated_by') or 'unknown'})"
