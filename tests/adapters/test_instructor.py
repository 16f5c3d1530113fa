"""Read the cases of instructor that its recording does not have."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, create_model

from tests.adapters.support import emitted, recording, run
from vibe_notebook import adapters
from vibe_notebook.adapters.instructor import table
from vibe_notebook.events import RunFinished
from vibe_notebook.exceptions import AdapterError

ADAPTER = "instructor"


class Day(BaseModel):
    """Stand for a user's model."""

    day: str
    note: str | None = None


def partial(**fields: Any) -> dict[str, Any]:
    return {"response_model": "Forecast", "partial": fields}


def displays(*natives: Any) -> list[tuple[str, str]]:
    found = emitted(ADAPTER, natives, "artifact")
    return [(one["artifact_id"], one["display"]["text/markdown"]) for one in found]


def test_a_model_without_a_required_field_is_partial_and_a_whole_one_is_unknown() -> None:
    assert adapters.detect(Day.model_construct(day=None)) == ADAPTER
    assert adapters.detect(Day.model_construct()) == ADAPTER
    with pytest.raises(AdapterError, match="no adapter knows it"):
        adapters.detect(Day(day="Mon"))


def test_the_class_that_earlier_versions_make_is_partial() -> None:
    made = create_model("PartialDay", day=(str | None, None))
    assert adapters.detect(made()) == ADAPTER
    assert emitted(ADAPTER, [made(day="Mon")], "artifact")[0]["name"] == "Day"


def test_models_that_fill_are_one_display_that_is_replaced() -> None:
    shown = displays(*recording(ADAPTER).natives)
    assert len({name for name, _ in shown}) == 1
    assert "| Tue | 21 |" in shown[-1][1]
    end = run(ADAPTER, recording(ADAPTER).natives)[-1]
    assert isinstance(end, RunFinished)
    assert end.result["city"] == "Paris"


def test_a_number_may_change_while_it_is_written_and_another_text_begins_another_display() -> None:
    natives = [partial(city="Pa", n=1), partial(city="Paris", n=18), partial(city="Oslo", n=None)]
    assert [name for name, _ in displays(*natives)] == ["r:answer:0", "r:answer:0", "r:answer:1"]


def test_equal_models_are_shown_once() -> None:
    assert len(displays(partial(city="Paris"), partial(city="Paris"))) == 1


def test_no_value_leaves_its_cell_or_is_markup() -> None:
    made = table({"a|b": "1 | 2\n# <b>x</b> [y](z)", "rows": [{"c": None}, {"d": "`e`"}]})
    lines = made.splitlines()
    assert lines[2] == r"| a\|b | 1 \| 2 \# \<b\>x\</b\> \[y\](z) |"
    assert lines[-2:] == ["|  |  |", r"|  | \`e\` |"]
