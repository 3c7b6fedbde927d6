"""The governor's configuration (contract, section 3): plans, what differs per guild, and limits of methods.

A key left out of a plan means no limit of that kind. A key left out of a guild is as in its plan; ``null`` there
lifts the plan's limit for that guild.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core.kinds import DiscordId

_RATE: Final = re.compile(r"\s*(\d{1,9})\s*/\s*(s|min|h|d)\s*")
_PERIODS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
FIRST_PLAN: Final = "unverified"

Count = Annotated[int, Meta(ge=0, description="a whole number, 0 or more, or null for no limit")]
Burst = Annotated[int, Meta(ge=1, description="a whole number, 1 or more")]
AtLeastOne = Annotated[int, Meta(ge=1, le=10_000, description="a whole number from 1 to 10,000, or null for never")]
Weight = Annotated[float, Meta(gt=0, le=1000, description="a number above 0 and at most 1000")]
RateText = Annotated[
    str,
    Meta(
        pattern=r"^\s*0*[1-9]\d{0,8}\s*/\s*(s|min|h|d)\s*$", description="a rate such as 10/s, 30/min, 500/h or 2000/d"
    ),
]
DurationText = Annotated[
    str,
    Meta(
        pattern=r"^P(?=.)(?:\d+W)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,6})?S)?)?$",
        description="an ISO 8601 duration such as PT10S, PT5M or P1D",
    ),
]


class Rate(msgspec.Struct, frozen=True):
    """So many in so many seconds."""

    count: int
    per_seconds: float


def parse_rate(text: str) -> Rate:
    """Read ``N/s``, ``N/min``, ``N/h`` or ``N/d``.

    Raises:
        ValueError: the text is no rate, or its N is 0; one sentence.
    """
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a rate; write N/s, N/min, N/h or N/d, such as 30/min")
    count = int(match[1])
    if count == 0:
        raise ValueError(f"{text!r} would never allow anything; write at least 1, or suspend the guild instead")
    return Rate(count, _PERIODS[match[2]])


class _Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The form all settings of the governor share."""


class Capacity(_Settings, frozen=True, kw_only=True):
    """Capacity of one scope: how much runs at once, and how fast runs start.

    ``burst``: how many may start at one moment after a quiet time; the rate's own count unless said.
    """

    running: Count | None = None
    rate: RateText | None = None
    burst: Burst | None = None


class Limits(Capacity, frozen=True, kw_only=True):
    """Capacity and calendar quotas of one scope. Days are the server's, where the scope is one's, and UTC's elsewhere."""

    runs_per_hour: Count | None = None
    runs_per_day: Count | None = None
    runs_per_month: Count | None = None


class Quota(Limits, frozen=True, kw_only=True):
    """Everything a guild may use; what Limits has is the guild's in all. None: no limit of that kind.

    Attributes:
        each_schedule: what each schedule alone may use of it.
        schedules: how many schedules there may be.
        min_interval: the shortest time between two fires of a schedule, ISO 8601.
        sends_per_channel: how fast messages go into one channel (``core.governor.sends``).
        dms_per_hour: direct messages an hour; outside guilds, what the default plan says of each person.
        payload_bytes: the size of a schedule's arguments, as JSON.
        handlers: the handlers it may use, by name.
        weight: its share of the slots, relative to others, when there are too few.
    """

    each_schedule: Limits | None = None
    schedules: Count | None = None
    min_interval: DurationText | None = None
    sends_per_channel: RateText | None = None
    dms_per_hour: Count | None = None
    payload_bytes: Count | None = None
    handlers: list[str] | None = None
    weight: Weight = 1.0


class Plan(Quota, frozen=True, kw_only=True):
    """A quota with a name, for many guilds. ``shared``: limits that all guilds of the plan have together."""

    shared: Limits | None = None


class GuildQuota(_Settings, frozen=True, kw_only=True):
    """One guild's plan, and what differs from it; fields as in Quota. A new ``rate`` brings its own ``burst``."""

    plan: str | None = None
    running: Count | UnsetType | None = UNSET
    rate: RateText | UnsetType | None = UNSET
    burst: Burst | UnsetType | None = UNSET
    runs_per_hour: Count | UnsetType | None = UNSET
    runs_per_day: Count | UnsetType | None = UNSET
    runs_per_month: Count | UnsetType | None = UNSET
    each_schedule: Limits | UnsetType | None = UNSET
    schedules: Count | UnsetType | None = UNSET
    min_interval: DurationText | UnsetType | None = UNSET
    sends_per_channel: RateText | UnsetType | None = UNSET
    dms_per_hour: Count | UnsetType | None = UNSET
    payload_bytes: Count | UnsetType | None = UNSET
    handlers: list[str] | UnsetType | None = UNSET
    weight: Weight | UnsetType = UNSET


