"""`VectorRows` in a SQLite file of the test's own, with the few lines that the port needs; the product's is in `app.store`."""

import sqlite3
from pathlib import Path

from app.domain.memory import PastCase
from app.domain.ports import VectorRow

_SCHEMA = "CREATE TABLE IF NOT EXISTS cases (id TEXT PRIMARY KEY, service TEXT, at TEXT, body TEXT, embedder TEXT, vector BLOB)"


class SqliteRows:
    def __init__(self, path: Path) -> None:
        self.path = path
        with self._db() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(_SCHEMA)
        self.reads = 0

    def _db(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None, timeout=10)

    def _all(self, query: str, *values: object) -> list[tuple[str, ...]]:
        self.reads += 1
        db = self._db()
        found = db.execute(query, values).fetchall()
        db.close()
        return found

    async def put(self, row: VectorRow) -> None:
        case = row.case
        values = (case.id, case.service, case.timestamp.isoformat(), case.model_dump_json(), row.embedder, row.vector)
        self._all("INSERT OR REPLACE INTO cases VALUES (?, ?, ?, ?, ?, ?)", *values)

    async def count(self, embedder: str) -> int:
        return int(self._all("SELECT count(*) FROM cases WHERE embedder = ?", embedder)[0][0])

    async def rows(self, embedder: str, after: str = "", limit: int = 500) -> tuple[VectorRow, ...]:
        query = "SELECT body, embedder, vector FROM cases WHERE embedder = ? AND id > ? ORDER BY id LIMIT ?"
        found = self._all(query, embedder, after, limit)
        return tuple(VectorRow(case=PastCase.model_validate_json(body), embedder=name, vector=vector) for body, name, vector in found)

    async def by_ids(self, ids: tuple[str, ...]) -> tuple[PastCase, ...]:
        marks = ",".join("?" * len(ids))
        return tuple(PastCase.model_validate_json(body) for (body,) in self._all(f"SELECT body FROM cases WHERE id IN ({marks})", *ids))

    async def cases_of(self, service: str, limit: int) -> tuple[PastCase, ...]:
        query = "SELECT body FROM cases WHERE service = ? ORDER BY at DESC LIMIT ?"
        return tuple(PastCase.model_validate_json(body) for (body,) in self._all(query, service, limit))

    async def total(self) -> int:
        return int(self._all("SELECT count(*) FROM cases")[0][0])

    def delete(self, case_id: str) -> None:
        """What retention does, behind memory's back."""
        self._all("DELETE FROM cases WHERE id = ?", case_id)
