"""Runs that failed for good are dead letters; a run knows whether its arguments are its own; a schedule's policy names a
time-out only where somebody wants one.

Until now every policy named the default, and the method's own time-out won all the same: so the default is taken out.
Which of the earlier runs had arguments of their own is not known; those that were asked for keep the ones they had.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "dead",
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("guild_id", TEXT, nullable=True),
        sa.Column("schedule_id", TEXT, nullable=False),
        sa.Column("handler", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("dead_guild", "dead", ["guild_id", "run_id"])
    op.create_index("dead_schedule", "dead", ["schedule_id", "run_id"])
    op.add_column("runs", sa.Column("own_args", sa.Integer(), nullable=True))
    op.execute("UPDATE runs SET own_args = 1 WHERE occurrence LIKE 'm:%' AND args IS NOT NULL")
    # A colon before a word would be a parameter.
    op.execute(r"""UPDATE schedules SET policy = replace(policy, '"timeout"\:"PT30S"', '"timeout"\:null')""")
