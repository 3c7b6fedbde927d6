"""What the tests of the audit share: who reads it, and its newest lines."""

from __future__ import annotations

from core.ledger.port import AuditFilter
from core.ledger.rows import AuditedRow
from schedule_zero.actor import (
    MANAGE_GUILD,
    MANAGE_MESSAGES,
    VIEW_AUDIT_LOG,
    Actor,
)
from schedule_zero.trigger import CronTrigger
from schedule_zero.views import AuditLine
from tests.engine.house import House
from tests.service.people import OPERATOR, as_, member

READER = member("reader", permissions=VIEW_AUDIT_LOG)
CHIEF = member("chief", permissions=VIEW_AUDIT_LOG | MANAGE_GUILD | MANAGE_MESSAGES)
DAILY = CronTrigger(expression="0 9 * * *")


async def stored(house: House) -> list[AuditedRow]:
    """Every line, oldest first."""
    return list(await house.ledger.reader.audit.page(AuditFilter(any_guild=True), None, 1000))[::-1]


async def newest(house: House, actor: Actor = OPERATOR) -> AuditLine:
    """The line of the last change, as that actor sees it."""
    return (await as_(house, actor).list_audit(guild_id="1", limit=1)).items[0]
