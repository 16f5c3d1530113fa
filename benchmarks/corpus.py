"""The text that is streamed: mixed Markdown, the same on every machine."""

from __future__ import annotations

import random

__all__ = ["fence", "mixed", "pieces"]

_SENTENCE = (
    "the agent reads a file and finds that one value is missing so it leaves out the row and says why "
    "before it goes on to compute the mean of what is left which is what was asked for"
)
_WORDS = _SENTENCE.split()


class _Writer:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def words(self, low: int, high: int) -> str:
        chosen = [self.rng.choice(_WORDS) for _ in range(self.rng.randint(low, high))]
        chosen[self.rng.randrange(len(chosen))] = f"**{self.rng.choice(_WORDS)}**"
        return " ".join(chosen)

    def block(self) -> str:
        rng = self.rng
        count = range(rng.randint(3, 8))
        match rng.randrange(7):
            case 0:
                return f"## {self.words(2, 5)}\n"
            case 1:
                return f"{self.words(30, 90)}.\n"
            case 2:
                return f"{self.words(30, 90)} with `code` and [a link](https://example.org/{rng.randrange(99)}).\n"
            case 3:
                return "".join(f"- {self.words(4, 12)}\n" for _ in count)
            case 4:
                rows = [f"| {self.words(1, 3)} | {self.words(1, 3)} | {rng.random():.3f} |\n" for _ in count]
                return "| a | b | c |\n| --- | --- | ---: |\n" + "".join(rows)
            case 5:
                lines = [
                    f"def f{i}(x: int) -> int:\n    return x + {i}  # {self.words(2, 5)}\n" for i in count
                ]
                return "```python\n" + "".join(lines) + "```\n"
            case _:
                return f"> {self.words(10, 30)}\n"


def mixed(size: int, seed: int = 7) -> str:
    """About *size* bytes of headings, paragraphs, lists, tables, code and quotes."""
    writer = _Writer(seed)
    made: list[str] = []
    length = 0
    while length < size:
        made.append(writer.block())
        length += len(made[-1]) + 1
    return "\n".join(made)


def fence(size: int) -> str:
    """One code block of about *size* bytes."""
    lines: list[str] = []
    length = 0
    while length < size:
        lines.append(f"value_{len(lines)} = compute({len(lines)}, 'text')  # line {len(lines)}")
        length += len(lines[-1]) + 1
    return "```python\n" + "\n".join(lines) + "\n```\n"


def pieces(text: str, seed: int = 3) -> list[str]:
    """The text in pieces of about four characters, as a model writes it."""
    rng = random.Random(seed)
    made: list[str] = []
    at = 0
    while at < len(text):
        step = rng.randint(2, 6)
        made.append(text[at : at + step])
        at += step
    return made
