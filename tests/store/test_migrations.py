"""Migrations: the same tables as the code has, and nothing to pay when they are there."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.domain.errors import SreAgentError
from app.store import migrations
from app.store.engine import database_url, make_engine
from app.store.migrations import HEAD, migrate
from app.store.tables import metadata


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'new' / 'm.db'}"


def test_the_migrated_tables_are_those_of_the_code(tmp_path: Path) -> None:
    engine = make_engine(url(tmp_path))
    assert (migrate(engine), migrate(engine)) == (True, False)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_migrated_database_opens_without_alembic(tmp_path: Path) -> None:
    engine = make_engine(url(tmp_path))
    migrate(engine)
    engine.dispose()
    program = (
        "import sys; from app.store.engine import make_engine; from app.store.migrations import migrate; "
        f"print(migrate(make_engine({url(tmp_path)!r})), 'alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    engine = make_engine(url(tmp_path))
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SreAgentError, match="newer"):
        migrate(engine)
    engine.dispose()


def test_the_file_is_durable_and_readers_do_not_wait_for_the_writer(tmp_path: Path) -> None:
    engine = make_engine(url(tmp_path))
    migrate(engine)
    with engine.begin() as writing, engine.execution_options(reading=True).begin() as reading:
        pragmas = [writing.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")]
        assert pragmas == ["wal", 2, 1]
        assert reading.scalar(text("SELECT count(*) FROM bodies")) == 0
    engine.dispose()


def test_a_plain_postgresql_url_names_our_driver() -> None:
    assert database_url("postgresql://u@h/d") == database_url("postgres://u@h/d") == "postgresql+psycopg://u@h/d"
    assert database_url("sqlite:///x.db") == "sqlite:///x.db"
