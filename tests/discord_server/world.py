"""The world every server starts with: fixed ids, so that tests may name people and places."""

from tests.discord_server.permissions import Permission
from tests.discord_server.records import Channel, ChannelType, Guild, Member, Overwrite, Role, User, World

BOT = 1100000000000000001
OPERATOR = 1100000000000000002
"""Owner of the application and of both guilds the bot is in."""
MODERATOR = 1100000000000000003
"""May manage messages."""
MEMBER = 1100000000000000004
"""An ordinary member of both guilds."""
CLOSED = 1100000000000000005
"""A member who takes no direct messages."""
STRANGER = 1100000000000000006
"""In no guild with the bot."""

GUILD = 1100000000000000100
OTHER_GUILD = 1100000000005000101
"""Where shards are an even number, this guild and the first are on different ones."""
FOREIGN_GUILD = 1100000000000000102
"""Exists, but the bot is not in it."""

BOT_ROLE = 1100000000000000200
MODERATOR_ROLE = 1100000000000000201
CREW_ROLE = 1100000000000000202
"""Holds no rights and may be mentioned by everybody."""
OTHER_BOT_ROLE = 1100000000000000210

CATEGORY = 1100000000000000300
GENERAL = 1100000000000000301
NEWS = 1100000000000000302
READ_ONLY = 1100000000000000303
"""The bot sees it and may not post: 50013."""
HIDDEN = 1100000000000000304
"""The bot does not see it: 50001."""
NO_HISTORY = 1100000000000000305
"""The bot may post, and reads nothing back."""
VOICE = 1100000000000000306
FORUM = 1100000000000000307
THREAD = 1100000000000000308
OTHER_GENERAL = 1100000000000000400
FOREIGN_GENERAL = 1100000000000000500

EVERYONE_PERMISSIONS = int(
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.CONNECT
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.SEND_MESSAGES_IN_THREADS
)


def seed_world() -> World:
    """A fresh copy of the world: two guilds with the bot, one without, six people."""
    world = World(bot_id=BOT, owner_id=OPERATOR)
    for user in _people():
        world.users[user.id] = user
    for guild in (_main_guild(), _other_guild(), _foreign_guild()):
        world.guilds[guild.id] = guild
    for channel in _channels():
        world.channels[channel.id] = channel
    return world


def _people() -> list[User]:
    return [
        User(id=BOT, name="schedulezero", bot=True),
        User(id=OPERATOR, name="olga", global_name="Olga"),
        User(id=MODERATOR, name="milo", global_name="Milo"),
        User(id=MEMBER, name="mia", global_name="Mia"),
        User(id=CLOSED, name="carl", accepts_dms=False),
        User(id=STRANGER, name="sven"),
    ]


def _main_guild() -> Guild:
    return Guild(
        id=GUILD,
        name="Tea House",
        owner_id=OPERATOR,
        roles=_by_id(
            Role(id=GUILD, name="@everyone", permissions=EVERYONE_PERMISSIONS),
            Role(id=BOT_ROLE, name="schedulezero", position=3, bot_id=BOT),
            Role(id=MODERATOR_ROLE, name="Moderator", permissions=int(Permission.MANAGE_MESSAGES), position=2),
            Role(id=CREW_ROLE, name="Crew", position=1, mentionable=True),
        ),
        members={
            BOT: Member(user_id=BOT, roles=[BOT_ROLE]),
            OPERATOR: Member(user_id=OPERATOR),
            MODERATOR: Member(user_id=MODERATOR, roles=[MODERATOR_ROLE]),
            MEMBER: Member(user_id=MEMBER, roles=[CREW_ROLE]),
            CLOSED: Member(user_id=CLOSED),
        },
    )


def _other_guild() -> Guild:
    return Guild(
        id=OTHER_GUILD,
        name="Werkstatt",
        owner_id=OPERATOR,
        locale="de",
        roles=_by_id(
            Role(id=OTHER_GUILD, name="@everyone", permissions=EVERYONE_PERMISSIONS),
            Role(id=OTHER_BOT_ROLE, name="schedulezero", position=1, bot_id=BOT),
        ),
        members={
            BOT: Member(user_id=BOT, roles=[OTHER_BOT_ROLE]),
            OPERATOR: Member(user_id=OPERATOR),
            MEMBER: Member(user_id=MEMBER),
        },
    )


def _foreign_guild() -> Guild:
    return Guild(
        id=FOREIGN_GUILD,
        name="Elsewhere",
        owner_id=STRANGER,
        roles=_by_id(Role(id=FOREIGN_GUILD, name="@everyone", permissions=EVERYONE_PERMISSIONS)),
        members={STRANGER: Member(user_id=STRANGER)},
    )


def _channels() -> list[Channel]:
    return [
        Channel(id=CATEGORY, guild_id=GUILD, type=ChannelType.CATEGORY, name="house"),
        Channel(id=GENERAL, guild_id=GUILD, name="general", parent_id=CATEGORY, topic="Everything"),
        Channel(id=NEWS, guild_id=GUILD, type=ChannelType.NEWS, name="news", position=1),
        _denied(READ_ONLY, "read-only", Permission.SEND_MESSAGES | Permission.SEND_MESSAGES_IN_THREADS),
        _denied(HIDDEN, "hidden", Permission.VIEW_CHANNEL),
        _denied(NO_HISTORY, "no-history", Permission.READ_MESSAGE_HISTORY),
        Channel(id=VOICE, guild_id=GUILD, type=ChannelType.VOICE, name="Parlour", position=5),
        Channel(id=FORUM, guild_id=GUILD, type=ChannelType.FORUM, name="forum", position=6),
        Channel(
            id=THREAD,
            guild_id=GUILD,
            type=ChannelType.PUBLIC_THREAD,
            name="a thread",
            parent_id=GENERAL,
            owner_id=MODERATOR,
        ),
        Channel(id=OTHER_GENERAL, guild_id=OTHER_GUILD, name="allgemein"),
        Channel(id=FOREIGN_GENERAL, guild_id=FOREIGN_GUILD, name="general"),
    ]


def _denied(channel_id: int, name: str, deny: Permission) -> Channel:
    overwrite = Overwrite(target_id=BOT_ROLE, deny=int(deny))
    return Channel(id=channel_id, guild_id=GUILD, name=name, position=2, overwrites={BOT_ROLE: overwrite})


def _by_id(*roles: Role) -> dict[int, Role]:
    return {role.id: role for role in roles}
