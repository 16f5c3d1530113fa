"""Write what an SDK's stream yielded, one native a line, as the samples have it.

The first line names the SDK, its version and the surface. Objects are written in their JSON form:
pydantic's own, a dataclass's public fields, and of what is neither its name.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

SAMPLES = Path(__file__).parent.parent

Runs = dict[str, tuple[str, Callable[[], AsyncIterator[Any]]]]
"""By the recording's name: the surface, and what starts the stream."""


def as_json(value: Any) -> Any:
    """The JSON form of a native."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    if isinstance(value, enum.Enum):
        return as_json(value.value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, BaseException):
        return str(value)
    if callable(getattr(value, "clone", None)):  # an agent: the live thing
        return {"name": value.name}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        fields = {name: as_json(getattr(value, name)) for name in names}
        # pydantic-ai's result has it as a property, before its second version as a method.
        used = None if "usage" in fields else getattr(value, "usage", None)
        return fields if used is None else {**fields, "usage": as_json(used() if callable(used) else used)}
    return repr(value)


async def collected(
    source: AsyncIterator[Any], seen: Callable[[Any], object] | None = None
) -> tuple[list[Any], list[float], Exception | None]:
    """The JSON form of all that *source* yields, when, and what it raised.

    It is taken at once, as an SDK may go on changing what it yielded; so is what *seen* gets.
    """
    natives: list[Any] = []
    times: list[float] = []
    try:
        async for native in source:
            times.append(time.monotonic())
            natives.append((type(native).__name__, as_json(native)))
            if seen is not None:
                seen(native)
    except Exception as error:  # noqa: BLE001 - a recording may be of a run that fails
        return natives, times, error
    return natives, times, None


async def record_all(runs: Runs, packages: tuple[str, ...]) -> None:
    """Write a recording of each run: ``tests/samples/<name>.jsonl``."""
    sdk = ", ".join(f"{package} {version(package)}" for package in packages)
    for name, (surface, start) in runs.items():
        natives, times, error = await collected(start())
        head = {"sdk": sdk, "surface": surface} | (
            {"raised": [type(error).__name__, str(error)]} if error else {}
        )
        lines: list[dict[str, Any]] = [head]
        for i, (at, (cls, native)) in enumerate(zip(times, natives, strict=True)):
            lines.append({"i": i, "t": round(at - times[0], 4), "cls": cls, "event": native})
        path = SAMPLES / f"{name}.jsonl"
        path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
        print(f"{path.name}: {len(natives)} natives of {sdk}; {error!r}")  # noqa: T201 - for who records
