"""Make the texts to stream: six shapes, committed under ``corpus/`` so that every run has the same texts.

``python -m benchmarks.texts`` writes the corpus again. A longer text repeats the committed one.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["CALLS", "SHAPES", "Call", "calls", "marked", "pieces", "text"]

FOLDER = Path(__file__).with_name("corpus")
SIZE = 80_000
CALLS = 500
SHAPES = ("mixed", "fence", "list", "table", "paragraph")
Call = tuple[str, str, str]
"""A tool call: its name, its arguments as JSON, its output."""

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


class _Writer:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def words(self, low: int, high: int) -> str:
        chosen = [self.rng.choice(_WORDS) for _ in range(self.rng.randint(low, high))]
        chosen[self.rng.randrange(len(chosen))] = f"**{self.rng.choice(_WORDS)}**"
        return " ".join(chosen)

    def row(self) -> str:
        return f"| {self.words(1, 3)} | {self.words(1, 3)} | {self.rng.random():.3f} |\n"

    def code(self, number: int) -> str:
        return f"def f{number}(x: int) -> int:\n    return x + {number}  # {self.words(2, 5)}\n"

    def block(self) -> str:
        rng = self.rng
        count = range(rng.randint(3, 8))
        match rng.randrange(7):
            case 0:
                return f"## {self.words(2, 5)}\n\n"
            case 1:
                return f"{self.words(30, 90)}.\n\n"
            case 2:
                return f"{self.words(30, 90)} with `code` and [a link](https://example.org/{rng.randrange(99)}).\n\n"
            case 3:
                return "".join(f"- {self.words(4, 12)}\n" for _ in count) + "\n"
            case 4:
                return _HEADS["table"] + "".join(self.row() for _ in count) + "\n"
            case 5:
                return (
                    _HEADS["fence"] + "".join(self.code(number) for number in count) + _TAILS["fence"] + "\n"
                )
            case _:
                return f"> {self.words(10, 30)}\n\n"

    def call(self) -> Call:
        args = {"query": self.words(3, 6), "limit": self.rng.randrange(50)}
        return self.rng.choice(["search", "read_file", "run_python"]), json.dumps(args), self.words(14, 26)


_HEADS = {"fence": "```python\n", "table": "| a | b | c |\n| --- | --- | ---: |\n"}
_TAILS = {"fence": "```\n"}
_UNITS: dict[str, Callable[[_Writer, int], str]] = {
    "mixed": lambda writer, _: writer.block(),
    "fence": lambda writer, number: writer.code(number),
    "list": lambda writer, _: f"- {writer.words(4, 12)}\n",
    "table": lambda writer, _: writer.row(),
    "paragraph": lambda writer, _: writer.words(8, 16) + " ",
}


def text(shape: str, size: int = SIZE) -> str:
    """Return about *size* bytes of one shape; beyond the committed file, repeat its units in one block."""
    whole = (FOLDER / f"{shape}.txt").read_text(encoding="utf-8")
    head, tail = _HEADS.get(shape, ""), _TAILS.get(shape, "")
    body = whole[len(head) : len(whole) - len(tail)]
    made = (body * (1 + size // len(body)))[:size]
    cut = max(made.rfind("\n"), made.rfind(" ") if shape == "paragraph" else -1) + 1
    return head + made[:cut] + tail


def calls(count: int = CALLS, size: int = 0) -> list[Call]:
    """Return *count* tool calls: 80 KB in 500, or with longer outputs that make *size* bytes in all."""
    lines = (FOLDER / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    found: list[Call] = [tuple(json.loads(line)) for line in lines]
    longer = max(1, size * CALLS // (SIZE * count))
    return [
        (name, args, "\n".join([output] * longer))
        for name, args, output in itertools.islice(itertools.cycle(found), count)
    ]


def pieces(source: str, seed: int = 3) -> list[str]:
    """Return the text in pieces of about four characters, as a model writes; a mark of ``marked`` is one piece."""
    rng = random.Random(seed)
    made: list[str] = []
    for index, plain in enumerate(source.split("zq")):
        start = 0
        if index:
            start = plain.index("q") + 1
            made.append("zq" + plain[:start])
        while start < len(plain):
            step = rng.randint(2, 6)
            made.append(plain[start : start + step])
            start += step
    return made


def marked(source: str, stream: int = 0, every: int = 400) -> tuple[str, int]:
    """Insert a numbered word about every *every* characters, in visible text; return text and number of words."""
    made: list[str] = []
    count = since = 0
    for line in source.splitlines(keepends=True):
        is_plain = "](" not in line and "---" not in line and line[:1] not in "`#"
        since += len(line)
        while is_plain and since >= every and " " in line:
            at = line.find(" ", max(0, len(line) - since + every - 1) if len(line) > every else 2)
            if at < 0:
                break
            made.append(f"{line[:at]} zq{stream}x{count}q")
            line, count, since = line[at:], count + 1, since - every if len(line) > every else 0  # noqa: PLW2901
        made.append(line)
    last = f"\n\nThe end zq{stream}x{count}q\n"
    return "".join(made) + last, count + 1


def _written(shape: str) -> Iterator[str]:
    writer = _Writer(7)
    length = number = 0
    while length < SIZE:
        unit = _UNITS[shape](writer, number)
        length, number = length + len(unit), number + 1
        yield unit


def main() -> None:
    """Write the corpus."""
    for shape in SHAPES:
        body = "".join(_written(shape))
        (FOLDER / f"{shape}.txt").write_text(
            _HEADS.get(shape, "") + body + _TAILS.get(shape, ""), encoding="utf-8"
        )
    writer = _Writer(7)
    lines = [json.dumps(writer.call()) for _ in range(CALLS)]
    (FOLDER / "calls.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
