"""Bytes into a Request: what came over HTTP, by the table of routes. Pure; every refusal names the field.

msgspec decodes straight into the records. Only when it refuses is the body looked at again, for the whole list of
mistakes.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, Final, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec

from core.fields import check, nearest
from core.web.door import Receive
from core.web.intake import BODY_S
from schedule_zero.errors import FieldError, Invalid, Malformed, TooLarge
from schedule_zero.requests import Request
from schedule_zero.routes import NO_GUILD, Route

Headers = Mapping[bytes, bytes]

_DEEPEST: Final = 32
_NO_REVISION: Final = -1  # a tag that is none of our revisions matches nothing
_LONGEST_KEY: Final = 200
_LARGEST_BODY: Final = 1 << 20
_MOST_PARAMETERS: Final = 100
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}")
_SWITCH: Final = {"true": True, "false": False}
_BIGGEST: Final = 1 << 63

# For `bound`, which looks at every body: brackets made alike and all else left out; digits made alike.
_BRACKETS: Final = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS: Final = bytes(each for each in range(256) if each not in b"[]{}")
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_NINETEEN: Final = b"0" * 19  # as many digits as the first whole number that is too large has
_LONG_NUMBERS: Final = tuple(before + _NINETEEN for before in (b":", b",", b"[", b"-", b" ", b"\n", b"\r", b"\t"))
_REVISION: Final = re.compile(rb'(?:W/)?"?([0-9]{1,18})"?')


class Reading:
    """Reads the requests of one route."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._fields = {field.encode_name: field for field in route.fields}
        self._names = tuple(field.name for field in route.fields)
        self._takes_key = route.method == "POST"
        self._takes_revision = route.takes("revision")
        self._spans_guilds = route.spans_guilds
        self.has_body = route.has_body
        parts: list[Any] = [
            (field.name, field.type)
            if field.required
            else (field.name, field.type, field.default if field.default is not msgspec.NODEFAULT else
                  msgspec.field(default_factory=field.default_factory))
            for field in route.fields
        ]  # fmt: skip
        self._form: Any = msgspec.defstruct(
            f"{route.request.__name__}Fields", parts, forbid_unknown_fields=True, kw_only=True, module=__name__
        )
        self.body_type: Any = self._fields[route.whole].type if route.whole is not None else self._form
        self._decode = msgspec.json.Decoder(self.body_type).decode

    def request(self, headers: Headers, path: Mapping[str, str], query: bytes, body: bytes) -> Request:
        """The request these bytes make.

        Raises:
            Malformed: the bytes are not what HTTP and JSON allow.
            Invalid: fields are unknown, missing or wrong.
        """
        values: dict[str, Any] = dict(path)
        if self.has_body:
            self._read_body(body, values)
            refuse_parameters(query)
        else:
            self._read_query(query, values)
        if self._takes_key and b"idempotency-key" in headers:
            values["idempotency_key"] = _key(headers[b"idempotency-key"])
        if b"if-match" in headers and self._takes_revision:
            values["revision"] = revision(headers[b"if-match"])
        request: Request = self.route.request(**values)  # type: ignore[assignment]  # the table holds requests only
        return request

    def _read_body(self, body: bytes, values: dict[str, Any]) -> None:
        body = body or b"{}"
        try:
            read = self._decode(body)
            bound(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise refusal(body, self.body_type, error) from None
        if self.route.whole is not None:
            values[self.route.whole] = read
        else:
            values.update((name, getattr(read, name)) for name in self._names)

    def _read_query(self, query: bytes, values: dict[str, Any]) -> None:
        given = parameters(query)
        guild = given.get("guild_id")
        if self._spans_guilds:
            values["any_guild"] = guild is None
            if guild == [NO_GUILD]:
                del given["guild_id"]
        form = _form(given, self._fields)
        try:
            read = msgspec.convert(form, self._form)
        except msgspec.ValidationError as error:
            raise _invalid(check(form, self._form)[1], str(error)) from None
        values.update((name, getattr(read, name)) for name in self._names)


async def whole_body(receive: Receive, headers: Headers) -> bytes:
    """The body of a request, up to 1 MiB.

    Raises:
        TooLarge: there is more; nothing more is read.
        Malformed: the connection ended before the body did, or the body took too long (``core.web.intake``).
    """
    announced = headers.get(b"content-length", b"0")
    if not announced.isdigit() or int(announced[:20]) > _LARGEST_BODY:
        raise TooLarge("The body is larger than 1 MiB; send less, or several requests.")
    message = await receive()
    body = bytearray(message.get("body", b""))
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LARGEST_BODY:
            raise TooLarge("The body is larger than 1 MiB; send less, or several requests.")
    if message["type"] != "http.request":
        raise Malformed(f"The body did not come whole within {BODY_S:.0f} seconds.")
    return bytes(body)


def parameters(query: bytes) -> dict[str, list[str]]:
    """The parameters of a query string, every value of each. Raises Malformed."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise Malformed("The query string is not percent-encoded UTF-8, or has more than 100 parameters.") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def refuse_parameters(query: bytes) -> None:
    """Raises Invalid when there are parameters where none are read."""
    if query:
        names = list(parameters(query))
        raise _invalid([FieldError(name, "is not a parameter here; fields go into the body") for name in names], "")


def revision(header: bytes) -> int | None:
    """The revision an ``If-Match`` asks for: bare or quoted (RFC 9110, 13.1.1); None for ``*``."""
    tag = header.strip()
    if tag == b"*":
        return None
    match = _REVISION.fullmatch(tag)
    return int(match[1]) if match else _NO_REVISION


def bound(body: bytes) -> None:
    """Refuse what decodes but cannot be carried on: nesting deeper than 32, whole numbers beyond 64 bits.

    Raises:
        Invalid: naming the place.
    """
    if _is_shallow(body) and not _has_long_number(body):
        return
    waiting: list[tuple[Any, str, int]] = [(msgspec.json.decode(body), "", 0)]
    while waiting:
        value, path, depth = waiting.pop()
        if depth >= _DEEPEST and isinstance(value, (dict, list)):
            raise _too_deep(path)
        if isinstance(value, dict):
            waiting.extend((each, f"{path}.{name}" if path else name, depth + 1) for name, each in value.items())
        elif isinstance(value, list):
            waiting.extend((each, f"{path}[{place}]", depth + 1) for place, each in enumerate(value))
        elif isinstance(value, int) and not -_BIGGEST <= value < _BIGGEST:
            raise _invalid(
                [
                    FieldError(
                        path, "is a whole number beyond 64 bits; send a smaller one, or text where text may stand"
                    )
                ],
                "",
            )


def _is_shallow(body: bytes) -> bool:
    """Whether nesting is surely within bounds: so many rounds of taking out empty pairs leave nothing. (A bracket in
    a string can make this False, never True.)"""
    pairs = body.translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(_DEEPEST):
        if not pairs:
            return True
        pairs = pairs.replace(b"{}", b"")
    return not pairs


def _has_long_number(body: bytes) -> bool:
    """Whether there may be a whole number of 19 digits or more outside a string."""
    alike = body.translate(_DIGITS)
    return alike.startswith(_NINETEEN) or any(number in alike for number in _LONG_NUMBERS)


def refusal(body: bytes, kind: Any, error: Exception) -> Invalid | Malformed:
    """Everything that is wrong with a body msgspec refused; its own words if we find nothing."""
    try:
        errors = check(msgspec.json.decode(body), kind)[1]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as worse:  # a wrong field before a broken end
        # Kept under no name of ours: the error holds this frame, which would hold it, and with it a body of a mebibyte.
        return _refused(worse, [])
    return _refused(error, errors)


def _refused(error: Exception, errors: list[FieldError]) -> Invalid | Malformed:
    if isinstance(error, RecursionError):
        return _too_deep("")
    if isinstance(error, msgspec.ValidationError):
        return _invalid(errors, str(error))
    return _not_json(error)


def _invalid(errors: list[FieldError], message: str) -> Invalid:
    if not errors:
        text, _, place = message.partition(" - at `$")
        errors = [FieldError(place.rstrip("`").lstrip("."), text)]
    first = errors[0]
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return Invalid(f"{first.field or 'The body'}: {first.message}{more}", errors=tuple(errors))


def _not_json(error: Exception) -> Malformed:
    if isinstance(error, UnicodeDecodeError):
        return Malformed("The body is not UTF-8.")
    return Malformed(f"The body is not JSON: {str(error).removeprefix('JSON is malformed: ').lower()}.")


def _too_deep(path: str) -> Invalid:
    return _invalid([FieldError(path[:80], f"is nested deeper than {_DEEPEST} levels")], "")


def _key(header: bytes) -> str:
    key = header.decode("latin-1").strip()
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise _invalid([FieldError("Idempotency-Key", f"has to be 1 to {_LONGEST_KEY} printable characters")], "")
    return key


def _form(given: dict[str, list[str]], fields: Mapping[str, msgspec.structs.FieldInfo]) -> dict[str, Any]:
    """Parameters as a mapping of fields: ``metadata.KEY`` into one mapping, repeated or comma lists into lists."""
    form: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, values in given.items():
        stem, dot, rest = name.partition(".")
        field = fields.get(stem)
        shape = _shape(field) if field is not None else None
        if field is None or (shape is dict) != bool(dot and rest):
            meant = nearest(name, fields)
            errors.append(FieldError(name, "is not a parameter here" + (f"; did you mean {meant}?" if meant else "")))
        elif shape is tuple:
            form[stem] = [each for value in values for each in value.split(",") if each]
        elif len(values) > 1:
            errors.append(FieldError(name, "is given twice"))
        elif shape is dict:
            form.setdefault(stem, {})[rest] = values[0]
        elif shape is int:
            form[stem] = int(values[0]) if _WHOLE.fullmatch(values[0]) else values[0]
        elif shape is bool:
            form[stem] = _SWITCH.get(values[0], values[0])
        else:
            form[stem] = values[0]
    if errors:
        raise _invalid(errors, "")
    return form


def _shape(field: msgspec.structs.FieldInfo) -> Any:
    kind = field.type
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(member for member in get_args(kind) if member is not types.NoneType)
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return get_origin(kind) or kind
