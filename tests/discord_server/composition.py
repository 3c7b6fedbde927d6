"""From a draft to a message object. Pure but for the ids it asks for."""

from urllib.parse import quote

from msgspec import UNSET

from tests.discord_server.bodies import Upload
from tests.discord_server.clock import Clock, Snowflakes
from tests.discord_server.drafts import COMPONENTS_V2, Draft, Reference
from tests.discord_server.errors import INVALID_FORM, UNKNOWN_CHANNEL, ApiError
from tests.discord_server.mentions import resolve_mentions
from tests.discord_server.messages import MessageStore, Stored
from tests.discord_server.payloads import user_json
from tests.discord_server.permissions import permissions_in
from tests.discord_server.records import Channel, JsonObject, World

IS_REPLY = 19
PLAIN = 0


class Composer:
    """Makes and changes messages; `url` is where attachments are served."""

    def __init__(self, world: World, store: MessageStore, clock: Clock, snowflakes: Snowflakes) -> None:
        self.world = world
        self.store = store
        self.clock = clock
        self.snowflakes = snowflakes
        self.url = ""

    def compose(self, channel: Channel, author_id: int, draft: Draft, uploads: list[Upload]) -> Stored:
        """A new message, not kept yet."""
        message_id = self.snowflakes.next()
        payload: JsonObject = {
            "id": str(message_id),
            "channel_id": str(channel.id),
            "author": user_json(self.world.users[author_id]),
            "timestamp": self.clock.stamp(),
            "edited_timestamp": None,
            "type": PLAIN,
            "tts": bool(draft.tts),
            "pinned": False,
            "flags": draft.flags or 0,
        }
        if draft.message_reference is not None:
            payload |= self._reply(channel, draft.message_reference)
        payload |= self._shown(channel, author_id, draft, uploads, keep={})
        return Stored(
            id=message_id, channel_id=channel.id, author_id=author_id, payload=payload, hidden=draft.ephemeral
        )

    def amend(self, message: Stored, draft: Draft, uploads: list[Upload]) -> None:
        """Change a message: what the draft does not mention stays, and a card stays a card once it is one."""
        channel = self.place(message.channel_id)
        message.payload |= self._shown(channel, message.author_id, draft, uploads, keep=message.payload)
        message.payload["flags"] |= (draft.flags or 0) & COMPONENTS_V2
        message.payload["edited_timestamp"] = self.clock.stamp()

    def place(self, channel_id: int) -> Channel:
        """A channel; ApiError 10003 when it was deleted meanwhile."""
        channel = self.world.channels.get(channel_id)
        if channel is None:
            raise ApiError(UNKNOWN_CHANNEL)
        return channel

    def _shown(
        self, channel: Channel, author_id: int, draft: Draft, uploads: list[Upload], *, keep: JsonObject
    ) -> JsonObject:
        content = keep.get("content", "") if draft.content is UNSET else draft.content or ""
        guild = None if channel.guild_id is None else self.world.guilds[channel.guild_id]
        rights = permissions_in(self.world, author_id, channel)
        mentions = resolve_mentions(content, draft.allowed_mentions, self.world, guild, rights)
        return {
            "content": content,
            "embeds": keep.get("embeds", []) if draft.embeds is UNSET else draft.embeds or [],
            "components": keep.get("components", []) if draft.components is UNSET else draft.components or [],
            "attachments": self._attachments(draft, uploads, keep.get("attachments", [])),
            "mentions": [user_json(self.world.users[user_id]) for user_id in mentions.users],
            "mention_roles": [str(role_id) for role_id in mentions.roles],
            "mention_everyone": mentions.everyone,
        }

    def _attachments(self, draft: Draft, uploads: list[Upload], present: list[JsonObject]) -> list[JsonObject]:
        listed: list[JsonObject] = draft.attachments or []
        kept = present if draft.attachments is UNSET else [old for old in present if _listed(old, listed)]
        described = {f"files[{entry.get('id')}]": entry.get("description") for entry in listed}
        return kept + [self._attachment(upload, described.get(upload.field)) for upload in uploads]

    def _attachment(self, upload: Upload, description: str | None) -> JsonObject:
        attachment_id = self.snowflakes.next()
        self.store.files[attachment_id] = upload
        url = f"{self.url}/attachments/{attachment_id}/{quote(upload.filename)}"
        return {
            "id": str(attachment_id),
            "filename": upload.filename,
            "description": description,
            "content_type": upload.content_type,
            "size": len(upload.content),
            "url": url,
            "proxy_url": url,
        }

    def _reply(self, channel: Channel, reference: Reference) -> JsonObject:
        answered = self.store.find(int(reference.message_id)) if reference.message_id.isdecimal() else None
        if answered is None or answered.hidden or answered.channel_id != channel.id:
            if not reference.fail_if_not_exists:
                return {}
            fault = {"code": "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "message": "Unknown message"}
            raise ApiError(INVALID_FORM, {"message_reference": {"_errors": [fault]}})
        place = {"message_id": reference.message_id, "channel_id": str(channel.id), "type": 0}
        return {"type": IS_REPLY, "message_reference": place, "referenced_message": answered.payload}


def _listed(attachment: JsonObject, listed: list[JsonObject]) -> bool:
    return any(str(entry.get("id")) == attachment["id"] for entry in listed)
