from __future__ import annotations

import msgspec
import pytest

from core.fields import check
from core.governor.settings import GovernorSettings, GuildQuota, Limits, Plan, Quota, Rate, parse_rate


def read(text: str) -> GovernorSettings:
    return msgspec.json.decode(text, type=GovernorSettings)


def test_an_absent_section_has_the_defaults_of_the_contract() -> None:
    settings = read("{}")
    assert settings.global_ == Limits(running=1000, rate="5000/s", burst=10000)
    unverified = settings.quota_of("1")
    assert (unverified.running, unverified.rate, unverified.runs_per_day) == (2, "30/min", 200)
    assert (unverified.schedules, unverified.min_interval, unverified.handlers) == (20, "PT5M", ["discord"])
    assert (unverified.sends_per_channel, unverified.dms_per_hour, unverified.payload_bytes) == ("5/min", 10, 16384)
    assert settings.plans["verified"].rate == "10/s"
    assert settings.plans["trusted"].runs_per_day is None
    assert settings.methods["webhook.post"].running == 50


def test_a_guild_has_its_plan_with_what_differs() -> None:
    settings = read('{"guilds": {"123": {"plan": "trusted", "running": 50}}}')
    assert settings.quota_of("123") == msgspec.structs.replace(settings.plans["trusted"], running=50)


def test_null_lifts_a_limit_of_the_plan_and_a_key_left_out_keeps_it() -> None:
    quota = read('{"guilds": {"1": {"runs_per_day": null}}}').quota_of("1")
    assert quota.runs_per_day is None
    assert quota.running == 2


def test_a_rate_of_its_own_does_not_inherit_the_burst_of_the_plan() -> None:
    settings = GovernorSettings(plans={"p": Plan(rate="10/s", burst=3)}, guilds={"1": GuildQuota(rate="500/s")},
                                default_plan="p")  # fmt: skip
    assert (settings.quota_of("1").rate, settings.quota_of("1").burst) == ("500/s", None)
    assert settings.quota_of("2").burst == 3


def test_the_operators_own_work_has_no_quota() -> None:
    assert GovernorSettings().quota_of(None) == Quota()


def test_plans_add_to_the_defaults_and_replace_those_of_their_name() -> None:
    settings = read('{"plans": {"verified": {"running": 3}, "club": {"running": 7}}, "default_plan": "club"}')
    assert settings.quota_of("1").running == 7
    assert settings.plans["verified"] == Plan(running=3)
    assert settings.plans["trusted"].running == 200


@pytest.mark.parametrize(
    ("text", "rate"),
    [("5000/s", Rate(5000, 1.0)), ("30/min", Rate(30, 60.0)), (" 2 / h ", Rate(2, 3600.0)), ("1/d", Rate(1, 86400.0))],
)
def test_a_rate_is_a_count_and_its_seconds(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "5", "5/w", "1.5/s", "-1/s", "0/s", "s/5", "99999999999/s"])
def test_what_is_no_rate_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a rate; write N/s|would never allow anything"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"default_plan": "gold"}', "default_plan names 'gold', which is no plan; there are unverified, verified"),
        ('{"guilds": {"1": {"plan": "gold"}}}', r"guilds.1.plan names 'gold', which is no plan"),
        ('{"speed": 1}', "unknown field `speed`"),
        ('{"plans": {"p": {"runing": 1}}}', "unknown field `runing`"),
        ('{"global": {"running": -1}}', "Expected `int` >= 0"),
        ('{"plans": {"p": {"weight": 0}}}', "Expected `float` > 0"),
    ],
)
def test_wrong_settings_are_refused(text: str, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        read(text)


def test_every_mistake_is_told_in_words_a_person_can_use() -> None:
    document = {"global": {"rate": "fast"}, "guilds": {"1": {"running": "many", "min_interval": "5m"}}}
    _, mistakes = check(document, GovernorSettings)
    assert [f"{mistake.field} {mistake.message}" for mistake in mistakes] == [
        "global.rate has to be a rate such as 10/s, 30/min, 500/h or 2000/d, not 'fast'",
        "guilds.1.running has to be a whole number, 0 or more, or null for no limit, not 'many'",
        "guilds.1.min_interval has to be an ISO 8601 duration such as PT10S, PT5M or P1D, not '5m'",
    ]
