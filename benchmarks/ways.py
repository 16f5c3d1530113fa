"""Hold the code of each way to show a stream in the kernel: this package's, and those in use today.

``stream()`` yields the pieces at their rate and records the time of each mark. ``stream()`` ends early
after ``limit`` seconds: ``done`` then counts the pieces that a slow way has shown.
"""

from __future__ import annotations

__all__ = ["COMMON", "FOLDS", "NO_FOLDS", "OURS", "TOOLS", "WAYS"]

OURS = "vibe.watch"

COMMON = r"""
import asyncio, json, re, time
import vibe_notebook as vibe, ipywidgets, vibe_notebook.display._widget_output
from IPython.display import Markdown, display
marks, ended, step, done, sent = [], [], max(1, len(pieces) // 5), 0, {}
async def stream():
    global done
    began = time.perf_counter()
    for i, piece in enumerate(pieces):
        if i % step == 0:
            marks.append((time.process_time(), time.time()))
        delay = began + i / rate - time.perf_counter()
        if delay > 0.0005:
            await asyncio.sleep(delay)
        elif i % 20 == 0:
            await asyncio.sleep(0)
        if time.perf_counter() - began > limit:
            break
        if "zq" in piece:
            sent[re.search(r"zq\d+x\d+q", piece)[0]] = time.time()
        yield piece
        done = i + 1
    marks.append((time.process_time(), time.time()))
    ended.append(time.time())
"""

WAYS = {
    OURS: """
await vibe.watch(stream(), adapter="text")
""",
    "print": """
async for piece in stream():
    print(piece, end="", flush=True)
""",
    "ipywidgets.HTML": """
view = ipywidgets.HTML()
display(view)
async for piece in stream():
    view.value += piece
""",
    "update_display(Markdown)": """
shown, text = display(Markdown(""), display_id=True), ""
async for piece in stream():
    text += piece
    shown.update(Markdown(text))
""",
    "a synced trait": """
import anywidget, traitlets
class Synced(anywidget.AnyWidget):
    _esm = '''
    const render = ({ model, el }) => {
      const draw = () => { el.innerHTML = model.get("value"); };
      model.on("change:value", draw);
      draw();
    };
    export default { render };
    '''
    value = traitlets.Unicode("").tag(sync=True)
view = Synced()
display(view)
async for piece in stream():
    view.value += piece
""",
    "chatlas": """
from chatlas._display import IPyMarkdownDisplay
options = {"rich_markdown": {}, "rich_console": {}, "css_styles": {}, "tool_result_max_height": None, "image_max_lines": None}
with IPyMarkdownDisplay(options) as shown:
    async for piece in stream():
        shown.echo(piece)
""",
    "rich.Live": """
from rich.live import Live
from rich.markdown import Markdown as RichMarkdown
text = ""
with Live(RichMarkdown("")) as view:
    async for piece in stream():
        text += piece
        view.update(RichMarkdown(text))
""",
    "Panel ChatMessage": """
import panel as pn
pn.extension(inline=True)
view = pn.chat.ChatMessage("", show_timestamp=False)
display(view)
async for piece in stream():
    view.stream(piece)
""",
}
"""Code that shows Markdown text, by way."""

TOOLS = """
with vibe.live("agent") as live:
    last = None
    async for piece in stream():
        kind, value = json.loads(piece)
        if kind == "start":
            last = live.tool(*value)
            call = last.__enter__()
        else:
            call.result(value)
            last.__exit__(None, None, None)
"""
"""This package's code for tool calls: a start and a result are a piece each."""

_DETAILS = "<details><summary>What was done</summary>\\n\\nThis.\\n\\n</details>\\n\\n"
_TOOL_FIRST = """
with vibe.live("agent") as live:
    with live.tool("search", {"q": "x"}) as tool:
        tool.result("found")
    async for piece in stream():
        live.text(piece)
"""
NO_FOLDS = ("print", "rich.Live")
FOLDS = {
    name: _TOOL_FIRST if name == OURS else f'pieces.insert(0, "{_DETAILS}")\n{code}'
    for name, code in WAYS.items()
    if name not in NO_FOLDS
}
"""The same code, with a fold before the text."""
