"""Handlers with methods of every form, for what is asked about jobs."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schedule_zero import Context, Handler, Reject, method
from schedule_zero.handler import Method

Secret = Annotated[str, Meta(extra_json_schema={"writeOnly": True})]


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Target(msgspec.Struct):
    host: str
    port: int = 22
    password: str = ""


class Reports(Handler):
    """Builds reports; ``deed`` decides what a call does."""

    name = "reports"

    def __init__(self, deed: Callable[[dict[str, Any]], Awaitable[Any]] | None = None) -> None:
        self.deed = deed
        self.calls: list[dict[str, Any]] = []

    async def _do(self, **args: Any) -> Any:
        self.calls.append(args)
        return {"done": True} if self.deed is None else await self.deed(args)

    @method()
    async def nothing(self, ctx: Context) -> Any:
        """Takes no arguments."""
        return await self._do()

    @method()
    async def talk(self, ctx: Context, lines: int, token: str = "") -> Any:
        """Says so many lines."""
        for number in range(lines):
            ctx.log(f"line {number} \u202e``` {token}")
        return await self._do(lines=lines)

    @method()
    async def one(self, text: Annotated[str, Meta(max_length=50, description="What it says")]) -> Any:
        """Takes one argument."""
        return await self._do(text=text)

    @method()
    async def build(
        self, day: dt.date, about: Literal["sales", "visits", "rent"] = "sales",
        rows: Annotated[int, Meta(ge=1, le=10_000)] = 100, level: Level = Level.LOW, mail: bool = False,
    ) -> Any:  # fmt: skip
        """Takes five. Nobody keeps the rent."""
        if about == "rent":
            raise Reject("nobody keeps rent")
        return await self._do(day=day.isoformat(), about=about, rows=rows, level=level.value, mail=mail)

    @method()
    async def six(self, a: str, b: int, c: float = 1.5, d: bool = True, e: str | None = None, f: str = "x") -> Any:
        """Takes six."""
        return await self._do(a=a, b=b, c=c, d=d, e=e, f=f)

    @method()
    async def upload(self, target: Target, token: str, tags: list[str] = [], note: Secret = "") -> Any:  # noqa: B006 - read only
        """Takes secrets, a structure and a list."""
        return await self._do(target=target, token=token, tags=tags, note=note)


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The JSON Schema that a method of this signature announces."""
    return Method(function, "method").info.schema