class MethodQuota(Limits, frozen=True, kw_only=True):
    """Limits of a method, over all guilds and handlers. ``per_handler``: of the method on each handler that has it.

    Attributes:
        adaptive: how many runs at once follows from how they go, on each handler: ``aimd`` from failures, ``gradient2``
            from run times, too; ``running`` is its ceiling, and ``adaptive_min`` what it never falls below.
    """

    adaptive: Literal["aimd", "gradient2"] | None = None
    adaptive_min: Annotated[int, Meta(ge=1, description="a whole number, 1 or more")] = 1
    per_handler: Capacity | None = None


class SuspicionSettings(_Settings, frozen=True, kw_only=True):
    """When a guild is slowed down for a time because it looks like abuse (``core.service.suspicion``). None: never for that.

    Attributes:
        plans: the plans whose guilds are watched; none: nobody is.
        new_schedules: so many made within a minute.
        mass_mentions: so many messages within an hour that mention everyone, a role, or ten people.
        links: so many messages with links within an hour.
        refused: so many messages within an hour that Discord refused for good, where fewer went out.
        lasts: for how long.
    """

    plans: tuple[str, ...] = (FIRST_PLAN,)
    new_schedules: AtLeastOne | None = 15
    mass_mentions: AtLeastOne | None = 10
    links: AtLeastOne | None = 60
    refused: AtLeastOne | None = 20
    lasts: DurationText = "P1D"


DEFAULT_PLANS: Final[dict[str, Plan]] = {
    "unverified": Plan(
        running=2, rate="30/min", runs_per_day=200, schedules=20, min_interval="PT5M", sends_per_channel="5/min",
        dms_per_hour=10, payload_bytes=16384, handlers=["discord"],
    ),
    "verified": Plan(running=20, rate="10/s", runs_per_day=20000, schedules=1000, min_interval="PT10S"),
    "trusted": Plan(running=200, rate="100/s", schedules=20000),
}  # fmt: skip
DEFAULT_METHODS: Final = {"webhook.post": MethodQuota(running=50, rate="100/s", adaptive="aimd")}


class GovernorSettings(_Settings, frozen=True, kw_only=True):
    """The section ``governor``.

    ``plans`` and ``methods`` add to the defaults and replace those of the same name. ``default_plan`` None is
    ``unverified``; the composition root puts ``verified`` there while nobody can verify guilds.
    """

    global_: Limits = msgspec.field(name="global", default=Limits(running=1000, rate="5000/s", burst=10000))
    plans: dict[str, Plan] = {}
    default_plan: str | None = None
    guilds: dict[DiscordId, GuildQuota] = {}
    methods: dict[str, MethodQuota] = {}
    suspicion: SuspicionSettings = SuspicionSettings()

    def __post_init__(self) -> None:
        """Lay plans and methods over the defaults, and check that every plan named exists.

        Raises:
            ValueError: a plan is named that there is not.
        """
        msgspec.structs.force_setattr(self, "plans", DEFAULT_PLANS | self.plans)
        msgspec.structs.force_setattr(self, "methods", DEFAULT_METHODS | self.methods)
        known = ", ".join(self.plans)
        if self.default_plan is not None and self.default_plan not in self.plans:
            raise ValueError(f"default_plan names {self.default_plan!r}, which is no plan; there are {known}")
        for plan in self.suspicion.plans:
            if plan not in self.plans:
                raise ValueError(f"suspicion.plans names {plan!r}, which is no plan; there are {known}")
        for guild, quota in self.guilds.items():
            if quota.plan is not None and quota.plan not in self.plans:
                raise ValueError(f"guilds.{guild}.plan names {quota.plan!r}, which is no plan; there are {known}")

    def plan_of(self, guild_id: str) -> str:
        """The name of a guild's plan."""
        own = self.guilds.get(guild_id)
        return (own.plan if own is not None else None) or self.default_plan or FIRST_PLAN

    def quota_of(self, guild_id: str | None) -> Quota:
        """What a guild may use: its plan, with what differs for it. None, the operator's own work: no limits here."""
        if guild_id is None:
            return _UNLIMITED
        plan = self.plans[self.plan_of(guild_id)]
        own = self.guilds.get(guild_id)
        if own is None:
            return plan
        return laid_over(plan, own)


_UNLIMITED: Final = Quota()
OVERRIDES: Final = tuple(name for name in GuildQuota.__struct_fields__ if name != "plan")
"""The limits that may differ for a guild."""


def laid_over(quota: Quota, layer: GuildQuota) -> Quota:
    """A quota with what differs from it. A new ``rate`` brings its own ``burst``."""
    differs = {name: value for name in OVERRIDES if (value := getattr(layer, name)) is not UNSET}
    if "rate" in differs:
        differs.setdefault("burst", None)
    return msgspec.structs.replace(quota, **differs)
