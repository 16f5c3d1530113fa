"""Script an agent that attacks the page which shows it. The kernel imports this."""

from __future__ import annotations

import base64
from typing import Any

from tests.browser.kernel_side import Gate, RunEvents
from tests.display.hostile import PAYLOADS
from vibe_notebook import events as ev

MORE = [
    "</pre><script>window.__pwned = 1</script>",
    "</details></div><img src=https://evil.example/pixel onerror=window.__pwned=1>",
    "<svg/onload=window.__pwned=1>",
    "[click](javascript:window.__pwned=1) ![pixel](https://evil.example/leak.png)",
    "\u202e<b onmouseover=window.__pwned=1>gnp.exe\u2066",
    "<style>@import url(https://evil.example/x.css)</style>",
    '"><script src=https://evil.example/x.js></script>',
]
ATTACKS = [text.replace("alert(1)", "window.__pwned=1") for text in PAYLOADS] + MORE


def hostile_script() -> list[Any]:
    """Return each attack as text and thinking; all of them as a tool's name, arguments, output, error, and URL."""
    make = RunEvents("tester", "<img src=x onerror=window.__pwned=1>")
    script: list[Any] = [make.started(agent_name=ATTACKS[0])]
    for i, attack in enumerate(ATTACKS):
        script.append(ev.TextDelta(**make.ids, message_id="m", part_id=f"x{i}", delta=attack))
        script.append(ev.ThinkingDelta(**make.ids, message_id="m", part_id=f"t{i}", delta=attack))
    for i, attack in enumerate(ATTACKS):
        call = f"c{i}\"'><script>window.__pwned=1</script>"
        script.append(ev.ToolCallDelta(**make.ids, tool_call_id=call, tool_name=attack, delta=attack))
        script.append(make.begins(call, attack, {attack: [attack]}))
        progress = ev.ToolProgress(
            **make.ids, tool_call_id=call, delta=attack, message=attack, progress=1, total=3
        )
        script.append(progress)
        more: dict[str, Any] = {"error": attack} if i % 2 else {"output": {attack: [attack]}}
        script.append(make.ends(call, attack, **more))
        script.append(
            ev.Artifact(
                **make.ids,
                artifact_id=f"a{i}",
                name=attack,
                media_type="image/svg+xml" if i % 2 else attack,
                data=base64.b64encode(attack.encode()).decode(),
                url="javascript:window.__pwned=1" if i % 3 else f"https://evil.example/{i}",
            )
        )
    return [*script, Gate("end"), make.finished(outcome="error", error="".join(MORE))]
