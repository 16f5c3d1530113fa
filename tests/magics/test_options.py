"""Check the options of ``%vibe_stream``, and TARGET unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from vibe_notebook._magics.options import OPTIONS, headers, split


def test_options_come_first_and_the_rest_is_target_unchanged() -> None:
    line = "--block --title 'My  run' --as=w --speed 2.5 f(x, '--title', {y}, \"$HOME\")  # --block"
    options, target = split(line)
    assert (options.block, options.title, options.name, options.speed) == (True, "My  run", "w", 2.5)
    assert target == "f(x, '--title', {y}, \"$HOME\")  # --block"


def test_two_dashes_end_the_options() -> None:
    assert split("--block -- --x")[1] == "--x"


def test_values_may_be_quoted_joined_and_repeated() -> None:
    options, target = split("--header A=1 --header 'B=x y' --param=q=--z --record \"a b.jsonl\" stream")
    assert (options.header, options.param, options.record) == (["A=1", "B=x y"], ["q=--z"], "a b.jsonl")
    assert target == "stream"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--bogus x", "no option --bogus; it has --after, --as, --block"),
        ("--titel x", "no option --titel"),
        ("--bl x", "no option --bl"),
        ("--title", "--title needs a value"),
        ("--title --block x", "--title needs a value"),
        ("--title= x", "--title needs a value"),
        ("--title 'open x", "quote"),
        ("--block=yes x", "--block takes no value"),
        ("--speed fast x", "--speed fast"),
        ("--speed -1 x", "--speed -1"),
        ("--speed nan x", "--speed nan"),
        ("--as 1x x", "not a variable name"),
        ("--as class x", "not a variable name"),
        ("--header Plain x", "--header"),
        ("--param plain x", "--param"),
        ("--header X=$NO_SUCH_NAME x", "NO_SUCH_NAME"),
    ],
)
def test_a_wrong_line_is_a_usage_error_that_names_the_fault(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("$", r"\$")):
        split(line)


@pytest.mark.parametrize("name", ["Authorization", "cookie", "AUTHORIZATION", "Proxy-Authorization"])
def test_a_literal_secret_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(UsageError, match="NAME") as caught:
        split(f"--header {name}=hunter2 http://x")
    assert "hunter2" not in str(caught.value)


def test_a_header_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "Bearer s3cret")
    assert headers(["Authorization=$TOKEN", "X=y=z"]) == {"Authorization": "Bearer s3cret", "X": "y=z"}


@given(
    st.lists(st.sampled_from(sorted(OPTIONS)), max_size=4), st.text(alphabet="ab-{}$'\"= \t(", max_size=20)
)
def test_target_is_never_changed(names: list[str], target: str) -> None:
    values = {"--speed": "2", "--as": "w", "--header": "A=b", "--param": "a=b"}
    given = [f"{n} {values.get(n, 'v')}" if OPTIONS[n] else n for n in names]
    target = target.strip().removeprefix("--").strip()
    if target.startswith("--"):
        return
    assert split(" ".join([*given, "--", target]))[1] == target
