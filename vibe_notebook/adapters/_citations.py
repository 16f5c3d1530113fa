"""Read the sources of a text, in the shapes of OpenAI, Anthropic, LangChain, Gemini, Bedrock, Cohere and pydantic-ai.

All count the places in a text by characters, except Gemini, which counts UTF-8 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._fields import camel, get, ident, integer, items, text

__all__ = [
    "bedrock_citation",
    "block_citations",
    "byte_places",
    "citation_fields",
    "cohere_citations",
    "grounding_citations",
    "source_citations",
]


def citation_fields(native: object, offset: int = 0) -> dict[str, Any] | None:
    """Return the fields of a citation; ``None`` if *native* names no source.

    *offset* is the number of characters before the text that the citation counts in.
    """
    native = get(native, "url_citation") or native  # Chat Completions nests the fields
    names = (text(get(native, name)) for name in ("filename", "source", "document_title", "file_id"))
    url, source = (
        text(get(native, "url")) or text(get(native, "uri")),
        next((one for one in names if one), ""),
    )
    if not url and source.startswith(("http://", "https://")):
        url, source = source, ""
    title = text(get(native, "title")) or text(get(native, "document_title"))
    quote = text(get(native, "cited_text"))
    if not (url or title or source or quote):
        return None
    start, end = integer(get(native, "start_index")), integer(get(native, "end_index"))
    if start is None and end is None:  # the place of a file's mark
        start = end = integer(get(native, "index"))
    found = {"url": url, "title": title, "quote": quote, "source": source}
    places = {"start": start, "end": end} if end is not None else {}
    return {
        **{name: value for name, value in found.items() if value},
        **{name: value + offset for name, value in places.items() if value is not None},
    }


def block_citations(block: object, offset: int, length: int) -> Iterator[dict[str, Any]]:
    """Yield the citations of a text block of *length* characters: of places in it, or of the whole block."""
    for annotation in items(get(block, "annotations")):
        if (fields := citation_fields(annotation, offset)) is not None:
            yield fields
    for citation in items(get(block, "citations")):
        if (fields := citation_fields(citation, offset)) is not None:
            yield {"start": offset, "end": offset + length, **fields} if length else fields


def source_citations(citation: object) -> Iterator[dict[str, Any]]:
    """Yield the citation of each source that a citation of pydantic-ai has."""
    anchor = {name: integer(get(citation, "anchor", name)) for name in ("start", "end")}
    for source in items(get(citation, "sources")):
        names = {"url": "url", "title": "title", "source": "document_id"}
        fields = {ours: found for ours, theirs in names.items() if (found := text(get(source, theirs)))}
        if quote := next((one for one in map(text, items(get(source, "excerpts"))) if one), ""):
            fields["quote"] = quote
        if fields:
            yield {**fields, **{name: place for name, place in anchor.items() if place is not None}}


def bedrock_citation(citation: object) -> dict[str, Any] | None:
    """Return the fields of a citation of Bedrock, whose place is its whole block; ``None`` without a source."""
    quote = "".join(text(get(one, "text")) for one in items(get(citation, "sourceContent")))
    url = text(get(citation, "location", "web", "url"))
    names = {name: get(citation, name) for name in ("title", "source")}
    return citation_fields({**names, "url": url, "cited_text": quote})


def cohere_citations(citations: object) -> Iterator[dict[str, Any]]:
    """Yield the citation of each source, document or tool that a citation of Cohere has."""
    for citation in items(citations):
        start, end = integer(get(citation, "start")), integer(get(citation, "end"))
        places = {} if start is None or end is None else {"start": start, "end": end}
        found = [_cohere_source(one) for one in items(get(citation, "sources"))]
        found = found or [
            {"source": name} for one in items(get(citation, "document_ids")) if (name := ident(one))
        ]
        yield from ({**source, **places} for source in found if source)


def _cohere_source(source: object) -> dict[str, Any]:
    document = get(source, "document") or get(source, "tool_output")
    quote = next((one for name in ("snippet", "text", "content") if (one := text(get(document, name)))), "")
    found = {
        "url": text(get(document, "url")),
        "title": text(get(document, "title")),
        "quote": quote,
        "source": ident(get(source, "id")) or ident(get(document, "id")),
    }
    return {name: value for name, value in found.items() if value}


def grounding_citations(grounding: object, whole: str) -> Iterator[dict[str, Any]]:
    """Yield the citations in Gemini's grounding of a text: each place with its sources, then sources without one."""
    sources = [_source(chunk) for chunk in items(camel(grounding, "groundingChunks"))]
    cited = set()
    encoded = whole.encode("utf-8", "surrogatepass")
    for support in items(camel(grounding, "groundingSupports")):
        segment = get(support, "segment")
        end = integer(camel(segment, "endIndex"))
        places = {} if end is None else {"start": integer(camel(segment, "startIndex")) or 0, "end": end}
        for index in map(integer, items(camel(support, "groundingChunkIndices"))):
            if index is not None and index < len(sources) and sources[index]:
                cited.add(index)
                yield {**sources[index], **{name: _points(encoded, at) for name, at in places.items()}}
    yield from (source for i, source in enumerate(sources) if source and i not in cited)


def _source(chunk: object) -> dict[str, Any]:
    body = next((one for name in ("web", "retrievedContext", "maps") if (one := camel(chunk, name))), None)
    found = {
        "url": text(get(body, "uri")),
        "title": text(get(body, "title")),
        "source": ident(camel(body, "documentName")),
        "quote": text(get(body, "text")),
    }
    return {name: value for name, value in found.items() if value}


def byte_places(whole: str, start: object, end: object) -> dict[str, int]:
    """Return the place of a source of *whole*, counted in characters; *start* and *end* count its bytes."""
    last = integer(end)
    if last is None:
        return {}
    encoded = whole.encode("utf-8", "surrogatepass")
    return {"start": _points(encoded, integer(start) or 0), "end": _points(encoded, last)}


def _points(encoded: bytes, at: int) -> int:
    """Return the number of code points in the first *at* bytes; a place beyond the text stays beyond it."""
    return len(encoded[:at].decode("utf-8", "ignore")) + max(0, at - len(encoded))
