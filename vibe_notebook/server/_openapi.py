"""The OpenAPI description of the routes, for clients' tools and for a test that compares the server with it.

Beside ``_routes``. Source: OpenAPI 3.1.
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
    "description": "The project's id. The first event creates the project.",
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
        "item": {"type": "integer", "description": "The number of the wrong event, counted from 0."},
        "field": {"type": ["string", "null"]},
        "agents": {"type": "array", "items": {"type": "string"}},
        "permanent": {"const": True, "description": "An operator must mend the log before another try."},
    },
}
_ERROR_DESCRIPTIONS: Final = {
    400: "The request is wrong; the error names the wrong part.",
    401: "The token is missing or wrong.",
    403: "The server does not answer to this Host header, or a page of this origin may not send.",
    404: "The server has no such project, or the project has no such agent.",
    413: "The request is too large; send the events in several requests.",
    415: "The body is not JSON.",
    422: "An event is wrong; the error names the event and its field.",
    429: "The project is at its limit; wait for the seconds of Retry-After.",
    500: "The server failed.",
    503: "The server is full or shuts down, or its log does not answer.",
    504: "The transcript takes too long to render; follow the stream.",
}


def description(limits: Limits, *, has_auth: bool) -> Schema:
    """Return the OpenAPI description of a server with these limits."""
    paths: Schema = {
        "/health": {"get": _health()},
        "/openapi.json": {"get": _openapi()},
        "/projects": {"get": _projects()},
        "/projects/{project_id}/stream": {"get": _stream("followProject", "Follow a project's events.")},
        "/xagents/{project_id}/stream": {
            "get": _stream("followXagent", "Follow a project's events, at the address of vibex's clients.")
        },
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


def _responses(success: Schema, *error_statuses: int) -> Schema:
    errors = {
        str(status): {
            "description": _ERROR_DESCRIPTIONS[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status in sorted({*error_statuses, 401, 403, 500, 503})
    }
    return {**success, **errors}


def _json(text: str, properties: Schema) -> Schema:
    schema = {"type": "object", "required": list(properties), "properties": properties}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _query(name: str, text: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _health() -> Schema:
    success = _json("The log answers.", {"status": {"const": "ok"}, "listeners": {"type": "integer"}})
    success["content"]["application/json"]["schema"]["properties"]["log"] = {
        "type": "string",
        "description": "The cause of the last write's failure, until a write succeeds.",
    }
    return {"operationId": "health", "responses": _responses({"200": success})}


def _openapi() -> Schema:
    success = _json("This description.", {"openapi": {"type": "string"}})
    return {"operationId": "describe", "responses": _responses({"200": success})}


def _projects() -> Schema:
    row = {
        "type": "object",
        "required": ["project_id", "events", "last_event_id", "closed", "listeners"],
        "properties": {
            "project_id": {"type": "string"},
            "events": {"type": "integer"},
            "last_event_id": {"type": ["string", "null"]},
            "closed": {"type": "boolean"},
            "listeners": {"type": "integer", "description": "Open streams of the project at this server."},
        },
    }
    success = _json("All projects of the log.", {"projects": {"type": "array", "items": row}})
    return {"operationId": "listProjects", "responses": _responses({"200": success})}


def _stream(name: str, summary: str) -> Schema:
    after = (
        "Send the events after this id; 0 or an empty value means from the beginning. Without the parameter, send "
        "the events from now on."
    )
    header = {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The header has precedence over the query parameter last_event_id.",
        "schema": _PLACE,
    }
    frames = (
        "Server-sent events. An event `gap` without an id stands for events that the log no longer has. Comments keep "
        "the connection open. The stream ends when the project is closed or the server shuts down: reconnect after it."
    )
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [_PROJECT, _query("last_event_id", after, _PLACE), header],
        "responses": _responses(
            {
                "200": {
                    "description": frames,
                    "content": {"text/event-stream": {"schema": _sent_event()}},
                },
                "204": {
                    "description": "The project is closed, and has no event after the id: do not reconnect."
                },
            },
            400,
            429,
        ),
    }


def _sent_event() -> Schema:
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
                "title": "Any event",
                "type": "object",
                "required": ["event_type", "data"],
                "properties": {"event_type": name, "data": {}},
                "not": {"required": ["event"]},
            },
            {
                "title": "Any event, with the field names of a stream",
                "type": "object",
                "required": ["event", "data"],
                "properties": {"event": name, "data": {}},
                "not": {"required": ["event_type"]},
            },
            {
                "title": "An agent's event of vibe_notebook, stored with the event type agent_event",
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
        "description": "A second request with the same key appends nothing and returns the same ids.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    }
    return {
        "operationId": "sendEvents",
        "summary": "Append events. The log has them before the server answers.",
        "description": (
            f"One request holds at most {limits.events_per_request:,} events and {limits.body_bytes:,} bytes. The first "
            f"event creates a project; the server refuses new projects beyond {limits.projects:,} (503)."
        ),
        "parameters": [_PROJECT, key],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": [event, many, batch]}}},
        },
        "responses": _responses(
            {
                "201": _json(
                    "The ids of the events, in their order.", {"ids": {"type": "array", "items": _ID}}
                )
            },
            400,
            413,
            415,
            422,
            429,
        ),
    }


def _close() -> Schema:
    success = _json(
        "The project is closed. Its listeners end after the events sent before.", {"closed": {"const": True}}
    )
    return {
        "operationId": "closeProject",
        "parameters": [_PROJECT],
        "responses": _responses({"200": success}, 400, 404),
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
        "first_event_id": {
            "type": ["string", "null"],
            "description": "The first event in the transcript.",
        },
        "last_event_id": {"type": ["string", "null"], "description": "Follow the stream after this id."},
        "incomplete": {
            "type": "boolean",
            "description": "True if the log dropped earlier events, which the transcript lacks.",
        },
    }
    success = _json("The agent's transcript.", fields)
    for media in FORMS.values():
        success["content"].setdefault(media, {"schema": {"type": "string"}})
    success["headers"] = {"Last-Event-ID": {"schema": {"type": "string"}}}
    return {
        "operationId": "readTranscript",
        "summary": "Read the transcript of the project's events.",
        "parameters": [
            _PROJECT,
            _query("format", "The form; it has precedence over the Accept header.", {"enum": list(FORMS)}),
            _query(
                "agent_id",
                "The agent. Without the parameter, JSON holds the first agent and the other forms hold all.",
                {"type": "string"},
            ),
        ],
        "responses": _responses({"200": success}, 400, 404, 504),
    }
