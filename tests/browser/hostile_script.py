"""Script an agent that attacks the page which shows it. The kernel imports this."""

from __future__ import annotations

from typing import Any

from tests.browser.kernel_side import Gate, RunEvents
from tests.hostile.payloads import SAMPLE
from tests.hostile.stories import story

FORMULA = "$\\frac{a}{b}$"
"""A formula that the page sets, between the agent's own."""


def hostile_script() -> list[Any]:
    """Return the story of each payload of the sample, all of one agent."""
    make = RunEvents("tester", "<img src=x onerror=alert(1)>")
    script: list[Any] = [make.started(agent_name="<img src=x onerror=alert(1)>")]
    for payload in SAMPLE:
        # Whole views of half a megabyte: of a very long text the story is in the other surfaces.
        text = payload.text[:600]
        script += [event.model_copy(update={"agent_id": "tester"}) for event in story(text)]
    script += make.text(f"The end: {FORMULA}", "last")
    return [
        *script,
        Gate("end"),
        make.finished(outcome="error", error="".join(each.text[:200] for each in SAMPLE)),
    ]
