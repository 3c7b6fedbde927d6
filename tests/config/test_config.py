"""The configuration: every mistake at once, with its place; the environment over the file; secrets kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.config import Config, ConfigErrors, ConfigMistake, find_file, load_config
from core.fields import known_paths
from core.secret import Secret

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

WHOLE = """
data_dir: ./data
mode: full
store:   {url: null}
http:    {bind: "127.0.0.1:8080", public_url: null, oauth: {client_id: null, client_secret: null}}
zmq:     {handlers: "tcp://127.0.0.1:4242", clients: "tcp://127.0.0.1:4243", events: "tcp://127.0.0.1:4244", curve: auto}
core:    {address: null, key: null}
discord: {token: null, operator_ids: [], operator_guild_id: null, shards: auto}
handlers:
  builtin:
    - {module: handlers.webhook, options: {allow: ["https://hooks.example.org/*"]}}
    - {module: myapp.handlers, methods: [process_data, backup_db]}
governor:
  global:  {running: 1000, rate: "5000/s", burst: 10000}
  plans:
    unverified: {running: 2,  rate: "30/min", runs_per_day: 200,   schedules: 20,   min_interval: PT5M,
                 sends_per_channel: "5/min", dms_per_hour: 10, payload_bytes: 16384, handlers: [discord]}
    verified:   {running: 20, rate: "10/s",   runs_per_day: 20000, schedules: 1000, min_interval: PT10S}
    trusted:    {running: 200, rate: "100/s", runs_per_day: null,  schedules: 20000}
  default_plan: unverified
  guilds:  {"123": {plan: trusted, running: 50}}
  methods: {"webhook.post": {running: 50, rate: "100/s", adaptive: aimd}}
reporting: {handler_health: {check_interval: PT10S}, metrics: {enabled: true}, retention: {runs: P30D, events: P30D, audit: P365D, metrics: P30D}}
processes: {core: {}, bot: {}, handlers: [{module: "reports:Reports", name: reports, count: 2}]}
log: {level: info, format: console, file: null, rotate: {size: 50MB, keep: 10}}
"""

ONE_SPELLING = "has to be a Discord id as Discord writes it, with no 0 before it and 20 digits at most"


def read(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "schedule-zero.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environ)


def mistakes(tmp_path: Path, text: str, **environ: str) -> dict[tuple[int | None, str], str]:
    with pytest.raises(ConfigErrors) as refused:
        read(tmp_path, text, **environ)
    return {(each.line, each.key): each.message for each in refused.value.mistakes}


def test_the_whole_configuration_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    assert config.http == Config().http
    assert config.zmq == Config().zmq
    assert config.reporting == Config().reporting
    assert config.log == Config().log
    assert config.governor.guilds["123"].plan == "trusted"
    assert config.handlers.builtin[1].methods == ("process_data", "backup_db")
    assert config.processes.handlers[0].count == 2


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config(None, {}) == Config()
    assert Config().http.is_loopback


def test_every_mistake_is_named_at_once_with_its_line(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        """\
htp: {bind: "127.0.0.1:1"}
http:
  bind: 12:30
  public_url: ftp://x
log: {level: inf, rotate: {keep: -1}}
discord:
  operator_ids: [123456789012345678, 0123, abc]
log: {}
mode: NO
reporting: {metrics: {enabled: NO}, retention: {runs: 30d}}
governor:
  global: {rate: 30/minute}
  guilds: {123: {plam: trusted}}
processes:
  handlers:
    - {count: 0}
