"""The code that each way of showing a stream runs in the kernel. ``pieces`` and ``rate`` are there."""

from __future__ import annotations

__all__ = ["COMMON", "WAYS"]

COMMON = """
import asyncio, json, time
async def stream():
    began = time.perf_counter()
    for i, piece in enumerate(pieces):
        if i % step == 0:
            marks.append(time.process_time())
        delay = began + i / rate - time.perf_counter()
        if delay > 0.0005:
            await asyncio.sleep(delay)
        elif i % 20 == 0:
            await asyncio.sleep(0)
        yield piece
    marks.append(time.process_time())
    ended.append(time.time())
marks, ended, step = [], [], max(1, len(pieces) // 5)
"""

WAYS = {
    "vibe.watch": """
import vibe_notebook as vibe
await vibe.watch(stream(), adapter="text")
""",
    "print": """
async for piece in stream():
    print(piece, end="", flush=True)
""",
    "ipywidgets.HTML": """
import ipywidgets
from IPython.display import display
view = ipywidgets.HTML()
display(view)
async for piece in stream():
    view.value += piece
""",
    "update_display(Markdown)": """
from IPython.display import Markdown, display
shown, text = display(Markdown(""), display_id=True), ""
async for piece in stream():
    text += piece
    shown.update(Markdown(text))
""",
}
