"""A project's transcript in the form that was asked for: JSON, Markdown, HTML or text.

Beside the routes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from .._limits import TRANSCRIPT_BYTES
from ..transcript import Transcript
from ._errors import Refused
from ._transcripts import Reading

__all__ = ["FORMS", "form_of", "present"]

FORMS: Final = {
    "json": "application/json",
    "markdown": "text/markdown",
    "html": "text/html",
    "text": "text/plain",
}

# The page is of strangers' text. It is sanitised; should something slip through, it can do nothing.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)
_PAGE: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width"><style>body{{max-width:60em;margin:2em auto;'
    "padding:0 1em;font-family:system-ui,sans-serif}}:root{{color-scheme:light dark}}</style></head>"
    "<body>{body}</body></html>"
)


def form_of(given: str | None, headers: Headers) -> str:
    """Name the form that ``?format=`` or the Accept header asks for; JSON if either leaves it open."""
    if given is not None:
        if given not in FORMS:
            raise Refused(400, f"format: one of {', '.join(FORMS)}.")
        return given
    for wanted in headers.get("accept", "").split(","):
        media = wanted.partition(";")[0].strip().lower()
        for form, known in FORMS.items():
            if media == known:
                return form
    return "json"


def present(form: str, reading: Reading, found: Mapping[str, Transcript], agent_id: str | None) -> Response:
    """Show one agent's transcript; of several, JSON has the first one's and all their names, a page all."""
    if agent_id is not None and agent_id not in found:
        raise Refused(404, "There is no agent of that name in this project.", agents=list(found))
    headers = {
        "Cache-Control": "no-store",
        "Last-Event-ID": reading.last_id,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _POLICY,
    }
    # What the project itself says is an agent too, which often shows nothing.
    shown = [each for each in found.values() if each.parts] or list(found.values())
    chosen = [found[agent_id]] if agent_id is not None else shown
    if form == "json":
        return JSONResponse(_body(reading, found, chosen[:1]), headers=headers)
    if form == "html":
        body = "".join(_bounded(form, chosen))
        return HTMLResponse(_PAGE.format(title=escape(reading.project_id), body=body), headers=headers)
    texts = _bounded(form, chosen)
    return PlainTextResponse("\n\n".join(texts), headers=headers, media_type=FORMS[form])


def _bounded(form: str, chosen: list[Transcript]) -> Iterator[str]:
    """Yield each form, up to the server's bound; what is beyond is named with its size."""
    room = TRANSCRIPT_BYTES
    for each in chosen:
        match form:
            case "html":
                made = each.to_html(title=each.agent_id)
            case "markdown":
                made = each.to_markdown()
            case _:
                made = each.to_text()
        size = len(made.encode())
        if size <= room:
            room -= size
            yield made
            continue
        if form == "text":  # of the others a part may mean something else than the whole
            yield made.encode()[:room].decode(errors="ignore")
        said = (
            f"[The {form} of {each.agent_id!r} has {size:,} bytes; an answer has at most {TRANSCRIPT_BYTES:,} of all "
            "agents. Ask for it as JSON, by agent_id, or follow the stream.]"
        )
        room = 0
        yield f"<p>{escape(said)}</p>" if form == "html" else said


def _body(reading: Reading, found: Mapping[str, Transcript], chosen: list[Transcript]) -> dict[str, Any]:
    """A ``Transcript``'s JSON, and beside its fields where a follower goes on."""
    transcript = chosen[0] if chosen else Transcript(agent_id=reading.project_id)
    return {
        **transcript.model_dump(mode="json"),
        "project_id": reading.project_id,
        "agents": list(found),
        "last_event_id": reading.last_id or None,
        "incomplete": reading.missed,
    }
