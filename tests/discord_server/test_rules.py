"""The pure rules: rights, and the limits of commands."""

import pytest

from tests.discord_server import world
from tests.discord_server.commands import check_commands
from tests.discord_server.errors import ApiError
from tests.discord_server.permissions import Permission, permissions_in
from tests.discord_server.records import JsonObject, Overwrite

CHOICES = [{"name": f"choice number {n:02}", "value": f"value number {n:02}"} for n in range(25)]


def _option(name: str, **more: object) -> JsonObject:
    return {"type": 3, "name": name, "description": "x", **more}


def test_rights_follow_roles_overwrites_and_visibility() -> None:
    seeded = world.seed_world()
    in_hidden = permissions_in(seeded, world.BOT, seeded.channels[world.HIDDEN])
    seeded.channels[world.GENERAL].overwrites[world.MEMBER] = Overwrite(
        target_id=world.MEMBER, kind="member", deny=int(Permission.SEND_MESSAGES)
    )
    in_thread = permissions_in(seeded, world.MEMBER, seeded.channels[world.THREAD])
    assert in_hidden == permissions_in(seeded, world.STRANGER, seeded.channels[world.GENERAL]) == 0
    assert permissions_in(seeded, world.OPERATOR, seeded.channels[world.HIDDEN]) & Permission.ADMINISTRATOR
    assert in_thread & Permission.VIEW_CHANNEL
    assert not in_thread & Permission.SEND_MESSAGES


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"name": "Big", "description": "x"}, "APPLICATION_COMMAND_INVALID_NAME"),
        ({"name": "a", "description": ""}, "BASE_TYPE_BAD_LENGTH"),
        (
            {"name": "a", "description": "x", "options": [_option("b"), _option("c", required=True)]},
            "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
        ),
        (
            {"name": "a", "description": "x", "options": [_option(f"o{n}", choices=CHOICES) for n in range(25)]},
            "APPLICATION_COMMAND_TOO_LARGE",
        ),
    ],
)
def test_commands_beyond_discords_limits_are_refused(body: JsonObject, fault: str) -> None:
    with pytest.raises(ApiError) as refused:
        check_commands([body])
    assert fault in str(refused.value.errors)
