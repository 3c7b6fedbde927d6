"""``schedule-zero login``: a link that signs in to the pages of a running core, once."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from core.commands.explain import WrongInput
from core.commands.output import say_json
from core.commands.remote import Remote, address
from core.config import Config
from core.listening import is_loopback

_NOT_PRIVATE = (
    "a link to sign in with goes over https, or to this machine alone: set http.public_url (or core.address) to an address "
    "with https, or run this on the machine of the core with http.bind a loopback address"
)


class Login(Remote):
    """The command over one core."""

    def say_link(self) -> None:
        """Print a link, and nothing else, on standard output. Raises WrongInput where others could read it on its way."""
        base = base_of(self._config)
        link = self._ask(lambda client: client.new_sign_in())
        if self._as_json:
            say_json(link)
            return
        click.echo(f"{base}{link.path}")
        click.echo(f"open it before {link.until}; it signs in once", err=True)


def base_of(config: Config) -> str:
    """Where browsers find the core. Raises WrongInput."""
    http = config.http
    there = config.core.address if config.core.address is not None else http.public_url
    base = (there if there is not None and urlsplit(there).scheme == "https" else address(config)).rstrip("/")
    found = urlsplit(base)
    is_here = is_loopback(found.hostname or "") if config.core.address is not None else http.is_private
    if found.scheme != "https" and not is_here:
        raise WrongInput(_NOT_PRIVATE)
    return base
