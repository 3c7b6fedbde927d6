"""The API's description (OpenAPI 3.1), made from the table of routes and the records themselves.

Litestar could make one from its handlers, but loses what the records forbid and how their unions are told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.web.reading import Reading
from schedule_zero.event import Event
from schedule_zero.routes import (
    EVENTS_PATH,
    HEALTH_PATHS,
    LOG_PATH,
    METRICS_PATHS,
    NO_GUILD,
    OPENAPI_PATH,
    PREFIX,
    READY_PATHS,
    Route,
)
from schedule_zero.views import Problem, Status

_REFERENCE: Final = "#/components/schemas/{name}"
_TEXT: Final = {"type": "string"}


def describe(readings: Sequence[Reading], health: type[msgspec.Struct], version: str) -> bytes:
    """The whole description as JSON."""
    shapes: list[Any] = [Problem, Status, Event, health]
    for reading in readings:
        shapes += [reading.route.answer, *([reading.body_type] if reading.route.has_body else [])]
    unique = list({id(shape): shape for shape in shapes}.values())
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REFERENCE)
    schema_of = {id(shape): schema for shape, schema in zip(unique, schemas, strict=True)}

    def ref(shape: Any) -> dict[str, Any]:
        return schema_of[id(shape)]

    paths: dict[str, dict[str, Any]] = {}
    for reading in readings:
        route = reading.route
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(reading, ref)
    stream = {"text/event-stream": {"schema": _TEXT}}
    for path in (EVENTS_PATH, LOG_PATH):
        paths[path]["get"]["responses"]["200"]["content"] |= stream
    for path, shape, words in (
        (HEALTH_PATHS[0], health, "Whether the process can do its work"),
        (READY_PATHS[0], Status, "Whether the core accepts and fires"),
    ):
        answers = {
            "200": _answer("It is.", {"application/json": {"schema": ref(shape)}}),
            "503": _answer("It is not; the failing parts are named.", {"application/json": {"schema": ref(shape)}}),
        }
        paths[path] = {
            "get": {"operationId": path.rpartition("/")[2], "summary": words, "security": [], "responses": answers}
        }
    paths[PREFIX] = {"get": _plain("index", "The paths there are", "application/json")}
    paths[METRICS_PATHS[0]] = {"get": _plain("metrics", "Metrics in the text format of Prometheus", "text/plain")}
    paths[OPENAPI_PATH] = {"get": _plain("openapi", "This description", "application/json") | {"security": []}}
    return msgspec.json.encode(_document(paths, components, version))


def _document(paths: dict[str, Any], components: dict[str, Any], version: str) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "ScheduleZero", "version": version, "license": {"name": "MIT", "identifier": "MIT"}},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {
                "Problem": _answer(
                    "It was refused; the document says why (RFC 9457).",
                    {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(name="Problem")}}},
                )
            },
        },
        "security": [{"token": []}],
    }


def _operation(reading: Reading, ref: Any) -> dict[str, Any]:
    route = reading.route
    answer = _answer("Done.", {"application/json": {"schema": ref(route.answer)}})
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "parameters": [_parameter(name, "path", _TEXT, required=True) for name in route.path_fields],
        "responses": {str(route.status): answer, "default": {"$ref": "#/components/responses/Problem"}},
    }
    if route.has_body:
        content = {"application/json": {"schema": ref(reading.body_type)}}
        operation["requestBody"] = {"content": content, "required": any(field.required for field in route.fields)}
    else:
        operation["parameters"] += _query_parameters(route)
    if route.method == "POST":
        operation["parameters"].append(_parameter("Idempotency-Key", "header", _TEXT | {"maxLength": 200}))
    if route.takes("revision"):
        operation["parameters"].append(_parameter("If-Match", "header", _TEXT))
    return operation


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    found = []
    for field in route.fields:
        schema = msgspec.json.schema(field.type)
        if schema.get("type") == "object":
            found.append(
                _parameter(field.encode_name, "query", schema, style="deepObject", explode=True)
                | {"description": f"Written `{field.encode_name}.KEY=VALUE`, as often as needed."}
            )
            continue
        parameter = _parameter(field.encode_name, "query", schema, required=field.required)
        if field.name == "guild_id" and route.spans_guilds:
            parameter["description"] = f"Left out: every guild. `{NO_GUILD}`: the operator's own."
        if schema.get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        found.append(parameter)
    if PREFIX + route.path in (EVENTS_PATH, LOG_PATH):
        found.append(_parameter("Last-Event-ID", "header", _TEXT) | {"description": "Where a stream goes on."})
    return found


def _operation_id(route: Route) -> str:
    name = route.request.__name__
    plain = f"/{route.path.split('/')[1]}"
    return name if "schedule_id" not in route.path_fields else f"{name}Of{plain[1:].capitalize()}"


def _parameter(name: str, place: str, schema: dict[str, Any], *, required: bool = False, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema, **more}


def _answer(words: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": content}


def _plain(name: str, words: str, media_type: str) -> dict[str, Any]:
    answers = {
        "200": _answer("Done.", {media_type: {"schema": _TEXT}}),
        "default": {"$ref": "#/components/responses/Problem"},
    }
    return {"operationId": name, "summary": words, "responses": answers}
