"""Which processes are alive: each beats, a beat holds for a while, and what an expired one was doing may be taken over.

Only `runtime`'s reaper uses this. A row is removed by the survivor that took the work over, never by the one it names.
"""

from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select, update

from app.domain.frozen import Clock, Frozen, UtcTime
from app.store.engine import Reads
from app.store.tables import replicas as t
from app.store.writer import Writer


class Replica(Frozen):
    id: str
    host: str
    pid: int
    expires_at: UtcTime


class Replicas:
    """`lease` is how long a beat holds."""

    def __init__(self, writer: Writer, reads: Reads, clock: Clock, lease: timedelta = timedelta(seconds=15)) -> None:
        self._writer = writer
        self._reads = reads
        self._clock = clock
        self.lease = lease

    async def beat(self, replica_id: str, host: str, pid: int) -> None:
        now = self._clock()
        values = {"host": host, "pid": pid, "beat_at": now, "expires_at": now + self.lease}

        def put(connection: Connection) -> None:
            if connection.execute(update(t).where(t.c.id == replica_id).values(values)).rowcount == 0:
                connection.execute(insert(t).values(id=replica_id, **values))

        await self._writer.run(put)

    async def all(self) -> tuple[Replica, ...]:
        query = select(t.c.id, t.c.host, t.c.pid, t.c.expires_at).order_by(t.c.id)
        rows = await self._reads.run(lambda connection: connection.execute(query).all())
        return tuple(Replica(**row._mapping) for row in rows)

    async def expired(self) -> tuple[Replica, ...]:
        now = self._clock()
        return tuple(replica for replica in await self.all() if replica.expires_at <= now)

    async def claim(self, dead: Replica) -> bool:
        """Whether the caller may take the work of `dead` over. The claim lapses with the lease, so that a claimer that
        dies at it is followed by another."""
        now = self._clock()
        claim = update(t).where(t.c.id == dead.id, t.c.expires_at == dead.expires_at).values(expires_at=now + self.lease, pid=0)
        return await self._writer.run(lambda connection: connection.execute(claim).rowcount == 1)

    async def forget(self, replica_id: str) -> None:
        """After its work was taken over."""
        await self._writer.run(lambda connection: connection.execute(delete(t).where(t.c.id == replica_id)))

    async def release(self, replica_id: str) -> None:
        """This process stops: what it leaves unfinished may be taken over at once."""
        values = {"expires_at": self._clock()}
        await self._writer.run(lambda connection: connection.execute(update(t).where(t.c.id == replica_id).values(values)))
