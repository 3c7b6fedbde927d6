"""Routing: which process of a handler a schedule's runs want, beyond any that has the method.

``needs`` and ``version`` of the policy are conditions: who does not meet them gets none of its runs. ``affinity`` is a
wish: runs with the same key go to the same process while that is there, healthy, and has a free seat. The processes are
ranked anew for each key (rendezvous hashing; Thaler and Ravishankar, 1998), so that of one that goes only its own keys
move, and when it is back they come home.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec

from core.engine.ports import Instance
from core.engine.versions import satisfies
from core.ledger.rows import ScheduleRow
from schedule_zero.schedule import Policy

_PLACEHOLDER: Final = re.compile(r"\{(schedule|guild|owner|args(?:\.[A-Za-z0-9_\-]{1,100}){1,8})\}", re.ASCII)
AFFINITY_WORDS: Final = "{schedule}, {guild}, {owner}, or {args.NAME} for the value of an argument"


class Routing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run wants of who gets it; kept with the run as JSON. ``key``: of its affinity, hashed."""

    key: str | None = None
    needs: tuple[str, ...] = ()
    version: str | None = None

    def met_by(self, instance: Instance) -> bool:
        """Whether an instance meets the conditions."""
        return not self.lacking(instance)

    def lacking(self, instance: Instance) -> list[str]:
        """The conditions an instance does not meet, in words."""
        lacking = [f"the capability {word}" for word in self.needs if word not in instance.capabilities]
        if self.version is not None and not satisfies(instance.version, self.version):
            lacking.append(f"version {self.version}")
        return lacking

    @property
    def conditions(self) -> str:
        """The conditions as one text: runs of a method that differ in them do not wait behind each other."""
        return " ".join((*self.needs, self.version or "")) if self.needs or self.version else ""

    def rank(self, instance: str) -> bytes:
        """The larger, the rather it is this instance that gets the runs of the key."""
        return blake2b(f"{self.key} {instance}".encode(), digest_size=8).digest()


@lru_cache(maxsize=4096)
def read_routing(text: str) -> Routing:
    """What ``routing_of`` wrote."""
    return msgspec.json.decode(text, type=Routing)


def routing_of(row: ScheduleRow, policy: Policy, args: str | None = None) -> str | None:
    """What a run of a schedule wants, as it is kept with the run; None: nothing, as mostly.

    Args:
        args: the run's own, where it does not take the schedule's; only looked at where the affinity names one.
    """
    if policy.affinity is None and not policy.needs and policy.version is None:
        return None
    key = None
    if policy.affinity is not None:
        facts = {"schedule": row.id, "guild": row.guild_id or "", "owner": row.owner_id}
        given = row.args if args is None else args
        said = _PLACEHOLDER.sub(lambda match: _value(match[1], facts, given), policy.affinity)
        key = blake2b(said.encode(), digest_size=12).hexdigest()
    needs = tuple(sorted(dict.fromkeys(policy.needs)))
    return msgspec.json.encode(Routing(key=key, needs=needs, version=policy.version)).decode()


def check_affinity(text: str) -> None:
    """Raises ValueError, with one sentence, for a key that has other words in braces than there are."""
    rest = _PLACEHOLDER.sub("", text)
    if not text.strip():
        raise ValueError(f"is empty; write a key such as {AFFINITY_WORDS}")
    if "{" in rest or "}" in rest:
        raise ValueError(f"has braces around something else than {AFFINITY_WORDS}")


def arguments_in(affinity: str) -> list[str]:
    """The arguments whose values, or parts of them, a key names."""
    return [match[1].split(".")[1] for match in _PLACEHOLDER.finditer(affinity) if match[1].startswith("args.")]


def _value(word: str, facts: Mapping[str, str], args: str) -> str:
    if word in facts:
        return facts[word]
    value: Any = msgspec.json.decode(args)
    for part in word.split(".")[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    return msgspec.json.encode(value, order="deterministic").decode()
