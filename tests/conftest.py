"""Switches of the suite: `--real` runs what needs real servers (a skip is then a failure); tests marked `shared` are
deselected, with a printed line, where the folder of shared data is absent."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real", action="store_true", help="real servers are there: a skipped test is a failure")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if SHARED.is_dir():
        return
    gone = [item for item in items if item.get_closest_marker("shared")]
    if gone:
        items[:] = [item for item in items if item not in gone]
        config.hook.pytest_deselected(items=gone)
        print(f"\n{len(gone)} tests that read the shared data were left out: {SHARED} is not there")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def]
    result = (yield).get_result()
    if result.skipped and item.config.getoption("--real"):
        result.outcome = "failed"
        result.longrepr = f"skipped although --real: {item.nodeid}"


@pytest.fixture
def shared() -> Path:
    """The folder of shared data; use with `@pytest.mark.shared`."""
    return SHARED
