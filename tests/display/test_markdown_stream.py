"""Text shown while it is written ends as, and at every moment looks like, the whole text rendered."""

from __future__ import annotations

from hypothesis import given

from tests.display.markdown_documents import split_documents, visible
from vibe_notebook.display._markdown import MarkdownStream, Update, render


class Screen:
    """Does with updates what a browser does."""

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.open = ""
        self.tail = ""

    def apply(self, update: Update) -> None:
        if update.closed:
            self.closed += update.closed
            self.open = self.tail = ""
        if update.open is not None:
            self.open, self.tail = update.open, ""
        self.tail += update.append

    @property
    def text(self) -> str:
        return visible("".join(self.closed) + self.open, self.tail)


@given(split_documents())
def test_closed_blocks_are_the_whole_rendering_whatever_the_pieces(
    split: tuple[str, list[tuple[str, bool]]],
) -> None:
    text, pieces = split
    stream, screen = MarkdownStream(), Screen()
    for piece, is_updated in pieces:
        stream.append(piece)
        if is_updated:
            screen.apply(stream.update())
    screen.apply(stream.finish())
    assert "".join(screen.closed) == render(text, math="mathml")
    assert (screen.open, screen.tail) == ("", "")


@given(split_documents())
def test_a_text_that_pauses_anywhere_shows_what_the_whole_rendering_so_far_shows(
    split: tuple[str, list[tuple[str, bool]]],
) -> None:
    _, pieces = split
    stream, screen, so_far = MarkdownStream(), Screen(), ""
    for piece, _ in pieces:
        stream.append(piece)
        so_far += piece
        screen.apply(stream.update())
        screen.apply(stream.settle())
        shown, whole = screen.text, visible(render(so_far, math="mathml"))
        # The last line of an open fence is held back while it could still become the closing one.
        assert shown == whole or shown == whole.rstrip("`~ ")
        assert screen.closed == stream.blocks
        assert (screen.open, screen.tail) == (stream.open_html, stream.tail)
