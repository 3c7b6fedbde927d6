"""Text into tokens, and the cursor that every part of the grammar reads them with."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from core.timing.grammar.vocabulary import MONTHS, NUMBERS, ORDINALS, SHORTENED, ordinal
from core.timing.locales import DateOrder

_PATTERN: Final = re.compile(
    r"(?P<iso>\d{4}-\d{1,2}-\d{1,2}|\d{4}\.\d{1,2}\.\d{1,2})(?!\d)"
    r"|(?P<slashes>\d{1,4}/\d{1,2}(?:/\d{2,4})?|\d{1,2}-\d{1,2}-\d{4})(?![\d/])"
    r"|(?P<dots>\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})?)(?!\d)"
    r"|(?P<clock>\d{1,2}:\d{2}(?::\d{2})?)(?![\d:])"
    r"|(?P<minute>:\d{2})(?![\d:])"
    r"|(?P<ordinal>\d{1,2})(?:st|nd|rd|th)(?![a-z])"
    r"|(?P<decimal>\d{1,6}\.\d{1,3})(?![\d.])"
    r"|(?P<number>\d{1,12})(?!\d)"
    r"|(?P<word>[a-z]+)"
    r"|(?P<mark>[,&@()/+-])"
    r"|(?P<space>\s+)"
)
_LONGEST_SHOWN: Final = 24
_PLAIN: Final = "write English words and figures, such as 'tomorrow at 17:00'"
_DOTTED_DATE: Final = re.compile(r"\d\.\d{1,2}\.$")
_HABITS: Final = (
    (re.compile(r"`"), "'"),
    (re.compile(r"^['\"]+|['\"]+$"), ""),
    (re.compile(rf"\b({'|'.join(SHORTENED)})\.(?=[\s\d,]|$)"), r"\1"),
    (re.compile(r"\b([ap])\.?\s?m\.?(?=[\s,]|$)"), r"\1m"),
    (re.compile(r"(?<=\d)([ap])(?:\.?\s?m)?\.?(?=[\s,/-]|$)"), r"\1m"),
    (re.compile(r"(?<=:\d\d)h\b"), ""),
    (re.compile(r"\bo\s?'?\s?clock\b"), "oclock"),
    (re.compile(r"\beveryday\b"), "every day"),
    (re.compile(r"\bev\b"), "every"),
    (re.compile(r"\bweek[\s-](days?)\b"), r"week\1"),
    (re.compile(r"[:;](?=\s)"), ","),
    (re.compile(r"\bm\s?-\s?f\b"), "mon-fri"),
    (re.compile(r"\bmwf\b"), "mon, wed, fri"),
    (re.compile(r"'s\b|(?<=s)'(?=\s|$)"), ""),
    (re.compile(r"\s+"), " "),
)


class Refused(ValueError):
    """The words mean nothing that can be done: one sentence that says why, and words that may be meant instead."""

    def __init__(self, sentence: str, instead: tuple[str, ...] = ()) -> None:
        self.instead = instead
        super().__init__(sentence)


class NotUnderstood(Refused):
    """Words that no rule of the grammar fits; another sentence about them may be of more help."""


class Token(NamedTuple):
    """One word, number, clock time, date or mark; ``text`` as it was written, in lower case."""

    kind: str
    text: str
    spoken: bool = False
    """A number written as a word."""
    glued: bool = False
    """Written without a space before it."""
    order: DateOrder | None = None
    """Of a date with slashes: whether the day or the month stands first, as far as that is known."""

    @property
    def number(self) -> int:
        return int(self.text)

    @property
    def shown(self) -> str:
        """The token for people, and to be read again."""
        return ordinal(self.number) if self.kind == "ordinal" else self.text


def tidied(text: str) -> str:
    """Plain text in lower case, with ``am`` for ``a.m.``, single spaces, and nothing that only ends a sentence."""
    text = text.lower()
    for pattern, plain in _HABITS:
        text = pattern.sub(plain, text)
    text = text.strip().rstrip("!?;, ")
    return text if _DOTTED_DATE.search(text) else text.rstrip("., ")


def tokens_of(text: str, order: DateOrder | None = None) -> tuple[Token, ...]:
    """Split tidied text. ``order``: what stands first in a date with slashes.

    Raises:
        Refused: a character that has no place in words about time, or no word at all.
    """
    found: list[Token] = []
    place, glued = 0, False
    while place < len(text):
        match = _PATTERN.match(text, place)
        if match is None:
            raise Refused(f"{_word_at(text, place)!r} has no place in words about time; {_PLAIN}")
        place = match.end()
        kind = match.lastgroup or ""
        if kind != "space":
            token = _token(kind, match.group(kind), glued)
            found.append(token._replace(order=order) if kind == "slashes" else token)
        glued = kind != "space"
    if not found:
        raise Refused(f"there is no word about time in it; {_PLAIN}")
    return tuple(_counted(found))


def _word_at(text: str, place: int) -> str:
    """The word that a character stands in, for people; a mark of its own begins one."""
    begin = place
    while not text[place].isascii() and begin and text[begin - 1].isalpha():
        begin -= 1
    word = text[begin:].split(maxsplit=1)[0] if text[begin:].split() else text[place]
    return word if len(word) <= _LONGEST_SHOWN else f"{word[:_LONGEST_SHOWN]}…"


def _counted(tokens: list[Token]) -> Iterator[Token]:
    """The tokens, with numbers of two words in one: twenty-five, thirty first."""
    place = 0
    while place < len(tokens):
        token, dash = tokens[place], int([token.text for token in tokens[place + 1 : place + 2]] == ["-"])
        following = tokens[place + 1 + dash : place + 3 + dash]
        together = _together(token, *following) if following and token.spoken and token.kind == "number" else None
        yield together or token
        place += 2 + dash if together else 1


def _together(tens: Token, ones: Token, behind: Token | None = None) -> Token | None:
    if tens.number not in range(20, 100, 10):
        return None
    if ones.spoken and ones.number in range(1, 10):
        return Token(ones.kind, str(tens.number + ones.number), spoken=True, glued=tens.glued)
    if ones.text == "second" and (behind is None or behind.text == "of" or behind.text in MONTHS):
        return Token("ordinal", str(tens.number + 2), spoken=True, glued=tens.glued)
    return None


def _token(kind: str, text: str, glued: bool) -> Token:
    if kind == "word" and text in NUMBERS:
        return Token("number", str(NUMBERS[text]), spoken=True, glued=glued)
    if kind == "word" and text in ORDINALS:
        return Token("ordinal", str(ORDINALS[text]), spoken=True, glued=glued)
    return Token(kind, text, glued=glued)


class Cursor:
    """A place in the tokens. Parts of the grammar move it on success and leave it where it was on failure."""

    __slots__ = ("place", "tokens")

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.place = 0

    @property
    def done(self) -> bool:
        return self.place >= len(self.tokens)

    def peek(self, ahead: int = 0) -> Token:
        """The token at hand, or one further on; past the end a token that equals nothing."""
        place = self.place + ahead
        return self.tokens[place] if place < len(self.tokens) else Token("end", "")

    def take(self, *kinds: str) -> Token | None:
        """The next token, if it is of one of these kinds."""
        if self.peek().kind in kinds:
            self.place += 1
            return self.tokens[self.place - 1]
        return None

    def among(self, words: Collection[str]) -> str | None:
        """The next word or mark, if it is one of these."""
        if self.peek().kind in ("word", "mark") and self.peek().text in words:
            self.place += 1
            return self.tokens[self.place - 1].text
        return None

    def phrase(self, *phrases: str) -> bool:
        """Whether one of these phrases stands here; the first that does is read."""
        first = self.peek().text
        for phrase in phrases:
            if not phrase.startswith(first):
                continue  # most words begin no phrase
            words = phrase.split()
            if all(self.peek(ahead).text == word for ahead, word in enumerate(words)):
                self.place += len(words)
                return True
        return False

    def stands(self, *phrases: str) -> bool:
        """Whether one of these phrases stands here; nothing is read."""
        start = self.place
        found = self.phrase(*phrases)
        self.place = start
        return found

    def rest(self) -> str:
        """What is still unread, for people."""
        return _joined(self.tokens[self.place :])

    def swapped(self, start: int, words: str) -> str:
        """The whole text with other words for what was read since ``start``."""
        return " ".join(filter(None, (_joined(self.tokens[:start]), words, self.rest())))


def _joined(tokens: tuple[Token, ...]) -> str:
    """The tokens as they were written, for people and to be read again."""
    return "".join(token.shown if token.glued else f" {token.shown}" for token in tokens).strip()
