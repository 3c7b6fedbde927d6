"""Closed: the days off and the hours that options of a command name, laid around a rule."""

from __future__ import annotations

from pathlib import Path

import msgspec

from core.commands.explain import WrongInput
from core.timing.exceptions import excepted
from core.timing.hours import require_lengths
from core.timing.icalendar import days_in
from core.timing.rule import Rule
from schedule_zero.schedule import ActiveHours, Calendar, OnClash


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """What was given: ``calendar`` is an iCalendar file, the rest as in ``Calendar`` and ``ActiveHours``."""

    country: str | None = None
    days_off: tuple[str, ...] = ()
    calendar: Path | None = None
    on_clash: OnClash | None = None
    hours: tuple[str, ...] = ()
    outside: OnClash | None = None

    def around(self, rule: Rule, now: int) -> Rule:
        """The rule kept out of what is closed.

        Raises:
            WrongInput: an option that changes nothing, or a file that cannot be read.
            ValueError: a day, a country or a window that cannot be read.
        """
        days = self.days_off if self.calendar is None else (*self.days_off, *_days_of(self.calendar, now))
        calendar = Calendar(dates=days, country=self.country, on_clash=self.on_clash or "skip")
        hours = ActiveHours(windows=self.hours, outside=self.outside or "skip")
        if self.on_clash is not None and not (days or self.country):
            raise WrongInput("--on-clash is about days off; name them with --country, --days-off or --calendar")
        if self.outside is not None and not self.hours:
            raise WrongInput("--outside is about hours; name them with --hours, as in --hours 'MO-FR 09:00-17:00'")
        require_lengths(self.hours)
        return excepted(
            rule, calendar=calendar if days or self.country else None, active_hours=hours if self.hours else None
        )


def _days_of(file: Path, now: int) -> list[str]:
    try:
        return days_in(file.read_text(encoding="utf-8-sig"), now=now)
    except OSError as error:
        raise WrongInput(f"{file}: {error.strerror or error}") from None
    except ValueError as error:
        raise WrongInput(f"{file}: {error}") from None
