"""Text in, trigger and words out: the one place that reads what people type about time.

What is understood is always said back in words. What is past, impossible, or can be meant in two ways is refused with
a sentence and, where there are any, the readings it may have had; nothing is guessed, and no word is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from core.timing.clock import clock_of
from core.timing.compile import BadTrigger, compile_rule, month_end_of
from core.timing.grammar.dates import shifted
from core.timing.grammar.draft import Recurring
from core.timing.grammar.hints import hint
from core.timing.grammar.once import Moment, Now, Said, once
from core.timing.grammar.plain import plain
from core.timing.grammar.recurring import recurring, recurs
from core.timing.grammar.tokens import Cursor, NotUnderstood, Refused, tidied, tokens_of
from core.timing.grammar.written import written
from core.timing.hashed import is_hashed
from core.timing.locales import DateOrder
from core.timing.offers import completions, repeat_completions
from core.timing.recurrence_set import RecurrenceSet, read_set
from core.timing.rrule import RRulePattern
from core.timing.rule import BadPattern
from core.timing.say import say_bounded, say_time
from core.timing.series import Unsaid, trigger_of
from core.timing.zones import zone
from schedule_zero.instant import DAY, HOUR, SECOND, spell, to_datetime
from schedule_zero.schedule import MonthEnd
from schedule_zero.trigger import CronTrigger, DateTrigger, RRuleTrigger, Trigger

LONGEST: Final = 200
_MOST_OFFERED: Final = 3
_EXAMPLES: Final = "'tomorrow at 17:00', 'in 2 hours' or 'every weekday at 9'"
_DEFAULT_TIME: Final = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")
_RULE: Final = re.compile(r"^(?:freq=|(?:rrule|dtstart|rdate|exdate)[;:])", re.IGNORECASE)
_CRON_SHAPE: Final = re.compile(r"[\d*/,-]+ [\d*/,-]+( [\w*/,#?-]+){3,4}")
_EVERY: Final = re.compile(r"@every\b[ :]*", re.IGNORECASE)
_ZONED: Final = re.compile(r"(?:cron_)?tz=", re.IGNORECASE)
_CRON_FIELD: Final = re.compile(
    r"^(?=.*[^-])(?:[\d*/,\-#?]|L|W|MON|TUE|WED|THU|FRI|SAT|SUN|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)+$",
    re.IGNORECASE,
)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What words about time mean."""

    text: str
    """What to write to mean this: the words that were read, or those that would have been clear."""
    trigger: Trigger
    words: str
    recurring: bool
    defaulted_time: bool = False
    """Nobody said a time of day: the default one was taken, or that of the part of the day."""
    part_of_day: bool = False
    """With ``defaulted_time``: a part of the day was said, such as tonight."""
    defaulted_day: bool = False
    """Weekly, monthly or yearly without a day; the day of the first due time was taken."""
    start: int | None = None
    until: int | None = None
    count: int | None = None
    hour24: bool = True
    """How the words show hours."""
    order: DateOrder | None = None
    """What stands first in the words, the day or the month; None: the day."""
    formal: bool = False
    """Written as a cron expression or a recurrence rule, not in words."""

    @property
    def month_end(self) -> MonthEnd:
        """What it does about days that a month lacks, where nobody says: words mean the last day, whatever trigger
        they became; the formal languages say it themselves."""
        return month_end_of(self.trigger) if self.formal else "clamp"


class Unreadable(ValueError):
    """Text that cannot be followed: one sentence, and the readings that may have been meant."""

    def __init__(self, message: str, readings: tuple[Reading, ...] = ()) -> None:
        self.message = message
        self.readings = readings
        super().__init__(message)


