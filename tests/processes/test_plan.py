"""What of a configuration is kept alive, and what of it could not work: said before anything starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.commands.explain import WrongInput
from core.commands.process_governor import maker_of
from core.commands.process_plan import Plan, plan_of
from core.config import Config
from core.processes.port import ProcessError
from core.processes.settings import HandlerProcess
from core.secret import read_secret
from schedule_zero.process import loading


def config(processes: object, **sections: Any) -> Config:
    return msgspec.convert({"processes": processes, **sections}, Config, dec_hook=read_secret)


REPORTS = {"module": "reports:Reports", "name": "reports", "count": 2}


def plan(processes: object, *, threads: bool = False, **sections: Any) -> Plan:
    return plan_of(config(processes, **sections), None, threads=threads)


def test_each_process_has_a_name_of_its_own() -> None:
    made = plan({"core": {}, "bot": {}, "handlers": [REPORTS, {"module": "a.b:Other"}]}, discord={"token": "x"})
    assert [spec.name for spec in made.specs] == ["core", "bot", "reports-1", "reports-2", "other-1"]


def test_threads_are_of_handlers_alone_and_claim_no_address() -> None:
    made = plan({"core": {}, "bot": {}, "handlers": [REPORTS]}, threads=True)
    assert [spec.name for spec in made.specs] == ["reports-1", "reports-2"]
    assert made.claim.addresses == {}


@pytest.mark.parametrize(
    ("sections", "found"),
    [
        ({}, "tcp://127.0.0.1:4242"),
        ({"zmq": {"handlers": "tcp://0.0.0.0:5000", "curve": "off"}}, "tcp://127.0.0.1:5000"),
        ({"core": {"address": "tcp://far:4243", "key": "k"}}, "tcp://far:4242"),
    ],
)
def test_handlers_are_told_where_the_core_is(sections: dict[str, Any], found: str) -> None:
    made = plan({"handlers": [{**REPORTS, "key": "reports.key"}]}, **sections)
    command = made.specs[0].command
    assert command[command.index("--core") + 1] == found


def test_what_runs_in_a_handler_may_end_before_the_handler_is_killed() -> None:
    made = plan({"handlers": [REPORTS], "limits": {"stop": "PT9S"}})
    command = made.specs[0].command
    assert command[command.index("--drain") + 1] == "6"
    assert "--drain" not in plan({"handlers": [REPORTS]}).specs[0].command


@pytest.mark.parametrize(
    ("processes", "sections", "sentence"),
    [
        ({}, {}, "names nothing to keep alive"),
        ({"bot": {}}, {}, "processes.bot needs a Discord token: set DISCORD_TOKEN"),
        (
            {"bot": {}},
            {"discord": {"token": "x"}, "zmq": {"clients": "tcp://127.0.0.1:*"}},
            "zmq.clients takes a free port",
        ),
        ({"handlers": [REPORTS]}, {"zmq": {"handlers": "tcp://127.0.0.1:*"}}, "zmq.handlers takes a free port"),
        (
            {"handlers": [REPORTS]},
            {"zmq": {"handlers": "tcp://0.0.0.0:1"}},
            "reports needs a key, because zmq.handlers is",
        ),
        ({"handlers": [REPORTS]}, {"core": {"address": "http://far:1"}}, "handlers reach a core over tcp:// or ipc://"),
        ({"handlers": [REPORTS, REPORTS]}, {}, r"processes.handlers\[1\].name reports is taken"),
        ({"handlers": [{"module": "a:Core"}]}, {}, r"processes.handlers\[0\].name core is taken"),
        ({"core": {}, "limits": {"silent": "PT0S"}}, {}, "processes.limits.silent has to be longer than PT0S"),
    ],
)
def test_what_could_not_work_is_said(processes: object, sections: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongInput, match=sentence):
        plan(processes, **sections)


def test_one_object_is_not_served_by_several_threads_and_a_class_is_as_often_as_its_threads_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    own = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{own}.py").write_text(
        "from schedule_zero import Handler, method\n\nclass Own(Handler):\n    @method()\n    async def do(self) -> None: ...\n"
        "\nown = Own()\n"
    )
    handlers = [
        {"module": f"{own}:Own", "name": "many", "count": 2},
        {"module": f"{own}:own", "name": "one", "count": 2},
    ]
    made = plan({"handlers": handlers}, threads=True)
    make = maker_of(made)
    for _ in range(5):
        make(made.specs[0])
    make(made.specs[2])
    with pytest.raises(loading.WrongInput, match=f"{own}:own is one object, which several threads cannot serve"):
        make(made.specs[3])


def test_a_handler_that_is_added_and_could_not_work_is_refused() -> None:
    made = plan({"core": {}}, zmq={"handlers": "tcp://0.0.0.0:1"})
    with pytest.raises(ProcessError, match="needs a key"):
        made.specs_of(HandlerProcess(module="reports:Reports"))
