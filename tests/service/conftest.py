"""A folder with an empty store for each test, and services over it."""

import shutil
from pathlib import Path

import pytest

from tests.service.serving import make_empty


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database as a first start leaves it."""
    return make_empty(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def folder(tmp_path: Path, empty: Path) -> Path:
    """A data folder with an empty database: no test pays for the migrations again."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(empty, data)
    return data
