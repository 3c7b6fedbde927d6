"""Interactions from the moment a user acts to the last edit of the answer.

Source: developer documentation, "Receiving and Responding": the first answer within three seconds and only once, the
token good for fifteen minutes, a deferral filled in by an edit or by the first followup.
"""

import uuid

from tests.discord_server.bodies import Upload
from tests.discord_server.changes import Changes
from tests.discord_server.drafts import Draft, read_draft, require_substance
from tests.discord_server.errors import (
    ALREADY_ACKNOWLEDGED,
    INVALID_FORM,
    INVALID_WEBHOOK_TOKEN,
    UNKNOWN_INTERACTION,
    UNKNOWN_MESSAGE,
    UNKNOWN_WEBHOOK,
    ApiError,
    FormErrors,
)
from tests.discord_server.messages import Stored
from tests.discord_server.payloads import member_json, partial_channel_json, user_json
from tests.discord_server.permissions import permissions_in
from tests.discord_server.posts import Posts
from tests.discord_server.records import (
    EPHEMERAL,
    Answer,
    AnswerKind,
    CallbackType,
    Channel,
    Interaction,
    InteractionKind,
    JsonObject,
    World,
)

TOKEN_SECONDS = 15 * 60
LOADING = 1 << 7
"""Message flag: "is thinking…"."""
IS_COMMAND_ANSWER = 20
ON_MESSAGES = frozenset({CallbackType.DEFERRED_UPDATE, CallbackType.UPDATE_MESSAGE})
"""Answers that change the message whose component was used."""
ANYWHERE = frozenset({CallbackType.MESSAGE, CallbackType.DEFERRED_MESSAGE})


class _Open:
    """An interaction with what only the server knows about it."""

    def __init__(self, interaction: Interaction, asked_at: float, source: Stored | None) -> None:
        self.interaction = interaction
        self.asked_at = asked_at
        self.source = source
        self.original: Stored | None = None
        self.followups: dict[int, Stored] = {}

    def possible_callbacks(self) -> frozenset[CallbackType]:
        """The kinds of first answer Discord takes for this interaction."""
        kind = self.interaction.kind
        if kind is InteractionKind.AUTOCOMPLETE:
            return frozenset({CallbackType.AUTOCOMPLETE})
        possible = ANYWHERE if kind is InteractionKind.MODAL_SUBMIT else ANYWHERE | {CallbackType.MODAL}
        return possible if self.source is None else possible | ON_MESSAGES


