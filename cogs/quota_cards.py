"""How a server looks with what it may use and uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from discord import ui

from cogs.buttons import CardButton
from cogs.cards import card
from cogs.gauges import lines_of
from cogs.texts import one_line, runs_wait, stamp
from schedule_zero.shown.quota import MOST_WAITING
from schedule_zero.views import GuildView

_UNVERIFIED: Final = "unverified"
_HOW_VERIFIED: Final = (
    "Not verified. Verified servers may do more: somebody with Manage Server signs in at the dashboard for a code, and "
    "enters it with `/settings verify`."
)


def quota_card(
    view: GuildView,
    heading: str = "What may be used here",
    *,
    done: str = "",
    further: Sequence[str] = (),
    buttons: Sequence[CardButton] = (),
) -> ui.LayoutView:
    """A server with its bars; for who does not manage it, their own.

    Args:
        done: what has just been done.
        further: what an operator may know beside it.
    """
    bars, sizes = lines_of(view.gauges)
    if not view.whole:
        hint = (
            "-# Those with Manage Server see all limits of the server here. `/quota explain` says why something waits."
        )
        return card(heading, suspended_line(view), "\n".join(bars) or "Nothing of yours is limited here.", hint)
    waiting = f"{runs_wait(view.waiting, most=MOST_WAITING)}; `/quota explain` says why." if view.waiting else ""
    most = " · ".join(f"{_person(each.owner_id)} {each.schedules:,}" for each in view.most)
    return card(
        heading,
        done,
        suspended_line(view),
        _plan_line(view),
        "\n".join(bars) or "Nothing that is counted is limited here.",
        "\n".join(f"- {line}" for line in sizes),
        f"**Most schedules**: {most}" if most else "",
        waiting,
        *further,
        buttons=buttons,
    )


def _plan_line(view: GuildView) -> str:
    if view.verified is not None:
        return f"Plan **{one_line(view.plan, 60)}** · verified {stamp(view.verified.at, 'D')}"
    how = f"\n-# {_HOW_VERIFIED}" if view.plan == _UNVERIFIED else ""
    return f"Plan **{one_line(view.plan, 60)}**{how}"


def suspended_line(view: GuildView) -> str:
    """That a server is suspended, since when and why; empty where it is not."""
    mark = view.suspended
    if mark is None:
        return ""
    why = f": {one_line(mark.why, 300)}" if mark.why else ""
    return f"⛔ **Suspended** {stamp(mark.at, 'R')}{why}. Nothing new is made or started here until an operator resumes it."


def _person(owner_id: str) -> str:
    return f"<@{owner_id}>" if owner_id.isdecimal() else one_line(owner_id, 60)
