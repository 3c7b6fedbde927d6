"""The tables: one schema for statements, reading, creation and migrations.

Columns carry the names of the row Structs in ``rows``. A schedule is kept in two tables, because a tick rewrites a few
numbers of thousands of schedules whose definitions are long and stay as they are: measured 12 µs instead of 22 µs a
schedule, and a quarter of the pages written.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    literal_column,
    text,
)

metadata: Final = MetaData()

# Texts compare by their bytes everywhere: ids sort by time of creation whatever language a database was made for.
TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")

# Conditions of partial indexes. A database uses such an index only for a statement that says the same words.
# A run is active as long as it has no end; moves between active states then leave the index alone.
RUN_ACTIVE: Final = "ended IS NULL"
SCHEDULE_ACTIVE: Final = "state = 'active'"
SCHEDULE_PAUSED: Final = "state = 'paused'"
SCHEDULE_LIVE: Final = "live = 1"
SCHEDULE_DEAD: Final = "live = 0"
# A guild of None is a place of its own, and two NULLs would not clash.
NO_GUILD: Final[ColumnElement[str]] = literal_column("''")


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, TEXT, nullable=null)


def _number(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _partial(name: str, *columns: Column[str] | Column[int], where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


# ── schedules ──────────────────────────────────────────────────────────────────────────────────────────────────

# What people defined. ``live``: neither done nor deleted, so its name is taken and it counts.
schedules: Final = Table(
    "schedules",
    metadata,
    Column("id", TEXT, primary_key=True),
    _text("guild_id", null=True),
    _text("name", null=True),
    _text("owner_id"),
    _text("handler"),
    _text("method"),
    _text("args"),
    _text("trigger"),
    _text("timezone"),
    _text("words"),
    _number("anchor"),
    _number("start", null=True),
    _number("until", null=True),
    _number("count", null=True),
    _text("calendar", null=True),
    _text("active_hours", null=True),
    _text("policy"),
    _text("after"),
    _text("metadata"),
    _text("note", null=True),
    _number("created"),
    _number("updated"),
    Column("live", Integer, nullable=False),
    _text("exceptions", null=True),
)
Index("schedules_guild", schedules.c.guild_id, schedules.c.id)
Index("schedules_owner", schedules.c.owner_id, schedules.c.id)
_partial("schedules_dead", schedules.c.updated, where=SCHEDULE_DEAD)
# Names, each once in its guild, and what counts there. No name clashes with none.
Index(
    "schedules_name",
    func.coalesce(schedules.c.guild_id, NO_GUILD),
    schedules.c.name,
    unique=True,
    sqlite_where=text(SCHEDULE_LIVE),
    postgresql_where=text(SCHEDULE_LIVE),
)

# Where a schedule stands: what ticks and outcomes rewrite.
standings: Final = Table(
    "standings",
    metadata,
    Column("id", TEXT, primary_key=True),
    _number("revision"),
    _text("state"),
    _number("paused_until", null=True),
    _number("next_due", null=True),
    _number("last_due", null=True),
    _number("fired"),
    _number("failures"),
    sqlite_with_rowid=False,
)
_partial("standings_due", standings.c.next_due, where=SCHEDULE_ACTIVE)
_partial("standings_paused", standings.c.paused_until, where=SCHEDULE_PAUSED)

# Who runs after whom, once more beside ``schedules.after``: a run that ends finds its children here. Of a link that
# joins, how the latest run of the parent ended; ``fresh``: no run of the child has come since.
links: Final = Table(
    "links",
    metadata,
    Column("parent", TEXT, primary_key=True),
    Column("child", TEXT, primary_key=True),
    _text("run_id", null=True),
    _text("state", null=True),
    _number("fresh", null=True),
    sqlite_with_rowid=False,
)
Index("links_child", links.c.child)

# ── runs ───────────────────────────────────────────────────────────────────────────────────────────────────────

runs: Final = Table(
    "runs",
    metadata,
    Column("id", TEXT, primary_key=True),
    _text("schedule_id"),
    _text("occurrence"),
    _text("guild_id", null=True),
    _text("handler"),
    _text("method"),
    Column("priority", Integer, nullable=False),
    _number("due"),
    _number("start_before", null=True),
    Column("state", TEXT, nullable=False, server_default=text("'waiting'")),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    _number("not_before", null=True),
    _text("args", null=True),
    _text("result", null=True),
    _text("reason", null=True),
    _text("error", null=True),
    _text("missed", null=True),
    _number("created"),
    _number("ended", null=True),
    Column("lost", Integer, nullable=False, server_default=text("0")),
    Column("line", Integer, nullable=False),
    Column("own_args", Integer, nullable=True),
    _text("routing", null=True),
    _text("charged", null=True),
)
Index("runs_occurrence", runs.c.schedule_id, runs.c.occurrence, unique=True)
Index("runs_schedule", runs.c.schedule_id, runs.c.id)
Index("runs_guild", runs.c.guild_id, runs.c.id)
_partial("runs_active", runs.c.schedule_id, where=RUN_ACTIVE)

attempts: Final = Table(
    "attempts",
    metadata,
    Column("run_id", TEXT, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    _text("handler"),
    _text("instance"),
    _number("sent"),
    _number("started", null=True),
    _number("ended", null=True),
    _text("outcome", null=True),
    _text("cause", null=True),
    _text("error", null=True),
    sqlite_with_rowid=False,
)

# Runs that failed for good and were neither run again nor dropped. Only what goes wrong writes here.
dead: Final = Table(
    "dead",
    metadata,
    Column("run_id", TEXT, primary_key=True),
    _text("guild_id", null=True),
    _text("schedule_id"),
    _text("handler"),
    _text("method"),
    _number("at"),
    sqlite_with_rowid=False,
)
Index("dead_guild", dead.c.guild_id, dead.c.run_id)
Index("dead_schedule", dead.c.schedule_id, dead.c.run_id)
# What runs say of themselves: how far the newest attempt that said so is, and how much of a log there is. ``fraction`` is
# in millionths. ``lines`` counts all that were said, ``places`` those that were written, ``size`` their bytes; the
# beginning that is kept ends with the place ``head``, and is not full yet while that is NULL.
run_told: Final = Table(
    "run_told",
    metadata,
    Column("run_id", TEXT, primary_key=True),
    Column("attempt", Integer, nullable=False),
    _number("fraction", null=True),
    _text("note"),
    _number("lines"),
    _number("places"),
    _number("size"),
    _number("head", null=True),
    sqlite_with_rowid=False,
)

# The lines, numbered by ``n`` as they were said: one that was left out on its way, or removed from the middle, leaves a
# gap there. ``preceding``: bytes written before it.
run_log: Final = Table(
    "run_log",
    metadata,
    Column("run_id", TEXT, primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    _number("n"),
    Column("attempt", Integer, nullable=False),
    _number("at"),
    _number("preceding"),
    _text("text"),
    sqlite_with_rowid=False,
)

leases: Final = Table(
    "leases",
    metadata,
    Column("run_id", TEXT, primary_key=True),
    Column("attempt", Integer, nullable=False),
    _text("instance"),
    _number("remaining"),
    Column("at_most_once", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────

# AUTOINCREMENT: without it SQLite would count from 1 again once retention has emptied the table.
journal: Final = Table(
    "journal",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _number("at"),
    _text("kind"),
    _text("guild_id", null=True),
    _text("schedule_id", null=True),
    _text("run_id", null=True),
    _text("data"),
    sqlite_autoincrement=True,
)

# The newest number ever given, kept even when every event is gone. SQLite keeps it in a table of its own; on PostgreSQL
# it is the row that numbers come from: a sequence would give them out of the order of commits, and leave gaps.
JOURNAL_HEAD: Final = {
    "sqlite": ("CREATE VIEW journal_head AS SELECT seq FROM sqlite_sequence WHERE name = 'journal'",),
    "postgresql": (
        "ALTER TABLE journal ALTER COLUMN seq DROP DEFAULT",
        "DROP SEQUENCE journal_seq_seq",
        "CREATE TABLE journal_head (seq BIGINT NOT NULL)",
        "INSERT INTO journal_head (seq) VALUES (0)",
    ),
}

cursors: Final = Table(
    "cursors",
    metadata,
    Column("subscriber", TEXT, primary_key=True),
    _number("epoch"),
    _number("seq"),
    sqlite_with_rowid=False,
)

# ── how handlers do ────────────────────────────────────────────────────────────────────────────────────────────

handler_history: Final = Table(
    "handler_history",
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("span", BigInteger, primary_key=True, autoincrement=False),
    Column("handler", TEXT, primary_key=True),
    Column("method", TEXT, primary_key=True),
    Column("guild", TEXT, primary_key=True),
    Column("core", TEXT, primary_key=True),
    _number("succeeded"),
    _number("failed"),
    _number("lost"),
    _text("times"),
    sqlite_with_rowid=False,
)
Index("handler_history_handler", handler_history.c.handler, handler_history.c.at)

# ── quotas and small facts ─────────────────────────────────────────────────────────────────────────────────────

usage: Final = Table(
    "usage",
    metadata,
    Column("scope", TEXT, primary_key=True),
    Column("limit", TEXT, primary_key=True),
    Column("period", TEXT, primary_key=True),
    _number("used"),
    sqlite_with_rowid=False,
)

notes: Final = Table(
    "notes",
    metadata,
    Column("kind", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    _text("document"),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    _number("at"),
    _text("guild_id", null=True),
    _text("actor"),
    _text("action"),
    _text("target"),
    _text("before", null=True),
    _text("after", null=True),
    _text("via", null=True),
)
# Newest first, of all, of a guild, and of what a guild's lines are asked for by: a flood by others is not read through.
Index("audit_at", audit.c.at, audit.c.id)
Index("audit_guild", audit.c.guild_id, audit.c.at, audit.c.id)
Index("audit_actor", audit.c.guild_id, audit.c.actor, audit.c.at, audit.c.id)
Index("audit_action", audit.c.guild_id, audit.c.action, audit.c.at, audit.c.id)
Index("audit_target", audit.c.target, audit.c.at, audit.c.id)

undos: Final = Table(
    "undos",
    metadata,
    Column("token", TEXT, primary_key=True),
    _text("schedule_id"),
    _text("guild_id", null=True),
    _text("actor"),
    _number("revision"),
    _text("before", null=True),
    _number("until"),
)
Index("undos_until", undos.c.until)

answers: Final = Table(
    "answers",
    metadata,
    Column("key", TEXT, primary_key=True),
    _text("digest"),
    _text("answer"),
    _number("until"),
)
Index("answers_until", answers.c.until)

# Who is signed in to the pages. ``digest``: of the cookie; ``holder``: who, of all their sessions alike.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("digest", TEXT, primary_key=True),
    _text("id"),
    _text("holder"),
    _number("begun"),
    _number("used"),
    _number("until"),
    _text("document"),
)
Index("sessions_holder", sessions.c.holder)
Index("sessions_until", sessions.c.until)

# ── several cores on one database ──────────────────────────────────────────────────────────────────────────────

# The cores that are here, each until ``expires`` by the database's clock (microseconds). A row is the right to write:
# every transaction of a core looks at its own, and who takes over removes it first.
cores: Final = Table(
    "cores",
    metadata,
    Column("id", TEXT, primary_key=True),
    _text("version"),
    _text("place"),
    _number("since"),
    _number("expires"),
)

# Which core works for the guilds of each bucket; none: whoever claims it.
buckets: Final = Table(
    "buckets",
    metadata,
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    _text("holder", null=True),
)

# Facts about the file itself; ``epoch`` is one of them. ``thinned``: the newest event when some were last removed from among
# others.
facts: Final = Table(
    "facts",
    metadata,
    Column("name", TEXT, primary_key=True),
    _text("value"),
)

# The names of numbers, in rows given to a statement: each means the same in every table, and two are no column at all.
# The database alone counts audit lines.
NUMBERS: Final = frozenset(
    each.name
    for table in metadata.tables.values()
    for each in table.columns
    if isinstance(each.type, Integer) and each is not audit.c.id
) | {"before_attempt", "amount"}
