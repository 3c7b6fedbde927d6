"""The ids of Discord have one spelling: another is refused where it is sent, and opens nothing where it is compared."""

from __future__ import annotations

import msgspec
import pytest

from bot.discord_handler import Id
from schedule_zero.permitted import why_not_there
from schedule_zero.views import GuildChannels


@pytest.mark.parametrize("id", ["0123", "123\n", "0", "", " 123", "١٢٣", "1" * 21, "12a"])
def test_an_id_spelled_otherwise_is_refused(id: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(id, Id)


@pytest.mark.parametrize("id", ["1", "123456789012345678", "1" * 20])
def test_an_id_as_discord_spells_it_is_taken(id: str) -> None:
    assert msgspec.convert(id, Id) == id


@pytest.mark.parametrize("spelled", ["123", "0123"])
@pytest.mark.parametrize("listed", ["123", "0123"])
def test_a_channel_is_open_or_closed_however_it_is_spelled(spelled: str, listed: str) -> None:
    assert why_not_there(GuildChannels(deny=(listed,)), spelled) is not None
    assert why_not_there(GuildChannels(deny=(listed,)), "7", spelled) is not None
    assert why_not_there(GuildChannels(allow=(listed,)), spelled) is None
    assert why_not_there(GuildChannels(allow=(listed,)), "7") is not None
