"""Offer the tests' cells, in the kernel, agents that wait for the test, and a faulty wire.

``prints_of`` returns the text that a page must show of a transcript; ``pages.js`` reads the same text from a page.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from html.parser import HTMLParser
from typing import Any

from ipykernel.comm.comm import BaseComm
from ipywidgets.widgets.widget import _instances  # type: ignore[import-untyped]

import vibe_notebook as vibe
from vibe_notebook import events as ev
from vibe_notebook._forms.displays import beside_display
from vibe_notebook._forms.html import output_blocks
from vibe_notebook._forms.shapes import call_shape
from vibe_notebook._forms.wording import args_text, clean, name_of, unclaimed_runs
from vibe_notebook._markdown.renderer import render
from vibe_notebook.display._widget import StreamWidget
from vibe_notebook.parts import Part
from vibe_notebook.transcript import Transcript

_SPACE = re.compile("[ \t\n\r\f\v\u00a0]+")


class Gate:
    """Mark a place in a script where the agent waits until the test opens it."""

    def __init__(self, name: str) -> None:
        self.name = name


class Story:
    """Play a script. Give it to ``watch``; ``at`` waits until the agent reaches a gate."""

    def __init__(self, script: Iterable[Any], *, pace: float = 0.0) -> None:
        self.script = list(script)
        self.pace = pace
        names = [item.name for item in self.script if isinstance(item, Gate)]
        self._reached = {name: asyncio.Event() for name in names}
        self._opened = {name: asyncio.Event() for name in names}

    async def at(self, name: str) -> None:
        await asyncio.wait_for(self._reached[name].wait(), 30)

    def open(self, name: str) -> None:
        self._opened[name].set()

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self.script:
            if isinstance(item, Gate):
                self._reached[item.name].set()
                await self._opened[item.name].wait()
            elif callable(item):
                made = item()
                if made is not None:
                    await made
            else:
                # An agent's own rhythm: without one there would be one message, and none to lose.
                await asyncio.sleep(self.pace)
                yield item


class Faults:
    """Lose messages of our widgets, where the kernel sends them."""

    def __init__(self) -> None:
        self.rate = 0.0
        self.lose_all = False
        self.dropped = 0
        self.sent = 0
        self._random = random.Random(7)
        self._lost = threading.Event()
        self._publish: Callable[..., None] = BaseComm.publish_msg

    def install(self) -> None:
        """Lose messages from now on."""
        faults = self

        def publish(comm: BaseComm, msg_type: str, *args: Any, **kwargs: Any) -> None:
            ours = isinstance(_instances.get(comm.comm_id), StreamWidget)
            if msg_type == "comm_msg" and ours:
                if faults.lose_all or faults._random.random() < faults.rate:
                    faults.dropped += 1
                    faults._lost.set()
                    return
                faults.sent += 1
            faults._publish(comm, msg_type, *args, **kwargs)

        BaseComm.publish_msg = publish  # type: ignore[method-assign, assignment]

    def cut(self) -> None:
        """Lose everything."""
        self.lose_all = True
        self._lost.clear()

    async def mend(self) -> None:
        """Wait for a loss, then lose no more messages than before."""
        await asyncio.to_thread(self._lost.wait, 30)
        self.lose_all = False


def chunks(text: str, size: int = 7) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


class RunEvents:
    """Make the events of one run."""

    def __init__(self, agent_id: str, run_id: str) -> None:
        self.ids = {"agent_id": agent_id, "run_id": run_id}

    def started(self, **more: Any) -> ev.RunStarted:
        return ev.RunStarted(**self.ids, **more)

    def finished(self, **more: Any) -> ev.RunFinished:
        return ev.RunFinished(**self.ids, **more)

    def text(self, text: str, part: str) -> list[ev.Event]:
        return [ev.TextDelta(**self.ids, message_id="m", part_id=part, delta=p) for p in chunks(text)]

    def thinking(self, text: str, part: str) -> list[ev.Event]:
        return [ev.ThinkingDelta(**self.ids, message_id="m", part_id=part, delta=p) for p in chunks(text)]

    def args(self, call: str, name: str, args: Any) -> list[ev.Event]:
        written = json.dumps(args, ensure_ascii=False)
        more = {**self.ids, "message_id": "m", "tool_call_id": call, "tool_name": name}
        return [ev.ToolCallDelta(**more, delta=p) for p in chunks(written)]

    def begins(self, call: str, name: str, args: Any = None) -> ev.ToolStarted:
        return ev.ToolStarted(**self.ids, message_id="m", tool_call_id=call, tool_name=name, args=args)

    def writes(self, call: str, text: str) -> list[ev.Event]:
        return [ev.ToolProgress(**self.ids, tool_call_id=call, delta=p) for p in chunks(text, 16)]

    def ends(self, call: str, name: str, **more: Any) -> ev.ToolFinished:
        more.setdefault("status", "error" if "error" in more else "ok")
        return ev.ToolFinished(**self.ids, tool_call_id=call, tool_name=name, **more)


FIRST_TEXT = """## Findings 🧭

