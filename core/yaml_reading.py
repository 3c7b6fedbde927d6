"""YAML as people write it: 1.2 scalars, no doubled keys, and the line of everything.

PyYAML's own constructors follow YAML 1.1, where ``12:30`` is 750, ``NO`` is false and the first of two equal keys is
lost in silence. Here it only parses; what a scalar means is decided below, by the core schema of YAML 1.2.2
(section 10.3.2), except that a number written with a leading zero stays text: it is an id or a time, never a sum.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import yaml

_NUMBER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DEFAULT_TAGS: Final = {
    yaml.ScalarNode: "tag:yaml.org,2002:str",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.MappingNode: "tag:yaml.org,2002:map",
}
_LONGEST_NUMBER: Final = 19  # digits of the largest whole number a record can hold
_DEEPEST: Final = 32
_MOST_NODES: Final = 20_000
_LARGEST: Final = 1 << 20


class YamlMistake(msgspec.Struct, frozen=True):
    """What is wrong with the writing itself: the line (from 1), the key if there is one, and a sentence."""

    line: int | None
    key: str
    message: str


class Document(msgspec.Struct):
    """What a file says.

    Attributes:
        value: mappings with text keys, lists and scalars.
        lines: the line (from 1) of every key and item, by path (``handlers.builtin[0].module``).
        texts: how each number was written, by path, for fields that want text.
        mistakes: doubled keys, tags and other things that are well formed but not meant.
    """

    value: Any
    lines: dict[str, int]
    texts: dict[str, str]
    mistakes: list[YamlMistake]


def read_yaml(raw: bytes) -> Document:
    """Read one YAML document. What cannot be parsed at all is one mistake, and the value is None."""
    try:
        node = _compose(raw)
        if node is None:
            return Document(None, {}, {}, [])
        walk = _Walk()
        value = walk.value(node, "", 0)
    except _Unreadable as error:
        return Document(None, {}, {}, [error.mistake])
    return Document(value, walk.lines, walk.texts, walk.mistakes)


def read_scalar(text: str) -> Any:
    """What a plain scalar means: null, true or false, a number, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text):
        return int(text)
    if len(text) <= _LONGEST_NUMBER and _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and not _NUMBER.fullmatch(text):
        return float(text)
    return text


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!", 1)


class _Unreadable(Exception):
    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.mistake = YamlMistake(line, "", message)


def _compose(raw: bytes) -> yaml.Node | None:
    if len(raw) > _LARGEST:
        raise _Unreadable(None, "is larger than 1 MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unreadable(raw.count(b"\n", 0, error.start) + 1, "is not UTF-8 text") from None
    try:
        # BaseLoader constructs nothing and resolves nothing: every scalar arrives as it was written.
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Unreadable(mark.line + 1 if mark else None, f"cannot be read as YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise _Unreadable(None, f"cannot be read as YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _Unreadable(None, f"is nested deeper than {_DEEPEST} levels") from None


class _Walk:
    """Turns parsed nodes into values and remembers where each stands."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.mistakes: list[YamlMistake] = []
        self._nodes = 0

    def value(self, node: yaml.Node, path: str, depth: int) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._nodes += 1
        if depth > _DEEPEST or self._nodes > _MOST_NODES:
            # An alias that holds itself, or aliases of aliases, unfold without end.
            raise _Unreadable(line, f"is nested deeper than {_DEEPEST} levels or holds more than {_MOST_NODES} values")
        if node.tag != _DEFAULT_TAGS[type(node)]:
            self.mistakes.append(YamlMistake(line, path, f"carries the tag {_short(node.tag)}; tags mean nothing here"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        return [self.value(item, f"{path}[{place}]", depth + 1) for place, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, item in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.mistakes.append(YamlMistake(line, path, "has a key that is not text"))
                continue
            name = key_node.value
            place = f"{path}.{name}" if path else name
            if name in found:
                message = f"is written twice, on lines {first[name]} and {line}; keep one"
                self.mistakes.append(YamlMistake(line, place, message))
                continue
            first[name] = self.lines[place] = line
            found[name] = self.value(item, place, depth + 1)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Any:
        text: str = node.value
        if node.style is not None:
            return text
        value = read_scalar(text)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self.texts[path] = text
        return value
