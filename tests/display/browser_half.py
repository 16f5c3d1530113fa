"""Apply a view's messages as the browser does (docs/wire.md), in a few lines of Python."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

LEAVE = "\0"
_CLOSERS = re.compile(r"(?:</(?:tbody|table|ul|ol|p)>\s*)+\Z")
_LAST = re.compile(r"(?:</\w+>\s*)*\Z")
_CODE = re.compile(r'(<div class="highlight"[^>]*><pre><code[^>]*>)(.*?)(</code></pre></div>)', re.DOTALL)
_INNER = re.compile("\0(\\d+)\0")
_RUN = re.compile(r"([a-z0-9]*)(\.*)([A-Z])")


def units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def cut(text: str, keep: int) -> str:
    """Return the first *keep* UTF-16 units."""
    return units(text)[: 2 * keep].decode("utf-16-le", "surrogatepass")


def escaped(text: str) -> str:
    """Return *text* escaped as in a serialised DOM."""
    for mark, name in (("&", "&amp;"), ("\xa0", "&nbsp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(mark, name)
    return text


def coloured(code: str, runs: str) -> str:
    """Return code as HTML, its runs of colour as spans."""
    html, at = "", 0
    for name, dots, letter in _RUN.findall(runs):
        length = 26 * len(dots) + ord(letter) - ord("A")
        text = units(code)[2 * at : 2 * (at + length)].decode("utf-16-le", "surrogatepass")
        html += f'<span class="{name}">{escaped(text)}</span>' if name else escaped(text)
        at += length
    return html + escaped(units(code)[2 * at :].decode("utf-16-le", "surrogatepass"))


def item_html(item: str | list[str]) -> str:
    """Return the HTML of a closed item, with its text and its coloured code."""
    if isinstance(item, str):
        return item
    html, colours, text = item
    match = _LAST.search(html)
    assert match
    html = html[: match.start()] + escaped(text) + html[match.start() :]
    runs = iter([*colours.split(";"), *[""] * html.count("<code")])
    return _CODE.sub(lambda m: m[1] + coloured(unescape(m[2]), next(runs)) + m[3], html)


def page_html(items: list[str | list[str]], open_: str = "") -> str:
    """Return the HTML of the closed items and the open block together, with closed containers."""
    html = ""
    ends: list[str] = []
    for item in items:
        if item == LEAVE:
            html += ends.pop()
        elif isinstance(item, str) and item.startswith(LEAVE):
            match = _CLOSERS.search(item)
            assert match
            html += item[1 : match.start()]
            ends.append(match[0])
        else:
            html += item_html(item)
    inside, _, after = open_.partition(LEAVE)
    return html + inside + "".join(reversed(ends)) + after


def rest(text: str, start: int) -> str:
    """Return the text after the first *start* UTF-16 units."""
    return units(text)[2 * start :].decode("utf-16-le", "surrogatepass")


class Browser:
    """Apply messages as they arrive; ``lost`` counts the messages that a browser would ask for again."""

    def __init__(self, snapshot: dict[str, Any] | None = None) -> None:
        self.number = 0
        self.head: dict[str, Any] = {}
        self.parts: dict[int, dict[str, Any]] = {}
        self.children: dict[int, list[int]] = {0: []}
        self.blobs: dict[int, str] = {}
        self.pieces: list[tuple[Any, ...]] = []
        self.lost = 0
        if snapshot is not None:
            self.full(snapshot)

    def receive(self, message: dict[str, Any]) -> None:
        ops = message["ops"]
        if ops and ops[0][0] == "full":
            self.full(ops[0][1])
            self.apply(ops[1:])
        elif message["n"] == self.number + 1:
            self.number += 1
            self.apply(ops)
        elif message["n"] > self.number:
            self.lost += 1

    def apply(self, ops: list[Any]) -> None:
        for op in ops:
            getattr(self, f"op_{op[0]}")(*op[1:])

    def part(self, key: int) -> dict[str, Any]:
        return next(part for part in self.tree() if part["key"] == key)

    def full(self, snapshot: dict[str, Any]) -> None:
        self.number, self.head = snapshot["n"], dict(snapshot["head"])
        self.parts, self.children, self.blobs = {}, {0: []}, dict(snapshot["blobs"])

        def put(parent: int, parts: list[dict[str, Any]]) -> None:
            for part in parts:
                self.parts[part["key"]] = {
                    "key": part["key"],
                    "kind": part["kind"],
                    "props": dict(part["props"]),
                    "fields": dict(part["fields"]),
                    "blocks": list(part["blocks"]),
                    "open": part["open"],
                    "tail": part["tail"],
                }
                self.children.setdefault(parent, []).append(part["key"])
                put(part["key"], part["parts"])

        put(0, snapshot["parts"])

    def tree(self, parent: int = 0) -> list[dict[str, Any]]:
        return [
            {
                **self.parts[key],
                "fields": {name: text for name, text in self.parts[key]["fields"].items() if text},
                "parts": self.tree(key),
            }
            for key in self.children.get(parent, [])
        ]

    # The ops

    def op_add(self, key: int, kind: str, parent: int, index: int, props: dict[str, Any]) -> None:
        assert key not in self.parts
        assert parent == 0 or parent in self.parts
        self.parts[key] = {
            "key": key,
            "kind": kind,
            "props": dict(props),
            "fields": {},
            "blocks": [],
            "open": "",
            "tail": "",
        }
        self.children.setdefault(parent, []).insert(index, key)

    def remove_from_parent(self, key: int) -> None:
        for keys in self.children.values():
            if key in keys:
                keys.remove(key)

    def op_del(self, key: int) -> None:
        self.remove_from_parent(key)
        del self.parts[key]

    def op_move(self, key: int, parent: int, index: int) -> None:
        self.remove_from_parent(key)
        self.children.setdefault(parent, []).insert(index, key)

    def op_set(self, key: int, props: dict[str, Any]) -> None:
        self.parts[key]["props"] |= props

    def op_txt(self, key: int, field: str, keep: int, text: str) -> None:
        fields = self.parts[key]["fields"]
        assert keep <= len(units(fields.get(field, ""))) // 2
        fields[field] = cut(fields.get(field, ""), keep) + text

    def op_blob(self, number: int, *text: str) -> None:
        if text:
            assert number not in self.blobs or self.blobs[number] == text[0]
            self.blobs[number] = text[0]
        else:
            self.blobs.pop(number, None)  # a whole state leaves out what no part names

    def blob(self, number: int) -> str:
        """Return a blob's text, with the blobs that it names."""
        return _INNER.sub(lambda match: self.blob(int(match[1])), self.blobs[number])

    def shown(self, part: dict[str, Any], field: str) -> str:
        """Return a call's field as the page shows it: its text, and its form as text."""
        html = self.blob(number) if (number := part["props"].get(f"rich_{field}")) else ""
        return part["fields"].get(field, "") + unescape(re.sub(r"<[^>]*>", "", html))

    def op_more(self, key: int, field: str, start: int, end: int, size: int, text: str) -> None:
        assert key in self.parts
        self.pieces.append((key, field, start, end, size, text))

    def op_r(self, key: int, index: int, html: str) -> None:
        blocks = self.parts[key]["blocks"]
        assert LEAVE not in html and isinstance(blocks[index], str)  # noqa: PT018 - one fact
        blocks[index] = html

    def op_b(self, key: int, *items: str | list[str]) -> None:
        part = self.parts[key]
        part["blocks"] += items
        part["open"] = part["tail"] = ""

    def op_o(self, key: int, text: str, end: int = 0, drop: int = 0) -> None:
        part = self.parts[key]
        length = len(units(part["open"])) // 2
        assert length >= end + drop
        part["open"] = cut(part["open"], length - end - drop) + text + rest(part["open"], length - end)
        part["tail"] = ""

    def op_c(self, key: int, length: int = 0, colours: str = "") -> None:
        part = self.parts[key]
        assert not (length and part["tail"])
        assert length <= len(units(part["open"])) // 2
        html = cut(part["open"], length) if length else part["open"]
        part["blocks"].append([html, colours, part["tail"]] if colours or part["tail"] else html)
        part["open"], part["tail"] = (rest(part["open"], length) if length else ""), ""

    def op_a(self, key: int, text: str) -> None:
        self.parts[key]["tail"] += text

    def op_k(self, key: int, count: int) -> None:
        part = self.parts[key]
        assert count <= len(part["blocks"])
        part |= {"blocks": part["blocks"][:count], "open": "", "tail": ""}

    def op_head(self, props: dict[str, Any]) -> None:
        self.head |= props
