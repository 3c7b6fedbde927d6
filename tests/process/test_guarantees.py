"""Every crash point that `docs/guarantees.md` names is linked to a test, and the test is there."""

from __future__ import annotations

import re

from tests.process.life import ROOT

PAGE = ROOT / "docs" / "guarantees.md"
LINK = re.compile(r'^\[(?P<key>[\w-]+)\]: (?P<path>\S+) "(?P<test>\w+)"$', re.MULTILINE)


def test_every_crash_point_is_linked_to_a_test_that_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    links = {found["key"]: found for found in LINK.finditer(text)}
    section = text.partition("## Killed here, this happens")[2].partition("\n\n[")[0]
    heads = ("| killed", "| ---")
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith(heads)]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"\]\[([\w-]+)\]", row)
        assert named, f"no test shows this: {row}"
        for key in named:
            source = (PAGE.parent / links[key]["path"]).read_text(encoding="utf-8")
            assert f"def {links[key]['test']}(" in source, f"{links[key]['path']} has no {links[key]['test']}"
