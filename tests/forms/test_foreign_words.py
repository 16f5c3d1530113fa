"""Test that the words of servers, tools and files are clean and bounded in every form, view, terminal and log."""

from __future__ import annotations

import base64
import io
import logging
import struct
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.markdown.markdown_documents import Page
from vibe_notebook import events as ev
from vibe_notebook._foreign_words import clean_logger
from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.markdown import transcript_markdown
from vibe_notebook._forms.text import transcript_text
from vibe_notebook._forms.wording import LiveText
from vibe_notebook._limits import FOREIGN_WORDS, MESSAGE_SHOWN, NAME_SHOWN
from vibe_notebook._markdown.images import is_decodable, size_of
from vibe_notebook._markdown.renderer import render
from vibe_notebook._markdown.stream import MarkdownStream
from vibe_notebook.display._pacer import Pacer
from vibe_notebook.display._terminal import Printer
from vibe_notebook.display._view import View
from vibe_notebook.parts import ArtifactPart, Run, TextPart, ToolPart
from vibe_notebook.transcript import Transcript

BIDI = [*map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))]
FAKE = "search\n✓ delete_everything\n\n- ✓ delete_everything\r✓ delete_everything"
FORMS = [transcript_html, transcript_markdown, transcript_text]
IDS: dict[str, Any] = {"agent_id": "a", "run_id": "r"}


def named(name: str) -> Transcript:
    return Transcript(
        parts=(
            ToolPart(tool_call_id="c", tool_name=name, state="ok", args={"a": 1}),
            ArtifactPart(artifact_id="f", name=name, media_type=name, action=name),
        ),
        runs=(Run(run_id="s", agent_name=name, parts=(TextPart(text="hello"),)),),
    )


def named_events(name: str) -> list[ev.Event]:
    return [
        ev.RunStarted(**IDS, agent_name=name),
        ev.RunStarted(agent_id="a", run_id="s", parent_run_id="r", agent_name=name),
        ev.TextDelta(agent_id="a", run_id="s", delta="hello"),
        ev.ToolStarted(**IDS, tool_call_id="c", tool_name=name, args={"a": 1}),
        ev.ToolProgress(**IDS, tool_call_id="c", message=name),
        ev.ToolFinished(**IDS, tool_call_id="c", tool_name=name, output="out"),
        ev.Artifact(**IDS, artifact_id="f", name=name, media_type=name, action=name),
    ]


def terminal(events: list[ev.Event]) -> str:
    stream = io.StringIO()
    printer = Printer(stream)
    for event in events:
        printer(event)
    printer.end()
    return stream.getvalue()


def live(events: list[ev.Event], title: str = "t") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the view's header and the props of all its parts."""
    with vibe.Registry() as registry:
        view = View(registry, title=title, send=lambda _: None, pacer=Pacer(lambda: 0.0, threads=False))
        view.watch("a")
        for event in events:
            registry.dispatch(event)
        view.flush()
        snapshot = view.snapshot()
    found, remaining = [], list(snapshot["parts"])
    while remaining:
        part = remaining.pop()
        found.append(part["props"])
        remaining += part["parts"]
    return snapshot["head"], found


def every_form(name: str) -> list[str]:
    head, props = live(named_events(name), title=name)
    forms = [form(named(name), title=name) for form in FORMS]
    return [*forms, terminal(named_events(name)), str(head), str(props)]


@pytest.mark.parametrize("mark", BIDI, ids=lambda mark: f"U+{ord(mark):04X}")
def test_a_direction_mark_in_a_name_is_a_symbol_in_every_form(mark: str) -> None:
    for form in every_form(f"exe{mark}gnp.txt"):
        assert mark not in form
        assert f"⟨U+{ord(mark):04X}⟩" in form.replace("\\", "")


@pytest.mark.parametrize("mark", BIDI, ids=lambda mark: f"U+{ord(mark):04X}")
@pytest.mark.parametrize(
    "text", ["`if x{}: pass`", "```python\nif x{}: pass\n```", "    if x{}: pass", "|a|\n|-|\n|`x{}`|\n|y|\n"]
)
def test_a_direction_mark_in_code_is_a_symbol(text: str, mark: str) -> None:
    text = text.replace("{}", mark)
    transcript = Transcript(parts=(TextPart(text=text),))
    stream = MarkdownStream()
    for piece in text:
        stream.append(piece)
        stream.update()
    stream.finish()
    streamed = str(stream.blocks)
    page = "".join(Page(transcript_html(transcript)).texts)  # the colours may divide a symbol
    for form in (page, transcript_markdown(transcript), transcript_text(transcript), streamed):
        assert mark not in form
        assert f"⟨U+{ord(mark):04X}⟩" in form


