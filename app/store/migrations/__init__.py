"""Alembic's folder, and `migrate`, which `main` calls before anything else uses the database."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from app.domain.errors import SreAgentError

HEAD = "0002"
_LOCK = 7_201_845_113  # PostgreSQL advisory lock: one replica migrates, the others wait


def migrate(engine: Engine) -> bool:
    """Bring the database to `HEAD`; True if anything was done. A database that is there already costs one query, and
    alembic is not imported for it. Raises SreAgentError if the database is newer than this program."""
    with engine.execution_options(reading=True).begin() as connection:
        if _version(connection) == HEAD:
            return False
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _version(connection)
        if found == HEAD:
            return False
        if found > HEAD:
            raise SreAgentError(f"the database is at version {found}, this program knows up to {HEAD}: use the newer program")
        _upgrade(connection)
    return True


def _version(connection: Connection) -> str:
    """ "" for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(text("SELECT version_num FROM alembic_version")) or ""


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - 0.2 s that an up-to-date database does not pay
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
