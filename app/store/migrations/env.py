"""Run by alembic: our tables on the connection that `migrate` (or a developer's `alembic -x url=...`) hands in."""

from alembic import context

from app.store.engine import make_engine
from app.store.tables import metadata


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        connection = make_engine(context.get_x_argument(as_dictionary=True)["url"]).connect()
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


run()
