"""Records as the JSON Discord sends. Pure."""

from tests.discord_server.permissions import permissions_in
from tests.discord_server.records import Channel, ChannelType, Guild, JsonObject, Member, Role, User, World


def user_json(user: User) -> JsonObject:
    """A user object."""
    payload: JsonObject = {
        "id": str(user.id),
        "username": user.name,
        "discriminator": "0",
        "global_name": user.global_name,
        "avatar": None,
        "public_flags": 0,
    }
    return payload | {"bot": True} if user.bot else payload


def member_json(member: Member, user: User | None = None) -> JsonObject:
    """A member object; Discord leaves the user out where it stands beside it."""
    payload: JsonObject = {
        "roles": [str(role_id) for role_id in member.roles],
        "nick": member.nick,
        "avatar": None,
        "joined_at": member.joined_at,
        "premium_since": None,
        "communication_disabled_until": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
    }
    return payload if user is None else payload | {"user": user_json(user)}


def role_json(role: Role) -> JsonObject:
    """A role object."""
    payload: JsonObject = {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(role.permissions),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "managed": role.bot_id is not None,
        "mentionable": role.mentionable,
        "flags": 0,
    }
    return payload if role.bot_id is None else payload | {"tags": {"bot_id": str(role.bot_id)}}


def channel_json(channel: Channel, world: World) -> JsonObject:
    """A channel, thread or direct message object."""
    payload: JsonObject = {
        "id": str(channel.id),
        "type": int(channel.type),
        "last_message_id": _text(channel.last_message_id),
        "flags": 0,
    }
    if channel.type is ChannelType.DM:
        recipients = [user_json(world.users[channel.recipient_id])] if channel.recipient_id else []
        return payload | {"recipients": recipients}
    payload |= {
        "guild_id": _text(channel.guild_id),
        "name": channel.name,
        "parent_id": _text(channel.parent_id),
        "rate_limit_per_user": 0,
    }
    return payload | (_thread_part(channel) if channel.type.is_thread else _place_part(channel))


def _place_part(channel: Channel) -> JsonObject:
    part: JsonObject = {
        "position": channel.position,
        "topic": channel.topic,
        "nsfw": False,
        "permission_overwrites": [
            {
                "id": str(overwrite.target_id),
                "type": 0 if overwrite.kind == "role" else 1,
                "allow": str(overwrite.allow),
                "deny": str(overwrite.deny),
            }
            for overwrite in channel.overwrites.values()
        ],
    }
    if channel.type in (ChannelType.VOICE, ChannelType.STAGE):
        part |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    if channel.type is ChannelType.FORUM:
        part |= {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None}
    return part


def _thread_part(channel: Channel) -> JsonObject:
    return {
        "owner_id": str(channel.owner_id),
        "message_count": 0,
        "member_count": 1,
        "total_message_sent": 0,
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 1440,
            "archive_timestamp": "2023-01-01T00:00:00+00:00",
            "locked": False,
        },
    }


def partial_channel_json(channel: Channel, world: World, user_id: int) -> JsonObject:
    """A channel as interactions carry it: with the rights of the user who acted."""
    return channel_json(channel, world) | {"permissions": str(permissions_in(world, user_id, channel))}


def guild_json(guild: Guild) -> JsonObject:
    """A guild object as GET /guilds/{id} answers it."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "owner_id": str(guild.owner_id),
        "preferred_locale": guild.locale,
        "roles": [role_json(role) for role in guild.roles.values()],
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "description": None,
        "emojis": [],
        "stickers": [],
        "features": [],
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "application_id": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "vanity_url_code": None,
        "incidents_data": None,
    }


def guild_create_json(guild: Guild, world: World) -> JsonObject:
    """A guild as the gateway announces it to a bot without the members intent: it sees itself alone."""
    visible = [channel for channel in world.channels_of(guild.id) if permissions_in(world, world.bot_id, channel)]
    me = guild.members[world.bot_id]
    return guild_json(guild) | {
        "joined_at": me.joined_at,
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [member_json(me, world.users[world.bot_id])],
        "channels": [
            channel_json(channel, world) for channel in world.channels_of(guild.id) if not channel.type.is_thread
        ],
        "threads": [channel_json(channel, world) for channel in visible if channel.type.is_thread],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def application_json(world: World) -> JsonObject:
    """The bot's application."""
    return {
        "id": str(world.application_id),
        "name": world.users[world.bot_id].name,
        "description": "",
        "summary": "",
        "icon": None,
        "flags": 0,
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "owner": user_json(world.users[world.owner_id]),
        "team": None,
        "interactions_endpoint_url": None,
    }


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