A first paragraph with **bold**, *emphasis*, `code` and a [link](https://example.org/a?b=1&c=2).

| name | value |
| --- | ---: |
| größer | 1.5 |
| 漢字 👩‍🚀 | 22 |

1. one
   - nested `a < b`
2. two

```python
def f(x: int) -> str:
    \"\"\"Say it.\"\"\"
"""
SECOND_TEXT = """    return f"{x}" if x > 2 else "less & less"
```

> quoted, and *more*

The end of it, e̊ with marks and 🦜 beyond the plane.
"""


def long_script(agent_id: str = "tester") -> list[Any]:
    """Return a script of all parts, with gates inside a fence, in a running tool, and at the end."""
    make, child = RunEvents(agent_id, f"{agent_id}-run"), RunEvents(agent_id, f"{agent_id}-child")
    return [
        make.started(agent_name=agent_id),
        *make.thinking("First I look,\n  then I leap. 🤔 " * 3, "t0"),
        *make.text("Let me *search* first.", "x0"),
        *make.args("c1", "search", {"query": "größer 漢字 👩‍🚀", "limit": 3, "deep": {"a": [1, None, True]}}),
        make.begins("c1", "search"),
        *make.writes("c1", "line one of the output\nline two 🧪\n" * 2),
        make.ends("c1", "search", output={"hits": ["a", "b"], "total": 2}),
        make.begins("c2", "research", {"topic": "parrots"}),
        *make.text(FIRST_TEXT, "x1"),
        Gate("middle"),
        *make.text(SECOND_TEXT, "x1"),
        child.started(agent_name="sub", parent_run_id=f"{agent_id}-run", parent_tool_call_id="c2"),
        *child.thinking("The subagent thinks too.", "t0"),
        *child.text("Parrots **talk**.", "x0"),
        *child.args("k1", "listen", {"seconds": 2}),
        child.begins("k1", "listen"),
        child.ends("k1", "listen", output="squawk\n  squawk"),
        child.finished(),
        make.ends("c2", "research", output="they talk"),
        *make.args("c3", "shell", {"cmd": 'rm -rf <nothing> && echo "done"'}),
        make.begins("c3", "shell"),
        make.ends("c3", "shell", error="PermissionError: <not> allowed"),
        *make.thinking("So that is that. " * 3, "t1"),
        *make.text("Therefore the answer is **42**, once and for all.", "x2"),
        Gate("end"),
        make.finished(),
    ]


def with_lost_last(script: list[Any], faults: Faults) -> list[Any]:
    """Return the same script; the wire loses its last message before the end gate, at any rate of loss."""
    i = next(i for i, item in enumerate(script) if isinstance(item, Gate) and item.name == "end")
    return [*script[: i - 1], Gate("last"), faults.cut, script[i - 1], faults.mend, *script[i:]]


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def _html_text(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.found)


def normal(text: str) -> str:
    """Return the text with each run of white space as one blank."""
    return _SPACE.sub(" ", text).strip(" ")


def _prints(parts: Iterable[Part]) -> list[Any]:
    made: list[Any] = []
    for part in parts:
        match part.kind:
            case "text":
                made.append(["text", normal(_html_text(render(part.text)))])
            case "thinking":
                made.append(["thinking", normal(part.text)])
            case "tool":
                error = normal(clean(part.error or ""))
                part = beside_display(part)  # noqa: PLW2901 - as each form shows it
                shape = call_shape(part)
                args = None if shape is None else shape.arguments_html
                shown = args_text(part) if args is None else _html_text(args)
                texts = [normal(shown), normal(_html_text("\n".join(output_blocks(part, shape)))), error]
                made.append(["tool", name_of(part), part.state, *texts, _prints(part.children)])
            case "artifact":
                made.append(["artifact", part.name])
    return made


def prints_of(transcript: Transcript | None = None) -> str:
    """Return the JSON that a page must show of the transcript: each part's text, in order."""
    transcript = transcript or vibe.last().transcript  # type: ignore[union-attr]
    made = _prints(transcript.parts)
    made += [["run", name, _prints(run.parts)] for name, run in unclaimed_runs(transcript)]
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def resync() -> None:
    """Send the last watch's view its whole state, as after a loss."""
    watched = vibe.last()
    watched._pipeline._output._view.resync(-1)  # type: ignore[union-attr]
