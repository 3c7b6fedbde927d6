"""Who runs after whom stands in a table, where a run that ends finds what follows it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("parent", TEXT, primary_key=True),
        sa.Column("child", TEXT, primary_key=True),
        sa.Column("run_id", TEXT, nullable=True),
        sa.Column("state", TEXT, nullable=True),
        sa.Column("fresh", sa.BigInteger(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("links_child", "links", ["child"])
