"""Posting: whether a guild's settings let a message be posted where it is to go, and mention whom it names.

Asked when a schedule is made or its work changed. Who sends the message asks again; there it is also known which thread
belongs to which channel.
"""

from __future__ import annotations

from core.service.policy import Mistakes
from schedule_zero.permitted import mentioned, why_not_mentioned, why_not_there
from schedule_zero.schedule import MESSAGES, ScheduleSpec
from schedule_zero.views import GuildSettings


def posting_mistakes(spec: ScheduleSpec, settings: GuildSettings, mistakes: Mistakes, *, manages: bool) -> None:
    """Add what a message may not do in its guild.

    Args:
        manages: whether who asks manages there.
    """
    if spec.handler != MESSAGES or spec.guild_id is None:
        return
    channel_id, mentions = spec.args.get("channel_id"), spec.args.get("mentions")
    if isinstance(channel_id, str):
        why = why_not_there(settings.channels, channel_id)
        if why is not None:
            mistakes.add("args.channel_id", why)
    if isinstance(mentions, (list, tuple)):
        asked = mentioned([token for token in mentions if isinstance(token, str)])
        why = why_not_mentioned(settings.mentions, asked, manages=manages)
        if why is not None:
            mistakes.add("args.mentions", why)
