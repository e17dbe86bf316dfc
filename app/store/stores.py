"""The database and everything that is kept in it, as one part; `main` makes it, starts it first and stops it last."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from app.domain.frozen import Clock, NewId
from app.store.continuations import Continuations
from app.store.coverage import Rules
from app.store.engine import Reads, database_url, make_engine, telling
from app.store.investigations import Investigations
from app.store.journal import Told, TrailJournal
from app.store.ledger import Ledger
from app.store.migrations import migrate
from app.store.outbox import Outbox
from app.store.replicas import Replicas
from app.store.retention import Retention
from app.store.trail import Trail
from app.store.vectors import Vectors
from app.store.writer import Writer


class Stores:
    """Nothing is opened before `start`. `lease` is how long a replica may be silent; `wall` is real time, for leases,
    `clock` the time that rows are stamped with."""

    def __init__(self, url: str, clock: Clock, new_id: NewId, wall: Clock, lease: timedelta) -> None:
        self.url = database_url(url)
        self.engine = make_engine(self.url)
        self.writer, self.reads = Writer(self.engine), Reads(self.engine)
        self.investigations = Investigations(self.writer, self.reads, clock)
        self.trail = Trail(self.reads)
        self.continuations = Continuations(self.writer, clock, new_id)
        self.outbox = Outbox(self.writer, clock)
        self.vectors = Vectors(self.writer, self.reads)
        self.replicas = Replicas(self.writer, self.reads, wall, lease)
        self.retention = Retention(self.writer)
        self._clock = clock

    def ledger(self, rules: Rules) -> Ledger:
        """Made last, for its rules enqueue with the engine; investigations split by the same rules."""
        self.investigations.rules = rules
        return Ledger(self.writer, self.reads, rules)

    def journal(self, investigation_id: str, told: Told = lambda event, data: ()) -> TrailJournal:
        return TrailJournal(self.writer, self._clock, investigation_id, told)

    async def start(self) -> None:
        """Raises CannotStart when the database does not answer, is damaged, or is newer than this program."""
        with telling(self.engine):
            await asyncio.to_thread(migrate, self.engine)
        self.writer.start()

    async def answers(self) -> None:
        """One read; raises what the database raises."""
        await self.reads.run(lambda connection: connection.execute(text("SELECT 1")).scalar_one())

    async def stop(self) -> None:
        await self.writer.stop()
        self.reads.close()
        self.engine.dispose()
