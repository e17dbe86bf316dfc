"""What an investigation was told in one group with, and what its verdict reaches."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("investigations", sa.Column("group_key", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("investigations", sa.Column("reaches", sa.Text()))
    op.create_index("ix_investigations_group_key_timestamp", "investigations", ["group_key", "timestamp"])


def downgrade() -> None:
    op.drop_index("ix_investigations_group_key_timestamp", "investigations")
    op.drop_column("investigations", "reaches")
    op.drop_column("investigations", "group_key")
