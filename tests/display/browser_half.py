"""The browser's half of docs/wire.md, in a few lines of Python: what a view's messages build."""

from __future__ import annotations

from typing import Any


def units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def cut(text: str, keep: int) -> str:
    """The first *keep* UTF-16 units."""
    return units(text)[: 2 * keep].decode("utf-16-le", "surrogatepass")


class Browser:
    """Applies messages as they come; ``lost`` counts those it would have asked for again."""

    def __init__(self, snapshot: dict[str, Any] | None = None) -> None:
        self.number = 0
        self.head: dict[str, Any] = {}
        self.parts: dict[str, dict[str, Any]] = {}
        self.children: dict[str, list[str]] = {"": []}
        self.lost = 0
        if snapshot is not None:
            self.full(snapshot)

    def receive(self, message: dict[str, Any]) -> None:
        ops = message["ops"]
        if ops and ops[0][0] == "full":
            self.full(ops[0][1])
        elif message["n"] == self.number + 1:
            self.number += 1
            for op in ops:
                getattr(self, f"op_{op[0]}")(*op[1:])
        elif message["n"] > self.number:
            self.lost += 1

    def full(self, snapshot: dict[str, Any]) -> None:
        self.number, self.head = snapshot["n"], dict(snapshot["head"])
        self.parts, self.children = {}, {"": []}

        def put(parent: str, parts: list[dict[str, Any]]) -> None:
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

        put("", snapshot["parts"])

    def tree(self, parent: str = "") -> list[dict[str, Any]]:
        return [
            {
                **self.parts[key],
                "fields": {name: text for name, text in self.parts[key]["fields"].items() if text},
                "parts": self.tree(key),
            }
            for key in self.children.get(parent, [])
        ]

    # The ops

    def op_add(self, key: str, kind: str, parent: str, index: int, props: dict[str, Any]) -> None:
        assert key not in self.parts
        assert parent == "" or parent in self.parts
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

    def remove_from_parent(self, key: str) -> None:
        for keys in self.children.values():
            if key in keys:
                keys.remove(key)

    def op_del(self, key: str) -> None:
        self.remove_from_parent(key)
        del self.parts[key]

    def op_move(self, key: str, parent: str, index: int) -> None:
        self.remove_from_parent(key)
        self.children.setdefault(parent, []).insert(index, key)

    def op_set(self, key: str, props: dict[str, Any]) -> None:
        self.parts[key]["props"] |= props

    def op_txt(self, key: str, field: str, keep: int, text: str) -> None:
        fields = self.parts[key]["fields"]
        assert keep <= len(units(fields.get(field, ""))) // 2
        fields[field] = cut(fields.get(field, ""), keep) + text

    def op_blk(self, key: str, blocks: list[str]) -> None:
        part = self.parts[key]
        part["blocks"] += blocks
        part["open"] = part["tail"] = ""

    def op_opn(self, key: str, keep: int, html: str) -> None:
        part = self.parts[key]
        assert keep <= len(units(part["open"])) // 2
        part["open"], part["tail"] = cut(part["open"], keep) + html, ""

    def op_app(self, key: str, text: str) -> None:
        self.parts[key]["tail"] += text

    def op_rst(self, key: str) -> None:
        self.parts[key] |= {"blocks": [], "open": "", "tail": ""}

    def op_head(self, props: dict[str, Any]) -> None:
        self.head |= props
