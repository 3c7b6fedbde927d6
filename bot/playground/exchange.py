"""What a page asks of the playground and what it gets, without any server's own types."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from aiohttp import MultipartReader, StreamReader
from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDict


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a page that was let in.

    Attributes:
        path: below the channel's address, for example ``/api/state``.
        headers: names in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Answer(msgspec.Struct, frozen=True):
    """What goes back; headers without ``content-length``."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Place(msgspec.Struct, frozen=True):
    """A channel people can open.

    Attributes:
        path: its part of the address.
        label: its name as shown (``#general``, ``@ada``).
        group: the guild's name, or what else it is listed under.
        channel_id: its id in the simulated Discord.
    """

    path: str
    label: str
    group: str
    channel_id: int


class PageFiles(msgspec.Struct, frozen=True):
    """The files of SimCord's page.

    Attributes:
        folder: where they are.
        names: those that may be asked for.
        version: SimCord's.
    """

    folder: Path
    names: frozenset[str]
    version: str


class Stage(Protocol):
    """The simulated Discord, as the site sees it."""

    @property
    def places(self) -> Mapping[str, Place]:
        """The channels by path, in the order they are listed; the first one is opened first."""
        ...

    async def answer(self, path: str, asked: Asked) -> Answer:
        """Answer a request of the page of this channel."""
        ...


class Directory(Protocol):
    """The people of the simulated Discord, as programs are told of them, in Discord's JSON."""

    def people(self) -> Sequence[tuple[str, str]]:
        """Id and name of everybody who is no bot."""
        ...

    def user(self, id: str) -> Mapping[str, Any]:
        """A person."""
        ...

    def guilds(self, id: str) -> Sequence[Mapping[str, Any]]:
        """The guilds of a person, with what they may do in all of each."""
        ...


class PageRequest:
    """What SimCord's handlers read of an aiohttp request, made from what was asked.

    The ``Origin`` is left out: whoever let the request in has judged it, and the handlers know no other than their own.
    """

    def __init__(self, asked: Asked, match_info: Mapping[str, str]) -> None:
        self.headers = CIMultiDict({name: value for name, value in asked.headers.items() if name != "origin"})
        self.query = asked.query
        self.match_info = match_info
        self.content_type = asked.headers.get("content-type", "")
        loop = asyncio.get_running_loop()
        self.content = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        self.content.feed_data(asked.body)
        self.content.feed_eof()

    async def multipart(self) -> MultipartReader:
        """The parts of a form with files."""
        return MultipartReader(self.headers, self.content)
