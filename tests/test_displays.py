"""Make bundles of values, and clean the bundles of events."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import vibe_notebook as vibe
from vibe_notebook import _host
from vibe_notebook import _settings as settings
from vibe_notebook._bundles import TYPES, bundle_size, clean_bundle, image_type
from vibe_notebook._displays import make_bundle, shown_bundle, use_printers
from vibe_notebook.events import Artifact, ToolFinished, parse_event, to_json

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG_TEXT = base64.b64encode(PNG).decode()
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="1"/></svg>'
IDS = {"agent_id": "a", "run_id": "r"}


def rich(**methods: Any) -> Any:
    """Return an object with these ``_repr_*_`` methods."""
    made = {f"_repr_{name}_": lambda _, value=value, **__: value for name, value in methods.items()}
    return type("Rich", (), {**made, "__repr__": lambda _: "<rich>"})()


def raising(error: BaseException, *names: str) -> Any:
    def fail(self: Any, **_: Any) -> Any:
        raise error

    return type(
        "Broken", (), {f"_repr_{name}_": fail for name in names} | {"__repr__": lambda _: "<broken>"}
    )()


class Failing(dict[str, Any]):
    """A mapping that fails at its HTML."""

    def __getitem__(self, key: str) -> Any:
        if key == "text/html":
            raise LookupError(key)
        return super().__getitem__(key)


@pytest.fixture
def limits() -> Iterator[Any]:
    yield vibe.configure
    vibe.configure(renderer=None, display_limit=None, displays_limit=None)


# Values


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", {"a": 1}, [1], (1,), {1}, int, object()])
def test_a_plain_value_has_no_bundle(value: Any) -> None:
    assert make_bundle(value) is None


def test_each_formatter_of_a_value_gives_its_type() -> None:
    made = make_bundle(rich(html="<b>x</b>", png=PNG, markdown="**x**", json={"a": 1}))
    assert made == {
        "text/html": "<b>x</b>",
        "image/png": PNG_TEXT,
        "text/markdown": "**x**",
        "application/json": {"a": 1},
        "text/plain": "<rich>",
    }


def test_a_bundle_formatter_comes_before_the_single_ones_and_its_metadata_goes() -> None:
    value = rich(mimebundle=({"text/html": "<i>b</i>"}, {"text/html": {"x": 1}}), html="<b>x</b>")
    kind = type(value)
    kind._repr_mimebundle_ = lambda _, **__: ({"text/html": "<i>b</i>"}, {})
    assert make_bundle(value) == {"text/html": "<i>b</i>", "text/plain": "<rich>"}


def test_scripts_widget_views_and_a_display_of_its_own_are_never_called_or_kept() -> None:
    value = rich(
        mimebundle={
            "application/javascript": "alert(1)",
            "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
            "text/plain": "w",
        },
        javascript="alert(1)",
    )
    type(value)._ipython_display_ = lambda _: pytest.fail("called")
    type(value)._repr_mimebundle_ = lambda _, **__: {"application/javascript": "x", "text/plain": "w"}
    assert make_bundle(value) is None


def test_html_loses_its_scripts_and_html_of_scripts_alone_is_one_line() -> None:
    made = make_bundle(rich(html="<p>a</p><SCRIPT>x</script ><p>b</p><script>never closed"))
    assert made is not None
    assert made["text/html"] == "<p>a</p><p>b</p>"
    made = make_bundle(rich(html="<div><script>" + "x" * 3_000_000 + "</script></div>"))
    assert made == {"text/plain": "<rich>\n[text/html: nothing to see]"}


def test_a_value_with_a_text_of_its_own_keeps_it() -> None:
    value = rich()
    type(value)._repr_mimebundle_ = lambda _, **__: {"text/plain": "| a |", "text/html": "<b>a</b>"}
    assert make_bundle(value) == {"text/html": "<b>a</b>", "text/plain": "| a |"}


def test_a_formula_becomes_markdown_where_nothing_richer_is_there() -> None:
    made = make_bundle(rich(latex="$x^2$"))
    assert made is not None
    assert made["text/markdown"] == "$x^2$"
    assert "text/markdown" not in (make_bundle(rich(latex="$x$", html="<b>x</b>")) or {})


@pytest.mark.parametrize(
    "error",
    [ValueError("no\nway"), SystemExit(2), RecursionError(), type("Panic", (BaseException,), {})("x")],
)
def test_a_formatter_that_raises_is_one_line_and_the_other_types_stay(error: BaseException) -> None:
    value = raising(error, "html", "mimebundle")
    type(value)._repr_markdown_ = lambda _: "**still**"
    made = make_bundle(value)
    assert made is not None
    assert made["text/markdown"] == "**still**"
    lines = made["text/plain"].splitlines()
    assert lines[0] == "<broken>"
    assert [line.partition(":")[0] for line in lines[1:]] == ["[a bundle", "[text/html"]
    assert all(type(error).__name__ in line for line in lines[1:])


def test_an_interrupt_in_a_formatter_is_the_users_and_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        make_bundle(raising(KeyboardInterrupt(), "html"))


def test_an_object_with_every_attribute_has_no_bundle() -> None:
    class Anything:
        def __getattr__(self, name: str) -> Any:
            return self

        def __call__(self, *_: Any, **__: Any) -> Any:
            pytest.fail("called")

    assert make_bundle(Anything()) is None


def test_a_lazy_frame_is_not_computed() -> None:
    class Lazy:
        columns = ("a",)

        def collect(self) -> Any:
            pytest.fail("computed")

        _repr_html_ = __repr__ = collect

    assert make_bundle(Lazy()) is None
    assert "lazy" in shown_bundle(Lazy())["text/plain"]
    assert make_bundle(pl.LazyFrame({"a": [1]})) is None


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"city": ["Lima", "Oslo"], "c": [19, 4]}),
        pd.DataFrame({"city": ["Lima"] * 40_000}),
        pd.DataFrame(np.zeros((3, 30_000))).rename(columns={0: "Lima"}),
        pd.Series(["Lima"], name="city"),
        pl.DataFrame({"city": ["Lima"]}),
        np.array([["Lima", "<b>"]]),
    ],
    ids=["frame", "long", "wide", "series", "polars", "array"],
)
def test_a_table_has_html(table: Any) -> None:
    made = make_bundle(table)
    assert made is not None
    assert "<table" in made["text/html"]
    assert "Lima" in made["text/html"]
    assert "<b>" not in made["text/html"]
    assert bundle_size(made) < 40_000
    assert "Lima" in made["text/plain"]


def test_a_large_frame_shows_its_ends_whatever_the_options_of_pandas_allow() -> None:
    frame = pd.DataFrame(np.zeros((500, 50)))
    with pd.option_context("display.max_rows", None, "display.max_columns", None):
        made = make_bundle(frame)
    assert made is not None
    assert made["text/html"].count("<tr") < 25
    assert re.search("500 rows .+ 50 columns", made["text/html"])


def test_a_table_of_several_header_levels_reads_back_by_column() -> None:
    frame = pd.DataFrame(
        [[1, 2], [3, 4]], columns=pd.MultiIndex.from_tuples([("t", "min"), ("t", "max")]), index=["x", "y"]
    )
    made = make_bundle(frame)
    assert made is not None
    assert 'colspan="2"' in made["text/html"]


class Figure:
    """Stands for matplotlib's figure: told by its class, not imported."""

    __module__ = "matplotlib.figure"

    def savefig(self, file: io.BytesIO, **options: Any) -> None:
        assert options["format"] == "png"
        file.write(PNG)

    def _repr_html_(self) -> None:
        return None


