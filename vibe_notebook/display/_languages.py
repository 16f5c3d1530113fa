"""Languages that code may be coloured in: those whose lexers stay linear over text made to slow them.

`python -m tools.lexers` measures them anew and says how: each lexer, within the limits of `_highlight.py`, in
a process of its own. Pygments has 500 more; of some a page of spaces keeps the interpreter for hours, so
no name of an agent's is ever looked up there.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pygments.lexers import get_lexer_by_name

__all__ = ["LANGUAGES", "lexer_of"]

_NAMES = """
    python: py py3 python3 sage; pycon: python-console; javascript: js jsx mjs cjs node; typescript: ts tsx
    json: json5 jsonc jsonl ndjson geojson; bash: sh shell zsh ksh; console: shell-session sh-session; html: htm xhtml
    css; scss; sql; yaml: yml; toml; rust: rs; go: golang; java; c: h; cpp: c++ cc cxx hpp; csharp: cs c#; ruby: rb
    php; kotlin: kt kts; swift; r: rlang s splus; julia: jl; scala; lua; perl: pl; haskell: hs; markdown: md; diff: patch udiff
    xml: xsd xslt svg; ini: cfg conf; docker: dockerfile; make: makefile mk; powershell: ps1 pwsh; elixir: ex exs
    clojure: clj; dart; graphql: gql; terraform: tf hcl; protobuf: proto; cmake; ocaml: ml; fsharp: fs f#; zig; nix
    objective-c: objc; matlab; groovy: gradle
"""
LANGUAGES = {
    name: entry.partition(":")[0].strip()
    for entry in _NAMES.replace("\n", ";").split(";")
    for name in entry.replace(":", " ").split()
}
"""Pygments' name of the lexer, by each name that a fence may say."""


@cache
def lexer_of(language: str) -> Any:
    """Return the lexer of a language of the list, or `None`."""
    name = LANGUAGES.get(language)
    if name is None:
        return None
    # Within Markdown the agent would name any lexer once more.
    options = {"handlecodeblocks": False} if name == "markdown" else {}
    return get_lexer_by_name(name, stripnl=False, ensurenl=False, **options)
