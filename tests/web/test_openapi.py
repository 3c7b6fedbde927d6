"""The description tells the truth, and so does the page for people."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships none

from schedule_zero.routes import HEALTH_PATHS, METRICS_PATHS, OPENAPI_PATH, PREFIX, READY_PATHS, ROUTES
from tests.web.fake import FakeDoor
from tests.web.test_requests import CASES

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "http.md"


async def description(http: aiohttp.ClientSession) -> dict[str, Any]:
    async with http.get(OPENAPI_PATH) as answer:
        found: dict[str, Any] = await answer.json()
        return found


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": document["components"]}


async def test_it_names_exactly_the_routes_there_are(stranger: aiohttp.ClientSession) -> None:
    document = await description(stranger)
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    real = {(route.method, PREFIX + route.path) for route in ROUTES}
    real |= {("GET", path) for path in (HEALTH_PATHS[0], READY_PATHS[0], METRICS_PATHS[0], OPENAPI_PATH, PREFIX)}
    assert described == real


async def test_the_root_of_the_api_names_the_description_and_every_path(
    http: aiohttp.ClientSession, stranger: aiohttp.ClientSession
) -> None:
    async with http.get(PREFIX) as answer:
        index = await answer.json()
        assert (answer.status, index["version"], index["openapi"]) == (200, "1.2.3", OPENAPI_PATH)
    assert set(index["paths"]) == {PREFIX + route.path for route in ROUTES}
    async with stranger.get(PREFIX) as answer:
        assert answer.status == 401


async def test_operation_ids_are_unique_and_references_lead_somewhere(stranger: aiohttp.ClientSession) -> None:
    document = await description(stranger)
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))
    names = set(re.findall(r'"#/components/schemas/(\w+)"', str(document).replace("'", '"')))
    assert names <= set(document["components"]["schemas"])
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


async def test_unknown_fields_are_forbidden_in_what_is_sent(stranger: aiohttp.ClientSession) -> None:
    schemas = (await description(stranger))["components"]["schemas"]
    assert schemas["ScheduleSpec"]["additionalProperties"] is False
    assert schemas["CronTrigger"]["properties"]["type"] == {"enum": ["cron"]}


@pytest.mark.parametrize(("method", "path", "body"), [case[:3] for case in CASES], ids=lambda value: str(value)[:40])
async def test_every_answer_and_every_body_is_as_described(
    http: aiohttp.ClientSession, door: FakeDoor, method: str, path: str, body: Any
) -> None:
    document = await description(http)
    template = next(
        template
        for template, item in document["paths"].items()
        if method.lower() in item
        and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), PREFIX + path.partition("?")[0])
        and ("{" not in template or "suggest" not in path)
    )
    operation = document["paths"][template][method.lower()]
    if body is not None:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        Draft202012Validator(resolved(document, schema)).validate(body)
    async with http.request(method, PREFIX + path, json=body) as answer:
        schema = operation["responses"][str(answer.status)]["content"]["application/json"]["schema"]
        Draft202012Validator(resolved(document, schema)).validate(await answer.json())


async def test_a_problem_is_as_described(http: aiohttp.ClientSession, door: FakeDoor) -> None:
    document = await description(http)
    schema = document["components"]["responses"]["Problem"]["content"]["application/problem+json"]["schema"]
    async with http.post(f"{PREFIX}/schedules", data=b'{"handler": 1}') as answer:
        Draft202012Validator(resolved(document, schema)).validate(await answer.json(content_type=None))


async def test_the_page_for_people_lists_every_route_and_no_other() -> None:
    told = set(re.findall(r"^\| (GET|POST|PUT|PATCH|DELETE) `(/[^`]*)`", PAGE.read_text(), re.MULTILINE))
    real = {(route.method, route.path) for route in ROUTES}
    real |= {("GET", path.removeprefix(PREFIX)) for path in (HEALTH_PATHS[0], READY_PATHS[0], METRICS_PATHS[0])}
    assert told == real


async def test_the_page_for_people_lists_every_parameter() -> None:
    text = PAGE.read_text()
    for route in ROUTES:
        for field in () if route.has_body else route.fields:
            assert re.search(rf"\b{field.encode_name}\b", text), f"{route.path} takes {field.encode_name}"
