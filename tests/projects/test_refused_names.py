"""Test that a name which no address or reader could tell is refused where it is made."""

from __future__ import annotations

import asyncio

import pytest

from vibe_notebook.exceptions import ProtocolError
from vibe_notebook.projects import ProjectEventStream, publish
from vibe_notebook.registry import Registry


@pytest.mark.parametrize("project_id", ["team/alpha", "/", ".", "..", "", "a\nb", "x" * 201])
def test_a_project_id_that_no_address_reaches_is_refused_at_every_door(project_id: str) -> None:
    stream = ProjectEventStream()
    for door in (stream.create_stream, stream.get_stream, stream.listen, stream.close_stream):
        with pytest.raises(ProtocolError, match="project id"):
            door(project_id)
    for sent in (stream.send_event(project_id, "note", 1), stream.read(project_id)):
        with pytest.raises(ProtocolError, match="project id"):
            asyncio.run(sent)
    for target in ("http://127.0.0.1:1", stream):
        with pytest.raises(ProtocolError, match="project id"):
            publish(Registry(), project_id, target)


@pytest.mark.parametrize("project_id", ["a b", "ä", "...", "a.b", "a?b#c", "%2F"])
def test_any_other_printable_id_is_taken(project_id: str) -> None:
    stream = ProjectEventStream()
    assert asyncio.run(stream.send_event(project_id, "note", 1))


def test_a_type_that_only_the_server_sends_is_refused() -> None:
    with pytest.raises(ProtocolError, match="only the server sends"):
        asyncio.run(ProjectEventStream().send_event("p", "gap", {}))
