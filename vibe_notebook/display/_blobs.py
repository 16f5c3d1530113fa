"""Hold the heavy strings of a live view, such as images and tables, and send each of them to the browser once.

Between ``_parts.py`` and the wire (docs/wire.md). A part names its blob by a number; equal strings have one number. A
heavy block or image inside of HTML is a blob of its own. A blob that no part names is forgotten, here and in the browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from .._forms.wording import size
from .._settings import displays_limit

if TYPE_CHECKING:
    from ._text_diffs import Op

__all__ = ["PROPERTIES", "Blobs", "Owner", "numbers_in"]

Owner = tuple[int, str]
"""The part's number, and the name of the property that names the blob."""
PROPERTIES: Final = ("rich", "rich_args", "rich_output", "src")
"""The properties of parts that name a blob."""

HEAVY: Final = 1_000
"""Characters from which a block is a blob of its own."""
_IMAGE: Final = re.compile(r"data:image/[a-z+.-]{1,20};base64,[A-Za-z0-9+/=]{1000,}")
"""An image inside of HTML that is worth a blob."""
_NUMBER: Final = re.compile("\0(\\d+)\0")


class _Blob:
    __slots__ = ("bytes", "number", "run", "text", "users")

    def __init__(self, number: int, text: str, run: str) -> None:
        self.number = number
        self.text = text
        self.bytes = _bytes(text)
        self.run = run
        self.users = 0


class Blobs:
    """Hold the blobs of one view. The caller holds the view's lock.

    *limit*: bytes of the blobs of one run, else those that ``configure(displays_limit=…)`` allows. A browser needs
    seconds for more than 20 MB, and the kernel holds them as long as the view.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.now = 0.0
        """The time of the present draw, in seconds."""
        self._limit = displays_limit() if limit is None else limit
        self._by_text: dict[str, _Blob] = {}
        self._by_number: dict[int, _Blob] = {}
        self._owned: dict[Owner, _Blob] = {}
        self._bytes: dict[str, int] = {}  # of each run
        self._made = 0
        self._new: list[_Blob] = []
        self._gone: list[int] = []

    def put(self, owner: Owner, blocks: Sequence[str], run: str) -> int:
        """Hold the HTML of *blocks* for its owner, in place of what it had before; return the number.

        Beyond the run's limit a sentence stands for it.
        """
        blocks = [block.replace("\0", "\ufffd") for block in blocks]
        before = self._owned.pop(owner, None)
        freed = self._freed(before, run) if before is not None else 0
        if self._bytes.get(run, 0) - freed + self._needed(blocks) > self._limit:
            blocks = [left_out(sum(map(_bytes, blocks)), self._limit)]
        # The new HTML is held before the old one is released: a block of both is not sent again.
        texts = [self._without_images(block, run) for block in blocks]
        if len(texts) > 1:
            texts = [self._reference(text, run) if len(text) >= HEAVY else text for text in texts]
        held = self._owned[owner] = self._hold("\n".join(texts), run)
        held.users += 1
        if before is not None:
            self._release(before)
        return held.number

    def _without_images(self, html: str, run: str) -> str:
        """Return HTML that names its images; an image alone stays."""
        if _IMAGE.fullmatch(html):
            return html
        return _IMAGE.sub(lambda match: self._reference(match[0], run), html)

    def _reference(self, text: str, run: str) -> str:
        return f"\0{self._hold(text, run).number}\0"

    def remove(self, owner: Owner) -> None:
        """Release the owner's blob, if it has one."""
        before = self._owned.pop(owner, None)
        if before is not None:
            self._release(before)

    def remove_part(self, key: int) -> None:
        """Release the blobs of a deleted part."""
        for owner in [owner for owner in self._owned if owner[0] == key]:
            self.remove(owner)

    def ops(self) -> tuple[list[Op], list[Op]]:
        """Return the ops that send new blobs, and those that forget blobs: before and after all others."""
        new = [["blob", blob.number, blob.text] for blob in self._new]
        gone = [["blob", number] for number in self._gone]
        self._new, self._gone = [], []
        return new, gone

    def of(self, parts: Iterable[Mapping[str, Any]]) -> list[list[Any]]:
        """Return [number, text] of each blob that the snapshots *parts* name, and of the blobs inside of them."""
        found: dict[int, str] = {}
        waiting = list(parts)
        while waiting:
            part = waiting.pop()
            waiting += part["parts"]
            for number in numbers_in(part["props"]):
                if number in self._by_number:  # else a fault has lost it
                    found |= {blob.number: blob.text for blob in self._with_inner(self._by_number[number])}
        return [[number, found[number]] for number in sorted(found)]

    def bytes_of(self, number: int) -> int:
        """Return the bytes of a blob and of the blobs inside of it."""
        blob = self._by_number.get(number)
        return sum(each.bytes for each in self._with_inner(blob)) if blob is not None else 0

    def _with_inner(self, blob: _Blob) -> Iterator[_Blob]:
        yield blob
        for inner in _inside(blob.text):
            yield from self._with_inner(self._by_number[inner])

    def _needed(self, blocks: Iterable[str]) -> int:
        """Return about the bytes that the blocks would add."""
        needed = 0
        seen: set[str] = set()
        for block in blocks:
            images = _IMAGE.findall(block)
            needed += sum(len(image) for image in set(images) - seen if image not in self._by_text)
            seen.update(images)
            bare = _IMAGE.sub("", block)
            needed += 0 if block in self._by_text else _bytes(bare)
        return needed

    def _freed(self, blob: _Blob, run: str) -> int:
        """Return the run's bytes that the release of one use of *blob* frees."""
        if blob.users > 1:
            return 0
        own = blob.bytes if blob.run == run else 0
        return own + sum(self._freed(self._by_number[inner], run) for inner in _inside(blob.text))

    def _hold(self, text: str, run: str) -> _Blob:
        blob = self._by_text.get(text)
        if blob is None:
            self._made += 1
            blob = self._by_text[text] = self._by_number[self._made] = _Blob(self._made, text, run)
            self._bytes[run] = self._bytes.get(run, 0) + blob.bytes
            self._new.append(blob)
            for inner in _inside(text):
                self._by_number[inner].users += 1
        return blob

    def _release(self, blob: _Blob) -> None:
        blob.users -= 1
        if blob.users > 0:
            return
        del self._by_text[blob.text], self._by_number[blob.number]
        self._bytes[blob.run] -= blob.bytes
        if blob in self._new:
            self._new.remove(blob)
        else:
            self._gone.append(blob.number)
        for inner in _inside(blob.text):
            self._release(self._by_number[inner])


def _inside(text: str) -> list[int]:
    """Return the numbers of the images inside of a blob's text."""
    return list(dict.fromkeys(map(int, _NUMBER.findall(text)))) if "\0" in text else []


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def left_out(count: int, limit: int) -> str:
    """Return the HTML in place of a display that is too large for the view."""
    words = (
        f"A display of {size(count)} is left out of this view: a view holds {size(limit)} of displays a run. "
        "The transcript has it (`vibe.last().transcript`), and so has a recording."
    )
    return f'<div class="vibe-left-out">{escape(words)}</div>'


def numbers_in(props: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the blobs that a part's properties name."""
    return [number for name in PROPERTIES if (number := props.get(name))]
