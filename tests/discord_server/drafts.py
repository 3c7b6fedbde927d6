"""What a bot asks to post or change, read and checked the way Discord checks it. Pure.

Limits: developer documentation, "Create Message", "Embed Limits", "Component Reference".
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tests.discord_server.errors import EMPTY_MESSAGE, INVALID_FORM, ApiError, FormErrors
from tests.discord_server.records import EPHEMERAL, JsonObject

COMPONENTS_V2 = 1 << 15
"""Message flag: the components are the whole message."""
EMBED_TEXTS = (("title", 256), ("description", 4096))


class AllowedMentions(msgspec.Struct, kw_only=True):
    """Which mentions in the text may ping. Ids may be numbers, too (developer documentation, "Snowflakes")."""

    parse: list[str] = []
    users: list[str | int] = []
    roles: list[str | int] = []


class Reference(msgspec.Struct, kw_only=True):
    """The message a reply answers."""

    message_id: str
    fail_if_not_exists: bool = True


class Draft(msgspec.Struct, kw_only=True):
    """The body of a message request; what is UNSET stays as it is when a message is edited."""

    content: str | UnsetType | None = UNSET
    embeds: list[JsonObject] | UnsetType | None = UNSET
    components: list[JsonObject] | UnsetType | None = UNSET
    attachments: list[JsonObject] | UnsetType | None = UNSET
    flags: int | UnsetType | None = UNSET
    nonce: int | str | None = None
    enforce_nonce: bool | None = False
    tts: bool | None = False
    allowed_mentions: AllowedMentions | None = None
    message_reference: Reference | None = None

    @property
    def nonce_text(self) -> str | None:
        """The nonce as text; numbers are allowed too."""
        return None if self.nonce is None else str(self.nonce)

    @property
    def ephemeral(self) -> bool:
        """Whether an interaction's answer is for its user alone."""
        return bool((self.flags or 0) & EPHEMERAL)


def read_draft(body: JsonObject) -> Draft:
    """A body as a draft; ApiError 50035 when a field has the wrong type or breaks a limit."""
    try:
        draft = msgspec.convert(body, Draft)
    except msgspec.ValidationError as error:
        raise ApiError(INVALID_FORM, {"_errors": [{"code": "BASE_TYPE", "message": str(error)}]}) from None
    errors = FormErrors()
    errors.longest(("content",), draft.content, 2000)
    errors.longest(("nonce",), draft.nonce, 25)
    _check_embeds(draft.embeds or [], errors)
    _check_components(draft, errors)
    _check_mentions(draft.allowed_mentions, errors)
    errors.raise_any()
    return draft


def require_substance(draft: Draft, *, files: int) -> None:
    """ApiError 50006 for a message that would show nothing."""
    if not (draft.content or draft.embeds or draft.components or files):
        raise ApiError(EMPTY_MESSAGE)


def walk_components(components: list[JsonObject]) -> Iterator[tuple[tuple[str | int, ...], JsonObject]]:
    """Every component with its path, however deep containers, sections and labels nest them."""
    for index, component in enumerate(components):
        yield (index,), component
        for path, inner in walk_components(component.get("components") or []):
            yield (index, "components", *path), inner
        for key in ("accessory", "component"):
            if isinstance(component.get(key), dict):
                yield (index, key), component[key]


def _check_embeds(embeds: list[JsonObject], errors: FormErrors) -> None:
    errors.most(("embeds",), embeds, 10)
    total = 0
    for index, embed in enumerate(embeds):
        fields: list[JsonObject] = embed.get("fields") or []
        errors.most(("embeds", index, "fields"), fields, 25)
        texts: list[tuple[tuple[str | int, ...], Any, int]] = [
            ((key,), embed.get(key), limit) for key, limit in EMBED_TEXTS
        ]
        texts.append((("footer", "text"), (embed.get("footer") or {}).get("text"), 2048))
        texts.append((("author", "name"), (embed.get("author") or {}).get("name"), 256))
        for place, field in enumerate(fields):
            texts.append((("fields", place, "name"), field.get("name"), 256))
            texts.append((("fields", place, "value"), field.get("value"), 1024))
        for path, text, limit in texts:
            errors.longest(("embeds", index, *path), text, limit)
            total += len(text or "")
    if total > 6000:
        errors.add(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _check_components(draft: Draft, errors: FormErrors) -> None:
    components = draft.components or []
    errors.most(("components",), components, 40 if (draft.flags or 0) & COMPONENTS_V2 else 5)
    seen: set[str] = set()
    for path, component in walk_components(components):
        errors.longest(("components", *path, "custom_id"), component.get("custom_id"), 100)
        errors.longest(("components", *path, "label"), component.get("label"), 80)
        errors.most(("components", *path, "options"), component.get("options") or [], 25)
        custom_id = component.get("custom_id")
        if custom_id in seen:
            errors.add(
                ("components", *path, "custom_id"),
                "COMPONENT_CUSTOM_ID_DUPLICATED",
                "Component custom id cannot be duplicated",
            )
        if custom_id is not None:
            seen.add(custom_id)


def _check_mentions(allowed: AllowedMentions | None, errors: FormErrors) -> None:
    if allowed is None:
        return
    for kind, listed in (("users", allowed.users), ("roles", allowed.roles)):
        if kind in allowed.parse and listed:
            errors.add(
                ("allowed_mentions",),
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )
