"""Somebody with a browser, without the browser: asks the ASGI application what SimCord's page asks it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from aiohttp import MultipartWriter

from bot.playground.site import Site

HERE = ("127.0.0.1", 50_000)
PATIENCE = 20.0


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    site: Site,
    path: str,
    *,
    method: str = "GET",
    host: str = "127.0.0.1:8080",
    client: tuple[str, int] | None = HERE,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Reply:
    """One HTTP request."""
    path, _, query = path.partition("?")
    sent = {"host": host, **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": client,
    }
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await site(scope, receive, send)
    names = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return Reply(messages[0]["status"], names, b"".join(message.get("body", b"") for message in messages[1:]))


class Visitor:
    """One open page of one channel, seen by one person."""

    def __init__(self, site: Site, path: str) -> None:
        self._site = site
        self._path = f"/playground/{path}/api"
        self._token = site.address("").partition("#")[2]
        self._context = ""
        self._sequence = 0
        self.page: dict[str, Any] = {}

    async def open(self, viewer: str | None = None) -> Visitor:
        """Open the page; ``viewer`` is the display name's first word, and by default whoever stands first."""
        self.page = (await self.ask("POST", "/pages", {})).json
        self._context = self.page["context"]["id"]
        if viewer is not None:
            chosen = next(one["id"] for one in self.page["viewers"] if one["name"].split()[0] == viewer)
            await self.act("viewer", viewer_id=chosen)
            await self.look()
        return self

    async def ask(self, method: str, path: str, body: Any = None) -> Reply:
        headers = {"x-simcord-capability": self._token, "content-type": "application/json"}
        if self._context:
            headers["x-simcord-context"] = self._context
        content = b"" if body is None else json.dumps(body).encode()
        return await ask(self._site, self._path + path, method=method, headers=headers, body=content)

    async def look(self) -> dict[str, Any]:
        """What the page shows now, as it finds out twice a second."""
        reply = await self.ask("GET", "/state")
        assert reply.status == 200, reply.text
        self.page = reply.json
        return self.page

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [self.page["messages"][key] for key in self.page["timeline"]]

    @property
    def texts(self) -> list[str]:
        return [message["content"] for message in self.messages]

    async def sees(self, text: str, *, within: float = PATIENCE) -> dict[str, Any]:
        """The message with this text, once the page shows it."""
        try:
            async with asyncio.timeout(within):
                while True:
                    await self.look()
                    for message in self.messages:
                        if message["content"] == text:
                            return message
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{text!r} is not among {self.texts}") from None

    async def act(self, kind: str, **what: Any) -> dict[str, Any]:
        """Do something on the page; the receipt."""
        receipt: dict[str, Any] = (await self.ask("POST", "/action", self.envelope(kind, **what))).json
        if not receipt["rejected"]:
            self._sequence += 1
        return receipt

    async def upload(self, envelope: dict[str, Any], name: str, filename: str, content: bytes) -> Reply:
        """Send an action with a file, as a browser sends a form."""
        form = MultipartWriter("form-data")
        form.append(json.dumps(envelope)).set_content_disposition("form-data", name="payload")
        form.append(content).set_content_disposition("form-data", name=f"file:{name}", filename=filename)
        headers = {
            "x-simcord-capability": self._token,
            "x-simcord-context": self._context,
            "content-type": form.content_type,
        }
        path = f"{self._path}/action"
        reply = await ask(self._site, path, method="POST", headers=headers, body=await form.as_bytes())
        self._sequence += 1
        return reply

    def envelope(self, kind: str, **what: Any) -> dict[str, Any]:
        return {
            "protocol_version": 3,
            "sequence": self._sequence + 1,
            "request_id": f"r{self._sequence}",
            "generation": self.page["context"]["generation"],
            "bot_generation": self.page["botGeneration"],
            "published_revision": self.page["publishedRevision"],
            "kind": kind,
            **what,
        }

    async def command(self, name: str) -> dict[str, Any]:
        """The part of an action that names a command."""
        catalog = (await self.ask("GET", "/commands")).json
        entry = next(entry for entry in catalog["entries"] if entry["invocation"] == name)
        return {
            "command_id": entry["commandId"],
            "path": entry["path"],
            "schema_fingerprint": entry["schemaFingerprint"],
        }

    async def run(self, name: str, **options: Any) -> dict[str, Any]:
        """Run a slash command."""
        receipt = await self.act("run_command", **await self.command(name), options=options)
        await self.look()
        return receipt

    async def type(self, name: str, option: str, typed: str) -> list[str]:
        """What is offered while an option is typed."""
        what = {**await self.command(name), "focused": option, "value": typed, "options": {}}
        receipt = await self.act("autocomplete_command", **what)
        return [choice["name"] for choice in receipt["result"]["choices"]]

    async def press(self, message: dict[str, Any], label: str) -> dict[str, Any]:
        """Press a button of a message."""
        keys = [
            part["control_key"]
            for row in message["components"]
            for part in row["components"]
            if part.get("label") == label
        ]
        receipt = await self.act("click", target_id=message["id"], control_key=keys[0])
        await self.look()
        return receipt
