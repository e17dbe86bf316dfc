"""The engine on DBOS: a queue of investigations whose runs survive the process. The only importer of dbos.

DBOS does what is durable about the queue (enqueued with our rows in one transaction, run on one replica, run again after a
crash); what is durable about a run is the trail. So a workflow here has no steps, and a run that is repeated reads the trail.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions

from app.domain.frozen import JsonObject
from app.domain.investigation import InvestigationStatus, is_final
from app.runtime.engine_logs import join_our_logs
from app.runtime.ports import Work
from app.runtime.system_database import system_engine
from app.store.continuations import Continuations
from app.store.engine import telling
from app.store.investigations import Investigations

NAME = "sre-agent"
VERSION = "sre-agent-1"  # by hand: DBOS's default hashes the sources and strands unfinished work at every upgrade
WORKFLOW = "investigate"
QUEUE = "investigations"
CONTINUED = "continuations"  # without limit: who was waited for should not wait in turn
_GIVEN_UP = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


@dataclass(frozen=True)
class EngineOptions:
    """`concurrency`: investigations at once in this process. `poll_s`: how often the queue is looked at.
    `recoveries`: far more than the runner's own tries: it knows which
    runs got further, and its reason is the one to be told. `look_s`: how
    often a waiter asks the store, for what runs on another replica."""

    concurrency: int = 4
    poll_s: float = 0.1
    recoveries: int = 50
    look_s: float = 0.5


class DbosEngine:
    """One per process: DBOS keeps its state in the module. `work` is the `Runner`."""

    def __init__(
        self,
        url: str,
        executor_id: str,
        work: Work,
        investigations: Investigations,
        continuations: Continuations,
        options: EngineOptions = EngineOptions(),
    ) -> None:
        self._url = url
        self.executor_id = executor_id
        self._work = work
        self._investigations = investigations
        self._continuations = continuations
        self._options = options
        self._engine = system_engine(url)
        self._client: DBOSClient | None = None
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._cancelled: set[str] = set()
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._leaving = False

    async def launch(self) -> None:
        join_our_logs()
        DBOS(
            config={
                "name": NAME,
                "system_database_url": self._url,
                "system_database_engine": self._engine,
                "executor_id": self.executor_id,
                "application_version": VERSION,
                "log_level": "WARNING",
                "serializer": DBOSPortableJSONSerializer(),
            }
        )

        async def investigate(investigation_id: str) -> None:
            await self._run(investigation_id)

        DBOS.workflow(name=WORKFLOW, max_recovery_attempts=self._options.recoveries)(investigate)
        with telling(self._engine):
            DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE, worker_concurrency=self._options.concurrency, polling_interval_sec=self._options.poll_s, on_conflict="always_update"
        )
        await DBOS.register_queue_async(CONTINUED, polling_interval_sec=5 * self._options.poll_s, on_conflict="always_update")
        self._client = DBOSClient(system_database_engine=self._engine, application_name=NAME, serializer=DBOSPortableJSONSerializer())

    async def stop(self) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.to_thread(self._destroy)
        # DBOS had put its own threads into the loop and has ended them: what stops after us still needs some.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="after-dbos"))

    def _destroy(self) -> None:
        if self._client is not None:
            self._client.destroy()
        DBOS.destroy(destroy_registry=True)
        self._engine.dispose()

    async def _run(self, investigation_id: str) -> None:
        """The workflow. Cancelled by a caller it ends; cancelled by `stop` it stays unfinished and is run again."""
        task = asyncio.ensure_future(self._work(investigation_id))
        self._running[investigation_id] = task
        try:
            await task
        except asyncio.CancelledError:
            if investigation_id not in self._cancelled:
                raise
        finally:
            self._running.pop(investigation_id, None)
            self._cancelled.discard(investigation_id)
            for event in self._waiting.get(investigation_id, ()):
                event.set()

    def enqueue(self, connection: Any, workflow_id: str, argument: str) -> None:
        self._launched().enqueue_in_transaction(connection, _options(QUEUE, workflow_id), argument)

    def _enqueue_continued(self, connection: Any, workflow_id: str, argument: str) -> None:
        self._launched().enqueue_in_transaction(connection, _options(CONTINUED, workflow_id), argument)

    def _launched(self) -> DBOSClient:
        if self._client is None:
            raise RuntimeError("the engine is not launched: nothing can be enqueued")
        return self._client

    async def start(self, investigation_id: str) -> None:
        await self._launched().enqueue_async(_options(QUEUE, investigation_id), investigation_id)

    async def signal(self, investigation_id: str, name: str, payload: JsonObject) -> bool:
        return await self._continuations.answer(investigation_id, name, payload, self._enqueue_continued)

    async def fork(self, investigation_id: str, after: int) -> str:
        return await self._continuations.fork(investigation_id, after, self.enqueue)

    async def status(self, investigation_id: str) -> InvestigationStatus | None:
        return await self._investigations.status(investigation_id)

    async def cancel(self, investigation_id: str) -> None:
        """The status first: a replica that runs it elsewhere is refused its next call by the journal."""
        await self._investigations.cancel(investigation_id)
        if task := self._running.get(investigation_id):
            self._cancelled.add(investigation_id)
            task.cancel()

    async def wait(self, investigation_id: str, timeout_s: float) -> bool:
        """False at once for an unknown one, for one that waits for a person, and after `let_go`."""
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        waiting = self._waiting.setdefault(investigation_id, set())
        waiting.add(ended)
        try:
            while True:
                status = await self._investigations.status(investigation_id)
                if status is None or status is InvestigationStatus.AWAITING_APPROVAL:
                    return False
                if is_final(status):
                    return True
                if self._leaving or (left := deadline - loop.time()) <= 0:
                    return False
                ended.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), min(left, self._options.look_s))
        finally:
            waiting.discard(ended)
            if not waiting:
                self._waiting.pop(investigation_id, None)

    def let_go(self) -> None:
        """Before `stop`: nobody waits any longer."""
        self._leaving = True
        for waiting in self._waiting.values():
            for event in waiting:
                event.set()

    async def take_over(self, executor_id: str) -> int:
        """Put what an executor left unfinished back into the queue -> how many. Harmless if it lives after all.

        DBOS sells this as a service; the method is private, so the minor version is pinned and a test runs it.
        """
        return len(await asyncio.to_thread(DBOS._recover_pending_workflows, [executor_id]))

    async def executors(self) -> frozenset[str]:
        """Who holds unfinished work."""
        held = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
        return frozenset(workflow.executor_id for workflow in held if workflow.executor_id)

    async def given_up(self) -> dict[str, str]:
        """Investigations whose workflow DBOS will not run again, with its word for it, newest first."""
        ended = await DBOS.list_workflows_async(status=_GIVEN_UP, limit=500, sort_desc=True, load_input=False, load_output=False)
        return {workflow.workflow_id.split(":")[0]: workflow.status for workflow in ended}

    async def forget(self, investigation_ids: tuple[str, ...]) -> None:
        """Delete the workflows of investigations that are gone; DBOS itself never deletes any."""
        for start in range(0, len(investigation_ids), 100):
            some = list(investigation_ids[start : start + 100])
            found = await DBOS.list_workflows_async(workflow_id_prefix=some, load_input=False, load_output=False)
            if found:
                await DBOS.delete_workflows_async([workflow.workflow_id for workflow in found])


def _options(queue: str, workflow_id: str) -> EnqueueOptions:
    return {"workflow_name": WORKFLOW, "queue_name": queue, "workflow_id": workflow_id}
