"""Answer an MCP server's requests: ``Client(…, elicitation_callback=vibe.approver("mcp"))``, FastMCP's client too.

A form asks for fields of a flat schema. A URL is shown whole; only a click in the view opens it, and a yes says that
the user has agreed to go there.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit

from ..._forms.wording import clean_code
from ...adapters.fields import get, text
from ...parts import Answer
from ..questions import Question
from .asking import Asker, quoted
from .sdk import module_of

__all__ = ["MCPApprover", "make"]

_FORM: Final = 4
"""Arguments of FastMCP's handler of requests: the message, the type of the answer, the parameters, the context."""
_SAFE: Final = "!#$%&'*+,-./:;=?@_~"
"""Characters that stay in a link of Markdown; all others are escaped as in a URL."""


def make(asker: Asker) -> Any:
    """Return the hook."""
    return MCPApprover(asker)


class MCPApprover:
    """Ask what a server asks."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, *given: Any) -> Any:
        """Return the answer, in the SDK's form. The client calls this."""
        params = given[2] if len(given) == _FORM else given[-1] if given else None
        is_url = get(params, "mode") == "url"
        (answer,) = await self._asker.decide((_url(params) if is_url else _form(params), None))
        return _result(answer, is_fastmcp=len(given) == _FORM, has_content=not is_url)


def _form(params: Any) -> Question:
    schema = get(params, "requested_schema") or get(params, "requestedSchema")
    return Question("question", _words(params), schema=schema)


def _url(params: Any) -> Question:
    """Return the question whether to go to a URL; a URL that no browser should open is text only."""
    url = text(get(params, "url"))
    lines = clean_code(url).splitlines() or [""]
    shown = "~~~~text\n" + "\n".join(f" {line}" if line.lstrip().startswith("~") else line for line in lines)
    parts = [_words(params), "It asks you to open this address:", f"{shown}\n~~~~"]
    if _is_web(url):
        parts.append(f"[Open the address](<{quote(url, safe=_SAFE)}>)")
    return Question("approval", "\n\n".join(parts), takes_args=False)


def _is_web(url: str) -> bool:
    try:
        found = urlsplit(url)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(found.hostname)


def _words(params: Any) -> str:
    return "\n\n".join(filter(None, ("An MCP server asks:", quoted(text(get(params, "message"))))))


def _result(answer: Answer, *, is_fastmcp: bool, has_content: bool) -> Any:
    value = answer.value if answer and has_content else None
    if value is not None and not isinstance(value, dict):
        value = {"value": value}
    kinds = (
        module_of("fastmcp.client.elicitation", "fastmcp") if is_fastmcp else module_of("mcp.types", "mcp")
    )
    return kinds.ElicitResult(action=answer.action, content=value)
