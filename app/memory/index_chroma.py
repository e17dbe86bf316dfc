"""Episode vectors in Chroma, in a folder of this process or on a server. Called by `index.py` only.

Always our own vectors (`embedding_function=None`; Chroma's own would download a model). The client is synchronous:
all calls run in one thread, in order.
"""

import asyncio
import fcntl
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from app.domain.memory import PastCase
from app.domain.ports import VectorRow
from app.memory.embedder import Embedder, Vectors, from_blobs
from app.memory.failures import IndexBroken, IndexUnreachable
from app.memory.seal import break_seal, seal, throw_away
from app.memory.vector_index import Hit

T = TypeVar("T")

COLLECTION = "agent_episodes"
HNSW = {"hnsw": {"space": "l2", "ef_construction": 200, "ef_search": 200}}
_CUT = 200
_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 5.0
_STUCK_SECONDS = 60.0


class ChromaIndex:
    """Fills `VectorIndex`. `place` is a folder (embedded; one process at a time) or `http(s)://host:port`.

    The collection is `agent_episodes-<embedder id>`: embedders are never mixed.
    """

    def __init__(self, place: str | Path, embedder: Embedder) -> None:
        server = str(place).startswith(("http://", "https://"))
        self._url = str(place) if server else ""
        self._folder = None if server else Path(place)
        self._name = f"{COLLECTION}-{embedder.id}"
        self._dimensions = embedder.dimensions
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chroma")
        self._lock: IO[bytes] | None = None
        self._closed = False
        self._client: Any = None
        self._collection: Any = None

    @property
    def embedded(self) -> bool:
        return self._folder is not None

    async def open(self) -> None:
        await self._run(self._open)

    async def count(self) -> int:
        return int(await self._run(lambda: self._ready().count()))

    async def add(self, rows: Sequence[VectorRow]) -> None:
        await self._run(lambda: self._add(rows))

    async def search(self, vector: Vectors, service: str, limit: int) -> list[Hit]:
        where = {"service": service} if service else None
        found = await self._run(lambda: self._ready().query(query_embeddings=[vector], n_results=limit, where=where, include=["distances"]))
        return [Hit(str(i), max(0.0, float(d))) for i, d in zip(found["ids"][0], found["distances"][0], strict=True)]

    async def remove(self, ids: Sequence[str]) -> None:
        await self._run(lambda: self._ready().delete(ids=list(ids)))

    async def reset(self) -> None:
        await self._run(self._reset)

    async def close(self) -> None:
        """Close in order and seal the folder; safe to call twice."""
        if not self._closed:
            self._closed = True
            await asyncio.wrap_future(self._thread.submit(self._close))
            await asyncio.to_thread(self._thread.shutdown)

    def _open(self) -> None:
        if self._folder is not None:
            self._own(self._folder)
            if self._client is None and not break_seal(self._folder):
                throw_away(self._folder)
        self._connect()

    def _own(self, folder: Path) -> None:
        """Chroma's maintainers call the embedded client not process-safe, so the folder is locked by its user."""
        if self._lock is not None:
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(folder.name + ".lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise IndexUnreachable(f"{folder} is in use by another process") from error
        self._lock = lock

    def _connect(self) -> None:
        import chromadb  # noqa: PLC0415
        from chromadb.config import Settings  # noqa: PLC0415

        settings = Settings(anonymized_telemetry=False)
        if self._client is None and self._folder is not None:
            self._client = chromadb.PersistentClient(str(self._folder), settings=settings)
        elif self._client is None:
            url = urlsplit(self._url)
            host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 8000)
            # Chroma's HTTP sessions wait for ever, and there is no public way to say otherwise: so look first, then set.
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
            self._client = chromadb.HttpClient(host=host, port=port, ssl=url.scheme == "https", settings=settings)
            for session in _sessions(self._client):
                session.timeout = _ANSWER_SECONDS
        self._collection = self._client.get_or_create_collection(self._name, embedding_function=None, configuration=HNSW)

    def _ready(self) -> Any:
        if self._collection is None:
            raise IndexUnreachable("the index is not open")
        return self._collection

    def _add(self, rows: Sequence[VectorRow]) -> None:
        self._ready().upsert(
            ids=[row.case.id for row in rows],
            embeddings=list(from_blobs([row.vector for row in rows], self._dimensions)),
            documents=[row.case.text for row in rows],
            metadatas=[metadata(row.case) for row in rows],
        )

    def _reset(self) -> None:
        if self._folder is not None:
            self._own(self._folder)
            self._drop_client()
            throw_away(self._folder)
        elif self._client is not None:
            self._client.delete_collection(self._name)
        self._connect()

    def _close(self) -> None:
        opened = self._client is not None
        try:
            if opened:
                self._translated(self._drop_client)
            if opened and self._folder is not None:
                seal(self._folder)
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _drop_client(self) -> None:
        client, self._client, self._collection = self._client, None, None
        if client is not None:
            # Its own close() leaves the sessions of a server open.
            for session in _sessions(client) if self._folder is None else ():
                session.close()
            client.close()

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._thread.submit(self._translated, call)), _STUCK_SECONDS)
        except TimeoutError as error:
            raise IndexUnreachable(f"Chroma did not answer within {_STUCK_SECONDS:g} s") from error

    def _translated(self, call: Callable[[], T]) -> T:
        """Chroma's errors as ours. A server that is away is no reason to delete what it holds."""
        away, broken = _chroma_errors()
        try:
            return call()
        except away as error:
            raise IndexUnreachable(f"Chroma: {error}") from error
        except broken as error:
            if self._folder is None and self._collection is None:
                raise IndexUnreachable(f"Chroma server: {error}") from error
            raise IndexBroken(f"Chroma: {type(error).__name__}: {error}") from error


def _sessions(client: Any) -> list[Any]:
    return [part._server._session for part in (client, client._admin_client)]


def _chroma_errors() -> tuple[tuple[type[Exception], ...], tuple[type[Exception], ...]]:
    """-> (not to be had, broken)."""
    try:
        from chromadb.api.fastapi import httpx  # type: ignore[attr-defined]  # noqa: PLC0415
        from chromadb.errors import ChromaError  # noqa: PLC0415
    except ImportError as error:
        raise IndexUnreachable(f"chromadb cannot be imported: {error}") from error
    return (httpx.HTTPError,), (ChromaError, ValueError, TypeError, KeyError, RuntimeError, OSError)


def metadata(case: PastCase) -> dict[str, str | int | float]:
    """EMEM-04, and what recall filters by."""
    return {
        "task": case.task[:_CUT],
        "root_cause": case.root_cause[:_CUT],
        "fix": case.fix[:_CUT],
        "severity": case.severity,
        "duration_s": case.duration_s,
        "timestamp": case.timestamp.strftime("%Y-%m-%d %H:%M:%S"),
        "findings_count": case.findings_count,
        "service": case.service,
        "alert_type": case.alert_type,
    }
