"""What alembic runs: the migrations, on the connection it is handed."""

from __future__ import annotations

from alembic import context

from core.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most of a table: alembic copies it instead
    transactional_ddl=False,  # `run` sets the borders of the transaction
)
context.run_migrations()