def test_a_figure_without_an_image_draws_itself_and_no_plotting_library_is_imported() -> None:
    before = set(sys.modules)
    made = make_bundle(Figure())
    assert made is not None
    assert made["image/png"] == PNG_TEXT
    assert " at 0x" not in made["text/plain"]
    assert not {name for name in set(sys.modules) - before if name.startswith(("matplotlib", "PIL"))}


def test_a_figure_whose_drawing_fails_says_so() -> None:
    class Broken(Figure):
        def savefig(self, *_: Any, **__: Any) -> None:
            raise ValueError("no renderer")

    made = make_bundle(Broken())
    assert made is not None
    assert made["text/plain"].endswith("\n[image/png: ValueError: no renderer]")


class Photo:
    """Stands for an image of PIL."""

    __module__ = "PIL.Image"
    __qualname__ = __name__ = "Image"
    mode = "RGB"
    width = height = 10

    def __init__(self, data: bytes = PNG) -> None:
        self.data = data

    def convert(self, _: str) -> Photo:
        return self

    def reduce(self, factor: int) -> Photo:
        return Photo(self.data[: len(self.data) // factor])

    def save(self, file: io.BytesIO, *, format: str, **_: Any) -> None:  # noqa: A002
        file.write(self.data if format == "PNG" else b"\xff\xd8\xff" + self.data[3:])


Image = type("Image", (Photo,), {"__module__": "PIL.Image"})


def test_an_image_saves_itself_and_a_large_photograph_as_jpeg() -> None:
    assert (make_bundle(Image()) or {})["image/png"] == PNG_TEXT
    made = make_bundle(Image(PNG + bytes(1_000_000)))
    assert made is not None
    assert image_type(base64.b64decode(made["image/jpeg"])) == "image/jpeg"
    assert len(base64.b64decode(made["image/jpeg"])) == (len(PNG) + 1_000_000) // 2
    assert "image/png" not in made


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_bytes_of_an_image_are_an_image_and_others_their_size(wrap: Any) -> None:
    assert make_bundle(wrap(PNG)) == {"image/png": PNG_TEXT, "text/plain": f"[image/png, {len(PNG)} B]"}
    assert make_bundle(wrap(b"\x00" * 2_345)) == {"text/plain": "[2.3 kB of binary data]"}


def test_an_error_is_its_traceback_with_notes() -> None:
    error = ValueError("bad")
    error.add_note("row 7")
    made = make_bundle(error)
    assert made == {"text/plain": "ValueError: bad\nrow 7"}
    long = make_bundle(ValueError("x" * 100_000))
    assert long is not None
    assert len(long["text/plain"]) < 21_000


@pytest.fixture
def shell(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell.instance(config=config, colors="nocolor")
    InteractiveShell.clear_instance()


def test_a_shells_printers_come_before_the_values_own_methods(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    value = rich(html="<b>own</b>", png=PNG)
    formatters = shell.display_formatter.formatters  # type: ignore[union-attr]
    formatters["text/html"].for_type(type(value), lambda _: "<b>registered</b>")
    formatters["image/png"].for_type(type(value), lambda _: 1 / 0)
    made = make_bundle(value)
    assert made is not None
    assert made["text/html"] == "<b>registered</b>"
    assert "[image/png: ZeroDivisionError: division by zero]" in made["text/plain"]
    assert capsys.readouterr() == ("", "")  # the shell itself would print a traceback


def test_a_bundle_is_made_by_the_calling_thread_without_a_lock() -> None:
    registry = vibe.Registry()
    seen: list[Any] = []

    def write() -> None:
        live.note("meanwhile")
        seen.append(registry.agents())

    class Drawn:
        def _repr_html_(self) -> str:
            other = threading.Thread(target=write)
            other.start()
            other.join(10)
            seen.append(threading.current_thread())
            return "<b>x</b>"

    with vibe.live("a", registry=registry, display=False) as live, live.tool("t") as tool:
        tool.display(Drawn())
        tool.result(Drawn())
        live.display(Drawn())
    assert seen == [["a"], threading.current_thread()] * 3


# Bundles that come from elsewhere


def test_only_known_types_stay_in_a_bundle_under_their_usual_names() -> None:
    given = {
        "text/plain": "x",
        "Text/HTML; charset=utf-8": "<b>x</b>",
        "image/jpg": base64.b64encode(b"\xff\xd8\xff").decode(),
        "application/javascript": "alert(1)",
        7: "x",
    }
    assert clean_bundle(given) == {"text/html": "<b>x</b>", "image/jpeg": "/9j/", "text/plain": "x"}
    assert clean_bundle({"application/x-y": 1}) == {"text/plain": "[application/x-y: not shown]"}
    assert clean_bundle({}) is None


@pytest.mark.parametrize(
    "display", [7, "text", ["x"], {"text/html": None}, {1: 2}, {"image/png": {}}, object()]
)
def test_a_display_that_is_no_bundle_refuses_no_event(display: Any) -> None:
    event = ToolFinished(**IDS, tool_call_id="t", output=1, display=display)
    assert event.output == 1
    assert event.display is None or set(event.display) <= {"text/plain"}
    assert parse_event(to_json(event)) == event


def test_an_image_that_lies_about_its_type_has_that_of_its_first_bytes_and_a_line_says_so() -> None:
    def note(mime: str, found: str) -> dict[str, str]:
        return {"text/plain": f"[{mime}: its bytes are {found}]"}

    png = {"image/png": PNG_TEXT}
    assert clean_bundle({"image/jpeg": PNG_TEXT}) == png | note("image/jpeg", "image/png")
    assert clean_bundle({"image/png": SVG}) == {"image/svg+xml": SVG} | note("image/png", "image/svg+xml")
    assert clean_bundle({"image/svg+xml": PNG}) == png | note("image/svg+xml", "image/png")
    assert clean_bundle({"image/png": f"data:image/gif;base64,{PNG_TEXT}"}) == png
    html = clean_bundle({"image/png": base64.b64encode(b"<html><script>").decode()})
    assert html == {"text/plain": "[image/png: no image, but 14 B of other data]"}
    assert clean_bundle({"image/png": "%%%"}) == {"text/plain": "[image/png: no image]"}


SVG_BEGINNINGS = [
    "",
    "\ufeff",
    " \n\t",
    "<?xml version='1.0' encoding='UTF-8'?>\n",
    "\ufeff<?xml version='1.0'?>",
    "<!-- <svg -->",
    "<!-- " + "x" * 5_000 + " -->\n",
    '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">',
    "<!DOCTYPE svg [<!-- none -->]>",
    "<?xml version='1.0'?><!-- <svg --><?style x?><!DOCTYPE svg><!-- > -->",
]


@pytest.mark.parametrize("start", SVG_BEGINNINGS)
@pytest.mark.parametrize("root", [SVG, "<svg/>", "<s:svg xmlns:s='http://www.w3.org/2000/svg'></s:svg>"])
@pytest.mark.parametrize("wrap", [str, str.encode, lambda text: base64.b64encode(text.encode()).decode()])
def test_an_svg_is_known_whatever_stands_before_its_root(start: str, root: str, wrap: Any) -> None:
    made = clean_bundle({"image/svg+xml": wrap(start + root)})
    assert made is not None
    assert [*made] == ["image/svg+xml"]
    assert made["image/svg+xml"].removeprefix("\ufeff") == (start + root).removeprefix("\ufeff")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_bytes_of_an_svg_are_one_in_each_encoding_of_unicode(encoding: str) -> None:
    made = make_bundle(f"<!-- é -->{SVG}".encode(encoding))
    assert made is not None
    assert made["image/svg+xml"] == f"<!-- é -->{SVG}"


@pytest.mark.parametrize(
    "text",
    ["<!-- <svg --><p>no drawing</p>", "<!-- <svg", "<p>", "<svgs></svgs>", "<!DOCTYPE svg [<svg>", "<"],
)
def test_what_only_resembles_an_svg_stays_text(text: str) -> None:
    assert image_type(text.encode()) is None
    assert clean_bundle({"image/svg+xml": text}) == {"image/svg+xml": text}


def test_a_display_beyond_the_limit_loses_its_heaviest_types_and_says_how_large(limits: Any) -> None:
    limits(display_limit=1_000)
    given = {"image/png": base64.b64encode(PNG + bytes(2_000_000)).decode(), "text/html": "<b>x</b>"}
    made = Artifact(**IDS, artifact_id="x", display=given).display
    assert made == {
        "text/html": "<b>x</b>",
        "text/plain": "[image/png, 2.7 MB: larger than display_limit]",
    }
    limits(display_limit=2_500)
    cut = clean_bundle({"text/plain": "x" * 5_000, "text/html": "<p>x</p>" * 400})
    assert cut is not None
    text, *lines = cut["text/plain"].split("\n")
    assert lines == [
        "[text/html, 3.2 kB: larger than display_limit]",
        "[the rest of the text, 5.0 kB: larger than display_limit]",
    ]
    assert 2_000 < len(text) < bundle_size(cut) == 2_500
    assert clean_bundle(cut) == cut


@given(
    st.dictionaries(
        st.sampled_from([*TYPES, "application/x"]),
        st.one_of(
            st.text(),
            st.binary(),
            st.integers(),
            st.sampled_from([PNG_TEXT, SVG, "words " * 500, '"\\' * 2_000]),
            st.lists(st.text(), max_size=2),
        ),
    ),
    st.sampled_from([0, 100, 2_500, 1_000_000]),
)
def test_any_bundle_becomes_one_within_the_limit_that_stays_as_it_is(
    bundle: dict[str, Any], limit: int
) -> None:
    vibe.configure(display_limit=limit)
    try:
        made = clean_bundle(bundle)
        assert clean_bundle(made) == made
        assert bundle_size(made or {}) <= max(limit, 2_000)
    finally:
        vibe.configure(display_limit=None)
    for mime, value in (made or {}).items():
        assert mime in TYPES
        assert mime == "application/json" or isinstance(value, str)
        assert mime not in TYPES[1:5] or image_type(base64.b64decode(value)) == mime
    assert made is None or len(json.dumps(made, ensure_ascii=False).encode()) <= bundle_size(made)


# Settings


def test_configure_changes_only_what_it_is_given(limits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_DISPLAYS_LIMIT", "77")
    limits(renderer="text", display_limit=5)
    limits(displays_limit=6)
    assert (settings.renderer(), settings.display_limit(), settings.displays_limit()) == ("text", 5, 6)
    limits(display_limit=None, displays_limit=None)
    assert (settings.renderer(), settings.display_limit(), settings.displays_limit()) == (
        "text",
        1_000_000,
        77,
    )


@pytest.mark.parametrize("wrong", [-1, 1.5, "many", True])
def test_a_limit_is_a_number_of_bytes(limits: Any, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"display_limit=.* is no number of bytes"):
        limits(renderer="text", display_limit=wrong)
    assert settings.renderer() != "text"  # nothing of a wrong call holds


def test_a_wrong_limit_of_the_environment_raises_before_the_view_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIBE_NOTEBOOK_DISPLAY_LIMIT", "lots")
    assert clean_bundle({"text/plain": "x"}) == {"text/plain": "x"}
    with pytest.raises(ValueError, match="VIBE_NOTEBOOK_DISPLAY_LIMIT='lots'"):
        list(vibe.watch(["a"], registry=vibe.Registry(), display=False))


def test_the_printers_of_a_shell_are_asked_through_the_host() -> None:
    use_printers(lambda _, mime: (lambda _: "<i>mine</i>") if mime == "text/html" else None)
    try:
        assert (make_bundle(rich()) or {})["text/html"] == "<i>mine</i>"
    finally:
        use_printers(_host._printer)
    assert make_bundle(rich()) is None


@pytest.mark.parametrize("line", ["log line\n", 'a "quote" ', "Grüße ", "plain "])
def test_a_text_beyond_the_limit_stays_as_far_as_the_limit_allows(line: str) -> None:
    bundle = clean_bundle({"text/plain": line * 300_000})
    assert bundle is not None
    text = bundle["text/plain"]
    assert 990_000 <= bundle_size(bundle) <= 1_000_000
    assert text.startswith(line * 1_000)
    assert text.endswith("larger than display_limit]")


@pytest.mark.parametrize("html", ["<!-- <script -->kept", "<p><scripture>kept</scripture></p>"])
def test_words_beside_what_only_resembles_a_script_stay(html: str) -> None:
    assert clean_bundle({"text/html": html}) == {"text/html": html}


def test_a_repr_that_raises_what_is_no_exception_ends_nothing() -> None:
    class Panics:
        def __repr__(self) -> str:
            raise SystemExit(3)

        def _repr_html_(self) -> str:
            return "<b>shown</b>"

    assert (make_bundle(Panics()) or {})["text/html"] == "<b>shown</b>"


def test_a_large_frame_whose_text_fails_keeps_its_html() -> None:
    class Frame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types here
        def to_string(self, *_: Any, **__: Any) -> Any:
            raise ValueError("no text")

        def __repr__(self) -> str:
            return "<frame>"

    made = make_bundle(Frame({"a": range(30_000)}))
    assert made is not None
    assert "30000 rows" in made["text/html"]
    assert made["text/plain"] == "<frame>\n[text/plain: ValueError: no text]"


def test_a_frame_whose_size_fails_is_shown_by_its_html() -> None:
    class Frame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types here
        @property
        def shape(self) -> Any:
            raise ValueError("no shape")

        def _repr_html_(self) -> str:
            return "<b>kept</b>"

        def __repr__(self) -> str:
            return "<frame>"

    made = make_bundle(Frame({"a": [1]}))
    assert made is not None
    assert made["text/html"] == "<b>kept</b>"


@pytest.mark.parametrize(
    ("whole", "note"),
    [
        ({"text/html": None}, ""),
        ({"text/html": ""}, ""),
        ({"text/html": " ", "image/png": None, "text/plain": None}, ""),
        ({}, ""),
        (None, ""),
        (({"text/html": None}, {}), ""),
        ({"text/html": 7}, "[text/html: no text, but int]"),
        ({"image/png": "nonsense"}, "[image/png: no image, but 6 B of other data]"),
        ({"application/json": None}, ""),
        (Failing({"text/html": 1}), "[a bundle: LookupError: text/html]"),
    ],
)
def test_a_bundle_formatter_that_gives_nothing_hides_no_other_formatter(whole: Any, note: str) -> None:
    made = make_bundle(rich(mimebundle=whole, html="<b>kept</b>"))
    assert made == {"text/html": "<b>kept</b>", "text/plain": f"<rich>\n{note}".rstrip()}


def test_an_image_that_is_none_hides_no_other_image() -> None:
    made = make_bundle(rich(html="", png=b"nonsense", jpeg=b"", svg=SVG))
    assert made is not None
    assert made["image/svg+xml"] == SVG
    assert made["text/plain"] == (
        "<rich>\n[image/png: no image, but 8 B of other data]\n[image/jpeg: no image, but 0 B of other data]"
    )


def test_a_bundle_that_fails_at_one_key_keeps_the_others() -> None:
    given = Failing({"text/html": "<b>x</b>", "text/plain": "kept"})
    assert clean_bundle(given) == {"text/plain": "kept\n[text/html: LookupError: text/html]"}