class InteractionDesk:
    """Every interaction there was; `seconds` is how long a bot has for its first answer."""

    def __init__(self, posts: Posts, changes: Changes, seconds: float) -> None:
        self.seconds = seconds
        self._posts = posts
        self._composer = posts.composer
        self._clock = posts.composer.clock
        self._changes = changes
        self._open: dict[int, _Open] = {}

    def open(
        self, kind: InteractionKind, name: str, channel: Channel, user_id: int, source: Stored | None = None
    ) -> Interaction:
        """A user acts; the clock runs from now."""
        interaction = Interaction(
            id=self._composer.snowflakes.next(),
            token=uuid.uuid4().hex,
            kind=kind,
            name=name,
            channel_id=channel.id,
            guild_id=channel.guild_id,
            user_id=user_id,
        )
        self._open[interaction.id] = _Open(interaction, self._clock.monotonic(), source)
        return interaction

    def all(self) -> list[Interaction]:
        """Every interaction, oldest first."""
        return [entry.interaction for entry in self._open.values()]

    def get(self, interaction_id: int) -> tuple[Interaction, Stored | None]:
        """An interaction and the message whose component began it; KeyError when there is none."""
        entry = self._open[interaction_id]
        return entry.interaction, entry.source

    # ── the first answer ─────────────────────────────────────────────────────────────────────────────────────

    def acknowledge(self, interaction_id: int, token: str, body: JsonObject, uploads: list[Upload]) -> JsonObject:
        """Take the first answer; what a client gets with `with_response`."""
        entry = self._awaited(interaction_id, token)
        callback = body.get("type")
        if callback not in entry.possible_callbacks():
            fault = {"code": "BASE_TYPE_CHOICES", "message": f"Response type {callback} is not possible here."}
            raise ApiError(INVALID_FORM, {"type": {"_errors": [fault]}})
        callback = CallbackType(callback)
        data: JsonObject = body.get("data") or {}
        self._take(entry, callback, data, uploads)
        self._note(entry, "callback", data, entry.original, callback)
        return _callback_response(entry, callback)

    def _awaited(self, interaction_id: int, token: str) -> _Open:
        entry = self._open.get(interaction_id)
        if entry is None or entry.interaction.token != token:
            raise ApiError(UNKNOWN_INTERACTION)
        if entry.interaction.callback is not None:
            raise ApiError(ALREADY_ACKNOWLEDGED)
        if self._clock.monotonic() - entry.asked_at > self.seconds:
            raise ApiError(UNKNOWN_INTERACTION)
        return entry

    def _take(self, entry: _Open, callback: CallbackType, data: JsonObject, uploads: list[Upload]) -> None:
        if callback is CallbackType.AUTOCOMPLETE:
            _check_choices(data)
        elif callback is CallbackType.MODAL:
            _check_modal(data)
        elif callback is CallbackType.DEFERRED_UPDATE:
            entry.original = entry.source
        elif callback is CallbackType.UPDATE_MESSAGE and entry.source is not None:
            entry.original = entry.source
            self._posts.change(entry.source, read_draft(data), uploads)
        else:
            draft = read_draft(data)
            if callback is CallbackType.DEFERRED_MESSAGE:
                entry.interaction.loading = True
                draft.flags = (draft.flags or 0) & EPHEMERAL | LOADING
            else:
                require_substance(draft, files=len(uploads))
            entry.original = self._say(entry, draft, uploads)

    # ── what follows it ──────────────────────────────────────────────────────────────────────────────────────

    def message(self, application_id: int, token: str, which: str) -> JsonObject:
        """A message of an interaction: `@original` or an id."""
        return self._find(self._by_token(application_id, token), which).payload

    def edit(self, application_id: int, token: str, which: str, body: JsonObject, uploads: list[Upload]) -> JsonObject:
        """Change an answer; the first edit fills in a deferral."""
        entry = self._by_token(application_id, token)
        message = self._find(entry, which)
        self._posts.change(message, read_draft(body), uploads)
        self._loaded(entry, message)
        self._note(entry, "edit", body, message)
        return message.payload

    def followup(self, application_id: int, token: str, body: JsonObject, uploads: list[Upload]) -> JsonObject:
        """One more message; after a deferral it takes the deferral's place."""
        entry = self._by_token(application_id, token)
        if entry.interaction.callback is None:
            raise ApiError(UNKNOWN_WEBHOOK)
        draft = read_draft(body)
        require_substance(draft, files=len(uploads))
        if entry.interaction.loading and entry.original is not None:
            message = entry.original
            draft.flags = message.payload["flags"]
            self._posts.change(message, draft, uploads)
            self._loaded(entry, message)
        else:
            message = self._say(entry, draft, uploads)
            entry.followups[message.id] = message
            entry.interaction.followups.append(message.payload)
        self._note(entry, "followup", body, message)
        return message.payload

    def delete(self, application_id: int, token: str, which: str) -> None:
        """Take an answer back."""
        entry = self._by_token(application_id, token)
        message = self._find(entry, which)
        self._posts.remove(message)
        entry.followups.pop(message.id, None)
        if message is entry.original:
            entry.original = None
            entry.interaction.loading = False
        self._note(entry, "delete", {}, message)

    def _by_token(self, application_id: int, token: str) -> _Open:
        entry = next((entry for entry in self._open.values() if entry.interaction.token == token), None)
        if entry is None or application_id != self._composer.world.application_id:
            raise ApiError(UNKNOWN_WEBHOOK)
        if self._clock.monotonic() - entry.asked_at > TOKEN_SECONDS:
            raise ApiError(INVALID_WEBHOOK_TOKEN)
        return entry

    def _find(self, entry: _Open, which: str) -> Stored:
        found = entry.original if which == "@original" else None
        if found is None and which.isdecimal():
            found = entry.followups.get(int(which))
            if entry.original is not None and entry.original.id == int(which):
                found = entry.original
        if found is None:
            raise ApiError(UNKNOWN_MESSAGE)
        return found

    def _say(self, entry: _Open, draft: Draft, uploads: list[Upload]) -> Stored:
        interaction, world = entry.interaction, self._composer.world
        message = self._composer.compose(self._composer.place(interaction.channel_id), world.bot_id, draft, uploads)
        user = user_json(world.users[interaction.user_id])
        origin = {"id": str(interaction.id), "type": int(interaction.kind), "user": user}
        message.payload |= {
            "application_id": str(world.application_id),
            "webhook_id": str(world.application_id),
            "interaction_metadata": origin | {"authorizing_integration_owners": _owners(interaction)},
        }
        if interaction.kind is InteractionKind.COMMAND:
            message.payload |= {"type": IS_COMMAND_ANSWER, "interaction": origin | {"name": interaction.name}}
        self._posts.publish(message)
        return message

    @staticmethod
    def _loaded(entry: _Open, message: Stored) -> None:
        if message is entry.original and entry.interaction.loading:
            entry.interaction.loading = False
            message.payload["flags"] &= ~LOADING

    def _note(
        self,
        entry: _Open,
        kind: AnswerKind,
        body: JsonObject,
        message: Stored | None,
        callback: CallbackType | None = None,
    ) -> None:
        snapshot = None if message is None else dict(message.payload)
        answer = Answer(at=self._clock.stamp(), kind=kind, type=callback, body=body, message=snapshot)
        entry.interaction.answers.append(answer)
        entry.interaction.message = None if entry.original is None else entry.original.payload
        self._changes.notify()


