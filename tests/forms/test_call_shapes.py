"""Test how calls are shown by the shape of their arguments and results, whatever the tool's name is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.oracles import html_attacks
from tests.markdown.markdown_documents import Page, visible
from vibe_notebook._forms.html import transcript_html
from vibe_notebook._forms.markdown import is_safe, transcript_markdown
from vibe_notebook._forms.shapes import call_shape
from vibe_notebook._forms.text import transcript_text
from vibe_notebook._forms.wording import call_preview
from vibe_notebook.events import PlanEntry
from vibe_notebook.parts import PlanPart, ToolPart
from vibe_notebook.transcript import Transcript

FORMS = [transcript_html, transcript_markdown, transcript_text]
DIFF = "--- a/x.py\n+++ b/x.py\n@@ -10,3 +10,3 @@ def f():\n context\n-old line\n+new line\n end"
PATCH = "*** Begin Patch\n*** Update File: src/x.py\n@@ def f\n-old line\n+new line\n*** End Patch"


def call(args: Any = None, output: Any = None, **fields: Any) -> ToolPart:
    given = {"tool_call_id": "c", "tool_name": "t", "state": "ok", "args": args, "output": output}
    return ToolPart(**given | fields)


def shown(args: Any = None, output: Any = None, **fields: Any) -> str:
    return transcript_html(Transcript(parts=(call(args, output, **fields),)))


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ({"command": "pytest -q", "timeout": 3}, "pytest -q"),
        ({"cmd": ["bash", "-lc", "ls -la | head"]}, "ls -la | head"),
        ({"command": ["git", "commit", "-m", "two words"]}, "git commit -m 'two words'"),
        ({"command": "cd x\nmake"}, "cd x …"),
        ({"file_path": 'src/"a".py', "old_string": "a", "new_string": "b"}, 'src/"a".py'),
        ({"path": "a.py", "content": "x\ny"}, "a.py"),
        ({"command": "str_replace", "path": "a.py", "old_str": "a", "new_str": "b"}, "a.py"),
        ({"command": "view", "path": "a.py"}, "a.py"),
        ({"query": 'rain in "Berlin"', "limit": 3}, 'rain in "Berlin"'),
        ({"pattern": "TODO", "path": "src"}, "TODO in src"),
        ({"url": "https://a.example/b"}, "https://a.example/b"),
        ({"code": "import x\nprint(x)"}, "import x …"),
        ({"sql": "select 1"}, "select 1"),
        ({"patch": PATCH}, "src/x.py"),
        ({"input": DIFF}, "x.py"),
        (PATCH, "src/x.py"),
        ({"todos": [{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}]}, "1 of 2 done · b"),
        ({"city": "Berlin"}, 'city="Berlin"'),
        ({"command": 3}, "command=3"),
        ({"path": ["a"]}, 'path=["a"]'),
        ({"query": "x\u202e\x1b[2Jy" + "z" * 200}, "x⟨U+202E⟩y" + "z" * 89 + "…"),
    ],
)  # fmt: skip
def test_a_preview_says_the_one_thing_that_matters(args: Any, line: str) -> None:
    assert call_preview(call(args)) == line
    assert line.replace("<", "&lt;") in visible(shown(args))


@pytest.mark.parametrize("form", FORMS[1:])
def test_the_other_arguments_are_not_lost(form: Any) -> None:
    said = form(Transcript(parts=(call({"query": "rain", "limit": 1.50, "note": "x" * 300}),)))
    assert "limit" in said
    assert "x" * 300 in said
    short = form(Transcript(parts=(call({"query": "rain", "limit": 3}),)))
    assert "rain, limit=3" in short
    assert "Arguments" not in short


@pytest.mark.parametrize(
    ("names", "extra"),
    [
        (("old_string", "new_string"), {"replace_all": True}),
        (("old", "new"), {}),
        (("old_str", "new_str"), {"command": "str_replace"}),
        (("oldText", "newText"), {"type": "diff"}),
    ],
)
def test_an_edit_is_a_diff_with_numbers_signs_and_colours(
    names: tuple[str, str], extra: dict[str, Any]
) -> None:
    args = {"path": "a.py", names[0]: "one\ntwo\nthree", names[1]: "one\n2 <b>\nthree", **extra}
    html = shown(args)
    assert visible(html).split("+1 -1")[1].split()[:11] == [
        "1",
        "one",
        "2",
        "-",
        "two",
        "2",
        "+",
        "2",
        "<b>",
        "3",
        "three",
    ]
    assert "<b>" not in html
    assert "background:rgba(30,140,60,.16)" in html
    assert all(str(key) in visible(html) for key in extra)
    for form in FORMS[1:]:
        assert "-two" in form(Transcript(parts=(call(args),)))


def test_several_edits_of_a_file_are_one_diff() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}]
    words = visible(shown({"file_path": "a.py", "edits": edits}))
    assert "a.py · +2 -2" in words
    assert words.index("edit 1 of 2") < words.index("edit 2 of 2")


@pytest.mark.parametrize(
    "where", [{"args": {"patch": DIFF}}, {"output": DIFF}, {"output": {"stdout": DIFF, "exit_code": 0}}]
)
def test_a_unified_diff_has_the_numbers_of_its_file(where: dict[str, Any]) -> None:
    words = visible(shown(**where))
    for line in ("10   context", "11 - old line", "11 + new line", "12   end"):
        assert " ".join(line.split()) in " ".join(words.split())


def test_a_patch_without_numbers_is_a_diff() -> None:
    html = shown({"input": PATCH})
    assert "+1 -1" in visible(html)
    assert "*** Update File: src/x.py" in visible(html)


def test_a_long_edit_is_bounded_and_counts_the_rest() -> None:
    old, new = ("\n".join(f"{word} {n}" for n in range(20_000)) for word in ("old", "new"))
    html = shown({"path": "a.py", "old": old, "new": new})
    assert "+20,000 -20,000" in visible(html)
    assert "39,000 lines are left out here" in visible(html)
    assert len(html) < 400_000


def test_a_command_is_a_terminal_with_colours_and_the_exit_code_in_the_colour_of_failure() -> None:
    output = {"stdout": "\x1b[32mok\x1b[0m\n", "stderr": "warned", "exit_code": 1, "cwd": "/x"}
    html = shown({"command": "make test", "timeout": 3}, output)
    words = visible(html)
    assert "$ make test" in words
    assert "timeout: 3" in words
    assert "/x" in words
    assert '<span style="color:#1e8c3c">ok</span>' in html
    assert '<strong style="color:#e23c32">exit 1</strong>' in html
    for form in FORMS[1:]:
        assert "exit 1" in form(Transcript(parts=(call({"command": "make"}, json.dumps(output)),)))
    assert "#e23c32" not in shown({"command": "make"}, {"stdout": "", "returncode": 0})


def test_hits_are_links_to_the_web_with_their_hosts() -> None:
    hits = [
        {"title": "One <b>", "url": "https://one.example/a", "snippet": "about $x$"},
        {"title": "Two", "url": "javascript:alert(1)", "text": "words"},
    ]
    for output in (hits, {"results": hits, "count": 2}, json.dumps(hits)):
        page = Page(html := shown({"query": "x"}, output))
        links = [attributes for tag, attributes in page.elements if tag == "a"]
        assert [link["href"] for link in links] == ["https://one.example/a"]
        assert "one.example" in visible(html)
        assert "Two (javascript:alert(1))" in visible(html)


def test_records_are_a_table() -> None:
    records = [{"name": f"n{n}", "size": n} for n in range(4312)]
    html = shown(output=records)
    assert "showing 200 of 4,312 rows" in visible(html)
    assert "<table" in html
    assert "| name | size |" in transcript_markdown(Transcript(parts=(call(output=records),)))
    assert "<table" not in shown(output=[{"a": 1}, {"b": 2}, {"c": 3}])
    assert "<table" not in shown(output=[{"a": [1]}, {"a": [2]}])


@pytest.mark.parametrize(
    ("args", "name", "language"),
    [
        ({"code": "import x"}, "run", "python"),
        ({"code": "let x = 1;", "language": "javascript"}, "run", "javascript"),
        ({"code": "let x = 1;"}, "run_js", "js"),
        ({"query": "SELECT a FROM b"}, "ask", "sql"),
        ({"script": "for x in a; do ls; done"}, "run", "bash"),
        ({"path": "a/b.rs", "content": "fn main() {}"}, "write", "rs"),
    ],
)
def test_code_is_coloured_in_its_language(args: dict[str, Any], name: str, language: str) -> None:
    html = shown(args, tool_name=name)
    assert f'class="language-{language}"' in html
    assert '<span class="k' in html


def test_code_in_a_language_that_is_not_on_the_list_is_plain() -> None:
    html = shown({"code": "(x)", "language": '"><script>'})
    assert "language-" not in html
    assert '"><script>' in visible(html)


def test_steps_are_a_list_with_marks() -> None:
    todos = [{"content": "one", "status": "completed"}, {"content": "two", "status": "??"}]
    assert "✓ one" in visible(shown({"todos": todos}))


def test_plain_calls_have_no_shape() -> None:
    assert call_shape(call({"city": "Berlin"}, "sunny")) is None
    assert call_shape(call('{"q": "ra', state="preparing")) is None
    assert call_shape(call({"city": "x"}, '{"a": [1, 2', state="running")) is None


@pytest.mark.parametrize("form", FORMS)
def test_the_newest_plan_is_in_the_head(form: Any) -> None:
    steps = [("a", "completed"), ("b", "completed"), ("Run <it>", "in_progress"), ("d", "pending"), ("e", "pending"), ("f", "cancelled")]  # fmt: skip
    plans = [
        PlanPart(plan_id=name, entries=tuple(PlanEntry(text=text, status=status) for text, status in found))
        for name, found in (("old", steps[:1]), ("new", steps))
    ]
    said = form(Transcript(parts=tuple(plans), outcome="success"))
    assert "Plan 2/5 · Run" in said[: said.index("1 of 1 done")]


KEYS = st.sampled_from(
    [
        "path",
        "command",
        "cmd",
        "query",
        "url",
        "code",
        "sql",
        "language",
        "old",
        "new",
        "edits",
        "todos",
        "content",
        "status",
        "patch",
        "input",
        "stdout",
        "stderr",
        "exit_code",
        "results",
        "title",
        "snippet",
        "text",
        "done",
        "a",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            DIFF,
            PATCH,
            "<script>alert(1)</script>",
            "\x1b[31mx",
            "https://a.example",
            "javascript:x",
            "select 1",
        ]
    ),
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(KEYS, TEXTS), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES, VALUES, st.booleans())
def test_any_call_is_shown_in_every_form_without_an_attack(args: Any, output: Any, is_text: bool) -> None:  # noqa: FBT001
    part = call(args, json.dumps(output) if is_text else output)
    assert len(call_preview(part)) <= 100
    transcript = Transcript(parts=(part,))
    for form in FORMS:
        assert "could not be made" not in form(transcript)
    assert list(html_attacks(transcript_html(transcript))) == []
    assert is_safe(transcript_markdown(transcript))


def test_a_carriage_return_begins_no_line_of_a_diff_and_an_address_has_no_control_characters() -> None:
    edit = ToolPart(
        tool_call_id="c", args={"path": "x", "old_string": "a\r-forged", "new_string": "b\r+forged"}
    )
    hits = ToolPart(
        tool_call_id="d",
        output=[{"title": "t", "url": "http://a.example/\x1b]8;;\u202ex", "snippet": "s"}] * 2,
    )
    for part in (edit, hits):
        transcript = Transcript(parts=(part,))
        for form in (transcript.to_html(), transcript.to_text()):
            assert not re.search(r"^\s*[+-]forged|[\x1b\u202e]", form, re.MULTILINE)
