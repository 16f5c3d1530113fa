"""The text that is streamed: mixed Markdown, the same on every machine."""

from __future__ import annotations

import random

__all__ = ["fence", "mixed", "pieces"]

_WORDS = [
    "the",
    "agent",
    "reads",
    "a",
    "file",
    "and",
    "finds",
    "that",
    "one",
    "value",
    "is",
    "missing",
    "so",
    "it",
    "leaves",
    "out",
    "the",
    "row",
    "and",
    "says",
    "why",
    "before",
    "it",
    "goes",
    "on",
    "to",
    "compute",
    "the",
    "mean",
    "of",
    "what",
    "is",
    "left",
    "which",
    "is",
    "what",
    "was",
    "asked",
    "for",
]


def mixed(size: int, seed: int = 7) -> str:
    """About *size* bytes of headings, paragraphs, lists, tables, code and quotes."""
    rng = random.Random(seed)

    def words(low: int, high: int) -> str:
        chosen = [rng.choice(_WORDS) for _ in range(rng.randint(low, high))]
        chosen[rng.randrange(len(chosen))] = "**" + rng.choice(_WORDS) + "**"
        return " ".join(chosen)

    made: list[str] = []
    length = 0
    while length < size:
        block = rng.choice(
            [
                lambda: f"## {words(2, 5)}\n",
                lambda: words(30, 90) + ".\n",
                lambda: (
                    words(30, 90) + f" with `code` and [a link](https://example.org/{rng.randrange(99)}).\n"
                ),
                lambda: "".join(f"- {words(4, 12)}\n" for _ in range(rng.randint(3, 8))),
                lambda: (
                    "| a | b | c |\n| --- | --- | ---: |\n"
                    + "".join(
                        f"| {words(1, 3)} | {words(1, 3)} | {rng.random():.3f} |\n"
                        for _ in range(rng.randint(3, 8))
                    )
                ),
                lambda: (
                    "```python\n"
                    + "".join(
                        f"def f{i}(x: int) -> int:\n    return x + {i}  # {words(2, 5)}\n"
                        for i in range(rng.randint(2, 6))
                    )
                    + "```\n"
                ),
                lambda: f"> {words(10, 30)}\n",
            ]
        )()
        made.append(block)
        length += len(block) + 1
    return "\n".join(made)


def fence(size: int) -> str:
    """One code block of about *size* bytes."""
    lines: list[str] = []
    length = 0
    while length < size:
        line = f"value_{len(lines)} = compute({len(lines)}, 'text')  # line {len(lines)}"
        lines.append(line)
        length += len(line) + 1
    return "```python\n" + "\n".join(lines) + "\n```\n"


def pieces(text: str, seed: int = 3) -> list[str]:
    """The text in pieces of about four characters, as a model writes it."""
    rng = random.Random(seed)
    made, at = [], 0
    while at < len(text):
        step = rng.randint(2, 6)
        made.append(text[at : at + step])
        at += step
    return made
