"""Live schedules stand in one index instead of two: that of names, which takes in those that have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("schedules_live", "schedules")
    op.drop_index("schedules_name", "schedules")
    op.create_index(
        "schedules_name",
        "schedules",
        [sa.text("coalesce(guild_id, '')"), "name"],
        unique=True,
        sqlite_where=sa.text("live = 1"),
        postgresql_where=sa.text("live = 1"),
    )
