"""The core a command talks to: where it is, and the token that opens it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from core.commands.explain import Failed, WrongInput
from core.config import Config
from core.web.settings import address_of
from core.web.token import FILE, read_token
from schedule_zero.client import CoreClient
from schedule_zero.errors import NotFound, Unauthorized
from schedule_zero.routes import COMMAND_LINE
from schedule_zero.transport.http import HttpClient

TOKEN_VARIABLE: Final = "SCHEDULE_ZERO_TOKEN"  # noqa: S105  # the name of a variable
_LIST_OF: Final = re.compile(r"the list of (schedules|runs|keys) shows what there is")
T = TypeVar("T")


class Remote:
    """What the commands that ask a core have in common."""

    def __init__(self, config: Config, environ: Mapping[str, str], *, as_json: bool) -> None:
        """Ask nothing yet.

        Args:
            config: says where the core is.
            environ: may hold the token.
            as_json: print what the API answers instead of tables and cards.
        """
        self._config = config
        self._environ = environ
        self._as_json = as_json

    def _ask(self, work: Callable[[CoreClient], Awaitable[T]]) -> T:
        """Do some work with a client of the core, and let go of it.

        Raises:
            ScheduleZeroError: the core refuses; where every door has its own remedy, with that of the command line.
        """
        client = HttpClient(address(self._config), token(self._config, self._environ), software=COMMAND_LINE)

        async def working() -> T:
            try:
                return await work(client)
            except NotFound as error:
                list_of = _LIST_OF.search(error.sentence)
                if list_of is None:
                    raise
                raise NotFound(f"{error.sentence.rstrip('.')} (schedule-zero {list_of[1]} list)") from error
            except Unauthorized as error:
                raise Unauthorized(
                    f"the core at {client.address} does not know the token in {self._token_place()}; the right one is in "
                    f"the file {FILE} of the core's data folder"
                ) from error
            finally:
                await client.close()

        return asyncio.run(working())

    def _token_place(self) -> str:
        return (
            f"${TOKEN_VARIABLE}" if self._environ.get(TOKEN_VARIABLE) else f"the file {self._config.data_path / FILE}"
        )


def address(config: Config) -> str:
    """Where the core is: ``core.address``, else this machine's HTTP door.

    Raises:
        WrongInput: the address cannot be used by a command.
    """
    if config.core.address is None:
        if config.http.port == 0:
            raise WrongInput("http.bind takes a free port, which only the core knows; set core.address to its address")
        return address_of(config.http.host, config.http.port)
    if not config.core.address.startswith("http"):
        raise WrongInput(f"core.address is {config.core.address}; commands reach a core over http:// or https://")
    return config.core.address


def token(config: Config, environ: Mapping[str, str]) -> str:
    """The API token: ``$SCHEDULE_ZERO_TOKEN``, else the file in the data folder.

    Raises:
        Failed: there is none.
        WrongInput: it cannot be one.
    """
    given = environ.get(TOKEN_VARIABLE)
    if given:
        if not re.fullmatch(r"[!-~]+", given):  # anything else cannot stand in a header of HTTP (RFC 9110, 5.5)
            raise WrongInput(
                f"{TOKEN_VARIABLE} holds a space, a line break or an odd character; set it to the token alone"
            )
        return given
    try:
        return read_token(config.data_path)
    except FileNotFoundError:
        place = config.data_path / FILE
        raise Failed(
            f"there is no API token: {place} is made when a core starts; name the configuration of one that runs with "
            f"--config, or set {TOKEN_VARIABLE}"
        ) from None
    except ValueError as error:
        raise Failed(str(error)) from None
