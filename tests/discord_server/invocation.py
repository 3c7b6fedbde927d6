"""From what a user types or presses to the `data` of an interaction, with the checks Discord's own client makes. Pure.

Whatever the client would not let a user do raises NotPossible with the reason.
"""

from typing import Any

from tests.discord_server.commands import SUB_COMMAND, SUB_COMMAND_GROUP, CommandStore
from tests.discord_server.drafts import walk_components
from tests.discord_server.payloads import member_json, partial_channel_json, role_json, user_json
from tests.discord_server.permissions import Permission, guild_permissions, permissions_in
from tests.discord_server.records import Channel, JsonObject, World

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER = 3, 4, 5, 6, 7, 8, 9, 10
SNOWFLAKES = (USER, CHANNEL, ROLE, MENTIONABLE)
PYTHON_TYPES: dict[int, tuple[type, ...]] = {STRING: (str,), INTEGER: (int,), BOOLEAN: (bool,), NUMBER: (int, float)}
GUILD_CONTEXT, BOT_DM_CONTEXT = 0, 1
ACTION_ROW, BUTTON, TEXT_INPUT, LABEL = 1, 2, 4, 18


class NotPossible(ValueError):
    """A user could not do this in Discord; the text says why."""


class Typed:
    """A command as typed: its words, its options, and where and by whom."""

    def __init__(
        self, words: str, options: dict[str, Any], channel: Channel, user_id: int, *, focused: str | None = None
    ) -> None:
        self.words = words.split()
        self.options = options
        self.channel = channel
        self.user_id = user_id
        self.focused = focused


def command_data(typed: Typed, commands: CommandStore, world: World, *, override: bool = False) -> JsonObject:
    """The `data` of a slash command or, with a focused option, of an autocompletion.

    `override` stands for an admin who gave the user the command under Integrations, whatever its default is.
    """
    command = commands.find(typed.channel.guild_id, typed.words[0])
    if command is None:
        raise NotPossible(f"no command /{typed.words[0]} is synced")
    _check_place(command, typed, world, override=override)
    path, leaf = _descend(command, typed.words)
    options = _option_list(leaf, typed)
    for node in reversed(path):
        options = [{"name": node["name"], "type": node["type"], "options": options}]
    data: JsonObject = {"id": command["id"], "name": command["name"], "type": 1, "options": options}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    if typed.focused is None:
        data["resolved"] = _resolved(leaf, typed, world)
    return data


def component_data(message: JsonObject, custom_id: str, values: list[str] | None) -> JsonObject:
    """The `data` of a press on a button or a choice in a select."""
    component = next(
        (found for _, found in walk_components(message["components"]) if found.get("custom_id") == custom_id), None
    )
    if component is None:
        raise NotPossible(f"message {message['id']} has no component {custom_id!r}")
    if component.get("disabled"):
        raise NotPossible(f"component {custom_id!r} is disabled")
    data: JsonObject = {"custom_id": custom_id, "component_type": component["type"], "id": component.get("id", 1)}
    if component["type"] == BUTTON:
        return data
    offered = [option["value"] for option in component.get("options", [])]
    if offered and not set(values or []) <= set(offered):
        raise NotPossible(f"{custom_id!r} offers {offered}, not {values}")
    return data | {"values": values or [], "resolved": {}}


def modal_data(modal: JsonObject, values: dict[str, str]) -> JsonObject:
    """The `data` of a modal sent off with these texts; fields left out are sent as they were prefilled."""
    fields = {found["custom_id"] for _, found in walk_components(modal["components"]) if "custom_id" in found}
    if not set(values) <= fields:
        raise NotPossible(f"the modal has the fields {sorted(fields)}, not {sorted(set(values) - fields)}")
    return {
        "custom_id": modal["custom_id"],
        "components": [_filled(component, values) for component in modal["components"]],
        "resolved": {},
    }


def _check_place(command: JsonObject, typed: Typed, world: World, *, override: bool) -> None:
    guild_id = typed.channel.guild_id
    name = command["name"]
    contexts = command["contexts"]
    here = BOT_DM_CONTEXT if guild_id is None else GUILD_CONTEXT
    if here not in (contexts if contexts is not None else [GUILD_CONTEXT, BOT_DM_CONTEXT]):
        raise NotPossible(f"/{name} cannot be used here: its contexts are {contexts}")
    if guild_id is None:
        if contexts is None and command["dm_permission"] is False:
            raise NotPossible(f"/{name} cannot be used in direct messages")
        return
    rights = permissions_in(world, typed.user_id, typed.channel)
    if not rights & Permission.USE_APPLICATION_COMMANDS:
        raise NotPossible(f"user {typed.user_id} may not use commands in channel {typed.channel.id}")
    guild = world.guilds[guild_id]
    needed = command["default_member_permissions"]
    held = guild_permissions(guild, guild.members[typed.user_id])
    if needed is not None and not override and not _is_shown(int(needed), held):
        raise NotPossible(f"/{name} is not shown to user {typed.user_id}: it needs permissions {needed}")


def _is_shown(needed: int, held: int) -> bool:
    """Discord shows a command to those who hold every default permission; 0 means administrators only."""
    return bool(held & Permission.ADMINISTRATOR) or (needed != 0 and held & needed == needed)


