"""Who may do what where. Pure.

Source: Discord's developer documentation, "Permissions", section on overwrites: roles together, then the channel's
overwrite for @everyone, then those of all roles at once (denials first), then the member's own.
"""

from enum import IntFlag

from tests.discord_server.records import Channel, Guild, Member, World


class Permission(IntFlag):
    """The bits this server acts on; records carry plain integers, so any other bit passes through."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    VIEW_AUDIT_LOG = 1 << 7
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    CONNECT = 1 << 20
    USE_APPLICATION_COMMANDS = 1 << 31
    SEND_MESSAGES_IN_THREADS = 1 << 38


ALL = (1 << 53) - 1
DIRECT_MESSAGE = int(
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.MENTION_EVERYONE
    | Permission.USE_APPLICATION_COMMANDS
)


def guild_permissions(guild: Guild, member: Member) -> int:
    """What the roles of a member give, before any channel is looked at."""
    if member.user_id == guild.owner_id:
        return ALL
    granted = guild.roles[guild.id].permissions
    for role_id in member.roles:
        granted |= guild.roles[role_id].permissions
    return ALL if granted & Permission.ADMINISTRATOR else granted


def permissions_in(world: World, user_id: int, channel: Channel) -> int:
    """What a user may do in a channel; 0 for strangers and for those who cannot see it."""
    if channel.guild_id is None:
        return DIRECT_MESSAGE if user_id in (channel.recipient_id, world.bot_id) else 0
    guild = world.guilds[channel.guild_id]
    member = guild.members.get(user_id)
    if member is None:
        return 0
    granted = guild_permissions(guild, member)
    if granted == ALL:
        return ALL
    place = world.channels[channel.parent_id] if channel.type.is_thread and channel.parent_id else channel
    granted = _with_overwrites(granted, place, guild.id, member)
    return granted if granted & Permission.VIEW_CHANNEL else 0


def _with_overwrites(granted: int, channel: Channel, guild_id: int, member: Member) -> int:
    everyone = channel.overwrites.get(guild_id)
    if everyone is not None:
        granted = granted & ~everyone.deny | everyone.allow
    mine = [channel.overwrites[role_id] for role_id in member.roles if role_id in channel.overwrites]
    for overwrite in mine:
        granted &= ~overwrite.deny
    for overwrite in mine:
        granted |= overwrite.allow
    own = channel.overwrites.get(member.user_id)
    return granted & ~own.deny | own.allow if own is not None else granted
