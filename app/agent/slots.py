"""How many calls of one investigation are on their way at once. Made by `session`, used by `engine`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """At most `parallel` calls at once, first come first served. A call that has not answered after `patience` seconds gives
    its place to the next one: a source that hangs keeps nobody from asking the others."""

    def __init__(self, parallel: int, patience: float) -> None:
        self._free = asyncio.Semaphore(parallel)
        self._patience = patience

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        await self._free.acquire()
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._free.release()

        losing_patience = asyncio.get_running_loop().call_later(self._patience, give_back)
        try:
            yield
        finally:
            losing_patience.cancel()
            give_back()
