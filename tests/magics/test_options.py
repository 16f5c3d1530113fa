"""Check the options of ``%vibe_stream``, and TARGET unchanged."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from vibe_notebook._magics.options import OPTIONS, headers, params, split


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


SECRET_NAMES = [
    "Authorization", "cookie", "AUTHORIZATION", "Proxy-Authorization", "Set-Cookie", "key", "X-Api-Key", "x_api_key",
    "apikey", "APIKey", "apiKey", "xApiKey", "api.key", "token", "access_token", "accessToken", "X-Auth-Token",
    "page_token", "secret", "client_secret", "ClientSecret", "password", "PASSWD", "passphrase", "pwd", "auth", "sig",
    "signature", "X-Amz-Signature", "X-Amz-Credential", "credentials", "session", "session_id", "PHPSESSID", "JSESSIONID",
    "sessionToken", "jwt", "X-JWT", "bearer", "AWSAccessKeyId", "subscription-key", "Ocp-Apim-Subscription-Key",
    "private_key", "X-Goog-Api-Key", "otp", "\uff54oken",
]  # fmt: skip
PLAIN_NAMES = [
    "topic", "q", "page", "max_tokens", "tokenizer", "keyboard", "monkey", "keywords", "author", "authors", "design",
    "signal", "sessions", "Accept", "X-Request-Id", "User-Agent", "passenger", "compass", "Last-Event-ID", "secretary",
]  # fmt: skip
SECRET_VALUES = [
    "sk-1234567890abcdef", "sk-proj-Ab_12-34567890", "sk-ant-api03-hunter2hunter2", "sk_live_1234567890ab",
    "ghp_hunter2hunter2hunter2", "gho_hunter2", "github_pat_hunter2hunter2", "glpat-hunter2hunter2",
    "xoxb-hunter2-hunter2", "xoxp-1234567890", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyhunter2hunter2hunter2hunter2hunter2", "ya29.hunter2hunter2",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.hunter2", "Bearer hunter2hunter2", "bearer hunter2", "Basic aHVudGVyMjpodW50ZXIy",
    "hf_hunter2hunter2", "-----BEGIN PRIVATE KEY-----", "https://ann:hunter2@host/", "prefix:sk-1234567890abcdef",
]  # fmt: skip
PLAIN_VALUES = [
    "5", "topic", "risk-averse", "sk-learn", "task-1234567890", "basic training", "bearer", "eyJ", "a" * 200,
    "0f8fad5b-d9cb-469f-a165-70873728950e", "https://host/path?q=a@b", "ann@example.org", "$5.00", "$", "",
]  # fmt: skip


@pytest.mark.parametrize("option", ["--header", "--param"])
@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_literal_value_of_a_secret_name_is_refused_and_not_repeated(option: str, name: str) -> None:
    with pytest.raises(UsageError, match=r"NAME\b") as caught:
        split(f"{option} {name}=hunter2 http://x")
    assert "hunter2" not in str(caught.value)
    assert f"{name}=$NAME" in str(caught.value)


@pytest.mark.parametrize("option", ["--header", "--param"])
@pytest.mark.parametrize("value", SECRET_VALUES)
def test_a_literal_secret_is_refused_whatever_its_name(option: str, value: str) -> None:
    for item in (f"topic={value}", f"{value.replace('=', '')}=topic"):
        if " " in item and not item.startswith("topic"):
            continue
        with pytest.raises(UsageError, match="NAME") as caught:
            split(f"{option} '{item}' http://x")
        assert value not in str(caught.value)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_a_plain_name_may_have_a_literal_value(name: str) -> None:
    assert split(f"--param {name}=5 --header {name}=5 http://x")[1] == "http://x"


@pytest.mark.parametrize("value", PLAIN_VALUES)
def test_a_plain_value_is_passed_on(value: str) -> None:
    assert params([f"topic={value}"]) == headers([f"topic={value}"]) == {"topic": value}


@pytest.mark.parametrize("read", [headers, params])
def test_a_header_and_a_parameter_read_the_environment(
    read: Callable[[list[str]], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "Bearer s3cret")
    assert read(["Authorization=$TOKEN", "X=y=z"]) == {"Authorization": "Bearer s3cret", "X": "y=z"}
    with pytest.raises(UsageError, match="the environment has no NO_SUCH_NAME"):
        read(["token=$NO_SUCH_NAME"])


@given(
    st.lists(st.sampled_from(sorted({*OPTIONS} - {"--help"})), max_size=4),
    st.text(alphabet="ab-{}$'\"= \t(", max_size=20),
)
def test_target_is_never_changed(names: list[str], target: str) -> None:
    values = {"--speed": "2", "--as": "w", "--header": "A=b", "--param": "a=b"}
    given = [f"{n} {values.get(n, 'v')}" if OPTIONS[n] else n for n in names]
    target = target.strip().removeprefix("--").strip()
    if target.startswith("--"):
        return
    assert split(" ".join([*given, "--", target]))[1] == target
