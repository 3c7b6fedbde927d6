"""Messages made, changed and removed where everybody can see it: kept in the store and told to the gateway."""

from tests.discord_server.bodies import Upload
from tests.discord_server.changes import Changes
from tests.discord_server.composition import Composer
from tests.discord_server.drafts import Draft
from tests.discord_server.gateway import Gateway, Intent
from tests.discord_server.messages import Stored
from tests.discord_server.payloads import member_json
from tests.discord_server.records import JsonObject


class Posts:
    """The one way a message appears, changes or goes."""

    def __init__(self, composer: Composer, gateway: Gateway, changes: Changes) -> None:
        self.composer = composer
        self._gateway = gateway
        self._changes = changes

    def publish(self, message: Stored) -> None:
        """A composed message becomes real."""
        self.composer.store.keep(message)
        self.composer.world.channels[message.channel_id].last_message_id = message.id
        self._announce("MESSAGE_CREATE", message, message.payload)

    def change(self, message: Stored, draft: Draft, uploads: list[Upload]) -> None:
        """A message gets other content."""
        self.composer.amend(message, draft, uploads)
        self._announce("MESSAGE_UPDATE", message, message.payload)

    def remove(self, message: Stored) -> None:
        """A message goes."""
        self.composer.store.drop(message)
        self._announce("MESSAGE_DELETE", message, {"id": str(message.id), "channel_id": str(message.channel_id)})

    def _announce(self, name: str, message: Stored, payload: JsonObject) -> None:
        self._changes.notify()
        if message.hidden:
            return
        world = self.composer.world
        channel = world.channels.get(message.channel_id)
        guild_id = None if channel is None else channel.guild_id
        if guild_id is None:
            self._gateway.dispatch(name, payload, guild_id=None, intent=Intent.DIRECT_MESSAGES)
            return
        payload = payload | {"guild_id": str(guild_id)}
        member = world.guilds[guild_id].members.get(message.author_id)
        if member is not None and "author" in payload:
            payload["member"] = member_json(member)
        self._gateway.dispatch(name, payload, guild_id=guild_id, intent=Intent.GUILD_MESSAGES)
