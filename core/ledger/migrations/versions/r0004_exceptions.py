"""Single due times that are skipped or moved, and blackouts, stand beside a schedule's calendar and hours."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("schedules", sa.Column("exceptions", TEXT, nullable=True))
