"""Open a source as a sync or an async iterator.

At the top edge of ``watch``. A source is an iterable, an awaitable or (async) context manager
that yields one, or an object with ``stream_events()``; it is opened only when it is consumed.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Final

import anyio
from pydantic import BaseModel

from .._foreign_words import clean_logger
from ..exceptions import ConsumedError
from ..registry import Registry, Subscription
from .stepper import END, Stepper, in_thread

__all__ = [
    "Threaded",
    "check",
    "closer",
    "discard",
    "events_until_run_ends",
    "hint",
    "is_async",
    "is_async_only",
    "is_one_shot",
    "open_async",
    "open_sync",
    "source_name",
    "stream_in",
    "type_name",
]

log = clean_logger("vibe_notebook")
_DEPTH = 8
"""Steps from an awaitable to the context manager that it yields, and so on: more are a circle."""
_END_SECONDS = 5
"""Seconds that the end of a watch waits for its run's end: its tools may hold on to it."""
Report = Callable[[str], object]
"""A function that shows a failure in the background to the user, beside the log."""
_NEVER = (str, bytes, bytearray, dict, type, type(None))
"""Types that are no stream of events, though some of them can be iterated."""


def check(source: Any) -> None:
    """Check that *source* can be a stream. Raises ``TypeError``; ``ConsumedError`` if it was read already."""
    if isinstance(source, _NEVER) or not (is_async(source) or _is_sync(source)) or _is_client(source):
        raise _not_a_stream(source)
    _check_unread(source)


def stream_in(source: Any) -> Any:
    """Return the stream that a response of boto3 holds, a dict; every other source as it is."""
    if isinstance(source, dict) and "ResponseMetadata" in source:
        found = (source.get(name) for name in ("stream", "body"))
        return next((one for one in found if type_name(one).endswith("EventStream")), source)
    return source


def is_async_only(source: Any) -> bool:
    """Return whether only ``async for`` can read the source."""
    if _is_sync(source):
        return False
    if hasattr(source, "__aiter__") or hasattr(source, "__aenter__") or inspect.isawaitable(source):
        return True
    events = _stream_events(source)
    return events is not None and not inspect.isgeneratorfunction(events)


def is_async(source: Any) -> bool:
    """Return whether the source has an async form, which a watch prefers."""
    if isinstance(source, _NEVER):
        return False
    if hasattr(source, "__aiter__") or hasattr(source, "__aenter__") or inspect.isawaitable(source):
        return True
    return not _is_sync(source) and is_async_only(source)


def _is_sync(source: Any) -> bool:
    # A future has __iter__ too, for `yield from`: its results are no events.
    return (_is_iterable(source) or hasattr(source, "__enter__")) and not asyncio.isfuture(source)


def _is_client(source: Any) -> bool:
    """Return whether *source* is an SDK's client or agent: a context manager, but none that yields a stream."""
    if _sdk(source) is None or "Stream" in type_name(source) or inspect.isawaitable(source):
        return False
    return not (_is_iterable(source) or hasattr(source, "__aiter__") or _stream_events(source))


def _stream_events(source: Any) -> Callable[[], Any] | None:
    """Return the method that gives a run's events; ``None`` for a graph's, which needs an input."""
    events = getattr(source, "stream_events", None)
    if not callable(events):
        return None
    try:
        inspect.signature(events).bind()
    except TypeError:
        return None
    except ValueError:
        pass  # a method without a signature
    found: Callable[[], Any] = events
    return found


def _check_unread(source: Any) -> None:
    """Check that a generator or a coroutine has not ended. Raises ``ConsumedError``."""
    own = list(vars(source).values()) if _sdk(source) and hasattr(source, "__dict__") else []
    if not any(map(_has_ended, (source, *own))):
        return
    msg = f"{source_name(source)} was read to its end already: a stream is read once. Make a new one"
    advice = hint(source).removeprefix(" ")
    raise ConsumedError(f"{msg}. {advice}" if advice else f"{msg}, and give that to watch.")


def _has_ended(source: Any) -> bool:
    for is_kind, name in _ENDING:
        if is_kind(source):
            return getattr(source, name) is None
    return False


_ENDING: Final = (
    (inspect.isgenerator, "gi_frame"),
    (inspect.isasyncgen, "ag_frame"),
    (inspect.iscoroutine, "cr_frame"),
)
"""Kinds of sources that can be read once, and the attribute that is ``None`` afterwards."""


def is_one_shot(source: Any) -> bool:
    """Return whether *source* can be read only once, and does not show whether it was."""
    return hasattr(source, "__next__") and not inspect.isgenerator(source)


def _is_iterable(source: Any) -> bool:
    # A model has __iter__ too, over its fields: the whole answer of a call without stream=True.
    is_model = isinstance(source, BaseModel) and type(source).__iter__ is BaseModel.__iter__
    return hasattr(source, "__iter__") and not is_model


