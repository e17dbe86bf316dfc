"""The closed list of tools. `main` fills it through `catalogue.build_registry`; `safety` is its only reader.

A tool is a spec, an argument model and `run`. Nothing runs that is not in here, and nothing gets in here whose metadata
is incomplete or whose arguments are open.
"""

from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from app.domain.tool import ToolContext, ToolResult, ToolSpec


class Tool(Protocol):
    """`run` gets an instance of `arguments`. It raises `ToolFailure` when the source gave no usable answer; everything
    the source did say (nothing there, no right) is a `ToolResult`."""

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def arguments(self) -> type[BaseModel]: ...

    async def run(self, arguments: Any, context: ToolContext) -> ToolResult: ...


class ToolRegistry:
    """Tools by exact name or alias, in the order they were registered."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}
        self._aliases: dict[str, str] = {}

    def register(self, tool: Tool, *aliases: str) -> None:
        """Raises ValueError for incomplete metadata, a name that is taken, or an argument model that is not closed."""
        spec, model = _checked(tool.spec), tool.arguments
        if model.model_config.get("extra") != "forbid":
            raise ValueError(f"{spec.name}: the argument model must refuse unknown fields (extra='forbid')")
        if spec.arguments != model.model_json_schema():
            raise ValueError(f"{spec.name}: spec.arguments is not the schema of its argument model")
        for name in (spec.name, *aliases):
            if name in self._tools or name in self._aliases:
                raise ValueError(f"{name}: a tool of that name is registered")
        self._tools[spec.name] = tool
        self._aliases |= dict.fromkeys(aliases, spec.name)

    def get(self, name: str) -> Tool | None:
        """The tool of exactly this name or alias, else None."""
        return self._tools.get(self._aliases.get(name, name))

    def specs(self) -> tuple[ToolSpec, ...]:
        """Every tool once, without aliases."""
        return tuple(tool.spec for tool in self._tools.values())

    def aliases(self) -> dict[str, str]:
        """alias -> name (requirements decision 9)."""
        return dict(self._aliases)


def _checked(spec: ToolSpec) -> ToolSpec:
    """A spec that was built without validation (`model_construct`) is caught here."""
    try:
        checked = ToolSpec.model_validate(dict(spec))
    except (ValidationError, TypeError, AttributeError) as error:
        raise ValueError(f"incomplete tool metadata: {error}") from error
    if not all(p.startswith(("read:", "write:")) for p in checked.permissions):
        raise ValueError(f"{checked.name}: a permission is read:<thing> or write:<thing>")
    return checked