def _descend(command: JsonObject, words: list[str]) -> tuple[list[JsonObject], JsonObject]:
    path: list[JsonObject] = []
    node = command
    for word in words[1:]:
        inner = next((option for option in node["options"] if option["name"] == word), None)
        if inner is None or inner["type"] not in (SUB_COMMAND, SUB_COMMAND_GROUP):
            raise NotPossible(f"/{' '.join(words)} does not exist: {node['name']!r} has no subcommand {word!r}")
        path.append(inner)
        node = inner
    below = [option["name"] for option in node.get("options", []) if option["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP)]
    if below:
        raise NotPossible(f"/{' '.join(words)} needs one of its subcommands: {', '.join(below)}")
    return path, node


def _option_list(leaf: JsonObject, typed: Typed) -> list[JsonObject]:
    known: dict[str, JsonObject] = {option["name"]: option for option in leaf.get("options", [])}
    unknown = set(typed.options) - set(known)
    if unknown:
        raise NotPossible(f"/{' '.join(typed.words)} has no option {', '.join(sorted(unknown))}")
    missing = [name for name, option in known.items() if option.get("required") and name not in typed.options]
    if missing and typed.focused is None:
        raise NotPossible(f"/{' '.join(typed.words)} needs the option {', '.join(missing)}")
    return [_option(known[name], value, focused=name == typed.focused) for name, value in typed.options.items()]


def _option(option: JsonObject, value: Any, *, focused: bool) -> JsonObject:
    name, kind = option["name"], option["type"]
    if focused:
        if not option.get("autocomplete"):
            raise NotPossible(f"option {name!r} has no autocompletion")
        return {"name": name, "type": kind, "value": str(value), "focused": True}
    if kind in SNOWFLAKES:
        return {"name": name, "type": kind, "value": str(value)}
    wanted = PYTHON_TYPES.get(kind)
    if wanted is None:
        raise NotPossible(f"options of type {kind} ({name!r}) are not simulated")
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != BOOLEAN):
        raise NotPossible(f"option {name!r} takes {wanted[-1].__name__}, not {value!r}")
    choices = [choice["value"] for choice in option.get("choices") or []]
    if choices and value not in choices:
        raise NotPossible(f"option {name!r} offers {choices}, not {value!r}")
    _check_bounds(option, value)
    return {"name": name, "type": kind, "value": value}


def _check_bounds(option: JsonObject, value: Any) -> None:
    if option["type"] == BOOLEAN:
        return
    what, size = ("length", len(value)) if option["type"] == STRING else ("value", value)
    low, high = option.get(f"min_{what}"), option.get(f"max_{what}")
    if (low is not None and size < low) or (high is not None and size > high):
        raise NotPossible(f"option {option['name']!r} takes a {what} from {low} to {high}, not {size}")


def _resolved(leaf: JsonObject, typed: Typed, world: World) -> JsonObject:
    resolved: JsonObject = {}
    for option in leaf.get("options", []):
        if option["type"] in SNOWFLAKES and option["name"] in typed.options:
            _resolve(option, int(typed.options[option["name"]]), typed, world, resolved)
    return resolved


def _resolve(option: JsonObject, target: int, typed: Typed, world: World, into: JsonObject) -> None:
    guild = None if typed.channel.guild_id is None else world.guilds[typed.channel.guild_id]
    kind = option["type"]
    if kind == CHANNEL and target in world.channels and world.channels[target].guild_id == typed.channel.guild_id:
        channel = world.channels[target]
        wanted = option.get("channel_types")
        if wanted and channel.type not in wanted:
            raise NotPossible(f"option {option['name']!r} takes channels of types {wanted}, not {int(channel.type)}")
        into.setdefault("channels", {})[str(target)] = partial_channel_json(channel, world, typed.user_id)
    elif kind in (USER, MENTIONABLE) and target in world.users:
        into.setdefault("users", {})[str(target)] = user_json(world.users[target])
        if guild is not None and target in guild.members:
            rights = {"permissions": str(permissions_in(world, target, typed.channel))}
            into.setdefault("members", {})[str(target)] = member_json(guild.members[target]) | rights
    elif kind in (ROLE, MENTIONABLE) and guild is not None and target in guild.roles:
        into.setdefault("roles", {})[str(target)] = role_json(guild.roles[target])
    else:
        raise NotPossible(f"option {option['name']!r}: {target} cannot be picked here")


def _filled(component: JsonObject, values: dict[str, str]) -> JsonObject:
    kind = component["type"]
    shell: JsonObject = {"type": kind, "id": component.get("id", 1)}
    if kind == ACTION_ROW:
        return shell | {"components": [_filled(inner, values) for inner in component["components"]]}
    if kind == LABEL:
        return shell | {"component": _filled(component["component"], values)}
    if "custom_id" not in component:
        return shell
    shell["custom_id"] = component["custom_id"]
    text = values.get(component["custom_id"], component.get("value") or "")
    if kind != TEXT_INPUT:
        return shell | {"values": [text] if text else []}
    if component.get("required", True) and not text:
        raise NotPossible(f"the field {component['custom_id']!r} must be filled in")
    return shell | {"value": text}
