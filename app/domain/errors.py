"""Every exception of our own.

SreAgentError
├── Refused               a caller's request cannot be taken: HTTP status, reason, sentence
├── ToolFailure           a tool could not get its answer: error class decides about retries
├── ModelFailure          the model did not give a usable answer: the rules take over
├── ReplayDiverged        a replay met another call than the trail holds
├── WriteInDoubt          a write was begun and has no recorded result: it goes to a person
├── StoreAway             the database does not answer, or takes nothing, just now: wait and try again
├── CannotStart           a setting, or what it names, cannot be used: the sentence names the setting and the fix
├── IllegalMove           a status machine was asked for a move that is not in its table
└── CircularDependency    a plan whose steps wait for one another
"""

from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.reason import ErrorClass, Reason


class SreAgentError(Exception):
    """The root: nothing of ours is raised that is not one of these."""


class Refused(SreAgentError):
    """A caller's request cannot be taken. `status` is the HTTP status, `reason` the closed word, `detail` a sentence
    that names the fix."""

    def __init__(self, status: int, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail


class ToolFailure(SreAgentError):
    """A tool got no answer. Only `ErrorClass.TRANSIENT` is tried again. `status_code` is the source's HTTP status or 0."""

    def __init__(self, error_class: ErrorClass, reason: Reason, detail: str, status_code: int = 0) -> None:
        super().__init__(detail)
        self.error_class = error_class
        self.reason = reason
        self.detail = detail
        self.status_code = status_code


class ModelFailure(SreAgentError):
    """The model gave no usable answer; the planner falls back to rules and says why. `transient`: asking again may help,
    after `retry_after` seconds at least (0: the vendor did not say)."""

    def __init__(self, reason: Reason, detail: str, *, transient: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.transient = transient
        self.retry_after = retry_after


class ReplayDiverged(SreAgentError):
    """A replay asked for a call that the trail does not hold."""


class WriteInDoubt(SreAgentError):
    """A write was begun in an earlier run and has no recorded result. It is never run again: a person must look."""


class StoreAway(SreAgentError):
    """The database does not answer or takes nothing (stopped, full, locked) just now. Nothing is wrong with what was asked:
    waiting helps."""


class CannotStart(SreAgentError):
    """A setting, or what it names, cannot be used. Shown to the operator as one line: setting, what is wrong, what to do."""


@contextmanager
def blaming(*settings: str) -> Iterator[None]:
    """What goes wrong inside becomes CannotStart, told with the settings that lead there."""
    try:
        yield
    except (SreAgentError, OSError, ValueError) as wrong:
        raise CannotStart(f"{', '.join(settings)}: {' '.join(str(wrong).split())}") from wrong


class IllegalMove(SreAgentError):
    """A status change that the table of legal moves does not contain."""


class CircularDependency(SreAgentError):
    """`Circular dependency detected` (requirement EXEC-03)."""

    def __init__(self, waiting: tuple[str, ...]) -> None:
        super().__init__(f"Circular dependency detected: {', '.join(waiting)}")
