"""Check the meanings of TARGET, in the order of the contract, without a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from vibe_notebook._magics.targets import Target, TargetError, find, undefined


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_http_address_is_a_url() -> None:
    for url in ("http://localhost:8000/x", "HTTPS://example.com/a?b=--c"):
        assert find(url, {}, [url]) == Target("url", url)


def test_an_existing_jsonl_file_is_a_recording_quoted_or_not(folder: Path) -> None:
    (folder / "my run.jsonl").touch()
    for text in ("my run.jsonl", "'my run.jsonl'", '"my run.jsonl"', f"{folder}/my run.jsonl"):
        assert find(text, {}, []).kind == "recording"


def test_a_recording_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(TargetError, match=r"no recording 'gone\.jsonl'"):
        find("gone.jsonl", {}, [])


def test_agent_and_an_id_is_an_agent_known_or_not() -> None:
    assert find("agent:x y", {}, []) == Target("agent", "x y")
    with pytest.raises(TargetError, match="agent:ID"):
        find("agent:", {}, [])


def test_an_expression_whose_names_are_known_is_an_expression() -> None:
    for text in (
        "stream",
        "f(stream, key='--x')",
        "await stream",
        "[x for x in stream]",
        "(lambda y: y)(stream)",
    ):
        assert find(text, {"stream": 1, "f": 1}, []) == Target("expression", text)


def test_the_id_of_a_known_agent_is_an_agent() -> None:
    assert find("researcher", {}, ["researcher"]) == Target("agent", "researcher")
    assert find("deep-research", {}, ["deep-research"]) == Target("agent", "deep-research")


def test_two_meanings_are_an_error_that_names_both(folder: Path) -> None:
    with pytest.raises(TargetError, match=r"the expression 'bot' and the agent 'bot'"):
        find("bot", {"bot": 1}, ["bot"])
    (folder / "run.jsonl").touch()
    with pytest.raises(TargetError, match=r"the recording 'run\.jsonl' and the expression 'run\.jsonl'"):
        find("run.jsonl", {"run": 1}, [])
    assert find("(run.jsonl)", {"run": 1}, []).kind == "expression"
    assert find("'run.jsonl'", {"run": 1}, []).kind == "recording"
    assert find("agent:bot", {"bot": 1}, ["bot"]).kind == "agent"


def test_a_target_without_a_meaning_is_an_error_with_the_reason() -> None:
    with pytest.raises(TargetError, match="it needs strem, which is not defined"):
        find("strem", {"stream": 1}, [])
    with pytest.raises(TargetError, match="neither a URL"):
        find("not python at all", {}, [])
    with pytest.raises(TargetError, match="Known agents: a, b"):
        find("c", {}, ["b", "a"])
    with pytest.raises(TargetError, match="give a target"):
        find("  ", {}, [])


def test_names_that_the_expression_binds_itself_are_not_undefined() -> None:
    assert undefined("[x for x in y]", {}) == ["y"]
    assert undefined("(a := 1, a)", {}) == []
    assert undefined("len(print)", {}) == []
    assert undefined("1", {}) is None
    assert undefined("x = 1", {}) is None


@pytest.mark.parametrize(
    "path", ["a\0b.jsonl", "~nobody-of-this-name/x.jsonl", f"{'x' * 5_000}.jsonl", "\ud83d.jsonl"]
)
def test_a_recording_that_cannot_exist_is_no_target(path: str) -> None:
    with pytest.raises(TargetError, match="there is no recording"):
        find(path, {}, [])
