"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

HEAD = {
    "sqlite": ["CREATE VIEW journal_head AS SELECT seq FROM sqlite_sequence WHERE name = 'journal'"],
    "postgresql": [
        "ALTER TABLE journal ALTER COLUMN seq DROP DEFAULT",
        "DROP SEQUENCE journal_seq_seq",
        "CREATE TABLE journal_head (seq BIGINT NOT NULL)",
        "INSERT INTO journal_head (seq) VALUES (0)",
    ],
}


def upgrade() -> None:
    _schedules()
    _standings()
    _runs()
    _attempts()
    _events()
    _notes()
    _memory()
    for statement in HEAD[op.get_context().dialect.name]:
        op.execute(statement)
    op.execute("INSERT INTO facts (name, value) VALUES ('epoch', '1')")


def _schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("guild_id", TEXT, nullable=True),
        sa.Column("name", TEXT, nullable=True),
        sa.Column("owner_id", TEXT, nullable=False),
        sa.Column("handler", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("args", TEXT, nullable=False),
        sa.Column("trigger", TEXT, nullable=False),
        sa.Column("timezone", TEXT, nullable=False),
        sa.Column("words", TEXT, nullable=False),
        sa.Column("anchor", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.Column("calendar", TEXT, nullable=True),
        sa.Column("active_hours", TEXT, nullable=True),
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("after", TEXT, nullable=False),
        sa.Column("metadata", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "schedules_dead",
        "schedules",
        ["updated"],
        unique=False,
        sqlite_where=sa.text("live = 0"),
        postgresql_where=sa.text("live = 0"),
    )
    op.create_index("schedules_guild", "schedules", ["guild_id", "id"], unique=False)
    op.create_index(
        "schedules_live",
        "schedules",
        ["guild_id"],
        unique=False,
        sqlite_where=sa.text("live = 1"),
        postgresql_where=sa.text("live = 1"),
    )
    op.create_index("schedules_owner", "schedules", ["owner_id", "id"], unique=False)
    op.create_index(
        "schedules_name",
        "schedules",
        [sa.text("coalesce(guild_id, '')"), "name"],
        unique=True,
        sqlite_where=sa.text("name IS NOT NULL AND live = 1"),
        postgresql_where=sa.text("name IS NOT NULL AND live = 1"),
    )


def _standings() -> None:
    op.create_table(
        "standings",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("next_due", sa.BigInteger(), nullable=True),
        sa.Column("last_due", sa.BigInteger(), nullable=True),
        sa.Column("fired", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "standings_due",
        "standings",
        ["next_due"],
        unique=False,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index(
        "standings_paused",
        "standings",
        ["paused_until"],
        unique=False,
        sqlite_where=sa.text("state = 'paused'"),
        postgresql_where=sa.text("state = 'paused'"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("schedule_id", TEXT, nullable=False),
        sa.Column("occurrence", TEXT, nullable=False),
        sa.Column("guild_id", TEXT, nullable=True),
        sa.Column("handler", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("start_before", sa.BigInteger(), nullable=True),
        sa.Column("state", TEXT, server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("args", TEXT, nullable=True),
        sa.Column("result", TEXT, nullable=True),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("error", TEXT, nullable=True),
        sa.Column("missed", TEXT, nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("lost", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("charged", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "runs_active",
        "runs",
        ["schedule_id"],
        unique=False,
        sqlite_where=sa.text("ended IS NULL"),
        postgresql_where=sa.text("ended IS NULL"),
    )
    op.create_index("runs_guild", "runs", ["guild_id", "id"], unique=False)
    op.create_index("runs_occurrence", "runs", ["schedule_id", "occurrence"], unique=True)
    op.create_index("runs_schedule", "runs", ["schedule_id", "id"], unique=False)


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("handler", TEXT, nullable=False),
        sa.Column("instance", TEXT, nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("outcome", TEXT, nullable=True),
        sa.Column("cause", TEXT, nullable=True),
        sa.Column("error", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("run_id", "attempt"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leases",
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("instance", TEXT, nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("at_most_once", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
        sqlite_with_rowid=False,
    )


def _events() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("guild_id", TEXT, nullable=True),
        sa.Column("schedule_id", TEXT, nullable=True),
        sa.Column("run_id", TEXT, nullable=True),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cursors",
        sa.Column("subscriber", TEXT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber"),
        sqlite_with_rowid=False,
    )


def _notes() -> None:
    op.create_table(
        "usage",
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("limit", TEXT, nullable=False),
        sa.Column("period", TEXT, nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "limit", "period"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notes",
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("guild_id", TEXT, nullable=True),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("target", TEXT, nullable=False),
        sa.Column("before", TEXT, nullable=True),
        sa.Column("after", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "facts",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _memory() -> None:
    op.create_table(
        "undos",
        sa.Column("token", TEXT, nullable=False),
        sa.Column("schedule_id", TEXT, nullable=False),
        sa.Column("guild_id", TEXT, nullable=True),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("before", TEXT, nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_index("undos_until", "undos", ["until"], unique=False)
    op.create_table(
        "answers",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("answer", TEXT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("answers_until", "answers", ["until"], unique=False)
