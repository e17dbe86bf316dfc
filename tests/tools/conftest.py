"""Shared parts of the tests of the tools: a context with a fixed time, and clients with short time limits."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.tool import ToolContext, Window

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.fixture
def context() -> ToolContext:
    return ToolContext(now=NOW, window=Window(start=NOW - timedelta(hours=1), end=NOW))
