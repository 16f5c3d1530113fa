"""Measure Pygments' lexers on text that is made to slow them down.

`python -m tools.lexers` prints the figures of each language, with its worst input; `python -m tools.lexers json`
measures one. `vibe_notebook/_markdown/languages.py` holds the list of the languages that passed. Each lexer runs
in a process of its own under a limit of CPU seconds: only such a limit can interrupt a backtracking regular
expression.
"""

from __future__ import annotations

import itertools
import json
import re
import resource
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from vibe_notebook._markdown.highlight import LINE_LIMIT, RUN_LIMIT, SPACE_LIMIT, is_regular, pieces
from vibe_notebook._markdown.languages import CODE_LIMIT, LANGUAGES, lexer_of

CPU_SECONDS = 60
"""The guard: CPU seconds that one lexer may spend on all its texts together."""

SIZE = 1024
"""Characters of each text in the search for slow inputs."""

SIZES = (1024, 4096, CODE_LIMIT)
"""Characters of the slowest texts, to measure the growth of the time."""

GROWTH = 3.0
"""Largest ratio of a character's cost in the longest text to one of 4 KiB (a square would make it 4)."""

GUARDED = 48
"""``--guard`` measures one text of so many, each of 4 KiB."""

SLOWEST = 3
"""Number of the slowest texts whose growth is measured."""

OPENERS = (
    '"""', "'''", "/*", "<!--", "//", "--", "(*", "{-", "#=", "#|", "<?php ", "<script>", "<style>", "<![CDATA[",
    "<<EOF\n", "<<'EOF'\n", "<<~X\n", "${", "$(", "$((", "#{", "%{", "%w(", "%q(", "q{", "qq(", 'r#"', 'R"(', 'R"x(',
    '@"', '$"', "[[", "[==[", "`", "```", "~~~", "~~~~python\n", "@", "a:", "a=", "a.", "a(", "a[", "a<", "<a ",
    "<a b=", "<a b='", "&#", "\\", "\\u{", "0x", "1e", "1_", "1.", "def a(", "class a", "import a", "from a import ",
    "function a(", "struct a", "public a ", "select ", "- a: ", "? ", "> ", "|\n ", "%a ", "!a ", "&a ", "#include <",
    "#define a ", "#if 0\n", "@a(", "a::", "a<b<", "A<", "int a(", "a b(", "a b c(", "let a", "if a", "case a", "=begin\n",
    "__END__\n", "=pod\n", ">>> ", "... ", "$ ", "user@host:~$ ", "In [1]: ", "diff --git a", "@@ ", "+", "FROM a ",
    "RUN ", "a: b", "\ta", "define a\n", "ifeq (", "[a]\n", "a = [", "a = {", "'\\", '"\\', '"${', '"#{', '"$(', "'a", "a'",
    "s/", "m{", "tr/", "=~ /", "/a", "(/", "*", "**a", "_a", "[a](", "![a](", "* [ ] ", "# ", "|a", "<%", "<%=", "{%", "{{",
)  # fmt: skip


def fragments(lexer: Any) -> list[str]:
    """Return the literal pieces of the lexer's own regular expressions."""
    found: set[str] = set()
    for rules in getattr(lexer, "_tokens", {}).values():
        for rule in rules:
            pattern = getattr(getattr(rule[0], "__self__", None), "pattern", "")
            for piece in re.split(r"\\[A-Za-z]|\[[^\]]*\]|[()\[\]{}?*+|^$.]", pattern[:400]):
                text = re.sub(r"\\(.)", r"\1", piece)
                if 1 < len(text) <= 12:  # noqa: PLR2004 - longer ones are words of a list
                    found.add(text)
    return sorted(found)


def units(lexer: Any) -> Iterator[tuple[str, str]]:
    """Yield pairs of a beginning and a piece to repeat after it."""
    singles = [*string.printable[:95], "\t", "\n", "é"]
    marks = "\"'`/*\\({<=#$%:. \na"
    yield from (("", single) for single in singles)
    yield from (("", "".join(pair)) for pair in itertools.permutations(marks, 2))
    own = fragments(lexer)
    pieces = [*OPENERS, *own[:: max(1, len(own) // 24)]]
    yield from (("", piece) for piece in pieces)
    yield from (("", piece + "\n") for piece in pieces)
    for piece in OPENERS:
        yield from ((piece, body) for body in ("a ", " \n"))


def text(start: str, piece: str, size: int) -> str:
    """Return the repeated piece, *size* characters long, with line breaks that keep it within the limits."""
    body = start + piece * (size // len(piece) + 1)
    room = LINE_LIMIT - 1 if piece.strip() else SPACE_LIMIT - 1
    room = min(room, RUN_LIMIT - 1) if len(set(piece)) == 1 else room
    if "\n" in piece and piece.strip():
        return body[:size]
    glue = "x\n" if not piece.strip() else "\n"
    return glue.join(body[i : i + room - len(glue)] for i in range(0, size, room - len(glue)))[:size]


def texts(lexer: Any, size: int) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield every text of the corpus that the limits allow to be coloured."""
    for unit in units(lexer):
        if is_regular(code := text(*unit, size)):
            yield unit, code


def cpu_seconds(lexer: Any, code: str) -> float:
    """Return the CPU seconds of colouring *code*."""
    begin = time.process_time()
    pieces(lexer, code)
    return time.process_time() - begin


def measure(name: str, lexer: Any) -> dict[str, Any]:
    """Return the figures of one lexer."""
    found = sorted(
        ((cpu_seconds(lexer, code) / len(code), unit) for unit, code in texts(lexer, SIZE)), reverse=True
    )
    slowest, growth, worst = 0.0, 0.0, ("", "")
    for _, unit in found[:SLOWEST]:
        costs = [cpu_seconds(lexer, text(*unit, size)) / size for size in SIZES]
        slowest = max(slowest, *costs)
        if costs[-1] / max(costs[-2], 1e-6) > growth:
            growth, worst = costs[-1] / max(costs[-2], 1e-6), unit
    return {"name": name, "texts": len(found), "slowest": slowest, "growth": growth, "unit": worst}


def guard(name: str, lexer: Any) -> str:
    """Return a line with the numbers of coloured and of plain texts."""
    chosen = list(texts(lexer, 4096))[::GUARDED]
    coloured = sum(bool(pieces(lexer, code)) for _, code in chosen)
    return f"{name}: {len(chosen)} texts, {coloured} coloured, {len(chosen) - coloured} plain"


def limit() -> None:
    """Bound the CPU seconds of this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = CPU_SECONDS if hard == resource.RLIM_INFINITY else min(CPU_SECONDS, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def main(arguments: list[str]) -> None:
    """Measure the named languages, or all of the list, each in a process of its own."""
    known = sorted(set(LANGUAGES.values()))
    unknown = [name for name in arguments if name not in ("--one", "--guard") and lexer_of(name) is None]
    if unknown:
        sys.exit(f"no such language: {', '.join(unknown)}; name some of: {', '.join(known)}")
    if arguments[:1] == ["--one"]:
        limit()
        print(json.dumps(measure(arguments[1], lexer_of(arguments[1]))))
    elif arguments[:1] == ["--guard"]:
        limit()
        for name in arguments[1:]:
            print(guard(name, lexer_of(name)), flush=True)
    else:
        for name in arguments or known:
            done = subprocess.run(
                [sys.executable, "-m", "tools.lexers", "--one", name],
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            print(done.stdout.strip() or f"{name}: ended by the guard ({done.returncode})", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
