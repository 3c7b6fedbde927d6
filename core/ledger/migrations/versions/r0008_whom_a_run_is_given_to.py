"""What a run wants of who gets it, and how the methods of handlers went, minute by minute and hour by hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("runs", sa.Column("routing", TEXT, nullable=True))
    op.create_table(
        "handler_history",
        sa.Column("at", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("span", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("handler", TEXT, primary_key=True),
        sa.Column("method", TEXT, primary_key=True),
        sa.Column("guild", TEXT, primary_key=True),
        sa.Column("core", TEXT, primary_key=True),
        sa.Column("succeeded", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("times", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("handler_history_handler", "handler_history", ["handler", "at"])