def _ignore(text: str) -> None:
    del text


def open_sync(source: Any, stack: contextlib.ExitStack, report: Report = _ignore) -> Iterator[Any]:
    """Open a source for ``for``; *stack* closes it."""
    for _ in range(_DEPTH):
        if isinstance(source, _NEVER):
            break
        if _is_iterable(source):
            if (close := _method(source, "close", report)) is not None:
                stack.callback(close)
            iterator: Iterator[Any] = iter(source)
            if iterator is not source and (close := _method(iterator, "close", report)) is not None:
                stack.callback(close)
            _check_unread(iterator)
            return iterator
        if hasattr(source, "__enter__"):
            source = stack.enter_context(source)
        elif (events := _stream_events(source)) is not None:
            source = events()
        else:
            break
    raise _not_a_stream(source)


async def open_async(
    source: Any,
    stack: contextlib.AsyncExitStack,
    is_over: Callable[[], bool] = lambda: True,
    report: Report = _ignore,
) -> AsyncIterator[Any]:
    """Open a source for ``async for``; *stack* closes it. Worker threads step a sync source.

    A run that only hands out its events goes on without a reader: *stack* ends it too, unless *is_over*.
    """
    end: Callable[[], Awaitable[None]] | None = None
    for _ in range(_DEPTH):
        if isinstance(source, _NEVER):
            break
        if hasattr(source, "__aiter__"):
            _close_with(source, stack, report)
            iterator: AsyncIterator[Any] = aiter(source)
            if iterator is not source:
                _close_with(iterator, stack, report)
            if end is not None:
                stack.push_async_callback(end)  # before the iterator closes: that may wait for the run's end
            _check_unread(iterator)
            return iterator
        if inspect.isawaitable(source) and _stream_events(source) is None:
            source = await source
        elif hasattr(source, "__aenter__"):
            source = await stack.enter_async_context(source)
        elif _is_sync(source):
            made = Threaded(source, report)
            stack.push_async_callback(made.aclose)
            return made
        elif (events := _stream_events(source)) is not None:
            end = partial(_end_run, source, is_over, report)
            source = events()
        else:
            break
    raise _not_a_stream(source)


async def _end_run(run: Any, is_over: Callable[[], bool], report: Report) -> None:
    """End a run by its SDK's own method: llama-index has ``cancel_run``, openai-agents ``cancel``."""
    if is_over():
        return
    end = _method(run, "cancel_run", report) or _method(run, "cancel", report)
    if end is None:
        return
    try:
        with anyio.move_on_after(_END_SECONDS, shield=True) as scope:
            done = end()
            if inspect.isawaitable(done):
                await done
        if scope.cancelled_caught:
            log.warning("The run of %s had not ended after %s seconds", source_name(run), _END_SECONDS)
            report(f"The run of {source_name(run)} had not ended after {_END_SECONDS} seconds.")
    except Exception as error:
        # The user's own error, or the watch's end, matters more; but the agent may go on.
        log.exception("The run of %s could not be ended", source_name(run))
        report(f"The run of {source_name(run)} could not be ended: {error!r}. The agent may go on.")


def closer(source: Any, iterator: Any, report: Report = _ignore) -> Callable[[], object] | None:
    """Return the function that ends a blocked ``next`` from another thread; a running generator has none."""
    for made in (iterator, source):
        if not inspect.isgenerator(made) and (close := _method(made, "close", report)) is not None:
            return close
    return None


def discard(source: Any) -> None:
    """Close a source that no consumer will open, as far as possible without opening it."""
    if inspect.iscoroutine(source) or inspect.isgenerator(source):
        source.close()


class Threaded(AsyncIterator[Any]):
    """Read a sync source as an async iterator: each step may block, so it gets a thread."""

    def __init__(self, source: Any, report: Report = _ignore) -> None:
        self._source = source
        self._report = report
        self._iterator: Any = None
        self._stack = contextlib.ExitStack()
        self._stepper = Stepper()
        self._lock = threading.Lock()
        self._busy = False
        self._closed = False

    async def __anext__(self) -> Any:
        native = await in_thread(self._next)
        if native is END:
            raise StopAsyncIteration
        return native

    async def aclose(self) -> None:
        """Close the source, or interrupt the step that is still in the source and then closes it."""
        with self._lock:
            self._closed = True
            busy = self._busy
        if busy:
            self._stepper.cancel()
        else:
            await in_thread(self._stack.close)

    def _next(self) -> Any:
        with self._lock:
            if self._closed:
                return END
            self._busy = True
        try:
            if self._iterator is None:
                self._iterator = self._stepper.step(
                    lambda: open_sync(self._source, self._stack, self._report)
                )
            iterator = self._iterator
            if iterator is END:
                return END
            return self._stepper.step(
                partial(next, iterator, END), closer(self._source, iterator, self._report)
            )
        finally:
            with self._lock:
                self._busy = False
                closed = self._closed
            if closed:
                self._stack.close()


