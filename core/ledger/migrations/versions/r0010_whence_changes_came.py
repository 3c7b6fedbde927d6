"""Audit lines say from where a change was asked for, and are listed newest first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INDEXES = {
    "audit_at": ["at", "id"],
    "audit_guild": ["guild_id", "at", "id"],
    "audit_actor": ["guild_id", "actor", "at", "id"],
    "audit_action": ["guild_id", "action", "at", "id"],
    "audit_target": ["target", "at", "id"],
}


def upgrade() -> None:
    op.add_column("audit", sa.Column("via", TEXT, nullable=True))
    for name, columns in INDEXES.items():
        op.create_index(name, "audit", columns)
