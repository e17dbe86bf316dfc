"""The port of a vector index, and what its answers are made of. Filled by `index_chroma.py` and `index_numpy.py`."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from app.domain.ports import VectorRow
from app.memory.embedder import Vectors


class Hit(NamedTuple):
    """A case id and its squared L2 distance (0..4 for vectors of length 1)."""

    id: str
    distance: float


class VectorIndex(Protocol):
    """Every method raises IndexBroken (build it anew) or IndexUnreachable (try later). `embedded` is true when the
    store is this process's own, so that throwing it away disturbs nobody."""

    @property
    def embedded(self) -> bool: ...

    async def open(self) -> None:
        """Make ready; an absent store is made, empty."""

    async def count(self) -> int: ...

    async def add(self, rows: Sequence[VectorRow]) -> None:
        """Insert or replace by case id."""

    async def search(self, vector: Vectors, service: str, limit: int) -> list[Hit]:
        """The nearest, nearest first; of one service unless `service` is ""."""

    async def remove(self, ids: Sequence[str]) -> None:
        """Forget cases that SQL no longer has; unknown ids are fine."""

    async def reset(self) -> None:
        """Throw everything away and be open and empty."""

    async def close(self) -> None: ...
