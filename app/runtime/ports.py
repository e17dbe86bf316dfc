"""What the house knows of the engine that makes work survive, and what the engine needs of the agent."""

from typing import Any, Protocol

from app.domain.frozen import JsonObject
from app.domain.investigation import Investigation, InvestigationStatus
from app.domain.ports import Journal
from app.domain.report import Report


class Agent(Protocol):
    """May be run any number of times with the same investigation: what its journal holds is not done again."""

    async def investigate(self, investigation: Investigation, journal: Journal) -> Report: ...


class Notices(Protocol):
    """Which notices a report gives rise to; each is a JSON object with `channel`. Pure, and without I/O."""

    def __call__(self, investigation: Investigation, report: Report) -> tuple[JsonObject, ...]: ...


class Work(Protocol):
    """One run of one investigation, to its end or to a question; raises only if even failing could not be recorded."""

    async def __call__(self, investigation_id: str) -> None: ...


class Engine(Protocol):
    async def launch(self) -> None:
        """Inside the event loop that shall run the work; takes up what this executor left unfinished."""

    async def stop(self) -> None:
        """Leave running work unfinished, as after a crash: it goes on elsewhere or at the next launch."""

    def enqueue(self, connection: Any, workflow_id: str, argument: str) -> None:
        """Fills the `Enqueue` port: nothing happens unless the caller's transaction commits."""

    async def start(self, investigation_id: str) -> None:
        """Enqueue a stored investigation by itself; a second time does nothing."""

    async def signal(self, investigation_id: str, name: str, payload: JsonObject) -> bool:
        """A person's answer, recorded once under its name; True if it was the first. Continues a waiting investigation."""

    async def cancel(self, investigation_id: str) -> None:
        """Stop it wherever it runs; IllegalMove if it has ended."""

    async def status(self, investigation_id: str) -> InvestigationStatus | None:
        """None for an unknown one."""

    async def fork(self, investigation_id: str, after: int) -> str:
        """Another investigation that takes the first `after` trail events as given -> its id."""

    async def wait(self, investigation_id: str, timeout_s: float) -> bool:
        """True as soon as it has ended or waits for a person, False when the time ran out first."""

    def let_go(self) -> None:
        """Answer everybody who waits, and let nobody wait from here on."""
