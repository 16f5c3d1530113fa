"""The OpenAPI description of the routes, for people's tools and for the test that holds the server to it.

Beside the routes. Source: OpenAPI 3.1.
"""

from __future__ import annotations

from typing import Any, Final

from ..events import WRONG_NAME_LIMIT as NAME_LIMIT
from ._formats import FORMS
from ._limits import Limits

__all__ = ["description"]

Schema = dict[str, Any]

_ID: Final[Schema] = {"type": "string", "pattern": "^[0-9]{1,20}(-[0-9]{1,20})?$"}
_PLACE: Final[Schema] = {"type": "string", "pattern": "^([0-9]{1,20}(-[0-9]{1,20})?)?$"}
_PROJECT: Final[Schema] = {
    "name": "project_id",
    "in": "path",
    "required": True,
    "description": "Made by the first event that is sent to it.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f/]+$",
    },
}
_ERROR: Final[Schema] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "item": {"type": "integer", "description": "Which of the events, from 0 on."},
        "field": {"type": ["string", "null"]},
        "agents": {"type": "array", "items": {"type": "string"}},
    },
}
_SAID: Final = {
    400: "Something about the request is wrong; the error says what.",
    401: "The token is missing or wrong.",
    403: "The host or the page that asks is not one that may.",
    404: "There is no such project, or no such agent in it.",
    413: "Too large: send it in parts.",
    415: "Not JSON.",
    422: "Something about an event is wrong; the error names the event and its field.",
    429: "Too much for one project; wait as long as Retry-After says.",
    500: "The server failed.",
    503: "The server is full or shutting down, or its log does not answer.",
    504: "The transcript takes too long to make; follow the stream.",
}


def description(limits: Limits, *, has_auth: bool) -> Schema:
    """Describe the server with these limits."""
    paths: Schema = {
        "/health": {"get": _health()},
        "/openapi.json": {"get": _itself()},
        "/projects": {"get": _projects()},
        "/projects/{project_id}/stream": {
            "get": _stream("followProject", "A project's events, as they come.")
        },
        "/xagents/{project_id}/stream": {"get": _stream("followXagent", "The same, for clients of vibex.")},
        "/projects/{project_id}/events": {"post": _send(limits)},
        "/projects/{project_id}/close": {"post": _close()},
        "/projects/{project_id}/transcript": {"get": _transcript()},
    }
    components: Schema = {"schemas": {"Error": _ERROR, "Event": _event()}}
    if has_auth:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, methods in paths.items():
            for operation in methods.values():
                operation["security"] = [] if path in ("/health", "/openapi.json") else [{"token": []}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "vibe_notebook projects", "version": "1"},
        "paths": paths,
        "components": components,
    }


