"""An empty database for the tests that begin with one."""

import asyncio
from pathlib import Path

import pytest

from app.cli.evaluate import empty_store


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database as a first start leaves it."""
    return asyncio.run(empty_store(tmp_path_factory.mktemp("empty")))
