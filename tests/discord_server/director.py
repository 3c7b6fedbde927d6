"""What a test can see, make happen and wait for. The control endpoints offer the same under the same names."""

from collections.abc import Callable
from typing import Any, Literal

from tests.discord_server.drafts import read_draft
from tests.discord_server.faults import Fault, matches
from tests.discord_server.gateway import ALWAYS, Intent
from tests.discord_server.interactions import interaction_json
from tests.discord_server.invocation import NotPossible, Typed, command_data, component_data, modal_data
from tests.discord_server.limits import RateLimit
from tests.discord_server.messages import Stored
from tests.discord_server.payloads import channel_json, guild_create_json, role_json
from tests.discord_server.permissions import Permission, permissions_in
from tests.discord_server.records import (
    Channel,
    GatewayEntry,
    Interaction,
    InteractionKind,
    JournalEntry,
    JsonObject,
    Member,
    Overwrite,
    RequestEntry,
)
from tests.discord_server.state import SimulatedDiscord
from tests.discord_server.world import GENERAL, MEMBER

Until = Literal["acknowledged", "answered"]
"""How long an act waits: for the first callback, or until the user has an answer (a deferral is none)."""


class Director:
    """Acts as Discord's users and as its misfortunes. Times are seconds; waiting ends in TimeoutError."""

    def __init__(self, discord: SimulatedDiscord) -> None:
        self._away: dict[int, Member] = {}
        self._discord = discord
        self.world = discord.world

    # ── what happened ────────────────────────────────────────────────────────────────────────────────────────

    def messages(
        self, channel_id: int | None = None, contains: str = "", nonce: str | None = None, author_id: int | None = None
    ) -> list[JournalEntry]:
        """Accepted POSTs, oldest first; a `duplicate` made no second message.

        Answers to interactions are not among them but in `interactions`.
        """
        return [
            entry
            for entry in self._discord.journal.entries
            if channel_id in (None, entry.channel_id)
            and nonce in (None, entry.nonce)
            and author_id in (None, entry.author_id)
            and contains in entry.content
        ]

    def history(self, channel_id: int) -> list[JsonObject]:
        """A channel as its members see it now, oldest first."""
        return [message.payload for message in self._discord.messages.of(channel_id)]

    def requests(self, route: str = "*", after: int = 0) -> list[RequestEntry]:
        """REST requests whose route fits a pattern such as `POST /channels/*/messages`, numbered above `after`."""
        return [entry for entry in self._discord.requests if entry.seq > after and matches(route, entry.route)]

    def interactions(self) -> list[Interaction]:
        """Everything users did, with all answers."""
        return self._discord.interactions.all()

    def gateway_log(self) -> list[GatewayEntry]:
        """Connections that identified, resumed, were refused or closed."""
        return list(self._discord.gateway.log)

    def commands(self, guild_id: int | None = None) -> list[JsonObject]:
        """The synced commands of a guild, or the global ones."""
        return self._discord.commands.listed(guild_id)

    # ── users ────────────────────────────────────────────────────────────────────────────────────────────────

    async def invoke(
        self,
        command: str,
        options: dict[str, Any] | None = None,
        *,
        channel_id: int = GENERAL,
        user_id: int = MEMBER,
        override: bool = False,
        until: Until = "answered",
        timeout: float = 10.0,
    ) -> Interaction:
        """Use a slash command (`remind me`) and wait for its answer; `override` ignores its default permissions."""
        typed = Typed(command, options or {}, self._place(channel_id), user_id)
        data = command_data(typed, self._discord.commands, self.world, override=override)
        interaction = self._act(InteractionKind.COMMAND, command, typed.channel, user_id, data)
        return await self._answer_to(interaction, until, timeout)

    async def autocomplete(
        self,
        command: str,
        focused: str,
        value: str,
        options: dict[str, Any] | None = None,
        *,
        channel_id: int = GENERAL,
        user_id: int = MEMBER,
        timeout: float = 10.0,
    ) -> list[JsonObject]:
        """Type `value` into the option `focused`; the choices offered, as `{"name", "value"}`."""
        given = (options or {}) | {focused: value}
        typed = Typed(command, given, self._place(channel_id), user_id, focused=focused)
        data = command_data(typed, self._discord.commands, self.world, override=True)
        interaction = self._act(InteractionKind.AUTOCOMPLETE, command, typed.channel, user_id, data)
        return (await self._answer_to(interaction, "acknowledged", timeout)).choices

    async def press(
        self,
        message_id: int,
        custom_id: str,
        values: list[str] | None = None,
        *,
        user_id: int = MEMBER,
        until: Until = "answered",
        timeout: float = 10.0,
    ) -> Interaction:
        """Press a button, or choose `values` in a select."""
        message = self._discord.messages.find(message_id)
        if message is None:
            raise NotPossible(f"there is no message {message_id}")
        data = component_data(message.payload, custom_id, values)
        channel = self._place(message.channel_id)
        interaction = self._act(InteractionKind.COMPONENT, custom_id, channel, user_id, data, message)
        return await self._answer_to(interaction, until, timeout)

    async def submit_modal(
        self, interaction_id: int, values: dict[str, str], *, until: Until = "answered", timeout: float = 10.0
    ) -> Interaction:
        """Send off the modal an interaction opened; `values` by custom id, prefilled fields stay."""
        try:
            opener, source = self._discord.interactions.get(interaction_id)
        except KeyError:
            raise NotPossible(f"there is no interaction {interaction_id}") from None
        if opener.modal is None:
            raise NotPossible(f"interaction {interaction_id} opened no modal")
        data = modal_data(opener.modal, values)
        channel = self._place(opener.channel_id)
        name = str(data["custom_id"])
        interaction = self._act(InteractionKind.MODAL_SUBMIT, name, channel, opener.user_id, data, source)
        return await self._answer_to(interaction, until, timeout)

    def say(self, content: str, *, channel_id: int = GENERAL, user_id: int = MEMBER) -> int:
        """A user writes a message; its id."""
        body: JsonObject = {"content": content}
        channel = self._place(channel_id)
        return int(self._discord.post(channel, user_id, read_draft(body), [], body)["id"])

    def direct_messages(self, user_id: int = MEMBER) -> int:
        """The id of the channel between the bot and a user."""
        return self._discord.direct_messages(user_id).id

    def _act(
        self,
        kind: InteractionKind,
        name: str,
        channel: Channel,
        user_id: int,
        data: JsonObject,
        source: Stored | None = None,
    ) -> Interaction:
        if not permissions_in(self.world, user_id, channel) & Permission.VIEW_CHANNEL:
            raise NotPossible(f"user {user_id} does not see channel {channel.id}")
        interaction = self._discord.interactions.open(kind, name, channel, user_id, source)
        payload = interaction_json(interaction, data, self.world, source)
        reached = self._discord.gateway.dispatch(
            "INTERACTION_CREATE", payload, guild_id=channel.guild_id, intent=ALWAYS
        )
        if not reached:
            raise NotPossible(f"no bot is connected on the shard of channel {channel.id}")
        return interaction

    def _place(self, channel_id: int) -> Channel:
        channel = self.world.channels.get(channel_id)
        if channel is None:
            raise NotPossible(f"there is no channel {channel_id}")
        return channel

    async def _answer_to(self, interaction: Interaction, until: Until, timeout: float) -> Interaction:
        def look() -> Interaction | None:
            done = interaction.answered if until == "answered" else interaction.callback is not None
            return interaction if done else None

        return await self._discord.changes.wait_for(look, timeout=timeout, what=f"the answer to {interaction.name!r}")

    # ── misfortunes and changes ──────────────────────────────────────────────────────────────────────────────

    def fault(
        self,
        route: str,
        action: Literal["hang", "drop", "delay", "status", "rate_limit"],
        *,
        when: Literal["before", "after"] = "before",
        status: int = 503,
        count: int | None = 1,
        seconds: float = 0.0,
        retry_after: float = 1.0,
        is_global: bool = False,
    ) -> Fault:
        """Put a fault into force; its fields are told at `Fault`."""
        fault = Fault(
            route=route,
            action=action,
            when=when,
            status=status,
            count=count,
            seconds=seconds,
            retry_after=retry_after,
            is_global=is_global,
        )
        return self._discord.faults.add(fault)

    def clear_faults(self) -> None:
        """No more faults; hanging requests go on."""
        self._discord.faults.clear()

    def advance_clock(self, seconds: float) -> None:
        """Everything the server times is that much later: nonces, limits, tokens, ids."""
        self._discord.clock.advance(seconds)
        self._discord.changes.notify()

    def set_nonce_seconds(self, seconds: float) -> None:
        """How long a nonce is honoured, for those already known too."""
        self._discord.nonces.seconds = seconds

    def forget_nonces(self) -> None:
        """As if the time of every nonce were over."""
        self._discord.nonces.forget()

    def set_interaction_seconds(self, seconds: float) -> None:
        """How long a bot has for its first answer."""
        self._discord.interactions.seconds = seconds

    def set_rate_limits(self, rules: list[RateLimit]) -> None:
        """The rate limits from now on."""
        self._discord.limits.rules = rules

    async def disconnect(self, *, code: int | None = 4000, forget: bool = False) -> int:
        """End all gateway connections, or cut them with `code` None; with `forget` no bot can resume."""
        return await self._discord.gateway.disconnect(code=code, forget=forget)

    def set_overwrite(
        self,
        channel_id: int,
        target_id: int,
        *,
        allow: int = 0,
        deny: int = 0,
        kind: Literal["role", "member"] = "role",
    ) -> None:
        """Change what a channel allows and denies to a role or member."""
        channel = self._place(channel_id)
        channel.overwrites[target_id] = Overwrite(target_id=target_id, kind=kind, allow=allow, deny=deny)
        self._tell("CHANNEL_UPDATE", channel_json(channel, self.world), channel.guild_id)

    def set_role_permissions(self, guild_id: int, role_id: int, permissions: int) -> None:
        """Change what a role gives."""
        role = self.world.guilds[guild_id].roles[role_id]
        role.permissions = permissions
        self._tell("GUILD_ROLE_UPDATE", {"guild_id": str(guild_id), "role": role_json(role)}, guild_id)

    def delete_channel(self, channel_id: int) -> None:
        """Delete a channel or thread."""
        channel = self._place(channel_id)
        del self.world.channels[channel_id]
        name = "THREAD_DELETE" if channel.type.is_thread else "CHANNEL_DELETE"
        self._tell(name, channel_json(channel, self.world), channel.guild_id)

    def remove_bot(self, guild_id: int) -> None:
        """Somebody removes the bot from a guild."""
        member = self.world.guilds[guild_id].members.pop(self.world.bot_id)
        self._away[guild_id] = member
        self._tell("GUILD_DELETE", {"id": str(guild_id)}, guild_id)

    def bring_bot_back(self, guild_id: int) -> None:
        """Somebody adds the bot to a guild it was removed from."""
        guild = self.world.guilds[guild_id]
        guild.members[self.world.bot_id] = self._away.pop(guild_id)
        created = guild_create_json(guild, self.world)
        self._tell("GUILD_CREATE", {name: value for name, value in created.items() if name != "unavailable"}, guild_id)

    def fail_guild(self, guild_id: int) -> None:
        """Discord cannot serve a guild at the moment: an outage."""
        self._tell("GUILD_DELETE", {"id": str(guild_id), "unavailable": True}, guild_id)

    def withdraw(self, user_id: int) -> None:
        """A user takes back what they let programs know of them."""
        self._discord.oauth.authority.forget(str(user_id))

    def accept_dms(self, user_id: int, accepts: bool) -> None:
        """Whether direct messages to a user arrive or fail with 50007."""
        self.world.users[user_id].accepts_dms = accepts

    def _tell(self, name: str, payload: JsonObject, guild_id: int | None) -> None:
        self._discord.gateway.dispatch(name, payload, guild_id=guild_id, intent=Intent.GUILDS)

    # ── waiting for signals ──────────────────────────────────────────────────────────────────────────────────

    async def wait_message(
        self, predicate: Callable[[JournalEntry], bool] | None = None, timeout: float = 10.0
    ) -> JournalEntry:
        """The first accepted POST the predicate likes, already there or still to come."""

        def look() -> JournalEntry | None:
            entries = self._discord.journal.entries
            return next((entry for entry in entries if predicate is None or predicate(entry)), None)

        return await self._discord.changes.wait_for(look, timeout=timeout, what="the message")

    async def wait_messages(
        self,
        count: int = 1,
        *,
        channel_id: int | None = None,
        contains: str = "",
        nonce: str | None = None,
        author_id: int | None = None,
        timeout: float = 10.0,
    ) -> list[JournalEntry]:
        """At least `count` accepted POSTs that fit."""

        def look() -> list[JournalEntry] | None:
            found = self.messages(channel_id, contains, nonce, author_id)
            return found if len(found) >= count else None

        return await self._discord.changes.wait_for(look, timeout=timeout, what=f"message number {count}")

    async def wait_requests(
        self, route: str = "*", count: int = 1, *, after: int = 0, timeout: float = 10.0
    ) -> list[RequestEntry]:
        """At least `count` finished requests that fit, numbered above `after`; cut and given-up ones count."""

        def look() -> list[RequestEntry] | None:
            found = [entry for entry in self.requests(route, after) if entry.outcome != "open"]
            return found if len(found) >= count else None

        return await self._discord.changes.wait_for(look, timeout=timeout, what=f"{count} × {route}")

    async def wait_fault(self, fault_id: int, hits: int = 1, *, timeout: float = 10.0) -> Fault:
        """Until a fault has struck so often."""
        fault = self._discord.faults.known[fault_id]

        def look() -> Fault | None:
            return fault if fault.hits >= hits else None

        return await self._discord.changes.wait_for(look, timeout=timeout, what=f"hit {hits} of fault {fault_id}")

    async def wait_gateway(
        self, step: Literal["identified", "resumed", "refused", "closed"], count: int = 1, *, timeout: float = 10.0
    ) -> list[GatewayEntry]:
        """At least `count` such steps in the log of the gateway since the server's start."""

        def look() -> list[GatewayEntry] | None:
            found = [entry for entry in self._discord.gateway.log if entry.step == step]
            return found if len(found) >= count else None

        return await self._discord.changes.wait_for(look, timeout=timeout, what=f"{step} number {count}")
