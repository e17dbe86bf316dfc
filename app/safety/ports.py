"""What the one door needs: tools, and gates of one shape. `tools.registry` fills `Registry`; each gate is a file beside this."""

from collections.abc import Iterable
from typing import Any, Protocol

from pydantic import BaseModel

from app.domain.frozen import Frozen
from app.domain.reason import Reason
from app.domain.tool import CallContext, ToolCall, ToolContext, ToolResult, ToolSpec


class Tool(Protocol):
    """One tool. `run` gets an instance of `arguments`; it answers, or raises ToolFailure when it got no answer."""

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def arguments(self) -> type[BaseModel]: ...

    async def run(self, arguments: Any, context: ToolContext) -> ToolResult: ...


class Registry(Protocol):
    """The closed list of tools. `get` knows aliases; an unknown name is None."""

    def get(self, name: str) -> Tool | None: ...

    def specs(self) -> Iterable[ToolSpec]: ...


class Refusal(Frozen):
    """A gate's no: the closed word and a sentence that says what was asked and what would be allowed."""

    reason: Reason
    note: str


class Gate(Protocol):
    """One question about one call. A gate knows its own reason and no other gate; it answers, it never raises."""

    async def judge(self, spec: ToolSpec, call: ToolCall, arguments: BaseModel, context: CallContext) -> Refusal | None: ...
