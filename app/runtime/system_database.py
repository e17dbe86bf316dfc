"""DBOS's engine: the same database as ours, with our settings; the only module here that touches SQLAlchemy."""

from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url

from app.store.engine import database_url, server_engine, set_pragmas


def system_engine(url: str) -> Engine:
    """A pool of its own, so that a flood of our reads never starves the queue. DBOS relies on the driver's own
    BEGIN IMMEDIATE before the first write, where our engine begins by itself."""
    parsed = make_url(database_url(url))
    if parsed.get_backend_name() != "sqlite":
        return server_engine(parsed, pool_size=8, max_overflow=8)
    engine = create_engine(parsed, pool_size=8, max_overflow=8)
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    set_pragmas(connection)
