"""Accept LangChain's callbacks (``callbacks=[…]``) as the events of its event stream.

Beside ``_watching/handlers/sdks.py``. LangChain reads a handler's methods and a few flags, not its class, so
this module does not import LangChain. With ``run_inline`` the callbacks come in the order, and in the thread, of
the run itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..claims import claim
from .base import Handler

__all__ = ["LangChainHandler"]

_QUESTIONS: Final = frozenset(("GraphInterrupt", "NodeInterrupt"))


class LangChainHandler(Handler):
    """Accept callbacks: ``graph.invoke(x, config={"callbacks": [vibe.handler("langchain")]})``.

    ``ainvoke`` and ``astream`` work too. Every outermost run of LangChain's is a run here, and ends with it. A
    model's deltas are shown where it streams (``streaming=True``, or a stream that asks for messages), else its
    whole message.
    """

    adapter = "langgraph"
    claims_runs = True
    """False for the handler of an automatic view, which shows a run only if no other one does."""
    raise_error = False
    run_inline = True
    ignore_llm = ignore_chat_model = ignore_chain = ignore_custom_event = False
    ignore_agent = False  # LangChain skips tools by this flag too
    ignore_retriever = ignore_retry = True

    def __init__(self, pipeline: Any) -> None:
        super().__init__(pipeline)
        self._paths: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, dict[str, Any]] = {}
        self._streaming: set[str] = set()

    def on_chain_start(self, serialized: Any, inputs: Any, **about: Any) -> None:
        """Begin a graph, a node, or another run that contains runs."""
        self._started("on_chain_start", about, serialized, {"input": inputs})

    def on_chain_end(self, outputs: Any, **about: Any) -> None:
        """End a graph, a node, or another run that contains runs."""
        del outputs  # it repeats the output of the models and tools
        self._ended("on_chain_end", about, {})

    def on_chain_error(self, error: BaseException, **about: Any) -> None:
        """End a run with an error. A graph also asks its user by an error: the question is shown first."""
        if type(error).__name__ in _QUESTIONS and error.args:
            self._event("on_chain_stream", about, {"chunk": {"__interrupt__": error.args[0]}})
        self._ended("on_chain_error", about, {}, error)

    def on_chat_model_start(self, serialized: Any, messages: Any, **about: Any) -> None:
        """Begin a message."""
        del messages
        self._started("on_chat_model_start", about, serialized, {})

    def on_llm_start(self, serialized: Any, prompts: Any, **about: Any) -> None:
        """Begin the text of a model that has no messages."""
        del prompts
        self._started("on_llm_start", about, serialized, {})

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **about: Any) -> None:
        """Append a delta of a model's text."""
        self._streaming.add(self._path(about)[-1])
        message = getattr(chunk, "message", None)
        if message is not None:
            self._event("on_chat_model_stream", about, {"chunk": message})
        elif isinstance(token, str):
            self._event("on_llm_stream", about, {"chunk": {"text": token}})

    def on_llm_end(self, response: Any, **about: Any) -> None:
        """Show a message that was not streamed, and the usage."""
        run = self._path(about)[-1]
        first = next((one for some in getattr(response, "generations", ()) for one in some), None)
        message, text = getattr(first, "message", None), getattr(first, "text", None)
        if message is None and isinstance(text, str) and run not in self._streaming:
            self._event("on_llm_stream", about, {"chunk": {"text": text}})
        self._streaming.discard(run)
        self._ended("on_chat_model_end", about, {"output": message})

    def on_llm_error(self, error: BaseException, **about: Any) -> None:
        """End a failed message with its error."""
        self._ended("on_chat_model_end", about, {}, error)

    def on_tool_start(self, serialized: Any, input_str: Any, *, inputs: Any = None, **about: Any) -> None:
        """Start a tool call."""
        args = input_str if inputs is None else inputs
        data = {"input": args, "tool_call_id": about.get("tool_call_id")}
        self._started("on_tool_start", about, serialized, data)

    def on_tool_end(self, output: Any, **about: Any) -> None:
        """Show a tool's result."""
        self._ended("on_tool_end", about, {"output": output})

    def on_tool_error(self, error: BaseException, **about: Any) -> None:
        """Show a tool's failure."""
        self._ended("on_tool_error", about, {"error": error}, error)

    def on_custom_event(self, name: str, data: Any, **about: Any) -> None:
        """Show an application's own event."""
        self._names[self._path(about)[-1]] = {"name": name}
        self._event("on_custom_event", about, data)

    def on_stream_event(self, event: Any, **about: Any) -> None:
        """Ignore an event whose content also comes as deltas."""

    on_retriever_start = on_retriever_end = on_retriever_error = on_stream_event
    on_text = on_retry = on_agent_action = on_agent_finish = on_stream_event

    def _path(self, about: dict[str, Any]) -> tuple[str, ...]:
        """Return the ids of the runs that contain a run, the outermost first, and its own id."""
        run, parent = str(about.get("run_id")), about.get("parent_run_id")
        if run not in self._paths:
            above = self._paths.get(str(parent), (str(parent),)) if parent is not None else ()
            self._paths[run] = (*above, run)
        return self._paths[run]

    def _started(self, kind: str, about: dict[str, Any], serialized: Any, data: dict[str, Any]) -> None:
        name = about.get("name") or (serialized.get("name") if isinstance(serialized, Mapping) else None)
        path = self._path(about)
        self._names[path[-1]] = {"name": name, "metadata": about.get("metadata") or {}}
        if self.claims_runs:
            claim(path[0])
        self._event(kind, about, data)

    def _ended(
        self, kind: str, about: dict[str, Any], data: dict[str, Any], error: BaseException | None = None
    ) -> None:
        path = self._path(about)
        self._event(kind, about, data)
        self._names.pop(path[-1], None)
        del self._paths[path[-1]]
        if len(path) == 1:
            self._end(path[0], error)

    def _event(self, kind: str, about: dict[str, Any], data: Any) -> None:
        *above, run = self._path(about)
        root = above[0] if above else run
        native = {"event": kind, "run_id": run, "parent_ids": above, "data": data, **self._names.get(run, {})}
        with self._turn():
            self._accept(self._run(root, run_id=root), native)
