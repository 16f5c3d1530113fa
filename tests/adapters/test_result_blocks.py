"""Read what is rich in a tool's result: blocks in the shape of each SDK, and Python objects."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.conversation import MCP_IMAGE, PNG, Figure
from tests.adapters.support import emitted, run
from tests.adapters.test_langgraph import ai
from vibe_notebook.adapters._fields import plain
from vibe_notebook.adapters._result_blocks import read_content, read_result
from vibe_notebook.events import ToolFinished
from vibe_notebook.registry import Registry

DATA_URL = f"data:image/png;base64,{PNG}"
IMAGE = {"image/png": PNG}
HTML = {"text/html": "<b>18</b>"}
SVG = base64.b64encode(b"<svg/>").decode()
TEXT = {"type": "text", "text": "18"}
AUDIO = {"type": "audio", "data": "UklGRiQAAABXQVZF", "mimeType": "audio/wav"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from((PNG, DATA_URL, "image")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("type", "data", "source", "image", "url", "mimeType", "text", "resource"))
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("block", "bundle"),
    [
        (MCP_IMAGE, IMAGE),
        (
            {"type": "resource", "resource": {"uri": "ui://x", "mimeType": "text/html", "text": "<b>18</b>"}},
            HTML,
        ),
        (
            {
                "type": "resource",
                "resource": {"uri": "ui://x", "mimeType": "text/html;profile=app", "blob": "PGI+"},
            },
            {"text/html": "<b>"},
        ),
        ({"type": "resource", "resource": {"uri": "x://y", "mimeType": "image/png", "blob": PNG}}, IMAGE),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}, IMAGE),
        ({"type": "input_image", "image_url": DATA_URL, "detail": "auto"}, IMAGE),
        ({"type": "output_image", "image_url": DATA_URL}, IMAGE),
        ({"type": "image_url", "image_url": {"url": DATA_URL}}, IMAGE),
        ({"type": "computer_screenshot", "image_url": DATA_URL}, IMAGE),
        ({"type": "image", "base64": PNG, "mime_type": "image/png"}, IMAGE),
        ({"type": "image", "source": {"type": "data", "value": PNG, "mimeType": "image/png"}}, IMAGE),
        ({"type": "media", "data": PNG, "mediaType": "image/png"}, IMAGE),
        ({"type": "file", "mediaType": "image/png", "url": DATA_URL}, IMAGE),
        ({"base64": PNG, "mediaType": "image/png"}, IMAGE),
        ({"inline_data": {"mime_type": "image/png", "data": PNG.replace("+", "-").replace("/", "_")}}, IMAGE),
        ({"inlineData": {"mimeType": "image/png", "data": PNG}, "text": None}, IMAGE),
        ({"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}}, IMAGE),
        ({"block_type": "image", "image": PNG, "image_mimetype": "image/png"}, IMAGE),
        ({"kind": "binary", "data": PNG, "media_type": "image/png"}, IMAGE),
        ({"type": "html", "html": "<b>18</b>"}, HTML),
        ({"type": "document", "format": "md", "text": "# 18"}, {"text/markdown": "# 18"}),
        ({"type": "image", "mimeType": "image/svg+xml", "data": SVG}, {"image/svg+xml": "<svg/>"}),
        (
            {
                "output_type": "display_data",
                "data": {"text/html": ["<b>", "18</b>"], "text/x": "?"},
                "metadata": {},
            },
            HTML,
        ),
        (DATA_URL, IMAGE),
        (PNG, IMAGE),
        (base64.b64decode(PNG), IMAGE),
    ],
)
def test_a_block_of_each_sdk_is_the_display_and_leaves_its_type(block: Any, bundle: dict[str, Any]) -> None:
    mark = {"$display": next(iter(bundle))}
    assert read_result(block) == (mark, bundle, ())
    assert read_result([TEXT, block]) == ([TEXT, mark], bundle, ())
    nested = {"content": [block], "isError": False}
    assert read_result(nested) == ({"content": [mark], "isError": False}, bundle, ())


def test_the_first_block_that_can_be_drawn_is_the_display_and_the_others_are_files() -> None:
    result = read_result(
        [AUDIO, MCP_IMAGE, {"type": "html", "html": "<b>18</b>"}, {**MCP_IMAGE, "title": "again"}]
    )
    assert result.display == IMAGE
    assert result.output == [
        {"$display": name} for name in ("audio/wav", "image/png", "text/html", "image/png")
    ]
    assert result.files == (
        {"media_type": "audio/wav", "data": AUDIO["data"]},
        {"media_type": "text/html", "display": HTML},
        {"media_type": "image/png", "data": PNG, "name": "again"},
    )


def test_a_result_without_anything_to_draw_has_a_line_for_its_file_and_the_file() -> None:
    pdf = {
        "type": "resource",
        "resource": {"uri": "file:///a/b.pdf", "mimeType": "application/pdf", "blob": "JVBERi0="},
    }
    result = read_result([pdf])
    assert result.output == [{"$display": "application/pdf"}]
    assert result.display == {"text/plain": "[b.pdf: application/pdf, 6 bytes]"}
    assert result.files == ({"media_type": "application/pdf", "data": "JVBERi0=", "name": "b.pdf"},)


@pytest.mark.parametrize("data", ["AAAA", "R0lGODdh", "SGVsbG8="])
def test_an_image_that_lies_about_its_type_is_shown_as_what_it_is_or_kept_as_a_file(data: str) -> None:
    result = read_result({"type": "image", "data": data, "mimeType": "image/png"})
    if data.startswith("R0lGOD"):
        assert result == ({"$display": "image/gif"}, {"image/gif": data}, ())
    else:
        assert result.files == ({"media_type": "image/png", "data": data},)
        assert list(result.display or {}) == ["text/plain"]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}},
        {"type": "image", "source": {"type": "url", "url": "http://a.example/x.png"}},
        {"type": "resource_link", "uri": "https://a.example/x.png", "mimeType": "image/png", "name": "x"},
        {"kind": "image-url", "url": "https://a.example/x.png"},
        {"inline_data": None, "file_data": {"file_uri": "gs://a/b", "mime_type": "image/png"}},
        {"type": "resource", "resource": {"uri": "file:///a.txt", "mimeType": "text/plain", "text": "18"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Words"}},
        {"type": "image", "value": "cat"},
        {"type": "file", "name": "a.txt", "size": 3},
        {"title": "A", "image": {"format": "png", "data": PNG[:20]}},
        {"output_type": "stream", "name": "stdout", "text": "18"},
        "data:image/png;base64,!",
        '{"data": "image"}',
        ["18", 3, None],
        {"content": "18"},
    ],
)
def test_an_address_a_text_and_data_stay_as_they_are(value: Any) -> None:
    assert read_result(value) == (value, None, ())


def test_json_text_with_blocks_is_read_and_other_json_text_stays_text() -> None:
    assert read_result(json.dumps({"content": [TEXT, MCP_IMAGE]})) == (
        {"content": [TEXT, {"$display": "image/png"}]},
        IMAGE,
        (),
    )
    other = json.dumps({"data": [TEXT]})
    assert read_result(other) == (other, None, ())


def test_a_message_of_texts_is_one_text() -> None:
    assert read_content([TEXT, "and", TEXT]).output == "18\nand\n18"
    assert read_content([TEXT, MCP_IMAGE]).output == [TEXT, {"$display": "image/png"}]


def test_values_beside_a_result_are_read_if_the_result_has_no_block() -> None:
    assert read_result("drawn", [MCP_IMAGE]) == ("drawn", IMAGE, ())
    assert read_result(MCP_IMAGE, [MCP_IMAGE, AUDIO]) == ({"$display": "image/png"}, IMAGE, ())


def test_a_large_result_is_data_and_stays_whole() -> None:
    rows = [{"id": i} for i in range(20_000)]
    assert read_result([*rows, MCP_IMAGE]) == ([*rows, MCP_IMAGE], None, ())
    many = read_result([MCP_IMAGE] * 150)
    assert (many.output.count({"$display": "image/png"}), len(many.files)) == (100, 99)
    assert many.output[100:] == [MCP_IMAGE] * 50


def test_a_value_that_holds_itself_ends() -> None:
    value: list[Any] = [MCP_IMAGE]
    value.append(value)
    assert read_result(value).display == IMAGE


@given(JSON)
def test_every_json_value_is_read_and_nothing_of_a_value_without_blocks_changes(value: Any) -> None:
    result = read_result(value)
    assert json.loads(json.dumps(result.output)) == result.output
    assert result.display is not None or (result.output, result.files) == (plain(value), ())


# Python objects


def test_a_python_object_is_the_display_beside_its_json() -> None:
    result = read_result({"city": "Lima", "plot": Figure()})
    assert result.output["city"] == "Lima"
    assert "Figure" in result.output["plot"]
    assert (result.display or {})["text/html"] == "<b>18</b>"


def test_a_frame_that_a_langchain_tool_keeps_beside_its_words_is_the_display() -> None:
    message = {"type": "tool", "content": "2 rows", "tool_call_id": "c1", "artifact": Figure(), "id": "t"}
    call = ai("", "m", {"name": "f", "args": {}, "id": "c1", "type": "tool_call"})
    natives = [("updates", {"a": {"messages": [call]}}), ("updates", {"tools": {"messages": [message]}})]
    (end,) = emitted("langgraph", natives, "tool_finished")
    assert (end["output"], end["display"]["text/html"]) == ("2 rows", "<b>18</b>")


def test_the_objects_of_a_code_agent_are_displays_that_its_logs_do_not_replace() -> None:
    step = {
        "step_number": 1,
        "timing": {},
        "model_output": "",
        "tool_calls": [{"id": "c1", "function": {"name": "python_interpreter", "arguments": "plot()"}}],
        "observations": "drawn",
    }
    natives = [
        {"name": "python_interpreter", "arguments": "plot()", "id": "c1"},
        {"output": Figure(), "is_final_answer": False},
        step,
    ]
    with Registry(hold=0) as registry:
        registry.dispatch(run("smolagents", natives))
        (tool,) = registry.transcript("a").tools
    assert tool.output == "drawn"
    assert (tool.display or {})["text/html"] == "<b>18</b>"


# Adapters


def test_a_running_tools_image_is_shown_before_its_end() -> None:
    output = {"type": "content", "value": [{"type": "media", "data": PNG, "mediaType": "image/png"}]}
    chunk = {"type": "tool-output-available", "toolCallId": "c1", "output": output, "preliminary": True}
    (progress,) = emitted("vercel_ai_ui", [chunk], "tool_progress")
    assert progress["display"] == IMAGE


def test_the_further_images_of_a_call_belong_to_it() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [image, image]}
    (file,) = emitted("anthropic", [result], "artifact")
    assert file == {"artifact_id": "c1:0", "media_type": "image/png", "data": PNG, "tool_call_id": "c1"}


def test_a_result_that_an_application_reports_is_read() -> None:
    report = {"call_id": "c1", "output": [TEXT, MCP_IMAGE]}
    for name in ("anthropic", "openai_chat", "openai_responses"):
        (end,) = emitted(name, [report], "tool_finished")
        assert (end["output"], end["display"]) == ([TEXT, {"$display": "image/png"}], IMAGE)


def test_a_denied_call_keeps_what_its_result_shows() -> None:
    block = {"tool_use_id": "c1", "content": [MCP_IMAGE], "is_error": True}
    natives = [
        {"content": [block], "uuid": "u", "parent_tool_use_id": None, "tool_use_result": None},
        {
            "subtype": "success",
            "num_turns": 1,
            "duration_ms": 1,
            "permission_denials": [{"tool_use_id": "c1"}],
            "result": "",
        },
    ]
    ends = [event for event in run("claude_agent_sdk", natives) if isinstance(event, ToolFinished)]
    assert [(end.status, end.display) for end in ends] == [("error", IMAGE), ("denied", IMAGE)]


class Failing(dict[str, Any]):
    """A mapping that cannot be iterated."""

    def items(self) -> Any:
        raise RuntimeError("no items")


class FailingSequence(list[Any]):
    """A list that cannot be iterated."""

    def __iter__(self) -> Any:
        raise RuntimeError("no iteration")


@pytest.mark.parametrize("value", [Failing(a=1), Failing(type="image"), FailingSequence([1])])
def test_a_container_that_fails_becomes_bounded_text_and_loses_nothing_else(value: Any) -> None:
    words = repr(value)
    assert read_result(value) == (words, None, ())
    assert read_result({"x": value, "y": [1]}) == ({"x": words, "y": [1]}, None, ())
    output, display, _ = read_result([value, {"type": "image", "data": PNG, "mimeType": "image/png"}])
    assert output == [words, {"$display": "image/png"}]
    assert display == {"image/png": PNG}
    long = Failing(a="x" * 50_000)
    assert len(read_result([long]).output[0]) < 11_000


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e400", "1e400"),
        ("-1e400", "-1e400"),
        ("1e-400", "1e-400"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("1e-99999999999999999999", "1e-99999999999999999999"),
        ("12345678901234567890.123", "12345678901234567890.123"),
        ("0.12345678901234567890", "0.12345678901234567890"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("0.1", 0.1),
        ("1.50", 1.5),
        ("0e-400", 0.0),
        ("2.5e3", 2500.0),
        ("12345678901234567890123", 12345678901234567890123),
    ],
)
def test_a_number_that_no_float_holds_stays_as_it_is_written_beside_a_block(written: str, value: Any) -> None:
    block = json.dumps({"type": "image", "data": PNG, "mimeType": "image/png"})
    for around, expected in ((written, value), (f"[{written}]", [value])):
        output, display, _ = read_result(f'{{"x": {around}, "block": {block}}}')
        assert output == {"x": expected, "block": {"$display": "image/png"}}
        assert type(output["x"]) is type(expected)
        assert display == {"image/png": PNG}
        event = ToolFinished(agent_id="a", run_id="r", tool_call_id="t", output=output)
        assert event.output == output
