"""A run names the counters it was charged to. Of those that wait already nothing is known, so they give nothing back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.drop_column("runs", "charged")
    op.add_column("runs", sa.Column("charged", TEXT, nullable=True))