def interaction_json(interaction: Interaction, data: JsonObject, world: World, source: Stored | None) -> JsonObject:
    """INTERACTION_CREATE as Discord sends it, with the rights of the user and of the bot in that channel."""
    channel = world.channels[interaction.channel_id]
    user = world.users[interaction.user_id]
    payload: JsonObject = {
        "id": str(interaction.id),
        "application_id": str(world.application_id),
        "type": int(interaction.kind),
        "token": interaction.token,
        "version": 1,
        "data": data,
        "channel_id": str(channel.id),
        "channel": partial_channel_json(channel, world, user.id),
        "app_permissions": str(permissions_in(world, world.bot_id, channel)),
        "locale": "en-US",
        "context": 0 if interaction.guild_id is not None else 1,
        "authorizing_integration_owners": _owners(interaction),
        "entitlements": [],
        "attachment_size_limit": 10 * 1024 * 1024,
    }
    if source is not None:
        payload["message"] = source.payload
    if interaction.guild_id is None:
        return payload | {"user": user_json(user)}
    guild = world.guilds[interaction.guild_id]
    rights = {"permissions": str(permissions_in(world, user.id, channel))}
    return payload | {
        "guild_id": str(guild.id),
        "guild": {"id": str(guild.id), "locale": guild.locale, "features": []},
        "guild_locale": guild.locale,
        "member": member_json(guild.members[user.id], user) | rights,
    }


def _owners(interaction: Interaction) -> dict[str, str]:
    """Who installed the application: the guild, or "0" in the bot's own direct messages."""
    return {"0": str(interaction.guild_id or 0)}


def _callback_response(entry: _Open, callback: CallbackType) -> JsonObject:
    interaction = entry.interaction
    about: JsonObject = {"id": str(interaction.id), "type": int(interaction.kind)}
    resource: JsonObject = {"type": int(callback)}
    if entry.original is not None:
        about |= {
            "response_message_id": str(entry.original.id),
            "response_message_loading": interaction.loading,
            "response_message_ephemeral": entry.original.hidden,
        }
        resource["message"] = entry.original.payload
    return {"interaction": about, "resource": resource}


def _check_choices(data: JsonObject) -> None:
    errors = FormErrors()
    choices: list[JsonObject] = data.get("choices") or []
    errors.most(("data", "choices"), choices, 25)
    for index, choice in enumerate(choices):
        if not choice.get("name"):
            errors.add(("data", "choices", index, "name"), "BASE_TYPE_REQUIRED", "This field is required")
        errors.longest(("data", "choices", index, "name"), choice.get("name"), 100)
        errors.longest(("data", "choices", index, "value"), choice.get("value"), 100)
    errors.raise_any()


def _check_modal(data: JsonObject) -> None:
    errors = FormErrors()
    for key, limit in (("title", 45), ("custom_id", 100)):
        if not data.get(key):
            errors.add(("data", key), "BASE_TYPE_REQUIRED", "This field is required")
        errors.longest(("data", key), data.get(key), limit)
    if not 1 <= len(data.get("components") or []) <= 5:
        errors.add(("data", "components"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    errors.raise_any()
