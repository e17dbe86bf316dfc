"""The types a model must fill, made from the closed lists of this house; a filled one -> a plan, or what is wrong with it.

A tool that is not in the registry, a cause that is not in the list, an object that nobody saw cannot be expressed.
Called by `questions` (types, checks) and `fallback` (plan).
"""

from collections.abc import Mapping
from typing import Any, Literal

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, create_model

from app.domain.frozen import JsonObject
from app.domain.plan import DecidedBy, Plan, Step, Usage
from app.domain.tool import ToolSpec
from app.planner.plain import plain

MOST_CALLS = 10
# What a model answers when no cause of the list fits.
NO_CAUSE = "none_of_these"
_CLOSED = ConfigDict(extra="forbid")


def _one_of(words: tuple[str, ...]) -> Any:
    """The type of a closed list that is known at run time only."""
    return Literal[words]


def plan_type(tools: tuple[str, ...]) -> type[BaseModel]:
    """Tool selection as requirement PLAN-10 has it."""
    call: type[BaseModel] = create_model(
        "ToolUse",
        __config__=_CLOSED,
        name=(_one_of(tools), Field(description="the tool")),
        parameters=(dict[str, Any], Field(default_factory=dict, description="its arguments, by the tool's own schema")),
        purpose=(str, Field(description="what this call is to find out, in at most ten words")),
        after=(list[int], Field(default_factory=list, description="numbers (from 1) of earlier calls that must be done first")),
    )
    return create_model(
        "PlanAnswer",
        __config__=_CLOSED,
        __doc__="The plan of the investigation.",
        analysis=(str, Field(description="one sentence: what the alert may mean and how the plan finds out")),
        tools=(list[call], Field(min_length=1, max_length=MOST_CALLS)),
        sequence=(_one_of(("parallel", "sequential")), "parallel"),
        expected_outcome=(str, ""),
    )


def conclusion_type(causes: tuple[str, ...], objects: tuple[str, ...]) -> type[BaseModel]:
    return create_model(
        "ConclusionAnswer",
        __config__=_CLOSED,
        __doc__="The conclusion of the investigation.",
        cause=(_one_of((*causes, NO_CAUSE)), Field(description="id of the cause; none_of_these if the evidence shows none")),
        object=(_one_of(objects), Field(description="the object at fault")),
        confidence=(float, Field(ge=0, le=1)),
        mechanism=(str, Field(description="what happens, in at most twelve words")),
        why=(str, Field(description="one or two sentences: why the cited lines show it")),
        cites=(list[str], Field(description="ids in square brackets of the lines this rests on", max_length=12)),
    )


class PlanCheck:
    """Arguments of a plan against the tools' own schemas, and its dependencies."""

    def __init__(self, specs: tuple[ToolSpec, ...]) -> None:
        self._validators = {s.name: Draft202012Validator(s.arguments) for s in specs}

    def __call__(self, output: JsonObject) -> str:
        for number, call in enumerate(output["tools"], start=1):
            error = next(iter(self._validators[call["name"]].iter_errors(call["parameters"])), None)
            if error is not None:
                return f"call {number}, {call['name']}: {plain(error.message, 200)}"
            if any(not 0 < earlier < number for earlier in call["after"]):
                return f"call {number}: after must name earlier calls"
        return ""


def plan_of(output: JsonObject, usage: Usage) -> Plan:
    """A checked plan answer -> plan. Two calls that ask the same become one."""
    calls: list[JsonObject] = output["tools"]
    sequential = output["sequence"] == "sequential"
    steps: list[Step] = []
    number: dict[int, str] = {}
    for place, call in enumerate(calls, start=1):
        twin = next((s for s in steps if s.tool == call["name"] and s.args == call["parameters"]), None)
        number[place] = twin.id if twin else f"s{len(steps) + 1}"
        if twin:
            continue
        waits = [number[a] for a in call["after"]] or ([steps[-1].id] if sequential and steps else [])
        reason = plain(call["purpose"], 120) or "Asked for by the model"
        steps.append(Step(id=number[place], tool=call["name"], reason=reason, args=call["parameters"], depends_on=tuple(dict.fromkeys(waits))))
    reasoning = plain(output["analysis"], 300) or "The model gave no reasoning"
    return Plan(reasoning=f"{reasoning}.", steps=tuple(steps), decided_by=DecidedBy.MODEL, usage=usage)


def check_cites(output: JsonObject, known: Mapping[str, object]) -> str:
    """A conclusion must rest on lines that exist."""
    if output["cause"] == NO_CAUSE:
        return ""
    unknown = [c for c in output["cites"] if c not in known]
    if unknown:
        return f"no evidence has the id {plain(', '.join(unknown), 100)}"
    return "" if output["cites"] else "a conclusion cites at least one line"
