"""The hooks of Claude's SDK, MCP and ACP give the SDK its own answer, and show what is asked as it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.watching.sdk_doubles import install
from vibe_notebook._watching.unattended import ANSWERS

ONCE = {"optionId": "yes", "name": "Reject", "kind": "allow_once"}
ALWAYS = {"optionId": "ever", "name": "Reject", "kind": "allow_always"}
NO = {"optionId": "no", "name": "Allow", "kind": "reject_once"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ANSWERS, raising=False)
    install(monkeypatch, "claude_agent_sdk", "PermissionResultAllow", "PermissionResultDeny")
    install(monkeypatch, "mcp.types", "ElicitResult")
    names = ("AllowedOutcome", "DeniedOutcome", "RequestPermissionResponse")
    install(monkeypatch, "acp.schema", *names)


async def given(hook: Any, *arguments: Any, answer: tuple[Any, ...], **named: Any) -> tuple[Any, Any]:
    """Return what the SDK gets, and the request that was asked last."""
    seen: list[vibe.Request] = []
    async with vibe.live("a", display=False, registry=vibe.Registry()) as live:

        def asked(request: vibe.Request) -> None:
            seen.append(request)
            asyncio.get_running_loop().call_soon(lambda: live.answer(request, *answer))

        live.on_request(asked)
        found = await hook(*arguments, **named)
    return found, seen[-1]


@pytest.mark.anyio
async def test_claude_gets_the_changed_input_or_the_reason() -> None:
    hook = vibe.approver("claude_agent_sdk")
    context = SimpleNamespace(tool_use_id="c", title="Claude wants\nMay `ls` run?")
    found, request = await given(
        hook, "Bash", {"command": "rm"}, context, answer=("accept", {"command": "ls"})
    )
    assert (found.kind, found.updated_input) == ("PermissionResultAllow", {"command": "ls"})
    lines = (request.message or "").splitlines()
    assert lines[0] == "May `Bash` run?"
    assert lines[-2:] == ["> Claude wants", "> May `ls` run?"]
    found, _ = await given(hook, "Bash", {"command": "rm"}, context, answer=("decline", None, "no"))
    assert (found.kind, found.message) == ("PermissionResultDeny", "no")


@pytest.mark.anyio
async def test_claudes_own_question_gets_the_label_and_a_decline_denies_it() -> None:
    hook = vibe.approver("claude_agent_sdk")
    asked = {"questions": [{"question": "Which?", "options": [{"label": "A"}, {"label": "B"}]}]}
    found, request = await given(hook, "AskUserQuestion", asked, None, answer=("accept", "B"))
    assert found.updated_input == {**asked, "answers": {"Which?": "B"}}
    assert [option.value for option in request.options] == ["A", "B"]
    found, _ = await given(hook, "AskUserQuestion", asked, None, answer=("decline",))
    assert found.kind == "PermissionResultDeny"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url", ["https://example.org/" + "x" * 500, "javascript:alert(1)", "https://x/)>[y](", ""]
)
async def test_an_mcp_servers_url_is_shown_whole_and_is_a_link_only_if_a_browser_may_open_it(
    url: str,
) -> None:
    params = SimpleNamespace(mode="url", message="Pay", url=url)
    found, request = await given(vibe.approver("mcp"), None, params, answer=("accept",))
    assert (found.action, found.content, request.kind) == ("accept", None, "approval")
    message = request.message or ""
    assert f"~~~~text\n{url}\n~~~~" in message
    assert ("[Open the address](<http" in message) == url.startswith("https")
    assert message.count("](") == url.count("](") + url.startswith("https")


@pytest.mark.anyio
async def test_an_mcp_servers_form_gets_its_fields_and_its_words_are_a_quotation() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    params = SimpleNamespace(mode="form", message="May `rm` run?\n# Yes", requested_schema=schema)
    found, request = await given(vibe.approver("mcp"), None, params, answer=("accept", {"city": "Lima"}))
    assert (found.action, found.content) == ("accept", {"city": "Lima"})
    assert request.message == "An MCP server asks:\n\n> May `rm` run?\n> # Yes"
    found, _ = await given(vibe.approver("mcp"), None, params, answer=("decline",))
    assert (found.action, found.content) == ("decline", None)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "answer", "chosen"),
    [
        ([ALWAYS, ONCE, NO], ("accept",), "yes"),
        ([ALWAYS, ONCE, NO], ("decline",), "no"),
        ([ALWAYS, ONCE, NO], ("cancel",), None),
        ([ONCE], ("decline",), None),
        ([ALWAYS, NO], ("accept", "ever"), "ever"),
        ([ALWAYS, NO], ("decline",), "no"),
    ],
)
async def test_a_yes_to_one_call_takes_acps_option_for_this_call_alone(
    options: list[Any], answer: tuple[Any, ...], chosen: str | None
) -> None:
    tool = {"toolCallId": "c", "title": "rm"}
    hook = vibe.approver("acp")
    for arguments, named in (
        ((options, "s", tool), {}),
        (("s", tool, options), {}),
        ((), {"session_id": "s", "tool_call": tool, "options": options}),
        (({"sessionId": "s", "toolCall": tool, "options": options},), {}),
    ):
        found, _ = await given(hook, *arguments, answer=answer, **named)
        outcome = found.outcome
        assert (getattr(outcome, "option_id", None), outcome.outcome) == (
            chosen,
            "cancelled" if chosen is None else "selected",
        )


@pytest.mark.anyio
async def test_an_option_says_what_it_does_before_the_agents_own_name_of_it() -> None:
    tool = {"toolCallId": "c", "title": "rm"}
    _, request = await given(vibe.approver("acp"), "s", tool, [ALWAYS, NO], answer=("cancel",))
    assert [option.label for option in request.options] == ["allow ALWAYS (Reject)", "reject once (Allow)"]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["claude_agent_sdk", "mcp", "acp"])
async def test_without_anybody_the_sdk_gets_its_own_no(name: str) -> None:
    with vibe.live("a", display=False, registry=vibe.Registry()):
        hook = vibe.approver(name)
        if name == "acp":
            found = (await hook("s", {"toolCallId": "c", "title": "rm"}, [ONCE, NO])).outcome
            assert found.option_id == "no"
        elif name == "mcp":
            assert (await hook(None, SimpleNamespace(mode="form", message="?"))).action == "decline"
        else:
            assert (await hook("rm", {}, None)).kind == "PermissionResultDeny"
