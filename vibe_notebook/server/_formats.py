"""A project's transcript in the requested form: JSON, Markdown, HTML or text.

Between ``_routes`` and the transcripts of ``_transcripts``.
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
from ._transcripts import ProjectReader

__all__ = ["FORMS", "requested_form", "transcript_response"]

FORMS: Final = {
    "json": "application/json",
    "markdown": "text/markdown",
    "html": "text/html",
    "text": "text/plain",
}

# The page holds strangers' text. The text is sanitised; this policy also stops any script that survived.
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


def requested_form(name: str | None, headers: Headers) -> str:
    """Return the form that ``?format=`` names, else the first known one of the Accept header, else JSON.

    Raises:
        Refused: 400 for an unknown *name*.
    """
    if name is not None:
        if name not in FORMS:
            raise Refused(400, f"format must be one of {', '.join(FORMS)}.")
        return name
    for accepted in headers.get("accept", "").split(","):
        media = accepted.partition(";")[0].strip().lower()
        for form, form_media in FORMS.items():
            if media == form_media:
                return form
    return "json"


def transcript_response(
    form: str, project: ProjectReader, transcripts: Mapping[str, Transcript], agent_id: str | None
) -> Response:
    """Return the answer with the transcript of one agent, or of all agents.

    Without *agent_id*, JSON holds the first agent's transcript and the names of all agents; the other forms hold the
    transcripts of all agents.

    Raises:
        Refused: 404 if the project has no agent *agent_id*.
    """
    if agent_id is not None and agent_id not in transcripts:
        raise Refused(404, "This project has no agent of that name.", agents=list(transcripts))
    headers = {
        "Cache-Control": "no-store",
        "Last-Event-ID": project.last_id,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _POLICY,
    }
    # The project itself counts as an agent, often one without parts.
    shown = [each for each in transcripts.values() if each.parts] or list(transcripts.values())
    chosen = [transcripts[agent_id]] if agent_id is not None else shown
    if form == "json":
        return JSONResponse(_body(project, transcripts, chosen[:1]), headers=headers)
    if form == "html":
        body = "".join(_bounded(form, chosen))
        return HTMLResponse(_PAGE.format(title=escape(project.project_id), body=body), headers=headers)
    texts = _bounded(form, chosen)
    return PlainTextResponse("\n\n".join(texts), headers=headers, media_type=FORMS[form])


def _bounded(form: str, chosen: list[Transcript]) -> Iterator[str]:
    """Yield the text of each transcript; name a transcript beyond the server's bound with its size."""
    room = TRANSCRIPT_BYTES
    for each in chosen:
        match form:
            case "html":
                text = each.to_html(title=each.agent_id)
            case "markdown":
                text = each.to_markdown()
            case _:
                text = each.to_text()
        size = len(text.encode())
        if size <= room:
            room -= size
            yield text
            continue
        if form == "text":  # cut HTML or Markdown could mean something else than the whole
            yield text.encode()[:room].decode(errors="ignore")
        notice = (
            f"[The {form} of {each.agent_id!r} has {size:,} bytes; an answer has at most {TRANSCRIPT_BYTES:,} bytes "
            "for all agents. Request JSON, or one agent by agent_id, or follow the stream.]"
        )
        room = 0
        yield f"<p>{escape(notice)}</p>" if form == "html" else notice


def _body(
    project: ProjectReader, transcripts: Mapping[str, Transcript], chosen: list[Transcript]
) -> dict[str, Any]:
    """Return a ``Transcript``'s JSON with the fields that a follower needs to continue."""
    transcript = chosen[0] if chosen else Transcript(agent_id=project.project_id)
    return {
        **transcript.model_dump(mode="json"),
        "project_id": project.project_id,
        "agents": list(transcripts),
        "first_event_id": project.first_id or None,
        "last_event_id": project.last_id or None,
        "incomplete": project.missed,
    }
