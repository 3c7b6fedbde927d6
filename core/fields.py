"""Every mistake of a document at once: what stands in it against what a Struct wants.

msgspec stops at the first wrong field, which is right for a hot path and wrong for a person who has to mend a file.
So a door converts with msgspec and, only when that fails, asks here for the whole list.
"""

from __future__ import annotations

import difflib
import enum
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from schedule_zero.errors import FieldError

Hook = Callable[[type, Any], Any]
Texts = Mapping[str, str]

NEARLY: Final = "nearly"
"""In a ``Meta``'s ``extra``: a wider pattern, and what to say of a text that fits that one alone."""

_BOUND: Final = re.compile(r"Expected `(?:int|float)` (?P<sign>[<>]=?)")
_BOUND_WORDS: Final = {
    ">=": "has to be at least", "<=": "has to be at most", ">": "has to be more than", "<": "has to be less than"
}  # fmt: skip
_SAID: Final[dict[Any, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
    tuple: "a list",
    types.NoneType: "null",
}


class _Check:
    """One walk over a document; collects mistakes and returns the document with plain numbers as text where wanted."""

    def __init__(self, texts: Texts, hook: Hook | None) -> None:
        self.errors: list[FieldError] = []
        self._texts = texts
        self._hook = hook

    def value(self, value: Any, kind: Any, path: str) -> Any:
        """Check one value against an annotation."""
        chosen = _member(value, kind)
        base = _bare(chosen)
        if _is_struct(base):
            return self._struct(value, base, path)
        origin = get_origin(base) or base
        if origin is dict and isinstance(value, dict):
            return self._mapping(value, get_args(base), path)
        if origin in (list, tuple) and isinstance(value, list):
            return self._list(value, chosen, path)
        if _is_tagged_union(chosen):
            self._wrong_tag(value, chosen, path)
            return value
        return self._leaf(value, kind, path)

    def _struct(self, value: Any, kind: type[msgspec.Struct], path: str) -> Any:
        if not isinstance(value, dict):
            self._say(path, f"has to be a mapping, not {said(value)}")
            return value
        before = len(self.errors)
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        tag = kind.__struct_config__.tag_field
        ready = dict(value)
        for name in value:
            if name in fields:
                ready[name] = self.value(value[name], fields[name].type, joined(path, name))
            elif name != tag:
                self._say(joined(path, name), unknown(name, fields))
        for name, field in fields.items():
            if field.required and name not in value:
                self._say(joined(path, name), "is missing")
        if len(self.errors) == before:
            self._together(ready, kind, path)
        return ready

    def _together(self, ready: dict[str, Any], kind: type[msgspec.Struct], path: str) -> None:
        """What only the whole record can tell (``__post_init__``), once each field is right by itself."""
        try:
            msgspec.convert(ready, kind, dec_hook=self._hook)
        except msgspec.ValidationError as error:
            self._say(path, str(error).partition(" - at `")[0])

    def _mapping(self, value: dict[str, Any], kinds: tuple[Any, ...], path: str) -> dict[str, Any]:
        key_kind, item_kind = kinds or (str, Any)
        for name in value:
            self._leaf(name, key_kind, joined(path, name))
        return {name: self.value(each, item_kind, joined(path, name)) for name, each in value.items()}

    def _list(self, value: list[Any], kind: Any, path: str) -> list[Any]:
        most = min((note.max_length for note in _notes(kind) if note.max_length is not None), default=len(value))
        if len(value) > most:  # its items are not looked at: there may be any number
            self._say(path, f"has to be {_description(kind) or f'a list of at most {most}'}, not {len(value)}")
            return value
        item = (get_args(_bare(kind)) or (Any,))[0]
        return [self.value(each, item, f"{path}[{place}]") for place, each in enumerate(value)]

    def _leaf(self, value: Any, kind: Any, path: str) -> Any:
        wrong = self._refusal(value, kind)
        if wrong is None:
            return value
        text, shown = self._texts.get(path), value
        if text is not None:
            wrong_text = self._refusal(text, kind)
            if wrong_text is None:
                return text
            if any(_bare(part) is str for part in _parts(kind)):
                shown, wrong = text, wrong_text
        self._say(path, _wanted(shown, kind, wrong))
        return value

    def _refusal(self, value: Any, kind: Any) -> str | None:
        try:
            msgspec.convert(value, kind, dec_hook=self._hook)
        except msgspec.ValidationError as error:
            return str(error)
        return None

    def _wrong_tag(self, value: Any, union: Any, path: str) -> None:
        members = [_bare(member) for member in get_args(_bare(union)) if _is_struct(_bare(member))]
        field = members[0].__struct_config__.tag_field
        tags = [str(member.__struct_config__.tag) for member in members]
        if not isinstance(value, dict):
            self._say(path, f"has to be a mapping, not {said(value)}")
        elif field not in value:
            self._say(joined(path, field), f"is missing; it has to be one of {', '.join(tags)}")
        else:
            self._say(joined(path, field), none_of(value[field], tags))

    def _say(self, path: str, message: str) -> None:
        self.errors.append(FieldError(path, message))


def check(
    value: Any, kind: Any, *, texts: Texts | None = None, hook: Hook | None = None
) -> tuple[Any, list[FieldError]]:
    """Compare a document (mappings, lists, scalars) with an annotation, usually a Struct.

    Args:
        value: the document.
        kind: what it should be.
        texts: how numbers were written, by path; used where text is wanted, so that an id needs no quotes.
        hook: msgspec's ``dec_hook`` for types of our own.

    Returns:
        The document ready for ``msgspec.convert``, and every mistake; a message continues its field's name
        ("``log.level`` has to be one of …").
    """
    walk = _Check(texts or {}, hook)
    ready = walk.value(value, kind, "")
    return ready, walk.errors


def known_paths(kind: type[msgspec.Struct], path: str = "") -> list[str]:
    """Every key a document of that kind may hold, ``*`` standing for a name that is free."""
    found: list[str] = []
    for field in msgspec.structs.fields(kind):
        place = joined(path, field.encode_name)
        found.append(place)
        for inner, sign in _structs_within(field.type):
            found.extend(known_paths(inner, place + sign))
    return found


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name somebody most likely meant."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def _structs_within(kind: Any) -> list[tuple[type[msgspec.Struct], str]]:
    base = _bare(kind)
    if _is_struct(base):
        return [(base, "")]
    origin = get_origin(base)
    if origin is dict:
        return [(inner, ".*" + sign) for inner, sign in _structs_within(get_args(base)[1])]
    if origin in (list, tuple):
        return [(inner, "[]" + sign) for inner, sign in _structs_within(get_args(base)[0])]
    if origin in (Union, types.UnionType):
        return [pair for member in get_args(base) for pair in _structs_within(member)]
    return []


def _member(value: Any, kind: Any) -> Any:
    """The member of a union that a value is meant to be: by its tag, else by its shape; the union if neither tells."""
    base = _bare(kind)
    if get_origin(base) not in (Union, types.UnionType):
        return kind
    members = [member for member in _parts(base) if member is not types.NoneType]
    if value is None or not members:
        return kind
    if isinstance(value, dict):
        records = [member for member in members if _is_struct(_bare(member))]
        for member in records:
            config = _bare(member).__struct_config__
            if config.tag_field is not None and value.get(config.tag_field) == config.tag:
                return member
        shaped = [m for m in members if _is_struct(_bare(m)) or (get_origin(_bare(m)) or _bare(m)) is dict]
    elif isinstance(value, list):
        shaped = [m for m in members if (get_origin(_bare(m)) or _bare(m)) in (list, tuple)]
    else:
        shaped = members
    return shaped[0] if len(shaped) == 1 else kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_tagged_union(kind: Any) -> bool:
    members = [member for member in _parts(kind) if member is not types.NoneType]
    return (
        get_origin(_bare(kind)) in (Union, types.UnionType)
        and all(_is_struct(_bare(member)) for member in members)
        and len(members) > 1
    )


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _wanted(value: Any, kind: Any, message: str) -> str:
    """One sentence for a value that is not what the annotation wants."""
    described = _nearly(value, kind) or _description(kind)
    if described is not None:
        return f"has to be {described}" + ("" if value is None else f", not {quoted(value)}")
    words = _words_of(kind)
    if words:
        return none_of(value, words)
    names = [_name_of(part) for part in _parts(kind)]
    if any(_fits(value, part) for part in _parts(kind)) or None in names:
        # The type is right and a bound is not, or the type is our own and its sentence says more than we could.
        return _BOUND.sub(lambda found: _BOUND_WORDS[found["sign"]], message.partition(" - at `")[0])
    return f"has to be {' or '.join(str(name) for name in names)}, not {said(value)}"


def _name_of(part: Any) -> str | None:
    base = get_origin(_bare(part)) or _bare(part)
    return _SAID[dict] if _is_struct(base) else _SAID.get(base)


def _fits(value: Any, kind: Any) -> bool:
    base = get_origin(_bare(kind)) or _bare(kind)
    if base is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if base is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(base, type) and isinstance(value, base)


def _parts(kind: Any) -> tuple[Any, ...]:
    base = _bare(kind)
    members = get_args(base) if get_origin(base) in (Union, types.UnionType) else (kind,)
    return tuple(member for member in members if member is not msgspec.UnsetType)


def _description(kind: Any) -> str | None:
    """The words an annotation carries for people (``Meta(description=…)``), of the union's first member that has any."""
    for part in (kind, *_parts(kind)):
        for note in _notes(part):
            if note.description:
                return note.description
    return None


def _nearly(value: Any, kind: Any) -> str | None:
    """The words for a text that is wrong in one thing only, if the annotation has any that fit."""
    for note in (each for part in _parts(kind) for each in _notes(part)):
        wider, words = (note.extra or {}).get(NEARLY, (None, ""))
        if wider is not None and isinstance(value, str) and re.search(wider, value):
            return str(words)
    return None


def _notes(kind: Any) -> list[msgspec.Meta]:
    """What an annotation notes beside the type."""
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return [note for note in notes if isinstance(note, msgspec.Meta)]


def _words_of(kind: Any) -> list[str]:
    words: list[str] = []
    for part in _parts(kind):
        base = _bare(part)
        if isinstance(base, type) and issubclass(base, enum.Enum):
            words.extend(str(member.value) for member in base)
        elif get_origin(base) is Literal:
            words.extend(str(word) for word in get_args(base))
        elif base is not types.NoneType:
            return []
    return words


def none_of(value: Any, words: list[str]) -> str:
    """A value that is none of the words there are, and the one that may have been meant."""
    meant = nearest(value, words) if isinstance(value, str) else None
    hint = f"; did you mean {meant}?" if meant else ""
    return f"has to be one of {', '.join(words)}, not {quoted(value)}{hint}"


def unknown(name: str, fields: Iterable[str]) -> str:
    """A name that is none of the fields there are, and the one that may have been meant."""
    known = list(fields)
    meant = nearest(name, known)
    if meant:
        return f"is not known here; did you mean {meant}?"
    return f"is not known here; known are {', '.join(known)}" if known else "is not known here; nothing is"


# The password in an address, up to the last @: in one that was not written as it should be, anything may stand.
_PASSWORD: Final = re.compile(r"(?<=://)([^\s:/@]*:)\S*(?=@)")


def quoted(value: Any) -> str:
    """A value as it would be written; a long one only its beginning, an address without its password."""
    text = repr(_PASSWORD.sub(r"\1…", value)) if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else text[:57] + "…"


def said(value: Any) -> str:
    """A value in a sentence: a scalar as it is, anything larger by its kind."""
    return _SAID[type(value)] if value is None or isinstance(value, (dict, list)) else quoted(value)


def joined(path: str, name: str) -> str:
    """The place of a name below a place."""
    return f"{path}.{name}" if path else name