async def events_until_run_ends(registry: Registry, agent_id: str) -> AsyncIterator[Any]:
    """Yield an agent's events from now until it has no open run; end at once without one."""
    with registry.subscribe(agent_id) as subscription:
        end = _RunEndListener(registry, agent_id, subscription)
        registry.attach(agent_id, end)
        try:
            end.wake()
            async for event in subscription:
                yield event
        finally:
            registry.detach(agent_id, end)


class _RunEndListener:
    """Close a subscription when the agent's last open run has ended, by an event or by ``finish``."""

    def __init__(self, registry: Registry, agent_id: str, subscription: Subscription) -> None:
        self._registry = registry
        self._agent_id = agent_id
        self._subscription = subscription

    def touch(self, node: object) -> None:
        """Ignore a change: only the end of the runs counts."""

    def wake(self) -> None:
        """Close the subscription if the agent has runs, and all have ended."""
        if self._registry.open_run(self._agent_id) is None and self._registry.transcript(self._agent_id).runs:
            self._subscription.close()

    def report(self, text: str) -> None:
        """Ignore a failure: the views show it."""


def _method(source: Any, name: str, report: Report) -> Callable[[], Any] | None:
    """Return the source's method, if it has one; a name that cannot be read is reported, and counts as none."""
    try:
        found = getattr(source, name, None)
    except Exception as error:
        log.exception("%r of %s could not be read; the watch goes on without it", name, source_name(source))
        report(f"{name!r} of {source_name(source)} could not be read: {error!r}. The agent may go on.")
        return None
    return found if callable(found) else None


def _close_with(source: Any, stack: contextlib.AsyncExitStack, report: Report) -> None:
    close = _method(source, "aclose", report) or _method(source, "close", report)
    if close is None:
        return

    async def closing() -> None:
        done = close()
        if inspect.isawaitable(done):
            await done

    stack.push_async_callback(closing)


def _not_a_stream(source: Any) -> TypeError:
    return TypeError(
        f"{source_name(source)} is not a stream: pass an iterable or async iterable of events, an "
        f"awaitable or context manager that gives one, or an object with stream_events().{_advice(source)}"
    )


_ANSWER: Final = re.compile(
    "^(Parsed)?(ChatCompletion|Completion|Response|Message|AIMessage)|(Result|Output)$"
)
"""Names of the classes that SDKs give without streaming."""


def _advice(source: Any) -> str:
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return " Follow a URL with vibe_notebook.remote.follow(url)."
    if isinstance(source, str) and source.endswith(_RECORDING):
        return " There is no file of this name; vibe.replay(path) plays a recording."
    if isinstance(source, str):
        return (
            " A whole text has nothing to stream: ask your SDK for a stream (mostly stream=True). "
            "A log or a recording is given by its path, and there is no file of this name."
        )
    if isinstance(source, dict):
        inner = next((found for value in source.values() if (found := _hint_in(value))), "")
        return inner or " Ask your SDK for a stream (mostly stream=True), or pass a list of events."
    if inspect.isroutine(source) or isinstance(source, type | partial):
        return " Did you forget to call it?" + hint(source)
    if isinstance(source, BaseModel) and _ANSWER.search(type_name(source)):
        return " It is one whole answer." + hint(source)
    return hint(source)


# Names of sources in errors. No SDK is imported: an object's module tells its SDK.

