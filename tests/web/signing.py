"""Signing in as a browser does, without one."""

from __future__ import annotations

import re

import aiohttp

TOKEN = "sz_test"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


def browser_at(address: str) -> aiohttp.ClientSession:
    """A browser, which keeps cookies, also of an address without a name."""
    return aiohttp.ClientSession(address, cookie_jar=aiohttp.CookieJar(unsafe=True))


def csrf_in(page: str) -> str:
    """What the forms of a page carry."""
    found = CSRF.search(page)
    assert found is not None, "the page has no form"
    return found[1]


async def csrf_at(browser: aiohttp.ClientSession, path: str) -> str:
    """What the forms of a page carry that this browser sees."""
    async with browser.get(path) as answer:
        return csrf_in(await answer.text())


async def sign_in(
    browser: aiohttp.ClientSession, token: str = TOKEN, to: str = "/handlers", *, follow: bool = True
) -> aiohttp.ClientResponse:
    """Show a token at the page for it; the answer, read whole."""
    form = {"csrf": await csrf_at(browser, "/sign-in"), "token": token, "next": to}
    async with browser.post("/sign-in/token", data=form, allow_redirects=follow) as answer:
        await answer.read()
        return answer


async def press(
    browser: aiohttp.ClientSession, path: str, *, at: str = "/account", follow: bool = True
) -> aiohttp.ClientResponse:
    """Press a button whose form leads to that path; the answer, read whole."""
    form = {"csrf": await csrf_at(browser, at)}
    async with browser.post(path, data=form, allow_redirects=follow) as answer:
        await answer.read()
        return answer
