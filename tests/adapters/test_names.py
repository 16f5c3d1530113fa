"""Choose the adapter of a stream by a name or by its first natives, without importing an SDK."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vibe_notebook import adapters
from vibe_notebook.exceptions import AdapterError


@pytest.mark.parametrize("name", ["openai_responses", "OpenAI-Responses", " openai ", "OPENAI"])
def test_a_name_is_found_in_any_spelling(name: str) -> None:
    assert adapters.get(name).name == "openai_responses"


@pytest.mark.parametrize("name", ["openai", "OpenAI", "auto"])
def test_the_first_native_decides_a_name_shared_by_two_apis(name: str) -> None:
    assert adapters.choose(name, {"type": "response.created"}) == "openai_responses"
    assert adapters.choose(name, {"object": "chat.completion.chunk"}) == "openai_chat"


def test_a_name_of_one_api_stands_for_every_first_native() -> None:
    assert adapters.choose("openai-chat", {"type": "response.created"}) == "openai_chat"
    with pytest.raises(AdapterError, match="'nope'"):
        adapters.choose("nope", "text")
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.choose("openai", "text")


def test_each_name_equals_the_name_of_its_adapter() -> None:
    assert [adapters.get(name).name for name in adapters.names()] == adapters.names()
    assert adapters.names() == sorted(adapters.names())


def test_an_unknown_name_raises_an_error_with_the_known_names() -> None:
    with pytest.raises(AdapterError, match=r"'nope'; one of: a2a, .*events, .*xai\."):
        adapters.get("nope")


def test_the_error_of_detect_names_the_type_and_the_remedy() -> None:
    with pytest.raises(
        AdapterError, match=r"yields builtins\.int, and no adapter .* Pass adapter=, one of: .*events"
    ):
        adapters.detect(3)


def test_detect_never_guesses_between_two() -> None:
    with pytest.raises(AdapterError, match=r"more than one .*openai_responses, pydantic_ai"):
        adapters.detect({"type": "response.created", "event_kind": "part_start"})


def test_the_first_natives_that_an_adapter_knows_decide() -> None:
    unknown, known = {"hello": 1}, {"type": "response.created"}
    assert (
        adapters.detect(unknown, 3, known) == adapters.choose("openai", unknown, known) == "openai_responses"
    )
    both = {"type": "response.created", "event_kind": "part_start"}
    assert adapters.detect(both, {"event_kind": "final_result"}) == "pydantic_ai"
    with pytest.raises(AdapterError, match=r"more than one .*openai_responses, pydantic_ai"):
        adapters.detect(both, unknown)


def test_text_after_an_unknown_native_is_no_stream_of_text() -> None:
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect({"hello": 1}, "text")


def test_a_line_of_a_recording_is_an_event_and_other_text_is_text() -> None:
    line = '{"type":"run_started","agent_id":"a","run_id":"r"}\n'
    assert adapters.detect(line) == adapters.detect(line.encode()) == "events"
    assert adapters.detect("{") == adapters.detect('{"type":"run_started"}') == adapters.detect("") == "text"


def test_no_sdk_is_imported_even_when_every_adapter_is() -> None:
    code = (
        "import sys; from vibe_notebook import adapters\n"
        "assert not any(name.startswith('vibe_notebook.adapters.pydantic') for name in sys.modules)\n"
        "[adapters.get(name).feed({'type': 'x'}) for name in adapters.names()]\n"
        "try: adapters.detect(3)\n"
        "except TypeError: pass\n"
        "print(*(n for n in ('pydantic_ai', 'openai', 'httpx', 'httpx2', 'IPython') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
