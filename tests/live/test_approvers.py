"""Answer each installed SDK's own waiting, offline: ``make live``, or ``pytest -m live``."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import pytest

import vibe_notebook as vibe
from tests.live.approving import SDKS
from vibe_notebook._watching.unattended import ANSWERS
from vibe_notebook.exceptions import AdapterError

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]  # the SDKs' own warnings


def is_old() -> bool:
    """Return whether pydantic-ai is a version that cannot ask within a run."""
    try:
        capabilities = importlib.import_module("pydantic_ai.capabilities")
    except ModuleNotFoundError:
        return importlib.util.find_spec("pydantic_ai") is not None
    return not hasattr(capabilities, "HandleDeferredToolCalls")


if is_old():

    def test_pydantic_ai_of_an_old_version_is_refused_with_the_version_to_install() -> None:
        with pytest.raises(AdapterError, match=r"1\.87"):
            vibe.approver("pydantic_ai")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ANSWERS, raising=False)


def start(sdk: str, ran: list[str]) -> vibe.Watch:
    try:
        return SDKS[sdk](ran)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(("tests", "vibe_notebook")):
            raise
        pytest.skip(f"{error.name} is not installed")


CAN_ASK = pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk != "pydantic_ai" or not is_old()])


def answered(sdk: str, action: Any, ran: list[str], **more: Any) -> tuple[vibe.Watch, list[vibe.Request]]:
    seen: list[vibe.Request] = []

    async def main() -> vibe.Watch:
        run = start(sdk, ran)

        def answer(request: vibe.Request) -> None:
            seen.append(request)
            value = "yes" if request.kind == "question" and action == "accept" else None
            # The hook may ask before it returns: the answer comes from the loop.
            asyncio.get_running_loop().call_soon(lambda: run.answer(request, action, value, **more))

        run.on_request(answer)
        await asyncio.wait_for(run, 20)
        return run

    return asyncio.run(main()), seen


@CAN_ASK
def test_an_approved_call_runs_once(sdk: str) -> None:
    ran: list[str] = []
    run, seen = answered(sdk, "accept", ran)
    assert ran == ["x"]
    assert [request.tool for request in seen] == ["rm"] or sdk == "langgraph"
    assert (run.transcript.outcome, len(run.transcript.runs)) == ("success", 1)
    if sdk != "langgraph":  # this graph has no message with a call
        (call,) = run.transcript.tools
        assert (call.tool_call_id, call.state, call.request is not None) == ("call_0", "ok", True)


@CAN_ASK
def test_a_declined_call_does_not_run(sdk: str) -> None:
    ran: list[str] = []
    run, seen = answered(sdk, "decline", ran, reason="not now")
    assert (ran, len(seen)) == ([], 1)
    assert run.transcript.outcome == ("interrupted" if sdk == "strands" else "success")
    assert "not now" in run.transcript.to_text()


@CAN_ASK
def test_without_anybody_the_watch_ends_with_an_error_and_no_call_runs(sdk: str) -> None:
    ran: list[str] = []

    async def main() -> vibe.Watch:
        run = start(sdk, ran)
        with pytest.raises(vibe.NoAnswerError):
            await asyncio.wait_for(run, 20)
        return run

    run = asyncio.run(main())
    assert (ran, run.transcript.outcome) == ([], "error")


@CAN_ASK
def test_a_watch_that_is_cancelled_while_it_asks_runs_nothing(sdk: str) -> None:
    ran: list[str] = []

    async def main() -> vibe.Watch:
        run = start(sdk, ran)
        run.on_request(lambda _: asyncio.get_running_loop().call_soon(run.cancel) and None)
        await asyncio.wait_for(run, 20)
        await asyncio.sleep(0.05)
        return run

    run = asyncio.run(main())
    assert (ran, run.transcript.outcome) == ([], "cancelled")
    assert run.requests == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("action", ["accept", "decline"])
def test_mcp_asks_a_form_and_a_url(mode: str, action: Any) -> None:
    pytest.importorskip("mcp.server.mcpserver")
    from mcp.client.client import Client  # noqa: PLC0415
    from mcp.server.mcpserver import Context, MCPServer  # noqa: PLC0415
    from mcp.types import (  # noqa: PLC0415
        ElicitRequest,
        ElicitRequestFormParams,
        ElicitRequestURLParams,
        InputRequiredResult,
    )

    server = MCPServer("cities")
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    url = "https://example.org/pay?" + "x" * 300
    told: dict[str, Any] = {}
    form = ElicitRequestFormParams(message="Which *city*?", requested_schema=schema)
    there = ElicitRequestURLParams(message="Pay", url=url, elicitation_id="e")

    async def book(ctx: Any) -> Any:
        """Book a trip."""
        if mode == "legacy":
            session = ctx.request_context.session
            found = [
                await session.elicit_form(form.message, schema, ctx.request_id),
                await session.elicit_url(there.message, url, "e", ctx.request_id),
            ]
        elif ctx.input_responses is None:
            return InputRequiredResult(
                input_requests={"a": ElicitRequest(params=form), "b": ElicitRequest(params=there)}
            )
        else:
            found = [ctx.input_responses[key] for key in "ab"]
        told["answers"] = [(one.action, one.content) for one in found]
        return "over"

    book.__annotations__ = {"ctx": Context, "return": InputRequiredResult | str}
    server.tool()(book)

    async def main() -> vibe.Live:
        async with vibe.handler("mcp", display=False, registry=vibe.Registry()) as hook:

            def answer(request: vibe.Request) -> None:
                assert request.message is not None
                is_url = url in request.message
                assert request.kind == ("approval" if is_url else "question")
                value = None if is_url or action == "decline" else {"city": "Lima"}
                asyncio.get_running_loop().call_soon(lambda: hook.answer(request, action, value))

            hook.on_request(answer)
            client = Client(server, elicitation_callback=vibe.approver("mcp"), mode=mode)
            async with client:
                await asyncio.wait_for(hook.call_tool(client, "book", {}), 20)
        return hook

    hook = asyncio.run(main())
    accepted = action == "accept"
    assert told["answers"] == [(action, {"city": "Lima"} if accepted else None), (action, None)]
    assert (
        "> Which \\*city\\*?" in hook.transcript.to_markdown() or "Which *city*?" in hook.transcript.to_text()
    )