def test_a_direction_mark_in_prose_stays_where_the_page_bounds_it_and_is_dropped_elsewhere() -> None:
    prose = "\u05d0\u200f!"
    transcript = Transcript(parts=(TextPart(text=prose),))
    assert prose in transcript_html(transcript)
    assert "\u05d0!" in transcript_markdown(transcript)
    assert "\u05d0!" in transcript_text(transcript)


def test_a_line_feed_in_a_name_cannot_fake_the_line_of_a_call() -> None:
    for form in every_form(FAKE):
        lines = [line.lstrip(" >-*") for line in form.splitlines()]
        assert not [line for line in lines if line.startswith("✓ delete")]
    real = transcript_markdown(named("delete_everything")).splitlines()
    assert [line for line in real if "delete_everything" in line]


def test_every_form_shows_two_hundred_characters_of_a_name() -> None:
    for form in every_form("n" * 900):
        assert "n" * (NAME_SHOWN - 1) + "…" in form
        assert "n" * NAME_SHOWN not in form


LONG = "start " + "word " * 20_000 + "end"


def failed(error: str) -> Transcript:
    call = ToolPart(tool_call_id="c", tool_name="fetch", state="error", error=error)
    run = Run(run_id="s", agent_name="sub", error=error, parts=(TextPart(text="hello"),))
    return Transcript(parts=(call,), runs=(run,), error=error, outcome="error")


def test_a_page_folds_a_long_error_and_shows_all_of_it_on_a_click() -> None:
    html = transcript_html(failed(LONG), note=LONG)
    assert html.count(f"Show all ({len(LONG):,} characters)") == 4
    assert html.count(LONG) == 0  # also in the fold a message is at most as long as any output
    middle = "x" * 50_000 + " end"
    html = transcript_html(failed(middle))
    assert html.count(f"{'x' * 50_000} end") == html.count('<details class="vibe-all"') == 3
    assert "Show all" not in transcript_html(failed("short"), note="short")


@pytest.mark.parametrize("form", [transcript_markdown, transcript_text])
def test_other_forms_show_the_start_of_a_long_error_and_how_much_is_left_out(form: Any) -> None:
    said = form(failed(LONG))
    assert said.count(f"[{len(LONG) - MESSAGE_SHOWN:,} characters are left out here]") == 3
    assert len(said) < 4 * MESSAGE_SHOWN


def test_a_terminal_shows_the_start_of_a_long_error_and_indents_its_lines() -> None:
    said = terminal([ev.RunFinished(**IDS, outcome="error", error=f"boom\n✓ search\n{LONG}")])
    assert "\n✓" not in said
    assert "characters are left out here]" in said
    assert len(said) < 2 * MESSAGE_SHOWN


def test_the_live_view_gets_bounded_errors_and_the_event_keeps_all() -> None:
    error = "\x1b[31mred\x1b[0m\u202e" + "x" * 500_000
    with vibe.Registry() as registry:
        registry.dispatch(
            ev.ToolFinished(**IDS, tool_call_id="c", tool_name="f", status="error", error=error)
        )
        assert registry.transcript("a").tools[0].error == error
    _, (props,) = live([ev.ToolFinished(**IDS, tool_call_id="c", tool_name="f", status="error", error=error)])
    assert props["error"].startswith("red⟨U+202E⟩xxx")
    assert len(props["error"]) < 110_000


def test_growing_texts_lose_terminal_sequences_that_their_pieces_cut() -> None:
    cleaner = LiveText()
    pieces = ["\x1b[3", "2mPASSED", "\x1b", "[0m a\r", "\nb\r", "c \x07", "\x1b]0;ti", "tle\x07d"]
    assert "".join(map(cleaner.feed, pieces)) == "PASSED a\nb\nc ␇d"


@pytest.mark.parametrize("end", ["\x07", "\x1b\\"])
def test_a_terminal_sequence_is_lost_wherever_it_is_cut(end: str) -> None:
    text = f"a\x1b]7;file://evil.example{end}b\x1b[31mc"
    for at in range(len(text)):
        cleaner = LiveText()
        assert cleaner.feed(text[:at]) + cleaner.feed(text[at:]) == "abc"


def test_prose_in_the_page_shows_control_characters_as_symbols() -> None:
    assert render("a\x1b[31mb\x07") == "<p>a␛[31mb␇</p>\n"


def test_a_log_record_cannot_be_faked_or_clear_the_screen() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s:%(message)s"))
    log = clean_logger("vibe_notebook.test_foreign_words")
    log.addHandler(handler)
    hostile = "x\nERROR:root:forged\x1b[2J\u2028ERROR:root:forged\u202e" + "y" * 100_000
    log.error("The server says %s", hostile, exc_info=ValueError(hostile))
    said = stream.getvalue()
    assert not [line for line in said.splitlines()[1:] if line.startswith("ERROR")]
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "ValueError: x" in said
    assert len(said) < 4 * FOREIGN_WORDS


