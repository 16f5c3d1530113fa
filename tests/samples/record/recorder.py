"""Write the natives of an SDK's stream to a recording, one native a line.

The first line names the SDK, its version and the surface. The recorder writes the JSON form of objects:
that of pydantic for its models, the public fields of dataclasses, and the ``repr`` of other objects.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import importlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

SAMPLES = Path(__file__).parent.parent

Runs = dict[str, tuple[str, Callable[[], AsyncIterator[Any]]]]
"""The surface, and the function that starts the stream, by the name of the recording."""


def as_json(value: Any) -> Any:
    """Return the JSON form of a native."""
    form = next((form for module, form in FORMS.items() if type(value).__module__.startswith(module)), None)
    if form is not None:
        return form(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if callable(getattr(value, "ListFields", None)):  # a message of protobuf
        return import_module("google.protobuf.json_format").MessageToDict(
            value, preserving_proto_field_name=True
        )
    if callable(getattr(getattr(value, "proto", None), "ListFields", None)):  # xai-sdk's wrapper of one
        return as_json(value.proto)
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    if isinstance(value, enum.Enum):
        return as_json(value.value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, BaseException):
        return str(value)
    if callable(getattr(value, "clone", None)):  # a live agent
        return {"name": value.name}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        fields = {name: as_json(getattr(value, name)) for name in names}
        # The result of pydantic-ai has ``usage`` as a property; in version 1, as a method.
        used = None if "usage" in fields else getattr(value, "usage", None)
        return fields if used is None else {**fields, "usage": as_json(used() if callable(used) else used)}
    return repr(value)


def _of_a2a(value: Any) -> Any:
    """Return protobuf's JSON."""
    return importlib.import_module("google.protobuf.json_format").MessageToDict(value)


def _of_agent_framework(value: Any) -> Any:
    """Return the fields that the SDK writes too; a workflow's event has no JSON form of its own."""
    if callable(getattr(value, "from_json", None)):
        return as_json(value.to_dict())
    if isinstance(value, enum.Enum | type):
        return value.value if isinstance(value, enum.Enum) else value.__name__
    fields = {name.removeprefix("_"): item for name, item in vars(value).items()}
    return {name: as_json(item) for name, item in fields.items() if item is not None}


def _of_crewai(value: Any) -> Any:
    """Return an event without its agents and crews."""
    return value.to_json({"agent", "crew", "task", "tools"})


def _of_dspy(value: Any) -> Any:
    """Return the fields of a prediction, or of another output."""
    if hasattr(value, "toDict"):
        return {"_store": as_json(value.toDict()), "_lm_usage": as_json(value.get_lm_usage())}
    return as_json(dataclasses.asdict(value))


def _of_instructor(value: Any) -> Any:
    """Return a partial model, which is an object of a user's class, with the name of that class."""
    if not isinstance(value, BaseModel):
        return value
    fields = value.model_dump(mode="json", warnings=False)
    return {"response_model": type(value).__name__, "partial": fields}


def _of_opentelemetry(value: Any) -> Any:
    """Return a span as the SDK writes it."""
    return json.loads(value.to_json())


def _of_openai_traces(value: Any) -> Any:
    """Return a trace or a span as the SDK writes it, with the messages of a response, which it leaves out."""
    fields = value.export()
    data = getattr(value, "span_data", None)
    if data is None:
        return fields
    names = ("input", "output", "response", "usage")
    more = {name: as_json(found) for name in names if (found := getattr(data, name, None)) is not None}
    return {**fields, "span_data": {**fields["span_data"], **more}}


def _of_semantic_kernel(value: Any) -> Any:
    """Return a content; an item of an agent also has a thread, which has no JSON form."""
    if isinstance(value, enum.Enum):
        return value.value
    content = getattr(value, "message", value)
    without = {"inner_content": True, "items": {"__all__": {"inner_content"}}}
    fields = content.model_dump(mode="json", exclude=without)
    return fields if content is value else {"message": fields}


FORMS: dict[str, Callable[[Any], Any]] = {
    "a2a.types": _of_a2a,
    "a2a_pb2": _of_a2a,
    "agent_framework": _of_agent_framework,
    "agents.tracing": _of_openai_traces,
    "crewai.events": _of_crewai,
    "dspy.": _of_dspy,
    "opentelemetry.sdk.trace": _of_opentelemetry,
    "record.instructor": _of_instructor,
    "semantic_kernel.": _of_semantic_kernel,
    "tests.samples.record.instructor": _of_instructor,
}
"""The JSON forms of SDKs whose objects are neither pydantic's nor dataclasses, by their modules."""


async def collected(
    source: AsyncIterator[Any], seen: Callable[[Any], object] | None = None
) -> tuple[list[Any], list[float], Exception | None]:
    """Return the JSON form of all natives of *source*, their times, and the exception it raised.

    The function converts each native at once, and calls *seen* with it: some SDKs change natives after
    they yield them.
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
        print(f"{path.name}: {len(natives)} natives of {sdk}; {error!r}")  # noqa: T201 - a command for the terminal