_STREAM_TRUE: Final = "client.chat.completions.create(..., stream=True)"
_SDKS: Final = {
    "a2a": ("a2a-sdk", "client.send_message(message)"),
    "acp": ("agent-client-protocol", "the updates that your Client.session_update gets"),
    "agent_framework": ("agent-framework", "agent.run(prompt, stream=True)"),
    "agents": ("openai-agents", "Runner.run_streamed(agent, prompt)"),
    "agno": ("agno", "agent.arun(prompt, stream=True, stream_events=True)"),
    "anthropic": ("anthropic", "client.messages.create(..., stream=True)"),
    "autogen_agentchat": ("autogen", "agent.run_stream(task=prompt)"),
    "autogen_core": ("autogen", "client.create_stream(messages)"),
    "autogen_ext": ("autogen", "client.create_stream(messages)"),
    "azure.ai.inference": ("azure-ai-inference", "client.complete(..., stream=True)"),
    "botocore": ("boto3", 'client.converse_stream(...)["stream"]'),
    "chatlas": ("chatlas", 'chat.stream(prompt, content="all")'),
    "claude_agent_sdk": ("claude-agent-sdk", "query(prompt=..., options=...) or client.receive_response()"),
    "cohere": ("cohere", "client.chat_stream(model=..., messages=...)"),
    "crewai": ("crewai", "crew.kickoff() of a Crew(..., stream=True)"),
    "dspy": ("dspy", "dspy.streamify(program)(question=...)"),
    "google.adk": ("google-adk", "runner.run_async(...)"),
    "google.genai": ("google-genai", "client.models.generate_content_stream(model=..., contents=...)"),
    "groq": ("groq", _STREAM_TRUE),
    "huggingface_hub": ("huggingface_hub", "client.chat_completion(messages, stream=True)"),
    "instructor": ("instructor", "client.create_partial(response_model=..., messages=...)"),
    "langchain": ("langchain", 'agent.astream(..., stream_mode=["messages", "updates"])'),
    "langchain_core": ("langchain", "model.astream(...)"),
    "langgraph": ("langgraph", 'graph.astream(..., stream_mode=["messages", "updates"])'),
    "langgraph_sdk": ("langgraph-sdk", "client.runs.stream(thread_id, assistant_id, input=...)"),
    "letta_client": ("letta-client", "client.agents.messages.stream(agent_id, messages=...)"),
    "litellm": ("litellm", "litellm.completion(..., stream=True)"),
    "llama_index": ("llama-index", "agent.run(user_msg=...)"),
    "mistralai": ("mistralai", "client.chat.stream(model=..., messages=...)"),
    "ollama": ("ollama", "client.chat(model=..., messages=..., stream=True)"),
    "openai.types.chat": ("openai", _STREAM_TRUE),
    "openai": ("openai", "client.responses.create(..., stream=True)"),
    "pydantic_ai": ("pydantic-ai", "agent.run_stream_events(prompt)"),
    "semantic_kernel": ("semantic-kernel", "agent.invoke_stream(messages=...)"),
    "smolagents": ("smolagents", "agent.run(task, stream=True)"),
    "strands": ("strands", "agent.stream_async(prompt)"),
    "together": ("together", _STREAM_TRUE),
    "vllm": ("vllm", "engine.generate(prompt, params, request_id) of an AsyncLLM"),
    "xai_sdk": ("xai-sdk", "chat.stream()"),
}
"""SDKs by module: the SDK's name, and the code that makes a stream there."""
_RECORDING: Final = (".jsonl", ".json", ".ndjson")
_FRAMES: Final = ("ag_frame", "gi_frame", "cr_frame")


def type_name(source: Any) -> str:
    """Return the name of the source's class."""
    return type(source).__qualname__


def source_name(source: Any) -> str:
    """Return a source's name for an error: "AsyncStream (openai)", "Agent.stream_async() (strands)"."""
    found = _sdk(source)
    if found is None:
        return type_name(source)
    name = getattr(source, "__qualname__", None) or type_name(source)
    return f"{name}{'()' if _frame_module(source) else ''} ({found[0]})"


def hint(source: Any) -> str:
    """Return a sentence about the code that makes a stream in the SDK of *source*, or ""."""
    found = _sdk(source) or _sdk_of_bases(source)
    return f" {found[0]} makes one with {found[1]}." if found else ""


def _hint_in(value: Any) -> str:
    """Return the hint for a value of a finished result, for example for the messages of a graph's state."""
    return hint(value[-1] if isinstance(value, list) and value else value)


def _sdk(source: Any) -> tuple[str, str] | None:
    # A class or function has its own module, any other object that of its class.
    while isinstance(source, partial):
        source = source.func
    own = ""
    if isinstance(source, type) or inspect.isroutine(source):
        own = getattr(source, "__module__", None) or ""
    return _sdk_of_module(str(own or _frame_module(source) or type(source).__module__))


def _sdk_of_bases(source: Any) -> tuple[str, str] | None:
    """Return the SDK whose class the user's own agent, client or bound method extends."""
    while isinstance(source, partial):
        source = source.func
    owner = getattr(source, "__self__", source) if inspect.ismethod(source) else source
    bases = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    return next((found for base in bases if (found := _sdk_of_module(base.__module__))), None)


def _sdk_of_module(module: str) -> tuple[str, str] | None:
    steps = module.split(".")
    return next((_SDKS[name] for n in (3, 2, 1) if (name := ".".join(steps[:n])) in _SDKS), None)


def _frame_module(source: Any) -> str:
    """Return the module of the function that made a generator or coroutine, while it has not ended."""
    if not (inspect.isasyncgen(source) or inspect.isgenerator(source) or inspect.iscoroutine(source)):
        return ""
    frame = next((frame for name in _FRAMES if (frame := getattr(source, name, None)) is not None), None)
    return str(frame.f_globals.get("__name__", "")) if frame is not None else ""