""",
    )
    assert found == {
        (1, "htp"): "is not known here; did you mean http?",
        (3, "http.bind"): "has to be host:port such as 127.0.0.1:8080 or [::1]:8080, not '12:30'",
        (4, "http.public_url"): "has to be an address such as https://schedule.example.org, not 'ftp://x'",
        (5, "log.level"): "has to be one of debug, info, warning, error, critical, not 'inf'; did you mean info?",
        (5, "log.rotate.keep"): "has to be at least 0",
        (7, "discord.operator_ids[1]"): f"{ONE_SPELLING}, not '0123'",
        (7, "discord.operator_ids[2]"): "has to be a Discord id, which is digits only, not 'abc'",
        (8, "log"): "is written twice, on lines 5 and 8; keep one",
        (9, "mode"): "has to be one of full, minimal, autonomous, reporter, not 'NO'",
        (10, "reporting.metrics.enabled"): "has to be true or false, not 'NO'",
        (10, "reporting.retention.runs"): found[(10, "reporting.retention.runs")],
        (12, "governor.global.rate"): found[(12, "governor.global.rate")],
        (13, "governor.guilds.123.plam"): "is not known here; did you mean plan?",
        (16, "processes.handlers[0].count"): "has to be at least 1",
        (16, "processes.handlers[0].module"): "is missing",
    }
    assert "P30D" in found[(10, "reporting.retention.runs")]
    assert "30/min" in found[(12, "governor.global.rate")]


def test_an_id_needs_no_quotes(tmp_path: Path) -> None:
    config = read(tmp_path, "discord: {operator_ids: [123456789012345678], operator_guild_id: 99}\n")
    assert config.discord.operator_ids == ("123456789012345678",)
    assert config.discord.operator_guild_id == "99"


@pytest.mark.parametrize("id", ["034", '"034"', "0", "00", "1" * 21])
def test_an_id_that_discord_does_not_spell_so_is_refused_wherever_one_stands(tmp_path: Path, id: str) -> None:
    written = (
        f"discord: {{operator_ids: [{id}], operator_guild_id: {id}}}\ngovernor:\n  guilds: {{{id}: {{running: 1}}}}\n"
    )
    plain = id.strip('"')
    sentence = f"{ONE_SPELLING}, not '{plain}'"
    assert mistakes(tmp_path, written) == {
        (1, "discord.operator_ids[0]"): sentence,
        (1, "discord.operator_guild_id"): sentence,
        (3, f"governor.guilds.{plain}"): sentence,
    }


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("SCHEDULE_ZERO__DATA_DIR", "/srv/0123", "data_dir", "/srv/0123"),
        ("SCHEDULE_ZERO__DATA_DIR", "12", "data_dir", "12"),
        ("SCHEDULE_ZERO__HTTP__BIND", "0.0.0.0:9", "http.bind", "0.0.0.0:9"),
        ("SCHEDULE_ZERO__LOG__ROTATE__KEEP", "3", "log.rotate.keep", 3),
        ("SCHEDULE_ZERO__REPORTING__METRICS__ENABLED", "false", "reporting.metrics.enabled", False),
        ("SCHEDULE_ZERO__HTTP__PUBLIC_URL", "null", "http.public_url", None),
        ("SCHEDULE_ZERO__HTTP__BIND", "", "http.bind", "127.0.0.1:8080"),
        ("SCHEDULE_ZERO__DISCORD__OPERATOR_IDS", "[12, '34']", "discord.operator_ids", ("12", "34")),
        ("SCHEDULE_ZERO__DISCORD__SHARDS", "4", "discord.shards", 4),
        ("SCHEDULE_ZERO__STORE__URL", "memory", "store.url", "memory"),
        ("DISCORD_API_BASE", "http://127.0.0.1:9000/api/v10", "discord.api_base", "http://127.0.0.1:9000/api/v10"),
    ],
)
def test_every_key_is_a_variable_too(tmp_path: Path, name: str, value: str, key: str, expected: Any) -> None:
    config: Any = read(tmp_path, "http: {public_url: 'https://a.example'}\n", **{name: value})
    for part in key.split("."):
        config = getattr(config, part)
    assert config == expected


def test_a_variable_reaches_into_what_the_file_says_and_leaves_the_rest(tmp_path: Path) -> None:
    config = read(tmp_path, "log: {level: debug, rotate: {size: 1MB}}", SCHEDULE_ZERO__LOG__ROTATE__KEEP="2")
    assert (config.log.level, config.log.rotate.size, config.log.rotate.keep) == ("debug", "1MB", 2)


def test_a_mistake_in_a_variable_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as refused:
        read(
            tmp_path, "log: {level: loud}", SCHEDULE_ZERO__HTTP__BND="x", SCHEDULE_ZERO__NONSENSE__A__B="1",
            SCHEDULE_ZERO__ZMQ="[1", SCHEDULE_ZERO__LOG__FORMAT="yaml",
        )  # fmt: skip
    sources = {each.key: (each.source, each.line) for each in refused.value.mistakes}
    assert sources == {
        "log.level": (str(tmp_path / "schedule-zero.yaml"), 1),
        "log.format": ("SCHEDULE_ZERO__LOG__FORMAT", None),
        "http.bnd": ("SCHEDULE_ZERO__HTTP__BND", None),
        "nonsense": ("SCHEDULE_ZERO__NONSENSE__A__B", None),
        "zmq": ("SCHEDULE_ZERO__ZMQ", None),
    }


def test_discord_token_wins_over_everything(tmp_path: Path) -> None:
    config = read(
        tmp_path, "discord: {token: from-file}", SCHEDULE_ZERO__DISCORD__TOKEN="from-key", DISCORD_TOKEN="its-own"
    )
    assert config.discord.token == Secret("its-own")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    config = read(tmp_path, "discord: {token: hush-1}\nhttp: {oauth: {client_secret: hush-2}}\ncore: {key: 3333}\n")
    assert config.core.key == Secret("3333")
    for shown in (repr(config), str(config), f"{config.discord.token}", f"{config.discord.token!r}"):
        assert "hush" not in shown
        assert "3333" not in shown


@pytest.mark.parametrize("token", ["[hush, hush]", "{hush: hush}", "' '", "true"])
def test_a_wrong_secret_is_refused_without_repeating_it(tmp_path: Path, token: str) -> None:
    found = mistakes(tmp_path, f"discord: {{token: {token}}}")
    assert "hush" not in str(found)
    assert "not shown" in found[(1, "discord.token")]


def test_what_only_the_whole_section_can_tell_is_told(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "governor: {default_plan: gold}\nlog: {level: loud}")
    assert "'gold'" in found[(1, "governor")]
    assert (2, "log.level") in found


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("store: {url: 'mysql://x'}", "store.url"),
        ("store: {url: 'postgresql://db/x'}", "store.url"),
        ("store: {url: 'sqlite:///'}", "store.url"),
        ("data_dir: ~nosuchuser/data", "data_dir"),
        ("data_dir: ''", "data_dir"),
        ("zmq: {handlers: 'tcp://127.0.0.1:99999'}", "zmq.handlers"),
        ("core: {address: 'tcp://core:65536'}", "core.address"),
        ("core: {address: 'http://127.0.0.1:99999'}", "core.address"),
    ],
)
def test_what_would_stop_the_start_is_a_mistake_of_the_file(tmp_path: Path, text: str, key: str) -> None:
    assert (1, key) in mistakes(tmp_path, text)


@pytest.mark.parametrize("key", ["http.bind", "zmq.events", "core.address"])
def test_a_port_that_is_too_large_is_said_to_be_that(tmp_path: Path, key: str) -> None:
    section, name = key.split(".")
    address = "127.0.0.1:99999" if key == "http.bind" else "tcp://127.0.0.1:99999"
    found = mistakes(tmp_path, f"{section}: {{{name}: '{address}'}}")
    assert found == {(1, key): f"has to be an address with a port of at most 65535, not '{address}'"}


@pytest.mark.parametrize(
    "address",
    ["http://core", "https://core.example.org/", "http://[::1]:8080", "tcp://core:4243", "ipc:///run/core.sock"],
)
def test_a_core_is_found_at_every_kind_of_address(tmp_path: Path, address: str) -> None:
    assert read(tmp_path, f"core: {{address: '{address}'}}").core.address == address


@pytest.mark.parametrize("password", ["hush", "hu/sh", "hush@hush", "hush:"])
def test_a_password_in_an_address_is_not_said_back(tmp_path: Path, password: str) -> None:
    sentence = mistakes(tmp_path, f"store: {{url: 'postgres://me:{password}@db/x'}}")[(1, "store.url")]
    assert "postgres://me:" in sentence
    assert "hu" not in sentence


@pytest.mark.parametrize("text", ["- a\n", "text\n", "12\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "mapping of sections" in mistakes(tmp_path, text)[(1, "")]


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as refused:
        load_config(tmp_path / "none.yaml", {})
    assert [str(each) for each in refused.value.mistakes] == [
        f"{tmp_path / 'none.yaml'}: cannot be read: no such file or directory"
    ]


def test_the_file_is_found_by_option_variable_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file(None, {}) is None
    (tmp_path / "schedule-zero.yaml").touch()
    assert find_file(None, {}) == Path("schedule-zero.yaml")
    assert find_file(None, {"SCHEDULE_ZERO_CONFIG": "other.yaml"}) == Path("other.yaml")
    assert find_file(Path("given.yaml"), {"SCHEDULE_ZERO_CONFIG": "other.yaml"}) == Path("given.yaml")


def test_a_mistake_reads_as_place_key_and_words() -> None:
    assert str(ConfigMistake("a.yaml", 3, "http.bind", "is missing")) == "a.yaml:3: http.bind is missing"
    assert str(ConfigMistake("VARIABLE", None, "", "is not YAML")) == "VARIABLE: is not YAML"


def test_the_page_lists_every_key_with_its_default() -> None:
    told = dict(re.findall(r"^\| `([a-z_.*\[\]]+)` \|([^|]*)\|", PAGE.read_text(), re.MULTILINE))
    assert sorted(told) == sorted(known_paths(Config))
    defaults = msgspec.to_builtins(Config(), enc_hook=repr)
    for key, words in told.items():
        found: Any = defaults
        for part in key.split("."):
            found = found.get(part, msgspec.UNSET) if isinstance(found, dict) else msgspec.UNSET
        if isinstance(found, (str, int, bool, type(None))) and words.strip():
            shown = found if isinstance(found, str) else msgspec.json.encode(found).decode()
            assert words.strip() == f"`{shown}`" or key.startswith("governor.global"), key
