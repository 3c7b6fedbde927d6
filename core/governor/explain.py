"""Explain: a refusal as people and programs read it.

``why_of`` is the record of the contract (section 4, ``why`` of a waiting run); ``sentence_of`` says it in English.
"""

from __future__ import annotations

from typing import Final

from core.governor.sends import DMS, OTHERS, SENDS
from core.governor.verdict import HANDLERS, Wait
from schedule_zero.instant import spell

# What is in use, and what has to happen when no time is known.
_SAYINGS: Final = {
    "running": ("has {used} of {allowed} runs going at once", "when one of them ends"),
    "rate": ("has used {used} of the {allowed} starts its rate allows", "when one is given back"),
    SENDS: ("has used {used} of {allowed} sends its rate allows", "when one is given back"),
    DMS: ("has used {used} of {allowed} direct messages an hour", "when more are allowed"),
    "breaker": ("failed {used} times in a row, so its runs wait and it is tried with one", "when that one succeeds"),
    "adaptive": ("bears {allowed} runs at once for now, and has {used}", "when one of them ends"),
    **{
        f"runs_per_{each}": (
            f"has used {{used}} of {{allowed}} runs it may have in {a} {each}",
            "when more are allowed",
        )
        for a, each in (("an", "hour"), ("a", "day"), ("a", "month"))
    },
    "share": ("holds {used} of the {allowed} slots one guild may hold while others are active", "when one is free"),
}
# What a limit of 0 means.
_NOTHING: Final = {
    **dict.fromkeys(("running", "runs_per_hour", "runs_per_day", "runs_per_month"), "run nothing"),
    DMS: "send no direct messages",
}
_NO_HANDLER: Final = frozenset({HANDLERS, "available"})
_OTHER: Final = ("has used {used} of {allowed} ({limit})", "when some of it is free again")


def why_of(refusal: Wait, *, now: int, monotonic: float) -> dict[str, object]:
    """The ``why`` record.

    Args:
        refusal: what refused.
        now: the wall clock, microseconds since 1970.
        monotonic: the same moment on the monotonic clock, in seconds.

    Returns:
        ``scope``, ``limit``, ``used``, ``allowed`` and ``until`` (RFC 3339 in UTC, or None: on release).
    """
    until = _until_of(refusal, now=now, monotonic=monotonic)
    return {
        "scope": refusal.scope,
        "limit": refusal.limit,
        "used": _plain(refusal.used),
        "allowed": _plain(refusal.allowed),
        "until": None if until is None else spell(until),
    }


def _until_of(refusal: Wait, *, now: int, monotonic: float) -> int | None:
    """When it frees by itself, microseconds since 1970; never before ``now``. None: on release."""
    return None if refusal.until is None else now + max(0, round((refusal.until - monotonic) * 1e6))


def sentence_of(refusal: Wait, *, now: int, monotonic: float) -> str:
    """One English sentence that names the scope, its use, its limit and when it frees; arguments as ``why_of``."""
    until = _until_of(refusal, now=now, monotonic=monotonic)
    return said(refusal, None if until is None else spell(until))


def said(refusal: Wait, until: str | None) -> str:
    """The same, where it is known already when it frees (RFC 3339; None: on release)."""
    if refusal.limit == HANDLERS and refusal.scope.startswith("guild:"):
        return f"{subject_of(refusal.scope)} may not use this handler; it goes on when that is allowed again."
    if refusal.limit in _NO_HANDLER:
        return f"No handler is free for {subject_of(refusal.scope, free=True)}; it goes on when one is."
    if refusal.allowed == 0 and refusal.limit in _NOTHING:
        return f"{subject_of(refusal.scope)} may {_NOTHING[refusal.limit]} (its limit is 0); it goes on when that is raised."
    use, event = _SAYINGS.get(refusal.limit, _OTHER)
    if refusal.limit == "share" and refusal.scope.startswith("handler:"):
        use = use.replace("guild", "handler")
    used, allowed = _plain(refusal.used), _plain(refusal.allowed)
    in_use = use.format(used=used, allowed=allowed, limit=refusal.limit)
    return f"{subject_of(refusal.scope)} {in_use}; the next can start {event if until is None else f'at {until}'}."


def subject_of(scope: str, *, free: bool = False) -> str:
    """A scope as the subject of a sentence; ``free``: as what something is free for."""
    kind, _, name = scope.partition(":")
    if scope == "guild:-":
        return "The operator's own work"
    if kind == "handler":
        handler, _, method = name.partition("/")
        name = f"{handler} ({method})" if method else handler
    if kind == "channel":
        name = name.rpartition("/")[2]
        if name == OTHERS:
            return "What names its channel late"
    elif kind == "dms":
        kind = "guild"
    if free:
        return f"the {kind} {name}"
    return {"global": "The whole service"}.get(kind, f"{kind.capitalize()} {name}")


def _plain(number: float) -> float:
    """A whole number without its fraction, as JSON and people want it."""
    return int(number) if float(number).is_integer() else number
