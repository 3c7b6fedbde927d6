"""Key files: what they may hold, what is said of a wrong one, and that no secret is repeated."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.transport.curve import new_pair, open_key_file
from schedule_zero.transport.keyfile import KeyFile, WrongKeyFile, read_key_file, text_of

PAIR, OTHER = new_pair(), new_pair()
WHOLE = KeyFile(public=PAIR.public, secret=PAIR.secret, server=OTHER.public, token="sz_t")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "some.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert read_key_file(written(tmp_path, text_of(WHOLE))) == WHOLE
    spaced = f"# the core's\n\n  server   {OTHER.public}  \r\n#token x\n"
    assert read_key_file(written(tmp_path, spaced)) == KeyFile(server=OTHER.public)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secret short", ":1: secret has to be followed by 40 characters of Z85"),
        (f"\nsecret {'ä' * 40}", ":2: secret has to be followed by 40 characters of Z85"),
        (f"secret {PAIR.secret}\nsecret {PAIR.secret}", ":2: there are two lines secret"),
        ("password x", ":1: a key file has lines public, secret, server and token, and no others"),
        ("token", ":1: token has to be followed by a token"),
        ("token a b", ":1: token has to be followed by a token"),
        (f"public {PAIR.public}", " has a public half without its secret"),
        (f"public {OTHER.public}\nsecret {PAIR.secret}", " do not belong together"),
        ("x" * 20_000, " is too long to be one"),
    ],
    ids=["short", "foreign", "twice", "unknown", "empty", "two words", "half", "strangers", "long"],
)
def test_a_wrong_one_is_named_with_its_line_and_says_no_secret(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(WrongKeyFile) as wrong:
        open_key_file(written(tmp_path, text))
    assert said in wrong.value.sentence
    assert "some.key" in wrong.value.sentence
    assert PAIR.secret not in wrong.value.sentence


def test_one_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongKeyFile, match=r"the key file .*none\.key cannot be read: no such file or directory"):
        read_key_file(tmp_path / "none.key")
    (tmp_path / "bytes.key").write_bytes(b"\xff\xfe")
    with pytest.raises(WrongKeyFile, match="it is no text"):
        read_key_file(tmp_path / "bytes.key")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620], ids=oct)
def test_a_secret_that_others_may_read_is_refused_with_the_remedy_and_what_is_no_secret_is_not(
    tmp_path: Path, mode: int
) -> None:
    for text in (f"secret {PAIR.secret}\n", "token sz_t\n"):
        path = written(tmp_path, text)
        path.chmod(mode)
        with pytest.raises(WrongKeyFile) as wrong:
            open_key_file(path)
        assert wrong.value.sentence == (
            f"the key file {path} holds a secret, and others than its owner may read it: chmod 600 {path}"
        )
        path.chmod(0o600)
        assert open_key_file(path).secret is not None
    path = written(tmp_path, f"server {OTHER.public}\n")
    path.chmod(mode)
    assert open_key_file(path).secret is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="users are POSIX's")
def test_who_made_a_key_file_for_us_answers_for_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "token sz_t\n")
    path.chmod(0o444)
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    assert read_key_file(path) == KeyFile(token="sz_t")


def test_one_without_a_pair_gets_one_and_keeps_it(tmp_path: Path) -> None:
    path = written(tmp_path, f"server {OTHER.public}\ntoken sz_t\n")
    made = open_key_file(path)
    assert made.public is not None
    assert made.secret is not None
    assert (made.server, made.token) == (OTHER.public, "sz_t")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_key_file(path) == read_key_file(path) == made
    assert [each.name for each in tmp_path.iterdir()] == ["some.key"]


def test_what_a_crash_left_of_a_change_is_in_the_way_of_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, f"server {OTHER.public}\n")
    with monkeypatch.context() as crash:
        crash.setattr(os, "fsync", _killed)
        crash.setattr(Path, "unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            open_key_file(path)
    assert len(list(tmp_path.iterdir())) == 2
    assert open_key_file(path) == read_key_file(path)


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_the_public_half_follows_from_the_secret(tmp_path: Path) -> None:
    assert open_key_file(written(tmp_path, f"secret {PAIR.secret}\n")).public == PAIR.public


def test_no_secret_shows_by_accident() -> None:
    for shown in (repr(WHOLE), str(WHOLE), repr(PAIR), f"{PAIR}"):
        assert PAIR.secret not in shown
        assert "sz_t" not in shown
    assert msgspec.structs.replace(WHOLE, token=None) != WHOLE


@given(st.binary(max_size=300))
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "some.key"
    path.write_bytes(noise)
    with contextlib.suppress(WrongKeyFile):
        assert isinstance(read_key_file(path), KeyFile)