def _responses(good: Schema, *bad: int) -> Schema:
    errors = {
        str(status): {
            "description": _SAID[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status in sorted({*bad, 401, 403, 500, 503})
    }
    return {**good, **errors}


def _json(said: str, properties: Schema) -> Schema:
    schema = {"type": "object", "required": list(properties), "properties": properties}
    return {"description": said, "content": {"application/json": {"schema": schema}}}


def _query(name: str, said: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": said, "schema": schema}


def _health() -> Schema:
    good = _json("The log answers.", {"status": {"const": "ok"}, "listeners": {"type": "integer"}})
    return {"operationId": "health", "responses": _responses({"200": good})}


def _itself() -> Schema:
    return {
        "operationId": "describe",
        "responses": _responses({"200": _json("This.", {"openapi": {"type": "string"}})}),
    }


def _projects() -> Schema:
    row = {
        "type": "object",
        "required": ["project_id", "events", "last_event_id", "closed", "listeners"],
        "properties": {
            "project_id": {"type": "string"},
            "events": {"type": "integer"},
            "last_event_id": {"type": ["string", "null"]},
            "closed": {"type": "boolean"},
            "listeners": {"type": "integer", "description": "At this server."},
        },
    }
    good = _json("Every project.", {"projects": {"type": "array", "items": row}})
    return {"operationId": "listProjects", "responses": _responses({"200": good})}


def _stream(name: str, said: str) -> Schema:
    after = "Go on after this event; 0, or empty: from the beginning. Without it, from now on."
    header = {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "Wins over the query.",
        "schema": _PLACE,
    }
    frames = (
        "Server-sent events. One with `event: gap` and no id says that what was asked for is not there any more; "
        "comments keep the connection open. It ends when the project is closed or the server shuts down: reconnect."
    )
    return {
        "operationId": name,
        "summary": said,
        "parameters": [_PROJECT, _query("last_event_id", after, _PLACE), header],
        "responses": _responses(
            {
                "200": {
                    "description": frames,
                    "content": {"text/event-stream": {"schema": _told()}},
                },
                "204": {
                    "description": "The project is closed and all of it was delivered: do not reconnect."
                },
            },
            400,
            429,
        ),
    }


def _told() -> Schema:
    text: Schema = {"type": "string"}
    return {"type": "object", "properties": {"id": _ID, "event": text, "data": text}}


def _event() -> Schema:
    name = {
        "type": "string",
        "minLength": 1,
        "maxLength": NAME_LIMIT,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
        "not": {"enum": ["gap", "agent_event"]},
    }
    return {
        "oneOf": [
            {
                "title": "any event",
                "type": "object",
                "required": ["event_type", "data"],
                "properties": {"event_type": name, "data": {}},
                "not": {"required": ["event"]},
            },
            {
                "title": "any event, as on the wire",
                "type": "object",
                "required": ["event", "data"],
                "properties": {"event": name, "data": {}},
                "not": {"required": ["event_type"]},
            },
            {
                "title": "an agent's event, stored as agent_event",
                "type": "object",
                "required": ["type", "agent_id", "run_id", "delta"],
                "properties": {
                    "type": {"const": "text_delta"},
                    "agent_id": {"type": "string"},
                    "run_id": {"type": "string"},
                    "delta": {"type": "string"},
                },
                "not": {"anyOf": [{"required": ["event"]}, {"required": ["event_type"]}]},
            },
        ]
    }


def _send(limits: Limits) -> Schema:
    event = {"$ref": "#/components/schemas/Event"}
    many = {"type": "array", "items": event, "minItems": 1}
    batch = {
        "type": "object",
        "required": ["events"],
        "properties": {"events": many},
        "not": {"anyOf": [{"required": ["event"]}, {"required": ["event_type"]}, {"required": ["agent_id"]}]},
    }
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key again adds nothing and returns the same ids.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    }
    return {
        "operationId": "sendEvents",
        "summary": "Add events. Once it is answered, they are in the log.",
        "description": (
            f"At most {limits.events_per_request:,} events and {limits.body_bytes:,} bytes at once. A project begins with "
            f"its first event; beyond {limits.projects:,} projects no new one is begun (503)."
        ),
        "parameters": [_PROJECT, key],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": [event, many, batch]}}},
        },
        "responses": _responses(
            {"201": _json("Their ids, in order.", {"ids": {"type": "array", "items": _ID}})},
            400,
            413,
            415,
            422,
            429,
        ),
    }


def _close() -> Schema:
    good = _json("Its listeners end when they have everything.", {"closed": {"const": True}})
    return {
        "operationId": "closeProject",
        "parameters": [_PROJECT],
        "responses": _responses({"200": good}, 400, 404),
    }


def _transcript() -> Schema:
    fields: Schema = {
        "agent_id": {"type": "string"},
        "parts": {"type": "array", "items": {"type": "object"}},
        "runs": {"type": "array", "items": {"type": "object"}},
        "outcome": {"type": ["string", "null"]},
        "error": {"type": ["string", "null"]},
        "usage": {"type": ["object", "null"]},
        "project_id": {"type": "string"},
        "agents": {"type": "array", "items": {"type": "string"}},
        "last_event_id": {"type": ["string", "null"], "description": "Follow the stream after this."},
        "incomplete": {"type": "boolean", "description": "Whether the log has lost what was before."},
    }
    good = _json("The agent's transcript.", fields)
    for media in FORMS.values():
        good["content"].setdefault(media, {"schema": {"type": "string"}})
    good["headers"] = {"Last-Event-ID": {"schema": {"type": "string"}}}
    return {
        "operationId": "readTranscript",
        "summary": "What the events amount to.",
        "parameters": [
            _PROJECT,
            _query("format", "Wins over the Accept header.", {"enum": list(FORMS)}),
            _query("agent_id", "Which agent; without it the first one.", {"type": "string"}),
        ],
        "responses": _responses({"200": good}, 400, 404, 504),
    }
