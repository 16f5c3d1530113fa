"""``handler``: an SDK's push-style hook."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic_ai import Agent

import vibe_notebook as vibe
from tests.test_watch_real import Script
from vibe_notebook.exceptions import AdapterError, ClosedError


def quiet(name: str = "pydantic_ai", **options: Any) -> Any:
    return vibe.handler(name, **{"registry": vibe.Registry(), "display": False, **options})


def agent() -> Agent[None, str]:
    return Script().agent()


def test_agent_run_is_watched_through_the_hook() -> None:
    hook = quiet(agent_id="adder")

    async def main() -> str:
        async with hook:
            return (await agent().run("1 + 2?", event_stream_handler=hook)).output

    assert asyncio.run(main()) == "The sum is 3."
    assert hook.transcript.text == "The sum is 3."
    assert [(t.tool_name, t.output) for t in hook.transcript.tools] == [("add", 3)]
    assert (hook.transcript.agent_id, hook.transcript.outcome) == ("adder", "success")


def test_the_run_ends_with_close_or_its_block_and_not_before() -> None:
    hook = quiet("Pydantic-AI")
    asyncio.run(agent().run("1 + 2?", event_stream_handler=hook))
    assert not hook.done()
    assert hook.transcript.outcome is None
    hook.close()
    hook.close()
    assert hook.done()
    assert hook.transcript.outcome == "success"


def test_an_error_that_leaves_the_block_is_shown() -> None:
    hook = quiet()

    async def main() -> None:
        async with hook:
            await agent().run("1 + 2?", event_stream_handler=hook)
            raise RuntimeError("later")

    with pytest.raises(RuntimeError, match="later"):
        asyncio.run(main())
    assert hook.transcript.error == "RuntimeError: later"


def test_a_hook_that_has_ended_says_that_a_new_one_is_needed() -> None:
    hook = quiet()
    with hook:
        pass
    with pytest.raises(ClosedError, match=r"vibe\.handler"):
        asyncio.run(agent().run("1 + 2?", event_stream_handler=hook))


def test_nothing_is_shown_before_the_first_event(capsys: pytest.CaptureFixture[str]) -> None:
    hook = vibe.handler("pydantic_ai", registry=vibe.Registry())
    assert capsys.readouterr().out == ""
    asyncio.run(agent().run("1 + 2?", event_stream_handler=hook))
    assert "The sum is 3." in capsys.readouterr().out
    hook.close()


def test_cancelling_the_run_settles_as_cancelled() -> None:
    script = Script(hangs=True)
    hook = quiet()

    async def work() -> None:
        async with hook:
            await script.agent().run("1 + 2?", event_stream_handler=hook)

    async def main() -> None:
        task = asyncio.ensure_future(work())
        await asyncio.to_thread(script.hanging.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert hook.transcript.outcome == "cancelled"


def test_an_sdk_without_a_hook_is_an_error_that_says_watch() -> None:
    for name in ("openai", "nonsense"):
        with pytest.raises(AdapterError, match=r"vibe\.watch"):
            quiet(name)
