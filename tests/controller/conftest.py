"""The application over the in-memory twin, and a client that speaks to it without a socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx2
import pytest

from app.controller.app_factory import create_app
from app.controller.parts import ControllerParts
from tests.controller.twin import Twin, parts_with

Open = Callable[[ControllerParts], AbstractAsyncContextManager[httpx2.AsyncClient]]


@asynccontextmanager
async def client_for(parts: ControllerParts) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(parts), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://agent") as client:
        yield client


@pytest.fixture
def twin() -> Twin:
    return Twin()


@pytest.fixture
def open_client() -> Open:
    return client_for


@pytest.fixture
async def client(twin: Twin) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_for(parts_with(twin)) as opened:
        yield opened
