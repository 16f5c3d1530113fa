"""Check how logs are opened, told apart, followed and bounded, and that no bad input is fatal or silent."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vibe_notebook as vibe
from tests.logs.support import SAMPLES, Growing, claude_says, claude_user, notes, text_block, text_of
from vibe_notebook import _limits
from vibe_notebook.cli import main
from vibe_notebook.events import to_json
from vibe_notebook.exceptions import AdapterError, ProtocolError
from vibe_notebook.logs import Log, _dialects, _lines
from vibe_notebook.logs._truncated_json import read_beginning
from vibe_notebook.testing import scripted

CODEX = SAMPLES / "codex/2026/03/05/rollout-2026-03-05T10-00-00-019c0000-0000-7000-8000-00000000000a.jsonl"
ONE, TWO = claude_user("one", "u1"), claude_says(text_block("two"), "u2")


def write(path: Path, *lines: Any) -> Path:
    path.write_text(text_of(lines))
    return path


# What a file is.


def test_a_log_is_told_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    for name in ("rollout-1.jsonl", "x.eval", "notes"):
        assert vibe.load(write(tmp_path / name, ONE, TWO)).text == "two"


def test_at_most_64_kb_tell_the_dialect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    path = write(tmp_path / "s.jsonl", *[claude_user("x" * 1_000, f"u{i}") for i in range(200)])
    real = _dialects.tell

    def spy(head: bytes, name: str, *, is_whole: bool) -> Any:
        sizes.append(len(head))
        return real(head, name, is_whole=is_whole)

    monkeypatch.setattr("vibe_notebook.logs._opened.tell", spy)
    assert Log(path).found.agent == "Claude Code"
    assert sizes == [64 * 1024]


def test_a_first_line_longer_than_64_kb_is_told_by_its_first_fields(tmp_path: Path) -> None:
    made = vibe.load(write(tmp_path / "s.jsonl", claude_user("x" * 200_000, "u1"), TWO))
    assert made.text == "two"


def test_a_recording_and_a_saved_transcript_load(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("".join(to_json(event) + "\n" for event in scripted("Hello", tools=[("f", {"a": 1}, 2)])))
    made = vibe.load(path)
    assert (made.text, made.tools[0].output) == ("Hello", 2)
    saved = tmp_path / "saved.json"
    saved.write_text(made.model_dump_json())
    assert vibe.load(saved) == made
    saved.write_text(made.model_dump_json(indent=2))
    assert vibe.load(saved) == made


def test_a_damaged_recording_loads_without_the_damaged_line_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    lines = [to_json(event) for event in scripted("Hello")]
    path.write_text("\n".join([lines[0], "{broken", *lines[1:]]))
    made = vibe.load(path)
    assert made.text == "Hello"
    assert "1 damaged line was left out: line 2" in made.to_text()


def test_a_saved_stream_of_an_sdk_is_read_by_its_adapter(tmp_path: Path) -> None:
    chunks = [
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": w}}],
        }
        for w in ("Hel", "lo")
    ]
    assert vibe.load(write(tmp_path / "s.jsonl", *chunks)).text == "Hello"


def test_a_pattern_gives_a_list_in_the_order_of_the_paths(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / f"{name}.jsonl", claude_says(text_block(name), "u1"))
    assert [one.text for one in vibe.load(str(tmp_path / "*.jsonl"))] == ["a", "b"]
    with pytest.raises(FileNotFoundError, match="No file fits"):
        vibe.load(str(tmp_path / "*.none"))


# Bad input.


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", ProtocolError, "is empty"),
        (b" \n\n", ProtocolError, "is empty"),
        (b"hello\nworld\n", AdapterError, "0 of 2 lines understood.*Claude Code"),
        (b'{"a": 1}\n', AdapterError, "0 of 1 lines understood"),
        (bytes(range(256)) * 40, AdapterError, "0 of"),
        (b"PK\x03\x04" + bytes(100), AdapterError, "archive of no agent"),
        (b"[" * 100_000, AdapterError, "0 of"),
        (b"\xff\xfe" + "{}".encode("utf-16-le"), AdapterError, "0 of"),
    ],
)
def test_a_file_that_is_no_log_is_one_short_error(
    data: bytes, error: type[Exception], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(data)
    for read in (vibe.load, lambda each: list(vibe.watch(each, display=False))):
        with pytest.raises(error, match=words) as caught:
            read(path)
        assert len(str(caught.value)) < 400


def test_a_folder_a_pipe_a_device_and_a_missing_file_are_short_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path, "a folder"),
        (tmp_path / "pipe", "a pipe"),
        (Path("/dev/null"), "a device"),
        (tmp_path / "gone", "No such file"),
        (tmp_path / "a\0b", "NUL"),
    ):
        for read in (vibe.load, vibe.watch, Log):
            with pytest.raises((OSError, ProtocolError), match=words):
                read(path)


def test_a_file_that_this_user_may_not_read_is_a_permission_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "s.jsonl", ONE)

    def refuse(name: Any, *args: Any) -> int:
        raise PermissionError(13, "Permission denied", str(name))

    monkeypatch.setattr("vibe_notebook._files.os.open", refuse)  # the tests may run as root, who may read all
    with pytest.raises(PermissionError):
        vibe.load(path)
    assert main(["show", str(path)]) == 1
    assert "may not open" in capsys.readouterr().err


def test_a_link_that_leads_back_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="symbolic links"):
        vibe.load(tmp_path / "a")


def test_a_string_that_is_no_file_and_no_scheme_stays_a_type_error() -> None:
    for words in (
        "hello",
        "claude",
        "claude:",
        "nobody:latest",
        "a\nb",
        "x" * 5_000,
        "~nobody-of-this-name/x",
        "\ud83d",
    ):
        with pytest.raises(TypeError, match="not a stream"):
            vibe.watch(words)


def test_damaged_lines_are_counted_and_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    bad = ["{broken", '{"type": "user"', "nul", "\0", "[" * 5_000]
    path.write_text("\n".join([json.dumps(ONE), *bad, json.dumps(TWO)]) + "\n")
    made = vibe.load(path)
    assert (len(made.turns), made.text) == (1, "two")
    assert "5 damaged lines were left out: line 2; line 3; line 4 and others" in made.to_text()


def test_a_last_line_without_an_end_is_read_if_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(text_of([ONE]) + json.dumps(TWO))
    assert vibe.load(path).text == "two"
    path.write_text(text_of([ONE]) + json.dumps(TWO)[:-9])
    assert "1 damaged line was left out: line 2" in vibe.load(path).to_text()


def test_bytes_that_are_no_text_spoil_only_their_characters(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(text_of([ONE, TWO]).encode().replace(b"two", b"t\xffo"))
    assert vibe.load(path).text == "t�o"


def test_lines_of_another_format_are_counted(tmp_path: Path) -> None:
    made = vibe.load(write(tmp_path / "s.jsonl", ONE, TWO, [1], "words", 7))
    assert "3 lines were left out: not of the format of Claude Code" in made.to_text()


def test_a_line_beyond_the_bound_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with path.open("w") as file:
        file.write(text_of([ONE]))
        file.write(json.dumps(claude_user("x" * 50_000_000, "long")) + "\n")
        file.write(text_of([TWO]))
    made = vibe.load(path)
    assert (len(made.turns), made.text) == (1, "two")
    assert "line 2 is left out: it has 50,0" in made.to_text()


@given(st.lists(st.binary(max_size=60).map(lambda b: b.replace(b"\n", b" ")), max_size=8), st.integers(1, 50))
def test_lines_are_the_same_whatever_the_chunks(lines: list[bytes], chunk: int) -> None:
    import io  # noqa: PLC0415

    data = b"\n".join(lines)
    reader = _lines.GrowingLines(None, file=io.BytesIO(data), limit=40, chunk=chunk)
    found = [*reader.poll(follows=False), *reader.rest()]
    wanted = [
        line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip() or len(line) > 40
    ]
    if not data.startswith(b"\xef\xbb\xbf"):
        assert [one.data if isinstance(one, _lines.Line) else None for one in found] == [
            line if len(line) <= 40 else None for line in wanted
        ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=5), st.integers(1, 200))
def test_the_beginning_of_a_json_value_has_its_first_fields(value: dict[str, Any], size: int) -> None:
    words = json.dumps(value)
    found = read_beginning(words[:size])
    assert isinstance(found, dict)
    complete = [key for key in found if found[key] == value[key]]
    assert list(found) == list(value)[: len(found)]
    assert len(complete) >= len(found) - 1
    if size >= len(words):
        assert found == value


def test_of_two_formats_in_one_file_the_one_with_more_lines_is_read_and_the_other_is_counted(
    tmp_path: Path,
) -> None:
    codex = [json.loads(line) for line in CODEX.read_text().splitlines()]
    made = vibe.load(write(tmp_path / "s.jsonl", *codex[:4], ONE, *codex[4:], TWO))
    assert made.agent_id == "codex"
    assert "2 lines were left out: not of the format of Codex" in made.to_text()
    made = vibe.load(write(tmp_path / "t.jsonl", codex[0], ONE, TWO))
    assert (made.agent_id, made.text) == ("claude_code", "two")
    assert "1 line was left out: not of the format of Claude Code" in made.to_text()


def test_a_log_without_a_message_says_so(tmp_path: Path) -> None:
    title = {"type": "summary", "summary": "About nothing", "leafUuid": "x"}
    assert "log: no message is in it" in vibe.load(write(tmp_path / "s.jsonl", title)).to_text()


def test_a_watch_of_a_saved_transcript_names_load(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(vibe.load(write(tmp_path / "s.jsonl", ONE)).model_dump_json())
    with pytest.raises(ProtocolError, match=r"vibe\.load\(path\)"):
        list(vibe.watch(path, display=False))


# Logs that grow.


def test_a_recording_that_grows_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    lines = [to_json(event) + "\n" for event in scripted("Hello world", size=5)]
    path.write_text("".join(lines[:4]))

    def add() -> None:
        with path.open("a") as file:
            file.writelines(lines[4:])

    assert [to_json(event) + "\n" for event in Growing(path, add)] == lines


def test_a_followed_log_shows_the_lines_that_are_added_and_keeps_half_a_line_waiting(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", ONE)
    line = json.dumps(TWO)
    seen: list[str] = []

    def add(words: str) -> Any:
        def step() -> None:
            seen.append(growing_text())
            with path.open("a") as file:
                file.write(words)

        return step

    events: list[Any] = []

    def growing_text() -> str:
        return "".join(event.delta for event in events if event.type == "text_delta")

    for event in Growing(path, add(line[:30]), add(line[30:]), add("\n")):
        events.append(event)  # noqa: PERF402 - the script reads it meanwhile
    assert seen == ["one", "one", "one"]
    assert growing_text() == "onetwo"
    assert events[-1].type == "run_finished"


def test_a_followed_log_is_looked_at_a_few_times_a_second_only(tmp_path: Path) -> None:
    growing = Growing(write(tmp_path / "s.jsonl", ONE), *[lambda: None] * 3)
    list(growing)
    assert growing.waits == [_limits.LOG_POLL_SECONDS] * 4
    assert _limits.LOG_POLL_SECONDS >= 0.2


def test_a_log_that_was_cut_is_read_again_without_doubles_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", ONE, {**TWO, "padding": "x" * 1_000})
    three = claude_says(text_block("three"), "u3", "m3")
    events = list(Growing(path, lambda: write(path, ONE, three)))
    assert [event.delta for event in events if event.type == "text_delta"] == ["one", "two", "three"]
    assert notes(events) == [("log", "the file was cut, and is read from its beginning")]


@pytest.mark.parametrize("size", ["larger", "equal"])
def test_a_log_that_was_cut_and_has_grown_again_between_two_looks_loses_no_turn(
    size: str, tmp_path: Path
) -> None:
    # As logrotate's copytruncate does it: the same file, of another content.
    head = claude_user("a long beginning, the same in both contents " * 20, "u0")
    path = write(tmp_path / "s.jsonl", head, ONE)
    before = path.stat()
    three = claude_says(text_block("three"), "u3", "m3")

    def rewrite() -> None:
        if size == "larger":
            path.write_text(text_of([head, TWO, three]))
        else:
            path.write_text(path.read_text().replace("one", "two").replace("u1", "u9").replace("m1", "m9"))
        assert path.stat().st_ino == before.st_ino

    events = list(Growing(path, lambda: None, rewrite, lambda: None))
    wanted = ["one", "two", "three"] if size == "larger" else ["one", "two"]
    assert [event.delta for event in events if event.type == "text_delta"][1:] == wanted
    assert notes(events) == [("log", "the file was cut, and is read from its beginning")]


def test_a_log_that_only_grows_is_never_taken_for_another(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", ONE)

    def add(words: str) -> None:
        with path.open("a") as file:
            file.write(words)

    line = text_of([TWO])
    events = list(Growing(path, lambda: add(line[:20]), lambda: None, lambda: add(line[20:])))
    assert [event.delta for event in events if event.type == "text_delta"] == ["one", "two"]
    assert notes(events) == []


@pytest.mark.parametrize("words", ["cluade:latest", "claud:latest", "Codx:latest", "cluade:latst"])
def test_a_mistyped_agent_names_the_nearest(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    meant = "codex:latest" if "x" in words else "claude:latest"
    for fails in (vibe.load, Log):
        with pytest.raises(ProtocolError, match=f"Did you mean '{meant}'"):
            fails(words)
    with pytest.raises(TypeError, match=f"Did you mean '{meant}'"):
        vibe.watch(words)


def test_a_file_with_such_a_name_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert vibe.load(write(Path("cluade:latest"), ONE, TWO).name).text == "two"


def test_a_log_that_was_replaced_is_read_on_in_the_new_file(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", ONE)

    def rotate() -> None:
        path.rename(tmp_path / "s.jsonl.1")

    def begin() -> None:
        write(path, TWO)

    events = list(Growing(path, rotate, lambda: None, begin))
    assert [event.delta for event in events if event.type == "text_delta"] == ["one", "two"]
    assert notes(events) == [("log", "the file was replaced by a new one, which is read from its beginning")]


def test_a_followed_log_may_still_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.touch()
    events = list(Growing(path, lambda: None, lambda: write(path, ONE)))
    assert [event.delta for event in events if event.type == "text_delta"] == ["one"]


def test_a_followed_log_may_begin_with_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    words = text_of([ONE])
    path.write_text(words[:20])
    events = list(Growing(path, lambda: None, lambda: path.write_text(words)))
    assert [event.delta for event in events if event.type == "text_delta"] == ["one"]
    path.write_text("junk\n")
    with pytest.raises(AdapterError, match="0 of 1 lines"):
        list(Growing(path))


def test_a_document_that_is_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    path, away = tmp_path / "chat.json", tmp_path / "away.json"
    path.write_text((SAMPLES / "gemini_cli.json").read_text())
    growing = Growing(path, lambda: path.rename(away), lambda: away.rename(path))
    assert [event.type for event in growing] == [event.type for event in Log(SAMPLES / "gemini_cli.json")]


def test_a_damaged_line_of_a_followed_log_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(text_of([ONE]) + "{broken\n" + text_of([TWO]))
    events = list(Growing(path))
    kinds = [event.type for event in events if event.type in ("custom", "text_delta")]
    assert kinds == ["text_delta", "custom", "text_delta"]


def test_a_subagent_s_file_that_comes_later_is_followed_too(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", ONE)
    side = tmp_path / "s" / "subagents"

    def begin() -> None:
        side.mkdir(parents=True)
        write(side / "agent-x.jsonl", claude_says(text_block("inside"), "a1", isSidechain=True, agentId="x"))

    events = list(Growing(path, begin))
    assert [event.delta for event in events if event.type == "text_delta"] == ["one", "inside"]


def test_a_stop_ends_a_watch_that_follows(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", ONE, TWO)

    async def follow() -> vibe.Transcript:
        watch = vibe.watch(Log(path, follow=True), display=False)
        async for event in watch:
            if event.type == "text_delta" and event.delta == "two":
                watch.cancel()
        return watch.transcript

    made = asyncio.run(follow())
    assert (made.text, made.outcome) == ("two", "cancelled")


def test_close_from_another_thread_ends_an_iteration_that_waits(tmp_path: Path) -> None:
    log = Log(write(tmp_path / "s.jsonl", ONE, TWO), follow=True)
    for event in log:
        if event.type == "text_delta" and event.delta == "two":
            threading.Thread(target=log.close).start()
    assert event.type == "run_finished"


# Bounds.


def test_the_first_turn_of_a_long_log_needs_only_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with path.open("w") as file:
        for i in range(200):
            file.write(json.dumps(claude_user("x" * 100_000, f"u{i}")) + "\n")
    log = Log(path)
    steps = iter(log)
    while next(steps).type != "message_finished":
        pass
    assert log.bytes_read <= 256 * 1024
    assert path.stat().st_size > 20_000_000


def test_the_sample_has_no_line_that_is_not_understood() -> None:
    events = [event for event in Log(SAMPLES / "claude_code.jsonl") if event.type == "custom"]
    assert [event.name for event in events if not event.shown] == ["compaction_summary"]
