"""Application commands: stored as synced, checked as Discord checks them, found again by name.

Limits: developer documentation, "Application Commands".
"""

import re
from typing import Any

from tests.discord_server.clock import Snowflakes
from tests.discord_server.errors import FormErrors
from tests.discord_server.records import JsonObject

SUB_COMMAND = 1
SUB_COMMAND_GROUP = 2
CHAT_INPUT = 1
NAME = re.compile(r"[-_'\w]{1,32}")
SHOWN_BY_DEFAULT: JsonObject = {
    "type": CHAT_INPUT,
    "description": "",
    "options": [],
    "default_member_permissions": None,
    "dm_permission": True,
    "contexts": None,
    "integration_types": [0],
    "nsfw": False,
    "name_localizations": None,
    "description_localizations": None,
}
Scope = int | None
"""A guild's id, or None for the commands that exist everywhere."""


class CommandStore:
    """The commands of the application, by scope."""

    def __init__(self, application_id: int, snowflakes: Snowflakes) -> None:
        self._application_id = application_id
        self._snowflakes = snowflakes
        self._scopes: dict[Scope, dict[tuple[str, int], JsonObject]] = {}

    def overwrite(self, scope: Scope, bodies: list[JsonObject]) -> list[JsonObject]:
        """Replace a scope's commands; a command that keeps its name keeps its id."""
        check_commands(bodies)
        before = self._scopes.get(scope, {})
        after: dict[tuple[str, int], JsonObject] = {}
        for body in bodies:
            wanted = SHOWN_BY_DEFAULT | body
            key = (wanted["name"], wanted["type"])
            after[key] = self._stored(scope, wanted, before.get(key))
        self._scopes[scope] = after
        return self.listed(scope)

    def listed(self, scope: Scope) -> list[JsonObject]:
        """The commands of a scope."""
        return list(self._scopes.get(scope, {}).values())

    def find(self, guild_id: int | None, name: str) -> JsonObject | None:
        """A slash command by its top-level name: the guild's own first, then the global one."""
        key = (name, CHAT_INPUT)
        own = None if guild_id is None else self._scopes.get(guild_id, {}).get(key)
        return own or self._scopes.get(None, {}).get(key)

    def _stored(self, scope: Scope, wanted: JsonObject, before: JsonObject | None) -> JsonObject:
        stored: JsonObject = wanted | {
            "id": before["id"] if before else str(self._snowflakes.next()),
            "application_id": str(self._application_id),
        }
        if scope is not None:
            stored["guild_id"] = str(scope)
        unchanged = before is not None and before | {"version": None} == stored | {"version": None}
        stored["version"] = before["version"] if before and unchanged else str(self._snowflakes.next())
        return stored


def check_commands(bodies: list[JsonObject]) -> None:
    """ApiError 50035 for names, descriptions, counts or sizes that Discord refuses."""
    errors = FormErrors()
    slash = [body for body in bodies if body.get("type", CHAT_INPUT) == CHAT_INPUT]
    if len(slash) > 100:
        errors.add((), "APPLICATION_COMMAND_TOO_MANY", "Maximum number of application commands reached (100).")
    names = [(body.get("name"), body.get("type", CHAT_INPUT)) for body in bodies]
    for index, body in enumerate(bodies):
        if names.index(names[index]) != index:
            errors.add(
                (index, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"
            )
        if body in slash:
            _check_node((index,), body, errors)
            if _size(body) > 8000:
                errors.add((index,), "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")
    errors.raise_any()


def _check_node(path: tuple[str | int, ...], node: JsonObject, errors: FormErrors) -> None:
    name = str(node.get("name", ""))
    if not NAME.fullmatch(name) or name != name.lower():
        errors.add((*path, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if not 1 <= len(node.get("description") or "") <= 100:
        errors.add((*path, "description"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    options: list[JsonObject] = node.get("options") or []
    errors.most((*path, "options"), options, 25)
    optional_seen = False
    for index, option in enumerate(options):
        errors.most((*path, "options", index, "choices"), option.get("choices") or [], 25)
        if option.get("required") and optional_seen:
            errors.add(
                (*path, "options", index),
                "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before non-required options",
            )
        optional_seen = optional_seen or not option.get("required", False)
        _check_node((*path, "options", index), option, errors)


def _size(node: JsonObject) -> int:
    """Characters Discord counts: names, descriptions and choices, each in its longest translation."""
    texts: list[Any] = [_longest(node, "name"), _longest(node, "description")]
    for choice in node.get("choices") or []:
        texts += [_longest(choice, "name"), str(choice.get("value", ""))]
    return sum(len(text) for text in texts) + sum(_size(option) for option in node.get("options") or [])


def _longest(node: JsonObject, key: str) -> str:
    translations: dict[str, str] = node.get(f"{key}_localizations") or {}
    return max([str(node.get(key) or ""), *translations.values()], key=len)
