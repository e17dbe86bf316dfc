"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _alerts()
    _bodies()
    _episodes()
    _investigations()
    _outbox()
    _past_cases()
    _quarantine()
    _replicas()
    _investigation_alerts()
    _trail_events()


def downgrade() -> None:
    for table in (
        "trail_events",
        "investigation_alerts",
        "replicas",
        "quarantine",
        "past_cases",
        "outbox",
        "investigations",
        "episodes",
        "bodies",
        "alerts",
    ):
        op.drop_table(table)


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("seq", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("body_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("episode_id", sa.String(length=64), nullable=False),
        sa.Column("nth", sa.Integer(), nullable=False),
        sa.Column("investigation_id", sa.String(length=64), nullable=False),
        sa.Column("started", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_alerts"),
        sa.UniqueConstraint("id", name="uq_alerts_id"),
    )
    op.create_index("ix_alerts_body_id", "alerts", ["body_id"])
    op.create_index("ix_alerts_episode_id", "alerts", ["episode_id"])
    op.create_index("ix_alerts_received_at", "alerts", ["received_at"])
    op.create_index("ix_alerts_source_fingerprint_starts_at", "alerts", ["source", "fingerprint", "starts_at"])


def _bodies() -> None:
    op.create_table(
        "bodies",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bodies"),
        sa.UniqueConstraint("source", "idempotency_key", name="uq_bodies_source_idempotency_key"),
    )
    op.create_index("ix_bodies_received_at", "bodies", ["received_at"])


def _episodes() -> None:
    op.create_table(
        "episodes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=255), nullable=False),
        sa.Column("nth", sa.Integer(), nullable=False),
        sa.Column("first_start", TIME, nullable=False),
        sa.Column("last_start", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("investigation_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_episodes"),
        sa.UniqueConstraint("source", "fingerprint", "nth", name="uq_episodes_source_fingerprint_nth"),
    )
    op.create_index("ix_episodes_investigation_id", "episodes", ["investigation_id"])


def _investigations() -> None:
    op.create_table(
        "investigations",
        sa.Column("seq", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("timestamp", TIME, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("alert_type", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("results", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_investigations"),
        sa.UniqueConstraint("id", name="uq_investigations_id"),
    )
    op.create_index("ix_investigations_status_finished_at", "investigations", ["status", "finished_at"])
    op.create_index("ix_investigations_target_timestamp", "investigations", ["target", "timestamp"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column("investigation_id", sa.String(length=64), nullable=True),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("delivered_at", TIME, nullable=True),
        sa.Column("given_up_at", TIME, nullable=True),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_delivered_at_given_up_at_next_at", "outbox", ["delivered_at", "given_up_at", "next_at"])
    op.create_index("ix_outbox_investigation_id", "outbox", ["investigation_id"])


def _past_cases() -> None:
    op.create_table(
        "past_cases",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("embedder", sa.String(length=128), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_past_cases"),
    )
    op.create_index("ix_past_cases_embedder_id", "past_cases", ["embedder", "id"])
    op.create_index("ix_past_cases_service_at", "past_cases", ["service", "at"])


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("body_id", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_body_id", "quarantine", ["body_id"])


def _replicas() -> None:
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("beat_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replicas"),
    )


def _investigation_alerts() -> None:
    op.create_table(
        "investigation_alerts",
        sa.Column("investigation_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["investigation_id"], ["investigations.id"], name="fk_investigation_alerts_investigation_id"),
        sa.PrimaryKeyConstraint("investigation_id", "position", name="pk_investigation_alerts"),
    )


def _trail_events() -> None:
    op.create_table(
        "trail_events",
        sa.Column("investigation_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.String(length=64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["investigation_id"], ["investigations.id"], name="fk_trail_events_investigation_id"),
        sa.PrimaryKeyConstraint("investigation_id", "sequence", name="pk_trail_events"),
        sa.UniqueConstraint("investigation_id", "type", "key_digest", name="uq_trail_events_investigation_id_type_key_digest"),
    )
    # ### end Alembic commands ###