class _Reader:
    """One zone, one moment, one way to show the hours and to write dates."""

    def __init__(
        self, now: int, timezone: str, default_time: str, hour24: bool, order: DateOrder | None
    ) -> None:  # fmt: skip
        self._where = zone(timezone)
        self._now = Now(now, clock_of(self._where), _seconds(default_time))
        self._hour24 = hour24
        self._order = order
        self._depth = 0

    def read(self, text: str, *, repeat: bool, typing: bool = False) -> Reading:
        """Read one text, in the field for repetitions if ``repeat``; with ``typing`` quickly, or not at all.

        Raises:
            Unreadable: as the functions of this module say.
        """
        text = text.strip()
        words = plain(text).strip()
        if not words:
            raise Unreadable(f"say when, for example {_EXAMPLES}")
        if len(text) > LONGEST:
            raise Unreadable(f"a time is said in at most {LONGEST} characters; this has {len(text)}")
        try:
            reading = self._checked(self._formal(words) or self._in_words(words, repeat, typing))
        except (Refused, Unsaid) as why:
            raise Unreadable(str(why), tuple(self.offered(getattr(why, "instead", ()), repeat=repeat))) from why
        except (BadTrigger, BadPattern) as why:
            raise Unreadable(str(why)) from why
        return msgspec.structs.replace(reading, text=text)

    def _formal(self, text: str) -> Reading | None:
        """Cron expressions and recurrence rules."""
        if _RULE.match(text):
            return self._rule(text)
        fields = text.split()
        looks = all(_CRON_FIELD.match(part) for part in fields) and not fields[0][:1].isalpha()
        # A field that cannot be read does not make it words, which have no stars.
        looks = looks or (_CRON_SHAPE.fullmatch(" ".join(fields)) is not None and any("*" in part for part in fields))
        named = (text.startswith("@") and text[1:2].isalpha()) or _ZONED.match(text) is not None
        _refuse_every(text)
        if is_hashed(text) or named or (looks and (len(fields) in (5, 6) or "*" in text)):
            return self._reading(text, CronTrigger(expression=" ".join(fields), timezone=self._where.key), formal=True)
        return None

    def _dated(self, text: str, found: RecurrenceSet) -> RRuleTrigger:
        """A recurrence that brings its start along, or has no rule that needs one: its days come at the default time."""
        if found.start is not None:
            where = self._where if found.zone is None else found.zone
            return RRuleTrigger(rule=text, timezone=where.key)
        start = to_datetime(self._now.wall // DAY * DAY + self._now.default * SECOND).isoformat()[:-6]
        return RRuleTrigger(rule=text, start=start, timezone=self._where.key)

    def _rule(self, text: str) -> Reading:
        """A recurrence rule begins with its next occurrence, at the default time unless it names hours."""
        found = read_set(text)
        rule = found.rule
        if rule is None or found.start is not None:
            return self._reading(text, self._dated(text, found), formal=True)
        wall = self._now.wall
        by_hours = rule.freq in ("HOURLY", "MINUTELY")
        base = wall // HOUR * HOUR if by_hours else wall // DAY * DAY + self._now.default * SECOND
        plain = msgspec.structs.replace(rule, interval=1, count=None, until=None)
        first = RRulePattern(plain, base, clamp=False).next_after(wall)
        start = to_datetime(base if first is None else first).isoformat()[:-6]
        trigger = RRuleTrigger(rule=text, start=start, timezone=self._where.key)
        return self._reading(text, trigger, defaulted_time=not (rule.byhour or by_hours), formal=True)

    def _in_words(self, text: str, repeat: bool, typing: bool) -> Reading:
        said = None if repeat else written(text, self._now)
        if said is not None:
            return self._single(text, said)
        tokens = tokens_of(tidied(text), self._order)
        try:
            if repeat or recurs(tokens):
                return self._series(text, recurring(Cursor(tokens), self._now, alone=repeat))
            said = once(tokens, self._now)
            if said is None:
                raise NotUnderstood(f"{text!r} is not a time I can read; try {_EXAMPLES}")
        except NotUnderstood:
            better = None if typing else hint(tokens)
            if better is None:
                raise
            raise better from None
        return self._single(text, said)

    def _series(self, text: str, found: Recurring) -> Reading:
        start = None if found.start is None else found.start.instant
        after = self._now.instant if start is None else max(start - 1, self._now.instant)
        reading = self._reading(
            text,
            trigger_of(found.series, self._now.clock, after),
            defaulted_time=found.defaulted_time,
            defaulted_day=found.defaulted_day,
            start=start,
            until=None if found.until is None else found.until.instant,
            count=found.count,
        )
        return msgspec.structs.replace(reading, part_of_day=found.part_of_day)

    def _single(self, text: str, said: Said) -> Reading:
        """The one moment that is meant; refuses what is past, or has more than one meaning."""
        coming = [moment for moment in said.moments if moment.instant > self._now.instant]
        if not coming:
            raise self._past(max(said.moments), said.again)
        if len(coming) == 1 and said.asks is None:
            found = self._moment(coming[0], text, said.defaulted)
            return msgspec.structs.replace(found, part_of_day=said.part_of_day)
        offers = tuple(self._moment(moment, None, said.defaulted) for moment in coming[:_MOST_OFFERED])
        why = said.asks or f"{text!r} can be read in more than one way"
        raise Unreadable(f"{why}: {' or '.join(self._near(moment) for moment in coming[:_MOST_OFFERED])}?", offers)

    def _past(self, moment: Moment, again: str | None) -> Unreadable:
        """The refusal of a past time, offering the next one like it if there is one."""
        gone = (self._now.instant - moment.instant) // SECOND
        ago = "is now" if gone < 1 else f"was {_rough(gone)} ago"
        if again is None:
            return Unreadable(f"that {ago}")
        coming = self._again(moment, "day" if gone < DAY // SECOND and again == "year" else again)
        return Unreadable(f"that {ago}; did you mean {self._near(coming)}?", (self._moment(coming, None, False),))

    def _again(self, moment: Moment, again: str) -> Moment:
        """A past moment on the next day, in the next week, month or year."""
        now = self._now
        wall = now.clock.wall(moment.instant) if moment.wall is None else moment.wall
        day, second = to_datetime(wall).date(), wall % DAY // SECOND
        years = 12 * (now.today.year - day.year)
        ahead = (day.weekday() - now.today.weekday()) % 7
        choices = {
            "day": [(now.today, 0, days) for days in range(3)],
            "week": [(now.today, 0, ahead), (now.today, 0, ahead + 7)],
            "month": [(day, months, 0) for months in (1, 2) if shifted(day, months, 0).day == day.day],
            "year": [(day, years, 0), (day, years + 12, 0)],
        }[again]
        found = [now.at(shifted(*choice), second) for choice in choices]
        return next(choice for choice in found if choice.instant > now.instant)

    def _near(self, moment: Moment) -> str:
        """A moment for a question: today and tomorrow by name, other days by date."""
        wall = self._now.clock.wall(moment.instant)
        ahead = wall // DAY - self._now.wall // DAY
        if ahead not in (0, 1):
            return self._moment(moment, None, False).words
        return f"{('today', 'tomorrow')[ahead]} at {say_time(wall % DAY // SECOND, hour24=self._hour24)}"

    def _moment(self, moment: Moment, text: str | None, defaulted: bool) -> Reading:
        spelled = spell(moment.instant, self._where) if moment.wall is None else spell(moment.wall)
        at = spelled if moment.wall is None else spelled[: -len("+00:00")]
        return self._reading(text, DateTrigger(at=at, timezone=self._where.key), defaulted_time=defaulted)

    def _reading(
        self,
        text: str | None,
        trigger: Trigger,
        *,
        defaulted_time: bool = False,
        defaulted_day: bool = False,
        start: int | None = None,
        until: int | None = None,
        count: int | None = None,
        formal: bool = False,
    ) -> Reading:
        words = say_bounded(
            trigger, self._now.clock, hour24=self._hour24, order=self._order, start=start, until=until, count=count
        )  # fmt: skip
        return Reading(
            text=words if text is None else text,
            trigger=trigger,
            words=words,
            recurring=not isinstance(trigger, DateTrigger),
            defaulted_time=defaulted_time,
            defaulted_day=defaulted_day,
            start=start,
            until=until,
            count=count,
            hour24=self._hour24,
            order=self._order,
            formal=formal,
        )

    def _checked(self, reading: Reading) -> Reading:
        """The reading, if it is ever due. Raises BadTrigger or Unreadable."""
        rule = compile_rule(
            reading.trigger,
            timezone=self._where.key,
            anchor=self._now.instant,
            start=reading.start,
            until=reading.until,
        )
        if rule.next_after(self._now.instant) is None:
            raise Unreadable("that is never due from now on; check its end and its days")
        return reading

    def offered(self, texts: Sequence[str], *, repeat: bool) -> list[Reading]:
        """The different readings of the first few texts that have any; readings offered by a refusal count."""
        if self._depth > 1:
            return []  # The offers of an offer of an offer: nobody meant that.
        found: dict[tuple[Trigger, int | None, int | None, int | None], Reading] = {}
        self._depth += 1
        for text in texts:
            try:
                several: tuple[Reading, ...] = (self.read(text, repeat=repeat, typing=True),)
            except Unreadable as refusal:
                several = refusal.readings
            for reading in several:
                if reading.recurring or not repeat:
                    found.setdefault((reading.trigger, reading.start, reading.until, reading.count), reading)
            if len(found) >= _MOST_OFFERED:
                break
        self._depth -= 1
        return list(found.values())[:_MOST_OFFERED]


def _refuse_every(text: str) -> None:
    """@every 5m, as Go's cron has it. Raises Refused."""
    match = _EVERY.match(text)
    if match is not None:
        words = f"every {text[match.end() :] or '5 minutes'}"
        raise Refused(f"{match[0].strip()!r} is none of cron's names; write {words!r}, without the @", (words,))


def read(
    text: str, *, now: int, timezone: str, default_time: str = "09:00", hour24: bool = True,
    order: DateOrder | None = None,
) -> Reading:  # fmt: skip
    """Read a time, once or recurring.

    Args:
        text: at most 200 characters, in any form of ``docs/times.md``.
        now: the instant that relative words count from.
        timezone: the zone the words are meant in.
        default_time: the time of day (HH:MM) where nobody said one.
        hour24: whether words show 18:30 or 6:30pm; how text is read does not depend on it.
        order: which figure of ``03/04`` is the day, and how words say dates; None: both readings are offered.

    Raises:
        Unreadable: the text is not understood, past, impossible or ambiguous; with the readings it may have.
        BadZone: no such zone.
    """
    return _Reader(now, timezone, default_time, hour24, order).read(text, repeat=False)


def read_repeat(
    text: str, *, now: int, timezone: str, default_time: str = "09:00", hour24: bool = True,
    order: DateOrder | None = None,
) -> Reading:  # fmt: skip
    """Read a repetition: like ``read``, but ``15m`` means every 15 minutes and ``monday`` every monday.

    Raises:
        Unreadable: as ``read``, and where the words mean a single moment.
        BadZone: no such zone.
    """
    return _Reader(now, timezone, default_time, hour24, order).read(text, repeat=True)


def readings(
    text_so_far: str, *, now: int, timezone: str, default_time: str = "09:00", hour24: bool = True,
    order: DateOrder | None = None,
) -> list[Reading]:  # fmt: skip
    """At most three readings of half-typed text, the best first. Never raises."""
    return _suggested(text_so_far, completions, (now, timezone, default_time, hour24, order), repeat=False)


def suggest_repeat(
    text_so_far: str, *, now: int, timezone: str, default_time: str = "09:00", hour24: bool = True,
    order: DateOrder | None = None,
) -> list[Reading]:  # fmt: skip
    """At most three readings of a half-typed repetition, the best first. Never raises."""
    return _suggested(text_so_far, repeat_completions, (now, timezone, default_time, hour24, order), repeat=True)


def _suggested(
    text: str, complete: Callable[[str], list[str]], manner: tuple[int, str, str, bool, DateOrder | None], *, repeat: bool
) -> list[Reading]:  # fmt: skip
    try:
        reader = _Reader(*manner)
    except ValueError:
        return []  # An unknown zone or default time is refused where it is set; here somebody is only typing.
    return reader.offered(complete(text), repeat=repeat)


def _seconds(default_time: str) -> int:
    match = _DEFAULT_TIME.match(default_time)
    if match is None:
        raise ValueError(f"the default time {default_time!r} is not of the form 09:00")
    return int(match[1]) * 3600 + int(match[2]) * 60


def _rough(seconds: int) -> str:
    """A length in its largest unit, for people."""
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' * (number > 1)}"
    return f"{seconds} second{'s' * (seconds > 1)}"
