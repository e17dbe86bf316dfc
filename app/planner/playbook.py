"""Playbooks of families as data: YAML files of one shape, read and checked once at start; called by `main` through
`load_playbooks`. Those of single alerts are in `alert_playbooks`.

Adding one = a file in `playbooks/` (copy a sibling) and a line in `tests/planner/test_playbooks.py`.
"""

import re
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, JsonValue, field_validator, model_validator

from app.domain.frozen import Frozen
from app.planner.words import any_matches

# Ten times the speed of the pure Python loader; the wheels of PyYAML have it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FOLDER = Path(__file__).parent / "playbooks"
HOLE = re.compile(r"\{([a-z_]+)(\?)?\}")
HOLES = frozenset(
    {"namespace", "service", "service_name", "workload", "pod", "container", "node", "kind", "name", "event_kind", "scrape_job", "scrape_instance"}
)
# Labels of the alert itself, `{alert_device}`: only inside a query, where they stand in a PromQL string, and in arguments that
# are compared with labels and used for nothing else. Hole -> label and the form its value must have; another form fills nothing.
COMPARED = frozenset({"query", "job", "instance"})
WORD, ADDRESS, PATH = r"[A-Za-z0-9][\w.-]{0,120}", r"[A-Za-z0-9\[][\w.:\[\]%-]{0,260}", r"[A-Za-z0-9/][\w./:@+~?=&%-]{0,260}"
LABEL_HOLES = {
    "alert_job": ("job", PATH),
    "alert_namespace": ("namespace", WORD),
    "alert_instance": ("instance", ADDRESS),
    "alert_device": ("device", PATH),
    "alert_mountpoint": ("mountpoint", PATH),
    "alert_unit": ("name", r"[A-Za-z0-9][\w.@:-]{0,250}"),
    "alert_bond": ("master", WORD),
    "alert_quota": ("resourcequota", WORD),
    "alert_resource": ("resource", PATH),
    "alert_integration": ("integration", WORD),
    "alert_controller": ("controller", WORD),
    "alert_handler": ("handler", PATH),
    "alert_mechanism": ("mechanism", WORD),
    "alert_remote": ("remote_name", WORD),
}


class Template(Frozen):
    """One step to make.

    Texts in `args` may hold `{namespace}` (the step is left out when the target gives no such thing) or `{workload?}` (then
    the argument is left out: the wider form; in a query only the matcher is). An argument `{from: pods, path:
    pods.0.metadata.name}` is filled from what the step of that id found, or the step is skipped: a branch.
    `after` names ids of steps above; `instead_of` names one that makes this step needless where it can be made. `tells`
    says what each finding means; `answers` numbers the questions of the reference catalogue that the step answers.
    `when: unmapped`: only where series could tell who calls the target and the configured service map does not.
    """

    id: str = ""
    tool: str = Field(min_length=1)
    reason: str = Field(min_length=1, max_length=120)
    args: dict[str, JsonValue] = Field(default_factory=dict)
    after: tuple[str, ...] = ()
    instead_of: str = ""
    when: Literal["", "unmapped"] = ""
    optional: bool = True
    tells: dict[str, str] = Field(default_factory=dict)
    answers: tuple[int, ...] = ()

    @field_validator("args")
    @classmethod
    def _known_holes(cls, args: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, value in args.items():
            known = HOLES | LABEL_HOLES.keys() if name in COMPARED else HOLES
            unknown = {hole for hole, _ in HOLE.findall(value)} - known if isinstance(value, str) else set()
            if unknown:
                raise ValueError(f"unknown holes {sorted(unknown)}; known are {sorted(known)}")
        return args

    @property
    def sources(self) -> frozenset[str]:
        """Ids of the steps whose findings fill an argument."""
        return frozenset(str(v["from"]) for v in self.args.values() if isinstance(v, dict))

    @model_validator(mode="after")
    def _filled_by_what_it_waits_for(self) -> "Template":
        if not self.sources <= set(self.after):
            raise ValueError(f"{self.tool} is filled by {sorted(self.sources)} and waits for {self.after}")
        return self


class Method(Frozen):
    """Ordered reads with reasons. `reasoning` is the middle of a sentence: "<alert> on <target>: <reasoning>"."""

    id: str
    reasoning: str = Field(min_length=10, max_length=200)
    steps: tuple[Template, ...] = Field(min_length=1, max_length=12)

    @model_validator(mode="after")
    def _steps_wait_for_earlier_ones(self) -> "Method":
        seen: set[str] = set()
        for step in self.steps:
            above = {*step.after, *((step.instead_of,) if step.instead_of else ())}
            if not above <= seen:
                raise ValueError(f"playbook {self.id}: {step.tool} waits for {sorted(above)}, which is not above it")
            seen |= {step.id or step.tool}
        return self


class Playbook(Method):
    """What to look at first for one family of alerts.

    The first playbook by `order` that applies is taken: when the target is of one of `kinds`, or when one of the
    `words` patterns is met and none of `unless`. One without both applies to everything.
    """

    id: str = Field(pattern=r"^[a-z][a-z_]*$")
    order: int = Field(ge=1)
    words: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def applies(self, words: frozenset[str], kind: str) -> bool:
        if not self.words and not self.kinds:
            return True
        return kind in self.kinds or (any_matches(self.words, words) and not any_matches(self.unless, words))


def load_playbooks(folder: Path = FOLDER) -> tuple[Playbook, ...]:
    """Every playbook of the folder by `order`. Raises pydantic.ValidationError or ValueError naming what is wrong."""
    found = [Playbook.model_validate(LOADER(p.read_text(encoding="utf-8")).get_single_data()) for p in sorted(folder.glob("*.yaml"))]
    books = tuple(sorted(found, key=lambda b: b.order))
    if len({b.id for b in books}) != len(books) or len({b.order for b in books}) != len(books):
        raise ValueError(f"two playbooks of {folder} have the same id or order")
    if not books or books[-1].words or books[-1].kinds:
        raise ValueError(f"the last playbook of {folder} must apply to everything")
    return books
