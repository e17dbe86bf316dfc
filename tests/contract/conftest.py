"""Databases for the contract suites: a SQLite file always; on PostgreSQL (marker `real`) a database of its own per test."""

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.contract.parts import Parts


def _scratch_database(server: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    plain = server.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield plain.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'agent.db'}"
        return
    server = os.environ.get("SRE_AGENT_TEST_POSTGRES_URL", "")
    if not server:
        pytest.skip("SRE_AGENT_TEST_POSTGRES_URL is not set")
    yield from _scratch_database(server)


@pytest.fixture
async def parts(url: str) -> AsyncIterator[Parts]:
    opened = Parts(url).open()
    yield opened
    await opened.close()
