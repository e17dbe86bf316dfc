"""Playbooks as data: YAML files of one shape, read and checked once at start; called by `main` through `load_playbooks`.

Adding one = a file in `playbooks/` (copy a sibling) and a line in `tests/planner/test_playbooks.py`.
"""

import re
from pathlib import Path

import yaml
from pydantic import Field, JsonValue, field_validator, model_validator

from app.domain.frozen import Frozen
from app.planner.words import any_matches

# Ten times the speed of the pure Python loader; the wheels of PyYAML have it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FOLDER = Path(__file__).parent / "playbooks"
HOLE = re.compile(r"\{([a-z_]+)(\?)?\}")
HOLES = frozenset(
    {"namespace", "service", "service_name", "workload", "pod", "container", "node", "kind", "name", "event_kind", "scrape_job", "scrape_instance"}
)


class Template(Frozen):
    """One step to make. Texts in `args` may hold `{namespace}` (the step is left out when the target gives no such
    thing) or `{workload?}` (then the argument is left out: the wider form). `after` names ids of steps above."""

    id: str = ""
    tool: str = Field(min_length=1)
    reason: str = Field(min_length=1, max_length=120)
    args: dict[str, JsonValue] = Field(default_factory=dict)
    after: tuple[str, ...] = ()
    optional: bool = True

    @field_validator("args")
    @classmethod
    def _known_holes(cls, args: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for value in args.values():
            unknown = {hole for hole, _ in HOLE.findall(value)} - HOLES if isinstance(value, str) else set()
            if unknown:
                raise ValueError(f"unknown holes {sorted(unknown)}; known are {sorted(HOLES)}")
        return args


class Playbook(Frozen):
    """What to look at first for one family of alerts.

    The first playbook by `order` that applies is taken: when the target is of one of `kinds`, or when one of the
    `words` patterns is met and none of `unless`. One without both applies to everything. `reasoning` is the middle of
    a sentence: "<alert> on <target>: <reasoning>".
    """

    id: str = Field(pattern=r"^[a-z][a-z_]*$")
    order: int = Field(ge=1)
    words: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    reasoning: str = Field(min_length=10, max_length=200)
    steps: tuple[Template, ...] = Field(min_length=1, max_length=12)

    @model_validator(mode="after")
    def _steps_wait_for_earlier_ones(self) -> "Playbook":
        seen: set[str] = set()
        for step in self.steps:
            if not set(step.after) <= seen:
                raise ValueError(f"playbook {self.id}: {step.tool} waits for {step.after}, which is not above it")
            seen |= {step.id or step.tool}
        return self

    def applies(self, words: frozenset[str], kind: str) -> bool:
        if not self.words and not self.kinds:
            return True
        return kind in self.kinds or (any_matches(self.words, words) and not any_matches(self.unless, words))


def load_playbooks(folder: Path = FOLDER) -> tuple[Playbook, ...]:
    """Every playbook of the folder by `order`. Raises pydantic.ValidationError or ValueError naming what is wrong."""
    found = [Playbook.model_validate(_Loader(p.read_text(encoding="utf-8")).get_single_data()) for p in sorted(folder.glob("*.yaml"))]
    books = tuple(sorted(found, key=lambda b: b.order))
    if len({b.id for b in books}) != len(books) or len({b.order for b in books}) != len(books):
        raise ValueError(f"two playbooks of {folder} have the same id or order")
    if not books or books[-1].words or books[-1].kinds:
        raise ValueError(f"the last playbook of {folder} must apply to everything")
    return books