# Images


def png(width: int, height: int) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I4sII", 13, b"IHDR", width, height)
        + b"\x08\x02\0\0\0"
        + bytes(9)
    )


def gif(width: int, height: int, frame: tuple[int, int] | None = None) -> bytes:
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6)
    extension = b"\x21\xf9\x04\0\0\0\0\0"
    return head + extension + b"\x2c" + struct.pack("<HHHH", 0, 0, *(frame or (width, height))) + b"\0"


def jpeg(width: int, height: int, kind: int = 0xC0) -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", 40_002) + jpeg_frame(1, 1, 0xC0) + bytes(40_000 - 12)
    return b"\xff\xd8" + segment + b"\xff\xff" + jpeg_frame(width, height, kind)


def jpeg_frame(width: int, height: int, kind: int) -> bytes:
    return bytes([0xFF, kind]) + struct.pack(">HBHHB", 10, 8, height, width, 1) + bytes(2)


def webp(width: int, height: int, kind: bytes) -> bytes:
    if kind == b"VP8X":
        body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == b"VP8L":
        body = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little")
    else:
        body = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF" + struct.pack("<I", 99) + b"WEBP" + kind + struct.pack("<I", len(body)) + body


SMALL = {
    "png": png(640, 480),
    "gif": gif(640, 480),
    "jpeg": jpeg(640, 480),
    "progressive jpeg": jpeg(640, 480, 0xC2),
    "webp VP8": webp(640, 480, b"VP8 "),
    "webp VP8L": webp(640, 480, b"VP8L"),
    "webp VP8X": webp(640, 480, b"VP8X"),
}
HUGE = {
    "png": png(50_000, 50_000),
    "gif": gif(50_000, 50_000),
    "a gif with a large frame": gif(1, 1, (50_000, 50_000)),
    "jpeg": jpeg(50_000, 50_000),
    "progressive jpeg": jpeg(50_000, 50_000, 0xC2),
    "webp VP8": webp(16_383, 16_383, b"VP8 "),
    "webp VP8L": webp(16_384, 16_384, b"VP8L"),
    "webp VP8X": webp(50_000, 50_000, b"VP8X"),
}


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def image(raw: bytes, kind: str) -> ev.Artifact:
    return ev.Artifact(**IDS, artifact_id="i", name="i", media_type=f"image/{kind}", data=encoded(raw))


@pytest.mark.parametrize("name", SMALL)
def test_an_images_size_is_read_from_its_header(name: str) -> None:
    assert size_of(encoded(SMALL[name])) == (640, 480)
    assert is_decodable(encoded(SMALL[name]))
    assert "<img " in render(f"![x](data:image/png;base64,{encoded(SMALL[name])})")


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
@pytest.mark.parametrize("name", HUGE)
def test_an_image_of_too_many_pixels_is_named_with_its_size_whatever_its_type_says(
    name: str, kind: str
) -> None:
    event = image(HUGE[name], kind)
    size = size_of(encoded(HUGE[name]))
    assert size is not None
    words = f"{size[0]:,} \N{MULTIPLICATION SIGN} {size[1]:,} pixels"
    part = ArtifactPart(artifact_id="i", name="i", media_type=event.media_type, data=event.data)
    for form in FORMS:
        assert words in form(Transcript(parts=(part,)))
    assert not [tag for tag, _ in Page(transcript_html(Transcript(parts=(part,)))).elements if tag == "img"]
    _, (props,) = live([event])
    assert props["src"] is None
    assert words in props["media_type"]
    text = f"![x](data:{event.media_type};base64,{event.data})"
    assert "<img" not in render(text)
    assert "![" not in transcript_markdown(Transcript(parts=(TextPart(text=text),)))


@pytest.mark.parametrize(
    "raw",
    [b"BM" + bytes(60), b"\0\0\1\0" + bytes(60), b"\0\0\0\x1cftypavif" + bytes(60), b"II*\0" + bytes(60)],
)
def test_an_image_of_another_format_than_its_type_says_is_not_given_to_the_browser(raw: bytes) -> None:
    _, (props,) = live([image(raw, "png")])
    assert props["src"] is None
    assert "<img" not in render(f"![x](data:image/png;base64,{encoded(raw)})")


@pytest.mark.parametrize("name", HUGE)
def test_a_header_that_is_cut_off_is_no_error(name: str) -> None:
    for end in range(len(HUGE[name]) if len(HUGE[name]) < 200 else 60):
        size_of(encoded(HUGE[name][:end]))
