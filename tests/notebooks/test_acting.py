"""Check in real kernels that nothing hangs where nobody answers, and that an interrupt approves nothing."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebooks.kernel import Kernel

SETUP = """
import asyncio, sys, threading
from types import ModuleType, SimpleNamespace
import vibe_notebook as vibe

sdk = ModuleType("claude_agent_sdk")
sdk.PermissionResultAllow = lambda **given: "allowed"
sdk.PermissionResultDeny = lambda **given: "denied"
sys.modules["claude_agent_sdk"] = sdk
ask = vibe.approver("claude_agent_sdk")

async def agent():
    yield "Let me see. "
    yield await ask("rm", {"path": "x"}, None)
    yield "never"
"""
CELLS = {
    "awaited": 'async with vibe.live("a") as live:\n    print((await live.approve("?")).action)',
    "in a thread that the cell joins": """with vibe.live("a") as live:
    found = []
    def work():
        try:
            found.append(live.approve("?").result().action)
        except vibe.NoAnswerError as error:
            found.append(type(error).__name__)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    print(found)""",
    "an SDK's hook": "await vibe.watch(agent())",
    "with a default": 'async with vibe.live("a") as live:\n'
    '    print((await live.approve("?", default="decline")).action)',
}


def test_a_notebook_without_a_page_never_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIBE_NOTEBOOK_ANSWERS", raising=False)
    cells = [nbformat.v4.new_code_cell(code) for code in (SETUP, *CELLS.values())]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3", timeout=60, allow_errors=True).execute()
    said = {name: outcome(cell.outputs) for name, cell in zip(CELLS, notebook.cells[1:], strict=True)}
    assert said == {
        "awaited": "NoAnswerError",
        "in a thread that the cell joins": "['NoAnswerError']\n",
        "an SDK's hook": "NoAnswerError",
        "with a default": "decline\n",
    }
    shown = "".join(one.data["text/plain"] for one in notebook.cells[3].outputs if "data" in one)
    assert "denied" in shown
    assert "never" not in shown


def outcome(outputs: list[nbformat.NotebookNode]) -> str:
    """Return the name of a cell's error, else its printed text."""
    errors = [one.ename for one in outputs if one.output_type == "error"]
    return errors[0] if errors else "".join(one.text for one in outputs if one.output_type == "stream")


def test_an_interrupt_of_the_kernel_while_a_hook_waits_approves_nothing() -> None:
    with Kernel() as k:
        k.run(SETUP)
        sent = k.send("""
verdicts = []
async def agent():
    yield "Let me see. "
    verdicts.append(await ask("rm", {"path": "x"}, None))
    yield verdicts[0]

run = vibe.watch(agent())
run.on_request(lambda request: print("asked", flush=True))
await run
""")
        k.wait(sent, lambda m: m["msg_type"] == "stream" and "asked" in m["content"]["text"])
        k.manager.interrupt_kernel()
        k.wait(sent, lambda m: m["msg_type"] == "status" and m["content"]["execution_state"] == "idle")
        said = k.run("print(verdicts, run.transcript.outcome, run.requests)")
    assert "".join(m["content"]["text"] for m in said if m["msg_type"] == "stream") == "[] cancelled []\n"
