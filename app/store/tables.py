"""Every table we own, as SQLAlchemy Core; read by all of `store`, and compared with the migrations by a test.

DBOS keeps its own tables beside these (schema `dbos` on PostgreSQL). Rows that readers page through are numbered by
`seq` in the order they were written.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from app.store.columns import IndexedText, JsonText, PlainText, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only on INTEGER

bodies = Table(
    "bodies",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("idempotency_key", IndexedText),  # NULL, not "", when none was sent: NULLs never collide
    Column("digest", String(64), nullable=False),
    Column("content_type", PlainText, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", UtcTime, nullable=False, index=True),
    UniqueConstraint("source", "idempotency_key"),
)

investigations = Table(
    "investigations",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("timestamp", UtcTime, nullable=False),
    Column("status", String(32), nullable=False),
    Column("alert_type", PlainText, nullable=False),
    Column("service", PlainText, nullable=False),
    Column("target", IndexedText, nullable=False),
    Column("group_key", IndexedText, nullable=False, server_default=""),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("attempts", Integer, nullable=False, default=0),
    Column("plan", JsonText),
    Column("results", JsonText),  # the report
    Column("reaches", JsonText),  # target keys that the verdict accounts for
    Column("failure", PlainText, nullable=False, default=""),
    Index(None, "target", "timestamp"),
    Index(None, "group_key", "timestamp"),
    Index(None, "status", "finished_at"),
)

episodes = Table(
    "episodes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("source", String(32), nullable=False),
    Column("fingerprint", IndexedText, nullable=False),
    Column("nth", Integer, nullable=False),
    Column("first_start", UtcTime, nullable=False),
    Column("last_start", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("seen_at", UtcTime, nullable=False),
    Column("investigation_id", String(64), index=True),
    UniqueConstraint("source", "fingerprint", "nth"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("body_id", String(64), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("source", String(32), nullable=False),
    Column("fingerprint", IndexedText, nullable=False),
    Column("name", PlainText, nullable=False),
    Column("status", String(16), nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("began_at", UtcTime, nullable=False),  # starts_at, or received_at where starts_at lies in the future
    Column("received_at", UtcTime, nullable=False, index=True),
    Column("episode_id", String(64), nullable=False, default="", index=True),
    Column("nth", Integer, nullable=False, default=1),
    Column("investigation_id", String(64), nullable=False, default=""),
    Column("started", Boolean, nullable=False, default=False),
    Column("reason", String(32), nullable=False),
    Column("detail", PlainText, nullable=False, default=""),
    Column("data", JsonText, nullable=False),
    Index(None, "source", "fingerprint", "starts_at"),
)

investigation_alerts = Table(
    "investigation_alerts",
    metadata,
    Column("investigation_id", String(64), ForeignKey("investigations.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("data", JsonText, nullable=False),  # the alert as it was when it opened or joined: never changes
)

trail_events = Table(
    "trail_events",
    metadata,
    Column("investigation_id", String(64), ForeignKey("investigations.id"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("type", String(32), nullable=False),
    Column("key", PlainText, nullable=False),
    Column("key_digest", String(64), nullable=False),  # keys may be longer than an index entry may be
    Column("data", JsonText, nullable=False),
    UniqueConstraint("investigation_id", "type", "key_digest"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("investigation_id", String(64), index=True),
    Column("channel", String(64), nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", UtcTime, nullable=False),
    Column("holder", String(64), nullable=False, default=""),
    Column("delivered_at", UtcTime),
    Column("given_up_at", UtcTime),
    Column("failure", PlainText, nullable=False, default=""),
    Index(None, "delivered_at", "given_up_at", "next_at"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("body_id", String(64), index=True),  # NULL when the whole body was refused
    Column("position", Integer),
    Column("body", LargeBinary, nullable=False),
    Column("content_type", PlainText, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", PlainText, nullable=False),
)

past_cases = Table(
    "past_cases",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("embedder", String(128), nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("service", IndexedText, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("data", JsonText, nullable=False),
    Index(None, "embedder", "id"),
    Index(None, "service", "at"),
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", PlainText, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("beat_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
